# A stand-in of OpenWrt's include/package.mk: BuildPackage prints what a package says, and installs it into DEST.
PKG_BUILD_DIR:=$(SOURCE)
PKG_INSTALL_DIR:=$(PROGRAMS)

define BuildPackage
$(eval $(Package/$(1)))
export DESCRIPTION_$(1)=$$(Package/$(1)/description)
export CONFFILES_$(1)=$$(Package/$(1)/conffiles)
export POSTINST_$(1)=$$(Package/$(1)/postinst)
export PRERM_$(1)=$$(Package/$(1)/prerm)
export POSTRM_$(1)=$$(Package/$(1)/postrm)

.PHONY: show install compile
show:
	@printf '%s=%s\n' name '$(1)' version '$(PKG_VERSION)' release '$(PKG_RELEASE)' license '$(PKG_LICENSE)' \
	  license_files '$(PKG_LICENSE_FILES)' maintainer '$(PKG_MAINTAINER)' features '$(RUST_PKG_FEATURES)' build_depends '$(PKG_BUILD_DEPENDS)' \
	  section '$(SECTION)' category '$(CATEGORY)' title '$(TITLE)' url '$(URL)' depends '$(DEPENDS)' users '$(USERID)' rustflags '$(CARGO_RUSTFLAGS)'
script-%:
	@printenv $$*_$(1) || true
install:
	$(call Package/$(1)/install,$(DEST))
compile:
	$(Build/Compile)
endef
