#!/bin/bash
# The figures of docs/reference/measurements.md, taken of the release build; four minutes. Wants a machine to itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --locked --release
ECHOMESH_BINARY="${CARGO_TARGET_DIR:-$PWD/target}/release/echomesh" exec cargo test --locked --test blackbox -- --ignored --nocapture --test-threads=1 measure::
