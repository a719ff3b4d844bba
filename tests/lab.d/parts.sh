# What the checks in the lab share: sourced by them, with `check` and `here` (tests/) set. Lays the lab out, starts origin, DoH
# server, coordinator and the LAN's canary, and takes everything down at the end.
set -euo pipefail
skip() { echo "SKIPPED: $check $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "needs root to make network namespaces"
[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
for tool in ip nft python3 curl openssl setpriv; do command -v $tool > /dev/null || skip "needs $tool"; done

# The node runs as a user of its own, that nobody else has here, as on a router.
node_uid=453
# in_place FILE NAME: a copy that this user may run
in_place() {
  cp "$1" "$work/$2"
  chmod 755 "$work/$2"
  echo "$work/$2"
}

binary="${1:-}"
if [ -z "$binary" ]; then
  (cd "$here/.." && cargo build --locked --quiet)
  binary="${CARGO_TARGET_DIR:-$here/../target}/debug/echomesh"
fi
work="$(mktemp -d)"
chmod 711 "$work"
binary="$(in_place "$(realpath "$binary")" echomesh)"
export LAB_NAME="em$$"
pids=()
passed=0

cleanup() {
  local code=$?
  if [ $code != 0 ]; then
    for log in "$work"/*.log; do echo "---- $log"; tail -30 "$log"; done >&2
  fi
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  "$here/lab" down || true
  rm -rf "$work"
  exit $code
}
trap cleanup EXIT

in_host() { "$here/lab" exec "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
ok() { passed=$((passed + 1)); echo "ok: $*"; }
# within SECONDS WHAT COMMAND...: until it succeeds.
within() {
  local end=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt "$end" ] || fail "not in time: $what"
    read -rt 0.1 <> <(:) || true
  done
}
# background HOST NAME COMMAND...
background() {
  local host="$1" name="$2"
  shift 2
  (exec "$here/lab" exec "$host" "$@" > "$work/$name.out" 2>> "$work/$name.log" < /dev/null) &
  pids+=($!)
}
json() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1:]: v=v[k]
print(v)' "$@"; }

"$here/lab" up > /dev/null

# as_node HOST NAME COMMAND...: in the background, as the node's user
as_node() {
  local host="$1" name="$2"
  shift 2
  background "$host" "$name" setpriv --reuid $node_uid --regid $node_uid --clear-groups "$@"
}
# own FOLDER...: folders of that user
own() { mkdir -p "$@" && chown $node_uid:$node_uid "$@"; }

# -- the Internet ----------------------------------------------------------------------------------------------------
names() {
  cat > "$work/names" <<ZONE
shop.lab.example 9.77.10.10
shop6.lab.example 2a0e:7710::10
lan4.lab.example 192.168.77.20
lan6.lab.example 2a0e:7741::20
both.lab.example 9.77.10.99 192.168.77.20 2a0e:7741::20
loop.lab.example 127.0.0.1 ::1
self4.lab.example 9.77.40.2
self6.lab.example 2a0e:7740::2
selflan.lab.example 192.168.77.1 2a0e:7741::1
doc6.lab.example 2001:db8:77::20
mixed.lab.example 9.77.10.10 192.168.77.20 2a0e:7741::20 2001:db8:77::20
moves.lab.example $1
ZONE
}
names 9.77.10.10
doh() {
  background origin doh "$binary" demo part doh --listen 9.77.10.10:8443 --names "$work/names" --dir "$work/doh"
  doh_pid=${pids[-1]}
  within 10 "the DoH server" grep -q ready "$work/doh.out"
}
doh
background origin origin "$binary" demo part origin --listen 9.77.10.10:443 --name shop.lab.example --name shop6.lab.example \
  --counts 9.77.10.10:8444 --dir "$work/origin"
within 10 "the origin" grep -q ready "$work/origin.out"
background origin origin6 openssl s_server -accept '[2a0e:7710::10]:443' -cert "$work/origin/origin.pem" -key "$work/origin/origin.key" -keyform DER -www -quiet
background coordinator coordinator "$binary" coordinator run --dir "$work/coordinator" --listen 9.77.20.10:8443 --name 9.77.20.10 --heartbeat 1
within 10 "the coordinator" grep -q ^ready "$work/coordinator.out"
key="$(sed -n 's/^key //p' "$work/coordinator.out")"
ca="$(sed -n 's/^ca_file //p' "$work/coordinator.out")"
token="$("$binary" coordinator buyer add tester --dir "$work/coordinator" --json | json token)"
cat "$ca" "$work/doh/doh.pem" > "$work/ca.pem"

# The LAN has addresses of the documentation block too, which no table of the Internet holds as anybody's home.
in_host home ip -6 addr add 2001:db8:77::1/64 dev br-lan nodad
in_host lan ip -6 addr add 2001:db8:77::20/64 dev eth0 nodad

# -- the LAN: whatever comes to it from the router by TCP is counted ---------------------------------------------------
in_host lan nft -f - <<'NFT'
table inet canary {
  counter touched {}
  chain input { type filter hook input priority 0; meta l4proto tcp counter name touched; }
}
NFT
background lan canary python3 -c '
import selectors, socket
ready = selectors.DefaultSelector()
for family, address in ((socket.AF_INET, "192.168.77.20"), (socket.AF_INET6, "2a0e:7741::20"), (socket.AF_INET6, "2001:db8:77::20")):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.bind((address, 443)); s.listen(8)
    ready.register(s, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in ready.select():
        connection, peer = key.fileobj.accept()
        print("touched by", peer, flush=True)
        connection.close()
'
within 10 "the canary" grep -q ready "$work/canary.out"
touched() { in_host lan nft list counter inet canary touched | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }

# -- the node and its buyers --------------------------------------------------------------------------------------------
client() { "$binary" --run-dir "$work/run" "$@"; }
running() { [ "$(client status --json | json state)" = running ]; }
# rules: loads the node's nftables rules for the uplinks of this moment
rules() {
  "$here/lab" exec home "$binary" nft --config "$work/config" --uid $node_uid > "$work/rules.nft"
  in_host home nft -f "$work/rules.nft"
}
refusals() { in_host home nft list counter inet echomesh refused | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
buyer() { in_host buyer curl -sS --max-time 30 --cacert "$ca" -H "Authorization: Bearer $token" "$@"; }
open_session() { # JSON members beside the usual ones
  local answer
  answer="$(buyer -d "{\"region\":\"PH\",\"category\":\"qa_testing\",\"maxMbps\":100$1}" https://9.77.20.10:8443/buyers/sessions)"
  id="$(json sessionId <<< "$answer")"
  secret="$(json secret <<< "$answer")"
  active() { [ "$(buyer "https://9.77.20.10:8443/buyers/sessions/$id" | json state)" = active ]; }
  within 20 "a node takes session $id" active
}
# through CREDENTIALS URL [CURL OPTION...]: over TLS to the node
through() {
  local user="$1" url="$2"
  shift 2
  in_host buyer curl -sS --max-time 30 --proxy https://9.77.40.2:8443 --proxy-cacert "$work/node.pem" --proxy-user "$user" \
    --cacert "$work/origin/origin.pem" "$@" "$url"
}
