"""A container as text: an ADB as `apk adbdump` prints it, an .ipk as its control and its list of files."""

import adb
from adb import DATA, SIGNATURE, STORE
from ipk import Ipk
from schema import HEX, LINES, NUMBER, OCTAL, SCHEMAS, read

SIGNATURE_SHOWN = 54


def adb_text(raw: bytes, verdict) -> str:
    """YAML of the store, a comment for each other block. `verdict(schema, store, signature)` = the words after a signature."""
    schema, blocks = adb.read(raw)
    if schema not in SCHEMAS:
        raise ValueError(f"neither package nor index: schema {schema!r}")
    store = blocks[0].payload
    values = adb.Values(store)
    out = [f"#%SCHEMA: {int.from_bytes(schema.encode(), 'little'):08X}"]
    out.append(f"# ADB block, size: {len(store)}, compat: {values.compat}, ver: {values.version}")
    shape = SCHEMAS[schema]
    out += _object(read(values, values.root, shape), shape, "")
    for block in blocks[1:]:
        if block.kind == SIGNATURE:
            out.append(_signature(block.payload, verdict(schema, store, block.payload)))
        elif block.kind == DATA:
            out.append(f"# data block, size: {len(block.payload)}")
        elif block.kind == STORE:
            raise ValueError("a second store")
    return "\n".join(out) + "\n"


def ipk_text(package: Ipk) -> str:
    """Control file, scripts by name, and files with mode and size."""
    out = [package.control["control"][1].decode().rstrip(), ""]
    out += [f"# {name}, {len(data)} bytes" for name, (_, data) in package.control.items() if name != "control"]
    out += [f"{mode:04o} {len(data):9} /{name}" for name, (mode, data) in package.files.items()]
    return "\n".join(out) + "\n"


def _object(fields: dict, shape: dict, pad: str) -> list[str]:
    out = []
    for name, value in fields.items():
        kind = shape[name]
        if isinstance(kind, list):
            out.append(f"{pad}{name}: # {len(value)} items")
            out += _items(value, kind[0], pad + "  ")
        elif isinstance(kind, dict):
            out += [f"{pad}{name}:", *_object(value, kind, pad + "  ")]
        else:
            out += _scalar(f"{pad}{name}: ", value, kind, pad + "  ")
    return out


def _items(values: list, kind, pad: str) -> list[str]:
    out = []
    for value in values:
        if isinstance(kind, dict):
            lines = _object(value, kind, pad + "  ")
            out += [f"{pad}- {lines[0].lstrip()}", *lines[1:]] if lines else [f"{pad}- # empty object"]
        else:
            out += _scalar(f"{pad}- ", value, kind, pad + "  ")
    return out


def _scalar(head: str, value, kind: str, pad: str) -> list[str]:
    if kind == OCTAL:
        return [f"{head}{value:04o}"]
    if kind in (NUMBER, HEX):
        return [f"{head}{value}"]
    if kind == LINES or len(value) >= 80 or any(sign in value for sign in ("\n", "\r", "'", " #")):
        return [f"{head}|", *(pad + line for line in value.rstrip("\n").split("\n"))]
    if value[:1] in set("-?:,[]{}#&*!|>'\"%@`") or ": " in value or "#" in value:
        return [f"{head}'{value}'"]
    return [head + value]


def _signature(payload: bytes, verdict: str) -> str:
    shown = payload[2 : 2 + SIGNATURE_SHOWN].hex() + (".." if len(payload) > 2 + SIGNATURE_SHOWN else "")
    return f"# sig v{payload[0]:02x} h{payload[1]:02x} {shown}: {verdict}"
