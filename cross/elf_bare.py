#!/usr/bin/env python3
"""Leaves of a program only what a kernel loads: no section table, no sections beside the segments. elf_bare.py FILE, in place.

The strip of the compilers leaves MIPS's .pdr, notes for debuggers of 8 % of the file."""
import os
import struct
import sys

from elf_check import segments


def bare(data):
    """The program without what no segment holds."""
    found, _ = segments(data)
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    phoff = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    entsize, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    end = max([phoff + entsize * count, *(offset + size for _, offset, size in found)])
    kept = bytearray(data[:end])
    # e_shoff; then e_shnum and e_shstrndx.
    struct.pack_into(order + ("Q" if wide else "I"), kept, 40 if wide else 32, 0)
    struct.pack_into(order + "HH", kept, 60 if wide else 48, 0, 0)
    return bytes(kept)


def main():
    path = sys.argv[1]
    with open(path, "rb") as file:
        data = file.read()
    with open(path + ".bare", "wb") as file:
        file.write(bare(data))
    os.chmod(path + ".bare", os.stat(path).st_mode & 0o7777)
    os.replace(path + ".bare", path)


if __name__ == "__main__":
    main()
