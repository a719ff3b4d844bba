#!/usr/bin/env python3
"""Checks that a program is static: it asks for no interpreter and no library. elf_check.py FILE; ends with 1 and a reason if not."""
import struct
import sys

PT_DYNAMIC, PT_INTERP, DT_NEEDED = 2, 3, 1


def segments(data):
    """(type, offset, size) of each program header, and how a word is read."""
    if data[:4] != b"\x7fELF":
        sys.exit("not an ELF file")
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    phoff = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    entsize, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    word = order + ("QQ" if wide else "II")
    found = []
    for n in range(count):
        at = phoff + n * entsize
        kind = struct.unpack_from(order + "I", data, at)[0]
        offset = struct.unpack_from(order + ("Q" if wide else "I"), data, at + (8 if wide else 4))[0]
        size = struct.unpack_from(order + ("Q" if wide else "I"), data, at + (32 if wide else 16))[0]
        found.append((kind, offset, size))
    return found, word


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    found, word = segments(data)
    for kind, offset, size in found:
        if kind == PT_INTERP:
            sys.exit(f"asks for the interpreter {data[offset:offset + size].rstrip(bytes(1)).decode(errors='replace')}")
        if kind == PT_DYNAMIC:
            step = struct.calcsize(word)
            for at in range(offset, offset + size - step + 1, step):
                if struct.unpack_from(word, data, at)[0] == DT_NEEDED:
                    sys.exit("asks for a shared library")


if __name__ == "__main__":
    main()
