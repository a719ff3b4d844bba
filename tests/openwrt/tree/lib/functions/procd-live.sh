# For tests/openwrt/live: starts, ends and signals what procd.sh only records. No respawn, no jail, and `hooks` only on paper.
# shellcheck shell=ash disable=SC2034,SC3043

procd_open_instance() {
	live_name="$1"
	echo "$1" >> /running.new
}

procd_set_param() {
	[ "$1 $live_name" = "command main" ] || return 0
	shift
	live_command="$*"
}

live_pid() { cat /live.pid 2> /dev/null; }

live_runs() {
	local pid
	pid="$(live_pid)" && [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status"
}

live_end() { live_runs && kill -TERM "$(live_pid)"; }

procd_close_service() {
	mv /running.new /running
	if ! grep -qx main /running; then
		live_end
	elif ! live_runs; then
		# shellcheck disable=SC2086 # words without spaces
		setsid setpriv --reuid 453 --regid 453 --clear-groups --no-new-privs $live_command >> /daemon.log 2>&1 < /dev/null &
		echo $! > /live.pid
	fi
	return 0
}

procd_kill() {
	: > /running
	live_end
}

procd_running() { live_runs; }

procd_send_signal() { live_runs && kill -"$3" "$(live_pid)"; }
