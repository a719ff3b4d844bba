"""Where things are: importing it lets the tests import the modules of cross/pack."""

import random
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cross/pack"))


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(size).randbytes(size)


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """All of an archive of our own, with owners and modes as they are in it."""
    trusted = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
    archive.extractall(folder, numeric_owner=True, **trusted)
