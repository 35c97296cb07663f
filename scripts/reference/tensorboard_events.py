#!/usr/bin/env python3
"""Prints the records of event files as TensorBoard's own Python code writes them, in hexadecimal.

    python3 scripts/reference/tensorboard_events.py

Needs tensorboard (`pip install tensorboard`; made with 2.21.0). `src/tensorboard/tests.rs` holds the
records printed here.
"""

import io

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c, masked_crc32c
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.text import metadata as text
from tensorboard.summary.writer.record_writer import RecordWriter

WALL_TIME = 1234.5


def record(data):
    file = io.BytesIO()
    RecordWriter(file).write(data)
    return file.getvalue().hex()


def framed(step, **content):
    event = event_pb2.Event(wall_time=WALL_TIME, step=step, **content)
    return record(event.SerializeToString())


def of_value(**value):
    return summary_pb2.Summary(value=[summary_pb2.Summary.Value(**value)])


def text_value(tag, string):
    tensor = tensor_pb2.TensorProto(dtype=7, tensor_shape={}, string_val=[string.encode()])
    metadata = text.create_summary_metadata(display_name="", description="")
    return of_value(tag=tag, tensor=tensor, metadata=metadata)


def setting(name, value):
    # One setting a record: protocol buffers leave the order of a map's entries open.
    start = plugin_data_pb2.SessionStartInfo(start_time_secs=WALL_TIME)
    kind = {bool: "bool_value", float: "number_value", str: "string_value"}[type(value)]
    setattr(start.hparams[name], kind, value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    metadata = hparams.create_summary_metadata(data)
    return of_value(
        tag=hparams.SESSION_START_INFO_TAG, tensor=hparams.NULL_TENSOR, metadata=metadata
    )


START = event_pb2.SessionLog(status=event_pb2.SessionLog.START)

print("crc32c of 123456789:", hex(crc32c(b"123456789")), "masked:", hex(masked_crc32c(b"123456789")))
print("frame of nothing:", record(b""))
print("frame of 123456789:", record(b"123456789"))
print("file version:", framed(0, file_version="brain.Event:2"))
print("start at step 300:", framed(300, session_log=START))
for value in (0.0, 0.1, float("inf")):
    print(f"scalar {value}:", framed(7, summary=of_value(tag="train/loss", simple_value=value)))
print("text:", framed(0, summary=text_value("spec", "ρ = 0.1")))
for name, value in (("lr", 0.25), ("rule", "sam"), ("nesterov", False)):
    print(f"setting {name}:", framed(0, summary=setting(name, value)))
