"""What a package is, before it becomes an .ipk or an .apk."""

from dataclasses import dataclass, field

from tree import Tree


@dataclass
class Scripts:
    """Bodies (without `#!` line) that run beside the defaults of OpenWrt; empty = none."""

    postinst: str = ""
    prerm: str = ""
    postrm: str = ""


@dataclass
class Package:
    """One package for one architecture."""

    name: str
    version: str  # upstream version and release: 0.1.0-r1
    arch: str  # OpenWrt's name, or "all"
    description: str
    license: str
    section: str
    source: str  # where a feed has it: feeds/NAME/folder
    source_name: str
    tree: Tree
    depends: list[str] = field(default_factory=list)
    maintainer: str = ""
    url: str = ""
    license_files: str = ""
    users: str = ""  # USERID of a feed's Makefile: user[=uid]:group[=gid]
    conffiles: list[str] = field(default_factory=list)
    scripts: Scripts = field(default_factory=Scripts)
    epoch: int = 0  # time of all files, seconds
