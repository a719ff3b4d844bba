"""The scripts around a package's own: what OpenWrt's build writes, so that its lib/functions.sh does the usual
(user, uci-defaults, enable and start; on removal disable and stop)."""

from package import Package

SHELL = "#!/bin/sh\n"
QUIET = '[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n'
LIBRARY = "[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0\n. ${IPKG_INSTROOT}/lib/functions.sh\n"


def for_ipk(package: Package) -> dict[str, str]:
    """Control files by name. The own parts are `-pkg` files, which the defaults source; postrm stands alone."""
    found = {
        "postinst": SHELL + QUIET + LIBRARY + "default_postinst $0 $@\n",
        "prerm": SHELL + LIBRARY + "default_prerm $0 $@\n",
    }
    own = package.scripts
    for name, body in (("postinst-pkg", own.postinst), ("prerm-pkg", own.prerm), ("postrm", own.postrm)):
        if body:
            found[name] = SHELL + body
    return found


def for_apk(package: Package) -> dict[str, str]:
    """Scripts by the name apk gives them. An upgrade runs post-upgrade alone, never the removal scripts."""
    named = f'export root="${{IPKG_INSTROOT}}"\nexport pkgname="{package.name}"\n'
    install = QUIET + LIBRARY + named + "add_group_and_user\ndefault_postinst\n" + package.scripts.postinst
    found = {
        "post-install": SHELL + install,
        "pre-deinstall": SHELL + LIBRARY + named + "default_prerm\n" + package.scripts.prerm,
        "post-upgrade": SHELL + "export PKG_UPGRADE=1\n" + install,
    }
    if package.scripts.postrm:
        found["post-deinstall"] = SHELL + package.scripts.postrm
    return found
