#!/bin/bash
# Builds a router target twice, in two folders of different names, one after the other and from nothing, and compares the bytes.
#
#   tests/long/reproducible.sh [TARGET]     without TARGET: mipsel_24kc
set -euo pipefail
cd "$(dirname "$0")/../.."
target="${1:-mipsel_24kc}"
ECHOMESH_CROSS_CACHE="$(cross/toolchain --folder)"
export ECHOMESH_CROSS_CACHE
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for folder in "$work/a" "$work/another/and-longer"; do
  mkdir -p "$folder"
  git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$folder"
  CARGO_TARGET_DIR="$folder/target" ECHOMESH_CROSS_OUT="$folder/out" "$folder/cross/build" "$target"
  rm -rf "$folder/target"
  binary="$folder/out/$target/proxy/echomesh"
  sha256sum "$binary"
  # A path of this machine in it would be a difference on another.
  for path in "$work" "$HOME/.cargo" "${CARGO_HOME:-$HOME/.cargo}" "$ECHOMESH_CROSS_CACHE"; do
    ! grep -qaF "$path" "$binary" || { echo "FAILED: $path stands in the binary" >&2; exit 1; }
  done
done
cmp "$work/a/out/$target/proxy/echomesh" "$work/another/and-longer/out/$target/proxy/echomesh" || { echo "FAILED: two builds differ" >&2; exit 1; }
echo "tests/long/reproducible.sh: $target: two builds are the same to the byte"
