"""ADB, the container of apk v3: a value store, in blocks, in a deflate stream.

A file is `ADB.` and a schema, then blocks, each a little-endian word (two bits of type, thirty of size with the word
itself) and its payload, padded to eight bytes. The first block is the store, signatures follow, then a package's file data.
The store is bytes in which a 32-bit value names a thing by type (high four bits) and offset, or holds a small number.
Compressed, the whole file is a raw deflate stream after `ADBd`.
"""

import hashlib
import struct
from dataclasses import dataclass

from squeeze import Squeezer, deflate, inflate

STORE, SIGNATURE, DATA = 0, 1, 2
INT, INT_32, INT_64, BLOB_8, BLOB_16, BLOB_32, ARRAY, OBJECT = 0x1, 0x2, 0x3, 0x8, 0x9, 0xA, 0xD, 0xE
SHA512 = 4
LIMIT = 64 << 20
"""Nothing larger is read: no router has room for it."""
MOST_VALUES = 1 << 16
"""Values of one list; a package has some hundred files at most."""


@dataclass(frozen=True)
class Block:
    """One block: its type and its payload."""

    kind: int
    payload: bytes


class Store:
    """Writes values. Equal things are stored once, where alignment allows, as apk does: so equal input gives equal bytes."""

    def __init__(self) -> None:
        self.bytes = bytearray(8)
        self.seen: dict[bytes, int] = {}

    def blob(self, data: bytes, once: bool = True) -> int:
        """A string of bytes; empty = no value (0). `once=False`: for what is filled in later."""
        if not data:
            return 0
        if len(data) > 0xFFFF:
            return BLOB_32 << 28 | self._put(struct.pack("<I", len(data)) + data, 4, once)
        if len(data) > 0xFF:
            return BLOB_16 << 28 | self._put(struct.pack("<H", len(data)) + data, 2, once)
        return BLOB_8 << 28 | self._put(struct.pack("<B", len(data)) + data, 1, once)

    def text(self, value: str) -> int:
        """A string."""
        return self.blob(value.encode())

    def number(self, value: int) -> int:
        """A number from 0 to 2^64 − 1."""
        if value < 1 << 28:
            return INT << 28 | value
        if value < 1 << 32:
            return INT_32 << 28 | self._put(struct.pack("<I", value), 4, True)
        return INT_64 << 28 | self._put(struct.pack("<Q", value), 4, True)

    def list(self, values: list[int]) -> int:
        """An object's fields or an array's items; nothing in it = no value (0)."""
        while values and not values[-1]:
            values = values[:-1]
        if not values:
            return 0
        return OBJECT << 28 | self._put(struct.pack(f"<{len(values) + 1}I", len(values) + 1, *values), 4, True)

    def close(self, root: int) -> bytearray:
        """The whole store."""
        struct.pack_into("<I", self.bytes, 4, root)
        return self.bytes

    def _put(self, piece: bytes, align: int, once: bool) -> int:
        at = self.seen.get(piece, -1) if once else -1
        if at >= 0 and at % align == 0:
            return at
        self.bytes += bytes(-len(self.bytes) % align)
        at = len(self.bytes)
        self.bytes += piece
        if once:
            self.seen[piece] = at
        return at


class Values:
    """Reads a store that comes from anywhere: each offset is checked, ValueError says what is wrong."""

    def __init__(self, store: bytes):
        if len(store) < 8:
            raise ValueError("store too short")
        self.bytes = store
        self.compat, self.version = store[0], store[1]
        if self.compat:
            raise ValueError(f"a store of version {self.compat}, which this reader does not know")
        (self.root,) = struct.unpack_from("<I", store, 4)

    def number(self, value: int) -> int:
        """A number; no value is 0."""
        kind, rest = value >> 28, value & 0x0FFFFFFF
        if not value:
            return 0
        if kind == INT:
            return rest
        if kind == INT_32:
            return self._unpack("<I", rest)
        if kind == INT_64:
            return self._unpack("<Q", rest)
        raise ValueError(f"not a number: {value:#010x}")

    def blob(self, value: int) -> bytes:
        """A string of bytes; no value is empty."""
        kind, rest = value >> 28, value & 0x0FFFFFFF
        if not value:
            return b""
        sizes = {BLOB_8: "<B", BLOB_16: "<H", BLOB_32: "<I"}
        if kind not in sizes:
            raise ValueError(f"not a string: {value:#010x}")
        length = self._unpack(sizes[kind], rest)
        start = rest + struct.calcsize(sizes[kind])
        if start + length > len(self.bytes):
            raise ValueError("a string leaves the store")
        return self.bytes[start : start + length]

    def list(self, value: int) -> list[int]:
        """An object's fields or an array's items, the first at 0; no value is empty."""
        if not value:
            return []
        if value >> 28 not in (ARRAY, OBJECT):
            raise ValueError(f"not a list: {value:#010x}")
        at = value & 0x0FFFFFFF
        count = self._unpack("<I", at)
        if not 1 <= count <= MOST_VALUES or at + 4 * count > len(self.bytes):
            raise ValueError("a list leaves the store")
        return list(struct.unpack_from(f"<{count - 1}I", self.bytes, at + 4))

    def place(self, value: int) -> int:
        """Where a string's bytes begin."""
        return (value & 0x0FFFFFFF) + {BLOB_8: 1, BLOB_16: 2, BLOB_32: 4}[value >> 28]

    def _unpack(self, form: str, at: int) -> int:
        try:
            return struct.unpack_from(form, self.bytes, at)[0]
        except struct.error as e:
            raise ValueError("a value leaves the store") from e


def write(schema: str, blocks: list[Block], squeezer: Squeezer) -> bytes:
    """The compressed file."""
    out = bytearray(b"ADB." + schema.encode())
    for block in blocks:
        size = len(block.payload) + 4
        if size > 0x3FFFFFFF:
            raise ValueError("a block of more than 1 GiB")
        out += struct.pack("<I", block.kind << 30 | size) + block.payload
        out += bytes(-len(out) % 8)
    return b"ADBd" + deflate(bytes(out), squeezer)


def read(raw: bytes) -> tuple[str, list[Block]]:
    """Schema (`pckg`, `indx`) and blocks of a file, compressed or not."""
    if raw[:4] == b"ADBd":
        raw = inflate(raw[4:], LIMIT)
    if raw[:4] != b"ADB." or len(raw) < 8:
        raise ValueError("not an ADB file, or compressed with something other than deflate")
    schema, at, blocks = raw[4:8].decode("ascii", "replace"), 8, []
    while at < len(raw):
        if at + 4 > len(raw):
            raise ValueError("a block is cut off")
        (word,) = struct.unpack_from("<I", raw, at)
        kind, size = word >> 30, word & 0x3FFFFFFF
        if kind > DATA or size < 4 or at + size > len(raw):
            raise ValueError(f"a block at {at} is cut off, or of an unknown kind")
        blocks.append(Block(kind, raw[at + 4 : at + size]))
        at += -(-size // 8) * 8
    if not blocks or blocks[0].kind != STORE:
        raise ValueError("it does not begin with a store")
    return schema, blocks


def signed(schema: str, store: bytes, head: bytes) -> bytes:
    """What a signature is over; `head` = version, hash and key id, the 18 bytes before the signature itself."""
    return schema.encode() + head + hashlib.sha512(store).digest()
