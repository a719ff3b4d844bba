# A stand-in of OpenWrt's rules.mk, with what the feed's Makefile uses of it.
INCLUDE_DIR:=$(TOPDIR)/include
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
CP:=cp -fpR
space:=$(subst ,, )
