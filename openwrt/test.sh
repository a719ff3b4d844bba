#!/bin/sh
# What the packages feed's continuous integration runs with the package installed: $1 = package, $2 = version.

case "$1" in
echomesh)
	echomesh --version | grep -F "$2" || exit 1
	# As it comes, it is valid and off.
	echomesh config check --config /etc/config/echomesh || exit 1
	grep -q "option enabled '0'" /etc/config/echomesh || exit 1
	[ -x /etc/init.d/echomesh ] || exit 1
	;;
esac
