"""The files a package installs: absolute path → mode and content; folders follow from the paths; all owned by root."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """One regular file."""

    mode: int
    data: bytes


class Tree:
    """Files by absolute path. Symbolic links and special files are refused: no package of ours has any."""

    def __init__(self, files: dict[str, File] | None = None):
        self.files: dict[str, File] = dict(files or {})

    def add(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Adds a file; a path twice is an error in the description."""
        if not path.startswith("/") or path != os.path.normpath(path):
            raise ValueError(f"not an absolute path: {path}")
        if path in self.files:
            raise ValueError(f"two files for {path}")
        self.files[path] = File(mode, data)

    def mirror(self, folder: Path, into: str = "") -> None:
        """Adds all files of `folder` at the same places below `into`: executable stays executable, all else is 0644."""
        for here, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                source = Path(here, name)
                if source.is_symlink() or not source.is_file():
                    raise ValueError(f"{source} is not a regular file")
                executable = os.access(source, os.X_OK) and source.stat().st_mode & 0o111
                self.add(f"{into}/{source.relative_to(folder)}", source.read_bytes(), 0o755 if executable else 0o644)

    def folders(self) -> list[str]:
        """All folders, root (`""`) first, sorted by name, without a leading slash."""
        found = {""}
        for path in self.files:
            parent = os.path.dirname(path).strip("/")
            while parent:
                found.add(parent)
                parent = os.path.dirname(parent)
        return sorted(found, key=str.encode)

    def within(self, folder: str) -> list[tuple[str, File]]:
        """The files right in `folder`, as names, sorted."""
        here = [(os.path.basename(p), f) for p, f in self.files.items() if os.path.dirname(p).strip("/") == folder]
        return sorted(here, key=lambda item: item[0].encode())

    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(f.data) for f in self.files.values())
