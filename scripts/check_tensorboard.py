#!/usr/bin/env python3
"""Reads event files with TensorBoard's own readers and compares what they show with what was written.

    python3 scripts/check_tensorboard.py BOARD

Needs tensorboard (`pip install tensorboard`; tested with 2.21.0; TensorFlow is not needed).

BOARD is a directory of runs and an expected.json; the test crates/mup2-train/tests/tensorboard.rs leaves
one in target/tmp/tensorboard. Both of TensorBoard's accumulators read every run: the old one, which
other programs use, and the one behind the dashboards. Each must show exactly the points expected, in
order: none that a resumed run has done again, none of a record that was cut off.

TensorBoard's fast loader is another program, which cannot be asked from here; how it differs is said in
docs/decisions/0013-event-files-are-written-with-prost.md.
"""

import argparse
import json
import logging
import pathlib
import re
import struct
import time

FILE_NAME = re.compile(r"events\.out\.tfevents\.\d{10}\..+\.\d+\.mup2")


def bits(value):
    """The bits of the nearest f32; all that is not a number is one."""
    if value != value:
        return "not a number"
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", float("inf") if value > 0 else float("-inf"))


def same(place, found, expected):
    """End the program unless both are equal."""
    if found != expected:
        raise SystemExit(f"{place}: TensorBoard shows {found!r}, expected {expected!r}")


def check_times(place, events):
    times = [event.wall_time for event in events]
    if times != sorted(times) or not 1.7e9 < times[0] <= times[-1] <= time.time():
        raise SystemExit(f"{place}: wall times {times}")


def check_scalars(place, expected, read):
    for tag, points in expected.items():
        events, values = read(tag)
        check_times(f"{place}: {tag}", events)
        steps = [event.step for event in events]
        same(f"{place}: steps of {tag}", steps, [step for step, _ in points])
        for step, value, (_, written) in zip(steps, values, points):
            same(f"{place}: {tag} at {step}", bits(value), bits(float(written)))


def check_texts(place, expected, accumulator):
    for tag, points in expected.items():
        events = accumulator.Tensors(tag)
        found = [[event.step, event.tensor_proto.string_val[0].decode()] for event in events]
        same(f"{place}: {tag}", found, points)


def check_hyperparameters(place, expected, accumulator):
    # Here, so that --help can say that tensorboard is needed.
    from tensorboard.plugins.hparams import metadata

    if not expected:
        return
    content = accumulator.PluginTagToContent("hparams")[metadata.SESSION_START_INFO_TAG]
    found = metadata.parse_session_start_info_plugin_data(content).hparams
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()}
    same(f"{place}: hyperparameters", values, expected)


def check_run(directory, expected):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.plugin_event_accumulator import (
        EventAccumulator as PluginEventAccumulator,
    )
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
    from tensorboard.util.tensor_util import make_ndarray

    names = [path.name for path in directory.iterdir() if path.is_file()]
    same(f"{directory}: names", [name for name in names if not FILE_NAME.fullmatch(name)], [])
    same(f"{directory}: files", len(names), expected["files"])
    scalars, texts = expected["scalars"], expected["texts"]
    tensors = set(texts) | ({SESSION_START_INFO_TAG} if expected["hyperparameters"] else set())

    def old_scalars(tag):
        events = old.Scalars(tag)
        return events, [event.value for event in events]

    def new_scalars(tag):
        events = new.Tensors(tag)
        return events, [make_ndarray(event.tensor_proto).item() for event in events]

    # 0: keep all points.
    old = EventAccumulator(str(directory), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    place = f"{directory}: old accumulator"
    same(f"{place}: scalars", set(old.Tags()["scalars"]), set(scalars))
    same(f"{place}: tensors", set(old.Tags()["tensors"]), tensors)
    check_scalars(place, scalars, old_scalars)
    check_texts(place, texts, old)

    new = PluginEventAccumulator(str(directory), size_guidance={"tensors": 0}).Reload()
    place = f"{directory}: dashboard's accumulator"
    same(f"{place}: tensors", set(new.Tags()["tensors"]), set(scalars) | tensors)
    check_scalars(place, scalars, new_scalars)
    check_texts(place, texts, new)
    check_hyperparameters(place, expected["hyperparameters"], new)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "board", metavar="BOARD", type=pathlib.Path, help="a directory of runs and an expected.json"
    )
    board = parser.parse_args().board
    # Its warnings tell of the expired points and the cut record that the test put there.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    runs = json.loads((board / "expected.json").read_text(encoding="utf-8"))

    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    found = EventMultiplexer().AddRunsFromDirectory(str(board)).Runs()
    same(f"{board}: runs", set(found), set(runs))
    for run, expected in runs.items():
        check_run(board / run, expected)
    points = sum(len(tag) for run in runs.values() for tag in run["scalars"].values())
    print(f"{len(runs)} runs, {points} points: as written")


if __name__ == "__main__":
    main()
