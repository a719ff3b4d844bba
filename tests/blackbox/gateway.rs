//! A node that nobody can dial: buyers come through the coordinator's gateway, and everything counts as if they had not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use echomesh::identity::certificate::{self, ListenerKey};
use echomesh::net::mux::frame::{ACK, GO_AWAY_PROTOCOL, HEAD, Head, Kind, RST, SYN};
use echomesh::net::mux::{MOST_STREAMS, WINDOW_FIRST};
use echomesh::net::proxy_header::Header;
use echomesh::net::roots;
use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::support::buyer::{patient, wish, wish_with};
use crate::support::wait::SOON;
use crate::support::world::{PORT, SHOP};
use crate::support::{Plan, World, http, until};

fn plan() -> Plan {
    Plan { gateway: true, ..Plan::default() }
}

fn gateway(world: &World) -> Value {
    world.node.status()["roles"]["proxy"]["gateway"].clone()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

#[test]
fn origin_node_and_ledger_agree_to_the_byte() {
    let world = World::start(plan());
    let session = world.market.open(&wish());
    let door = world.told_door(&session);
    assert_eq!((door.node.ip().to_string(), door.node.port()), (world.ip(2).to_string(), 9000), "buyers are sent to the gateway");
    let before = world.origin_counts();
    for n in [3_000_001_u64, 70_000] {
        world.fetch(&door, n);
        let request = http::request("POST", "/up", "shop.example.test", &[], &vec![7; usize::try_from(n).unwrap()]);
        let answer = door.https(&world.shop, SHOP, &request).unwrap();
        assert_eq!(answer.header("x-received"), Some(n.to_string().as_str()));
    }
    let (refused, _) = door.connect("www.blocked.test:8443").unwrap();
    assert_eq!(refused.header("echomesh-reason"), Some("blocked-domain"));
    until("all tunnels are over", || (world.node.tunnels() == 0).then_some(()));

    let after = world.origin_counts();
    let (ingress, egress) = (after.0 - before.0, after.1 - before.1);
    let seen = world.node.session(&session.id).unwrap();
    assert_eq!((number(&seen, "bytesIngress"), number(&seen, "bytesEgress")), (ingress, egress));
    let status = world.node.status();
    assert_eq!(number(&status["caps"], "usedTodayBytes"), 2 * (ingress + egress));
    until("the streams are over", || (number(&gateway(&world), "streams") == 0).then_some(()));
    assert_eq!(gateway(&world)["connected"], true);
    assert_eq!(world.node.metric("echomesh_gateway_connected"), 1.0);

    world.market.close(&session);
    until("the coordinator has the final bundle", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    let bundles = world.operator(&["bundles"]);
    let of_session = || bundles.as_array().unwrap().iter().filter(|b| b["sessionId"] == session.id.as_str());
    let sum = |name: &str| of_session().map(|b| number(b, name)).sum::<u64>();
    assert_eq!((sum("bytesIngress"), sum("bytesEgress"), sum("requests"), sum("denied")), (ingress, egress, 4, 1), "the ledger");
}

#[test]
fn many_tunnels_at_once_each_get_their_own_bytes() {
    let world = World::start(plan());
    let session = world.market.open(&wish());
    let door = world.told_door(&session);
    // The first shows a right secret: after it the source is no stranger.
    world.fetch(&door, 1);
    std::thread::scope(|scope| {
        for n in 0..24_u64 {
            let (door, shop) = (&door, &world.shop);
            scope.spawn(move || {
                let request = http::request("GET", &format!("/down/{}", 100_000 + n), "shop.example.test", &[], b"");
                assert_eq!(door.https(shop, SHOP, &request).unwrap().body.len() as u64, 100_000 + n);
            });
        }
    });
}

#[test]
fn plain_connect_is_judged_by_the_address_the_gateway_saw() {
    let world = World::start(plan());
    let session = world.market.open(&wish_with(&json!({"buyerAddrs": ["127.0.1.5"]})));
    let plain = crate::support::buyer::Door { tls: None, ..world.told_door(&session) };
    let (answer, _) = plain.from(5).connect(SHOP).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let before = world.node.refusals("insecure");
    // Loopback is near to the gateway, not to the node.
    for stranger in [plain.clone(), plain.from(6)] {
        assert!(stranger.connect(SHOP).is_err(), "closed without a word");
    }
    assert_eq!(world.node.refusals("insecure"), before + 2);
}

#[test]
fn a_lost_gateway_ends_its_tunnels_and_is_found_again() {
    let mut world = World::start(plan());
    let session = world.market.open(&wish());
    let door = world.told_door(&session);
    let mut wire = door.tunnel(SHOP);
    patient(wire.socket(), SOON);
    until("the tunnel stands", || (world.node.tunnels() == 1).then_some(()));
    world.coordinator_gone();
    assert!(wire.rest().is_empty());
    until("the tunnel is over", || (world.node.tunnels() == 0).then_some(()));
    until("it is counted", || (world.node.refusals("gateway-lost") == 1).then_some(()));
    let lines = world.node.said(&["logs", "export"]);
    assert!(lines.contains("gateway-lost"), "{lines}");
    until("the status says so", || (gateway(&world)["connected"] == false && gateway(&world)["error"].is_string()).then_some(()));

    world.coordinator_back();
    until("it is connected again", || (gateway(&world)["connected"] == true).then_some(()));
    let again = world.told_door(&session);
    assert_eq!(again.node, door.node, "at the same port");
    world.fetch(&again, 10_000);
    assert!(number(&gateway(&world), "losses") >= 1);
}

#[test]
fn a_gateway_in_a_private_network_is_not_dialled() {
    let world = World::start(Plan { gateway_ip: Some("192.168.1.1"), ..plan() });
    until("the status says why", || gateway(&world)["error"].as_str().filter(|e| e.contains("not on the public Internet")).map(drop));
    assert_eq!((&gateway(&world)["connected"], &gateway(&world)["address"]), (&json!(false), &json!(format!("192.168.1.1:{PORT}"))));
}

/// A gateway of the tests' own, with the key in `key`.
struct False {
    listener: TcpListener,
    config: std::sync::Arc<rustls::ServerConfig>,
}

type Wire = StreamOwned<ServerConnection, std::net::TcpStream>;

impl False {
    fn new(addr: SocketAddr, key: &Path) -> False {
        let key = ListenerKey::load_or_create(key).unwrap();
        let certificate = certificate::self_signed(&key, "gateway", &[]).unwrap();
        let config = roots::asking(&certificate, &[b"echomesh-gw/1"]).unwrap();
        False { listener: until("the port is free", || TcpListener::bind(addr).ok()), config }
    }

    /// The node's next connection, after its handshake.
    fn accept(&self) -> std::io::Result<Wire> {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        let mut wire = StreamOwned::new(ServerConnection::new(self.config.clone()).unwrap(), stream);
        while wire.conn.is_handshaking() {
            wire.conn.complete_io(&mut wire.sock)?;
        }
        Ok(wire)
    }
}

fn send(wire: &mut Wire, kind: Kind, flags: u16, stream: u32, bytes: &[u8]) {
    wire.write_all(&Head { kind, flags, stream, length: u32::try_from(bytes.len()).unwrap() }.bytes()).unwrap();
    wire.write_all(bytes).unwrap();
    wire.flush().unwrap();
}

/// The next frame that is no window.
fn next(wire: &mut Wire) -> Head {
    loop {
        let mut head = [0; HEAD];
        wire.read_exact(&mut head).unwrap();
        let head = Head::parse(head).unwrap();
        if head.kind == Kind::Data {
            wire.read_exact(&mut vec![0; head.length as usize]).unwrap();
        }
        if head.kind != Kind::Window || head.flags & (ACK | RST) != 0 {
            return head;
        }
    }
}

fn ends(wire: &mut Wire) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = wire.read_to_end(&mut rest);
    rest
}

#[test]
fn a_hostile_gateway_neither_fells_nor_fattens_the_node() {
    let mut world = World::start(plan());
    let session = world.market.open(&wish());
    let rss = |world: &World| number(&world.node.status()["memory"], "rssBytes");
    let before = rss(&world);
    world.coordinator_gone();
    let hostile = False::new(world.gateway(), &world.folder.join("coordinator/tls.key"));

    // More streams than there may be: those are reset, and the others live.
    let mut wire = hostile.accept().unwrap();
    let last = 2 * (MOST_STREAMS as u32 + 40);
    for stream in (2..=last).step_by(2) {
        send(&mut wire, Kind::Window, SYN, stream, &[]);
    }
    let answers: Vec<Head> = (2..=last).step_by(2).map(|_| next(&mut wire)).collect();
    assert_eq!(answers.iter().filter(|a| a.flags == ACK).count(), MOST_STREAMS);
    assert_eq!(answers.iter().filter(|a| a.flags == RST).count(), 40);
    // A header larger than is read, and bytes that are none: the stream is reset.
    let mut huge = Header::Local.bytes();
    huge[14..16].copy_from_slice(&[0xff, 0xff]);
    for (stream, bytes) in [(2, huge.as_slice()), (4, b"CONNECT shop.example.test:8443 HTTP/1.1\r\n\r\n".as_slice())] {
        send(&mut wire, Kind::Data, 0, stream, bytes);
        assert_eq!(next(&mut wire), Head { kind: Kind::Window, flags: RST, stream, length: 0 });
    }
    // All of a window and one byte more.
    send(&mut wire, Kind::Data, 0, 6, &vec![7; WINDOW_FIRST as usize + 1]);
    let rest = ends(&mut wire);
    let farewell = Head { kind: Kind::GoAway, flags: 0, stream: 0, length: GO_AWAY_PROTOCOL }.bytes();
    assert!(rest.windows(HEAD).any(|w| w == farewell), "{} bytes", rest.len());

    // No frames at all.
    let mut wire = hostile.accept().unwrap();
    wire.write_all(&[0xaa; 4096]).unwrap();
    wire.flush().unwrap();
    ends(&mut wire);

    // Questions without end whose answers nobody reads.
    let mut wire = hostile.accept().unwrap();
    let pings: Vec<u8> = std::iter::repeat_n(Head { kind: Kind::Ping, flags: SYN, stream: 0, length: 1 }.bytes(), 100_000).flatten().collect();
    let cut_off = (0..200).any(|_| wire.write_all(&pings).is_err());
    assert!(cut_off, "it was not cut off");

    let after = rss(&world);
    assert!(after < before + (12 << 20), "{before} → {after}");
    drop((wire, hostile));
    world.coordinator_back();
    until("it is connected to the true one", || (gateway(&world)["connected"] == true).then_some(()));
    world.fetch(&world.told_door(&session), 10_000);
}

#[test]
fn a_gateway_with_another_key_is_refused() {
    let mut world = World::start(plan());
    world.coordinator_gone();
    let other = False::new(world.gateway(), &world.folder.join("other.key"));
    assert!(other.accept().is_err(), "the node breaks the handshake off");
    until("the status says so", || gateway(&world)["error"].as_str().filter(|e| e.contains("no secure connection")).map(drop));
    assert_eq!(gateway(&world)["connected"], false);
}
