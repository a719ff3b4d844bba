"""The one compressor of all packages: the same input gives the same bytes on every machine.

Routers inflate with zlib (opkg, apk), so the streams are plain deflate. libdeflate at level 12, from the pinned wheel of
requirements.txt, makes them 4 % smaller than `gzip -9`; ZLIB is for tests and for comparing with OpenWrt's own tools.
"""

import struct
import zlib
from enum import Enum


class Squeezer(Enum):
    """Which deflate encoder writes the stream."""

    LIBDEFLATE = "libdeflate"
    ZLIB = "zlib"
    ZLIB_6 = "zlib-6"


class Missing(Exception):
    """The pinned encoder is not installed."""


def deflate(data: bytes, squeezer: Squeezer) -> bytes:
    """A raw deflate stream (RFC 1951)."""
    if squeezer is Squeezer.LIBDEFLATE:
        try:
            import deflate as libdeflate
        except ImportError as e:
            raise Missing("the compressor is missing: pip install -r cross/pack/requirements.txt") from e
        return bytes(libdeflate.deflate_compress(data, 12))
    level = 6 if squeezer is Squeezer.ZLIB_6 else 9
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def gzip(data: bytes, squeezer: Squeezer) -> bytes:
    """A gzip member (RFC 1952) as `gzip -n` makes it: no name, no time, made on Unix."""
    head = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\x03"
    return head + deflate(data, squeezer) + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def inflate(stream: bytes, limit: int) -> bytes:
    """A raw deflate stream's content, at most `limit` bytes of it; ValueError for anything else."""
    return _all_of(zlib.decompressobj(-15), stream, limit)


def gunzip(member: bytes, limit: int) -> bytes:
    """One gzip member's content, at most `limit` bytes; ValueError for anything else."""
    return _all_of(zlib.decompressobj(31), member, limit)


def _all_of(stream, data: bytes, limit: int) -> bytes:
    try:
        out = stream.decompress(data, limit + 1)
    except zlib.error as e:
        raise ValueError(f"damaged compressed data: {e}") from e
    if len(out) > limit:
        raise ValueError(f"more than {limit} bytes inside")
    if not stream.eof or stream.unused_data:
        raise ValueError("compressed data ends early, or something follows it")
    return out
