# Records what procd would be told, and keeps which instances it would run: in /running, a line each.
# shellcheck shell=ash disable=SC2034,SC2086,SC2154,SC3043

service_of=
for recorded in procd_append_param procd_add_jail procd_add_jail_mount procd_add_jail_mount_rw \
	procd_add_reload_trigger procd_add_raw_trigger procd_close_instance procd_open_data procd_close_data \
	json_add_array json_close_array json_add_object json_close_object json_add_string; do
	eval "$recorded() { note $recorded \"\$@\"; }"
done

procd_open_service() {
	note procd_open_service "$@"
	service_of="$1"
	: > /running.new
}

procd_set_param() {
	case "$1" in
		command | respawn | term_timeout | user | group | limits | stdout | stderr | capabilities | no_new_privs | env | file) ;;
		*) note "UNKNOWN PARAMETER $1" ;;
	esac
	note procd_set_param "$@"
}

procd_open_instance() {
	note procd_open_instance "$@"
	echo "$1" >> /running.new
}

procd_close_service() {
	service_triggers
	note procd_close_service
	mv /running.new /running
	[ ! -s /drains ] || cp /drains /running
}

procd_kill() {
	note procd_kill "$@"
	# A process takes its time to end: one more look for each line of /drains.
	: > /running.new
	[ ! -e /drains ] || cp /drains /running.new
	mv /running.new /running
}

procd_running() {
	note procd_running "$@"
	if [ -s /drains ] && [ "$(cat /running)" = "$(cat /drains)" ]; then
		sed -i 1d /drains
		cp /drains /running
		return 0
	fi
	grep -qx "$2" /running
}

procd_send_signal() { note procd_send_signal "$@"; }

# As the real one does for each function handed to it: called without a section it only describes the options.
procd_add_validation() {
	note procd_add_validation "$@"
	"$@"
}

uci_load_validate() {
	local package="$1" type="$2" section="$3" callback="$4" spec name kind default value result=0
	shift 4
	if [ -z "$section" ]; then
		note "validate $package $type: $*"
		return
	fi
	config_load "$package"
	for spec in "$@"; do
		name="${spec%%:*}"
		spec="${spec#*:}"
		kind="${spec%%:*}"
		default="${spec#"$kind"}"
		default="${default#:}"
		eval "local $name"
		config_get value "$section" "$name" "$default"
		case "$kind" in
			bool) case "$value" in 0 | 1) ;; *) result=1 value= ;; esac ;;
			'or('*) case "$kind" in *"\"$value\""*) ;; *) result=1 value= ;; esac ;;
			string | 'list(string)') ;;
			*) note "UNKNOWN TYPE $kind" ;;
		esac
		eval "$name=\"\$value\""
	done
	[ -z "$callback" ] || "$callback" "$section" "$result"
	return $result
}
