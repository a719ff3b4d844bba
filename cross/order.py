"""The order of functions in a program's code by which it compresses best: like near like.

`order.py OBJECT-MAP PROGRAM STEP`: reads the linker's map of a program (`-Map`), and prints symbols for `--symbol-ordering-file`.

Deflate, which packages for routers use, looks back 32 KiB and no farther, and a linker leaves functions in the order of their compilation.
Greedily, the next function is the one that has most in common with the last 32 KiB: words and pairs of words of code (`STEP` bytes apart:
4 where all instructions have four bytes), the rarer the more they count. Worth 7 to 8 % of compressed code. The same input gives the same
order.
"""

import re
import sys
from array import array
from collections import Counter, deque

WINDOW = 32 * 1024
LENGTHS = (4, 8)
"""Bytes of the pieces that are compared."""
COMMON = 200
"""A piece that more functions have is in every window, and tells nothing."""
EXPONENT = 0.6
"""Of a function's size, by which what it has in common is divided: 1 would favour small functions."""

LINE = re.compile(r"\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+ (.*)$")


def functions(text: str) -> tuple[int, list[tuple[int, int, str]]]:
    """Address of .text in a map of lld, and its parts that a symbol names: offset, bytes, symbol."""
    start, inside, part, found = 0, False, None, []
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        at, size, rest = int(match[1], 16), int(match[2], 16), match[3]
        name = rest.strip()
        if not rest.startswith(" "):
            inside = name == ".text"
            start = at if inside else start
        elif inside and rest.startswith(" " * 8) and not rest.startswith(" " * 9):
            part = (at - start, size) if re.search(r":\(\.text[.\w$]", name) and size else None
        elif inside and part and size and not name.startswith((".", "$")):
            found.append((*part, name))
            part = None
    return start, found


def pieces(code: bytes, step: int) -> Counter:
    """What stands in a function's code, and how often."""
    return Counter(code[at : at + n] for n in LENGTHS for at in range(0, len(code) - n + 1, step))


def ordered(codes: list[bytes], step: int) -> list[int]:
    """Indices of `codes` in the best order found."""
    counted = [pieces(code, step) for code in codes]
    spread = Counter(piece for count in counted for piece in count)
    number = {piece: i for i, piece in enumerate(p for p, n in spread.items() if 1 < n <= COMMON)}
    holders: list[list[int]] = [[] for _ in number]
    shares: list[array] = [array("d") for _ in number]
    has: list[list[int]] = []
    for index, count in enumerate(counted):
        weigh = len(codes[index]) ** -EXPONENT
        mine = [(number[piece], piece, n) for piece, n in count.items() if piece in number]
        has.append([i for i, _, _ in mine])
        for i, piece, n in mine:
            holders[i].append(index)
            shares[i].append(n * spread[piece] ** -0.5 * weigh)
    score = [0.0] * len(codes)
    near = [0] * len(number)
    left = set(range(len(codes)))
    window: deque[int] = deque()
    filled, out = 0, []
    current = max(left, key=lambda i: (len(codes[i]), -i))
    while True:
        left.discard(current)
        out.append(current)
        if not left:
            return out
        for i in has[current]:
            near[i] += 1
            if near[i] == 1:
                for index, share in zip(holders[i], shares[i]):
                    score[index] += share
        window.append(current)
        filled += len(codes[current])
        while len(window) > 1 and filled - len(codes[window[0]]) >= WINDOW:
            gone = window.popleft()
            filled -= len(codes[gone])
            for i in has[gone]:
                near[i] -= 1
                if not near[i]:
                    for index, share in zip(holders[i], shares[i]):
                        score[index] -= share
        # Rounded, so that what adding and taking away left of nothing does not decide.
        current = max(left, key=lambda i: (round(score[i], 6), -i))


def main() -> int:
    map_file, program, step = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(map_file, encoding="utf-8") as file:
        _, parts = functions(file.read())
    with open(program, "rb") as file:
        text = section(file.read(), b".text")
    if not parts:
        print(f"cross/order.py: {map_file}: no functions", file=sys.stderr)
        return 65
    codes = [text[at : at + size] for at, size, _ in parts]
    for index in ordered(codes, step):
        print(parts[index][2])
    return 0


def section(elf: bytes, wanted: bytes) -> bytes:
    """A section's bytes."""
    wide, order = elf[4] == 2, "little" if elf[5] == 1 else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(elf[at : at + size], order)

    table, (entry, count, names) = (number(0x28, 8), (number(a, 2) for a in (0x3A, 0x3C, 0x3E))) if wide else (
        number(0x20, 4), (number(a, 2) for a in (0x2E, 0x30, 0x32)))  # fmt: skip
    at, length = (0x18, 8) if wide else (0x10, 4)

    def place(index: int) -> tuple[int, int]:
        head = table + index * entry
        return number(head + at, length), number(head + at + length, length)

    strings = place(names)[0]
    for index in range(count):
        name = strings + number(table + index * entry, 4)
        if elf[name : elf.index(b"\0", name)] == wanted:
            start, size = place(index)
            return elf[start : start + size]
    raise ValueError("no such section")


if __name__ == "__main__":
    sys.exit(main())
