"""The shapes inside an ADB store, by apk v3's names: what the numbers of an object's fields mean."""

from adb import Values

TEXT, LINES, HEX, NUMBER, OCTAL, DEPENDENCY = "text", "lines", "hex", "number", "octal", "dependency"
Kind = str | list | dict
"""A scalar's name; `[kind]` = array of it; a dict = object, its fields in the order of their numbers, from 1."""

DEPENDENCIES = [DEPENDENCY]
INFO = {
    "name": TEXT,
    "version": TEXT,
    "hashes": HEX,
    "description": TEXT,
    "arch": TEXT,
    "license": TEXT,
    "origin": TEXT,
    "maintainer": TEXT,
    "url": TEXT,
    "repo-commit": HEX,
    "build-time": NUMBER,
    "installed-size": NUMBER,
    "file-size": NUMBER,
    "provider-priority": NUMBER,
    "depends": DEPENDENCIES,
    "provides": DEPENDENCIES,
    "replaces": DEPENDENCIES,
    "install-if": DEPENDENCIES,
    "recommends": DEPENDENCIES,
    "layer": NUMBER,
    "tags": [TEXT],
}
ACCESS = {"mode": OCTAL, "user": TEXT, "group": TEXT, "xattrs": [HEX]}
FILE = {"name": TEXT, "acl": ACCESS, "size": NUMBER, "mtime": NUMBER, "hash": HEX, "target": HEX}
FOLDER = {"name": TEXT, "acl": ACCESS, "files": [FILE]}
SCRIPTS = {
    "trigger": LINES,
    "pre-install": LINES,
    "post-install": LINES,
    "pre-deinstall": LINES,
    "post-deinstall": LINES,
    "pre-upgrade": LINES,
    "post-upgrade": LINES,
}
PACKAGE = {"info": INFO, "paths": [FOLDER], "scripts": SCRIPTS, "triggers": [TEXT], "replaces-priority": NUMBER}
INDEX = {"description": TEXT, "packages": [INFO], "pkgname-spec": TEXT}
SCHEMAS = {"pckg": PACKAGE, "indx": INDEX}


def read(values: Values, value: int, kind: Kind):
    """The value as Python has it: text as str, hashes as hex digits, objects as dicts of what is there."""
    if isinstance(kind, list):
        return [read(values, item, kind[0]) for item in values.list(value)]
    if isinstance(kind, dict):
        fields = zip(kind.items(), values.list(value), strict=False)
        return {name: read(values, item, inner) for (name, inner), item in fields if item}
    if kind in (NUMBER, OCTAL):
        return values.number(value)
    if kind == HEX:
        return values.blob(value).hex()
    if kind == DEPENDENCY:
        return _dependency(values, value)
    return values.blob(value).decode("utf-8", "backslashreplace")


def _dependency(values: Values, value: int) -> str:
    """`name`, or with the version it must have: `name>=1.2`; `!name` = must not be there."""
    fields = values.list(value) + [0, 0, 0]
    name, version = (values.blob(v).decode("utf-8", "backslashreplace") for v in fields[:2])
    match = values.number(fields[2]) or EQUAL
    conflict = "!" if match & CONFLICT else ""
    return f"{conflict}{name}{OPERATORS.get(match & ~CONFLICT, '?') if version else ''}{version}"


EQUAL, LESS, GREATER, FUZZY, CONFLICT = 1, 2, 4, 8, 16
OPERATORS = {
    LESS: "<",
    LESS | EQUAL: "<=",
    GREATER: ">",
    GREATER | EQUAL: ">=",
    EQUAL: "=",
    EQUAL | FUZZY: "~",
    FUZZY: "~",
    LESS | FUZZY: "<~",
    GREATER | FUZZY: ">~",
    LESS | GREATER: "><",
}
