"""LuCI's compiled catalogues: a .po becomes an .lmo, byte for byte as LuCI's po2lmo makes it.

An .lmo is the translated strings, each padded to four bytes; an index of (hash of the key, number of forms, offset, length),
sorted by hash; and the index's offset as the last word. All words are big-endian. The key of `msgctxt` C, `msgid` I and plural
form n is `C \\x01 I \\x02 n`, as far as each is there; the header entry keeps its Plural-Forms under key 0.
"""

import struct
from dataclasses import dataclass, field

ESCAPED = {'"': '"', "\\": "\\"}
"""What a backslash before is dropped; all other escapes stay as they are, as LuCI's pages expect."""


@dataclass
class Message:
    """One entry of a .po."""

    context: str | None = None
    key: str = ""
    plural: bool = False
    forms: dict[int, str] = field(default_factory=dict)


def compile_po(text: str) -> bytes:
    """The .lmo of a .po; empty when nothing in it is translated."""
    strings = bytearray()
    entries: list[tuple[int, int, int, int]] = []

    def store(key: int, forms: int, value: bytes) -> None:
        entries.append((key, forms, len(strings), len(value)))
        strings.extend(value + bytes(-len(value) % 4))

    for message in messages(text):
        if not message.key:
            if plural := _plural_rule(message.forms.get(0, "")):
                store(0, 0, plural.encode())
            continue
        for number, value in sorted(message.forms.items()):
            raw = value.encode()
            key = _hash(_key(message, number))
            if raw and key != _hash(raw):
                store(key, max(message.forms) + 1, raw)
    index = b"".join(struct.pack(">4I", *entry) for entry in sorted(entries))
    return bytes(strings) + index + struct.pack(">I", len(strings)) if strings else b""


def messages(text: str) -> list[Message]:
    """The entries of a .po, the header among them. Comments, and with them obsolete and fuzzy marks, are skipped."""
    found: list[Message] = []
    current, add = Message(), None
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word.startswith('"'):
            word, rest = "", line.strip()
        if len(rest) < 2 or rest[0] != '"' or rest[-1] != '"':
            raise ValueError(f"line {number}: no string in {line[:60]!r}")
        value = _unescaped(rest[1:-1])
        if word in ("msgctxt", "msgid") and current.forms:
            found.append(current)
            current = Message()
        add = _adder(current, word, number) if word else add
        if add is None:
            raise ValueError(f"line {number}: a string of nothing")
        add(value)
    return found + ([current] if current.forms else [])


def _adder(message: Message, word: str, line: int):
    """Where the strings after `word` go."""

    def context(value: str) -> None:
        message.context = (message.context or "") + value

    def key(value: str) -> None:
        message.key += value

    def plural(_: str) -> None:
        message.plural = True

    def form(number: int):
        def add(value: str) -> None:
            message.forms[number] = message.forms.get(number, "") + value

        return add

    if word.startswith("msgstr[") and word.endswith("]") and word[7:-1].isdigit() and int(word[7:-1]) < 10:
        return form(int(word[7:-1]))
    known = {"msgctxt": context, "msgid": key, "msgid_plural": plural, "msgstr": form(0)}
    if word not in known:
        raise ValueError(f"line {line}: unknown word {word[:20]!r}")
    return known[word]


def _key(message: Message, number: int) -> bytes:
    key = message.key if message.context is None else f"{message.context}\x01{message.key}"
    return (f"{key}\x02{number}" if message.plural else key).encode()


def _plural_rule(header: str) -> str:
    for line in header.split("\\n"):
        if line.lower().startswith("plural-forms: "):
            return line[14:]
    return ""


def _unescaped(text: str) -> str:
    out, at = [], 0
    while at < len(text):
        pair = text[at + 1 : at + 2] if text[at] == "\\" else ""
        out.append(ESCAPED.get(pair, text[at] + pair))
        at += 1 + len(pair)
    return "".join(out)


def _hash(data: bytes) -> int:
    """Paul Hsieh's SuperFastHash, seeded with the length, as LuCI has it: its last bytes are signed."""
    if not data:
        return 0
    value, rest = len(data), len(data) & 3
    for at in range(0, len(data) - rest, 4):
        low, high = struct.unpack_from("<HH", data, at)
        value = (value + low) & 0xFFFFFFFF
        value = (value << 16) & 0xFFFFFFFF ^ (high << 11 ^ value) & 0xFFFFFFFF
        value = (value + (value >> 11)) & 0xFFFFFFFF
    tail = data[len(data) - rest :]
    last = struct.unpack("b", tail[-1:])[0] if rest else 0
    if rest == 3:
        value = (value + struct.unpack("<H", tail[:2])[0]) & 0xFFFFFFFF
        value = (value ^ value << 16 ^ last << 18) & 0xFFFFFFFF
        value = (value + (value >> 11)) & 0xFFFFFFFF
    elif rest == 2:
        value = (value + struct.unpack("<H", tail)[0]) & 0xFFFFFFFF
        value = (value ^ value << 11) & 0xFFFFFFFF
        value = (value + (value >> 17)) & 0xFFFFFFFF
    elif rest == 1:
        value = (value + last) & 0xFFFFFFFF
        value = (value ^ value << 10) & 0xFFFFFFFF
        value = (value + (value >> 1)) & 0xFFFFFFFF
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value = (value ^ value << left) & 0xFFFFFFFF
        value = (value + (value >> right)) & 0xFFFFFFFF
    return value
