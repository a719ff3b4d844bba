//! Names and addresses that lead into the home, in every notation: as CONNECT's target, and as DNS says them.

use std::sync::atomic::Ordering;

use crate::support::buyer::wish;
use crate::support::world::{PORT, SHOP};
use crate::support::{Plan, World, raw, until};

/// Addresses of each block that is not globally reachable (IANA's registries of special-purpose addresses), and the forms
/// in which an IPv4 address hides in an IPv6 one.
const SPECIAL: &str = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254 \
    169.254.1.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.170 192.0.2.1 \
    192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 \
    224.0.0.251 239.255.255.250 240.0.0.1 255.255.255.254 255.255.255.255 \
    :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:192.168.1.1 ::127.0.0.1 ::10.0.0.1 \
    64:ff9b::10.0.0.1 64:ff9b::127.0.0.1 64:ff9b::192.168.1.1 64:ff9b::169.254.169.254 64:ff9b:1::1 100::1 \
    2001::1 2001:0:a00:1:: 2001:2::1 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:a00:1::1 \
    2002:c0a8:101::1 3fff::1 5f00::1 fc00::1 fd12:3456:789a::1 fe80::1 fec0::1 ff02::1 ff0e::1";

/// What is written instead of a name. None may be dialled, whatever it means to a resolver.
const NOTATIONS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.000.000.001",
    "0127.0.0.1",
    "127.0.0.1.",
    "127.0.0.1..",
    "127.0.0.256",
    "1.1",
    "1",
    "0",
    "0x0",
    "00",
    "4294967295",
    "4294967296",
    "192.168.1",
    "192.168.257",
    "3232235777",
    "0xc0a80101",
    "0300.0250.01.01",
    "192.168.1.1.",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:c0a8:101]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[::1%lo]",
    "[fd00::1]",
    "[2002:7f00:1::]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::192.168.1.1]",
    "[2001:db8::1]",
    "[::127.0.0.1]",
    "::1",
    "::ffff:127.0.0.1",
    "fe80::1%eth0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "foo.localhost",
    "router.lan",
    "ROUTER.LAN.",
    "nas.local",
    "a.internal",
    "x.home.arpa",
    "y.onion",
    "printer",
    "printer.",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "１２７.0.0.1",
    "127.0.0.1%00.example.test",
    "127.0.0.1\t",
    "127.0.0.1/",
    "user@127.0.0.1",
    "127.0.0.1#.example.test",
    "127.0.0.1?.example.test",
    "\\127.0.0.1",
    "shop.example.test@127.0.0.1",
    "%31%32%37.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "example.0x7f",
    "example.127",
    "a..b.test",
    ".example.test",
    "-a.test",
    "",
];

#[test]
fn no_notation_and_no_answer_of_dns_leads_into_the_home() {
    let mut zone = String::new();
    for (n, address) in SPECIAL.split_whitespace().enumerate() {
        zone.push_str(&format!("s{n}.example.test {address}\n"));
    }
    zone.push_str(&format!("all.example.test {SPECIAL}\nround.example.test alias trip.example.test\ntrip.example.test alias round.example.test\n"));
    zone.push_str("deep.example.test alias deeper.example.test\ndeeper.example.test alias s2.example.test\nlan.example.test alias router.lan\n");
    zone.push_str("router.lan 192.168.1.1\n");
    let world = World::start(Plan { names: zone, ..Plan::default() });
    // Who listens where the attacks aim at.
    let canaries: Vec<_> =
        [format!("127.0.0.1:{PORT}"), format!("[::1]:{PORT}")].iter().map(|addr| raw::serve(addr.parse().unwrap(), drop)).collect();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    assert_eq!(door.connect(SHOP).unwrap().0.status, 200);
    for target in NOTATIONS {
        for target in [format!("{target}:{PORT}"), (*target).to_owned()] {
            let (answer, _) = door.connect(&target).unwrap_or_else(|e| panic!("{target}: {e}"));
            let reason = answer.header("echomesh-reason").unwrap_or_default().to_owned();
            assert!(matches!(reason.as_str(), "ip-literal" | "private-address" | "malformed"), "{target:?}: {} {reason}", answer.status);
        }
    }
    for (n, address) in SPECIAL.split_whitespace().enumerate() {
        for name in [format!("s{n}.example.test:{PORT}"), format!("S{n}.Example.TEST.:{PORT}")] {
            let (answer, _) = door.connect(&name).unwrap();
            assert_eq!(answer.header("echomesh-reason"), Some("private-address"), "{name} at {address}: {}", answer.status);
        }
    }
    for (name, reasons) in
        [("all", &["private-address"][..]), ("deep", &["private-address"]), ("lan", &["private-address"]), ("round", &["dns-failed"])]
    {
        let (answer, _) = door.connect(&format!("{name}.example.test:{PORT}")).unwrap();
        let reason = answer.header("echomesh-reason").unwrap_or_default();
        assert!(reasons.contains(&reason), "{name}: {} {reason}", answer.status);
    }
    for canary in &canaries {
        assert_eq!(canary.load(Ordering::SeqCst), 0, "somebody was dialled");
    }
    // And they do sing.
    std::net::TcpStream::connect(("127.0.0.1", PORT)).unwrap();
    until("the canary sings", || (canaries[0].load(Ordering::SeqCst) == 1).then_some(()));
}
