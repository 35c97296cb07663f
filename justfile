# One profile, the whole workspace: see CONTRIBUTING.md for why.

# Lists the recipes.
default:
    @just --list

# Builds the program and everything that tests need.
build:
    cargo build --release --all-targets

# Runs all tests, those in the documentation included.
test:
    cargo test --release

# The slow coordinate checks: ResNet and Vision Transformer under every rule, in µP² and without; about ten minutes.
check-models:
    cargo test --release --test check_models -- --include-ignored

# Runs the tests of GPUs on Mesa's software Vulkan; builds Burn once more, apart.
test-gpu:
    scripts/gpu/test_on_software_vulkan

# Runs the tests of trainings in several processes; needs Open MPI and libclang (docs/guides/several-processes.md).
test-mpi:
    cargo build --release --features mup2-cli/mpi
    MUP2=target/release/mup2 scripts/mpi/test_several_processes

# Checks formatting and lints; warnings are errors.
lint:
    cargo fmt --all --check
    cargo clippy --release --all-targets -- -D warnings

# Runs the shipped example and writes its report to ./mup2-quickstart.
quickstart:
    cargo run --release --bin mup2 -- quickstart

# Measures mup2 against PyTorch in turns and prints the ratios (bench/README.md); about an hour, on an idle machine.
bench-peer *arguments:
    test -x bench/.venv/bin/python || python3 -m venv bench/.venv
    bench/.venv/bin/pip install --quiet --requirement bench/requirements.txt
    cargo build --release --bins
    bench/.venv/bin/python bench/bench.py {{arguments}}

# Measures mup2's stacked trials against PyTorch on a GPU; under ten minutes. Other devices: bench/gpu.py --help.
bench-gpu *arguments:
    test -x bench/.venv/bin/python || python3 -m venv bench/.venv
    bench/.venv/bin/pip install --quiet --requirement bench/requirements.txt
    CARGO_TARGET_DIR=target/vulkan cargo build --release --locked --features vulkan
    bench/.venv/bin/python bench/gpu.py --binary target/vulkan/release/mup2 {{arguments}}

# Times the parts of a step on one core: each fused layer beside the engine's own.
bench-parts:
    cargo bench --bench parts

# Compares the public interface with that of a commit or tag (needs cargo-semver-checks); before a release: its last one. Features of GPUs, which
# add nothing to the interface, stay out: that of CUDA downloads LLVM.
semver baseline:
    cargo semver-checks --package mup2 --default-features --baseline-rev {{baseline}}

# Writes the pages that the program says of itself, and makes the book: target/book/index.html (needs mdbook 0.5).
book:
    cargo build --release --bins
    scripts/docs/make_reference --mup2 target/release/mup2
    mdbook build

# Packs both crates as for the registry, and uploads nothing, without the build that verifies them: it would be a second one of Burn.
package:
    cargo publish --workspace --dry-run --no-verify --allow-dirty

# What has to pass before a change goes in.
ci:
    .ci/run

# Prints or writes the expected numbers of the tests, by the Python programs that made them (each names the packages it needs).
reference:
    #!/usr/bin/env bash
    set -euo pipefail
    shopt -s nullglob
    for script in scripts/reference/*.py; do
        echo "== $script"
        python3 "$script"
    done
