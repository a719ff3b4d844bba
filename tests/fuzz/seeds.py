#!/usr/bin/env python3
"""Writes first inputs for the fuzz targets from the project's own files: seeds.py FOLDER (one folder per target in it)."""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def examples(node):
    """Every `example` below `node` of an OpenAPI document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "example":
                yield value
            else:
                yield from examples(value)
    elif isinstance(node, list):
        for value in node:
            yield from examples(value)


def write(target, seeds):
    folder = Path(sys.argv[1]) / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, seed in enumerate(seeds):
        (folder / str(number)).write_bytes(seed)


def api(name):
    document = json.loads((ROOT / "docs/contracts" / name).read_text())
    texts = {json.dumps(example, separators=(",", ":")) for example in examples(document)}
    return [text.encode() for text in sorted(texts)]


def files(*patterns):
    return [path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


write("client_hello", files("tests/vectors/hello/*.bin"))
write("uci", files("openwrt/files/etc/config/echomesh", "tests/golden/config/*.config"))
write("json_contracts", api("coordinator.openapi.json"))
write("scrub", api("control.openapi.json") + api("coordinator.openapi.json"))
write("hook_events", [b"\x20data: " + seed + b"\n\n: alive\n\n" for seed in api("control.openapi.json") if b'"kind"' in seed])
write("settings_patch", api("control.openapi.json"))
