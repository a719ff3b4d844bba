# Stands in for OpenWrt's functions.sh: reads simple UCI files.
# shellcheck shell=ash disable=SC2034,SC2154,SC3043

note() { printf '%s\n' "$*" >> /record; }

# One line of a UCI file at a time: `config TYPE ['NAME']`, `option NAME 'VALUE'`, `list NAME 'VALUE'`.
config_load() {
	local word name value section='' number=0
	CONFIG_SECTIONS=
	[ -e "/etc/config/$1" ] || return 1
	while read -r word name value; do
		value="${value#\'}"
		value="${value%\'}"
		name="${name#\'}"
		name="${name%\'}"
		case "$word" in
			config)
				number=$((number + 1))
				section="${value:-anonymous$number}"
				CONFIG_SECTIONS="$CONFIG_SECTIONS $name:$section"
				for old in $(set | grep "^CONFIG_${section}_" | cut -d= -f1); do unset "$old"; done
				;;
			option) eval "CONFIG_${section}_$name=\"\$value\"" ;;
			list) eval "CONFIG_${section}_$name=\"\${CONFIG_${section}_$name:+\$CONFIG_${section}_$name }\$value\"" ;;
		esac
	done < "/etc/config/$1"
}

config_get() { eval "$1=\"\${CONFIG_${2}_$3:-\$4}\""; }

config_get_bool() {
	local got
	config_get got "$2" "$3" "$4"
	case "$got" in
		1 | on | true | yes | enabled) eval "$1=1" ;;
		*) eval "$1=0" ;;
	esac
}

config_foreach() {
	local each
	for each in $CONFIG_SECTIONS; do
		[ "${each%%:*}" = "$2" ] && "$1" "${each#*:}"
	done
}
