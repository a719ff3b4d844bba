# A stand-in of the packages feed's rust-package.mk: says what cargo would be asked.
RUST_ARCH_DEPENDS:=@(aarch64||arm||mips||mipsel||x86_64)
CARGO_RUSTFLAGS=-Ctarget-feature=-crt-static
define Build/Compile/Cargo
	@echo cargo install --path "$(SOURCE)/$(1)" $(if $(RUST_PKG_FEATURES),--features "$(RUST_PKG_FEATURES)") --locked $(2)
endef
define RustBinPackage
endef
