//! What the origin, the node and the ledger counted is one number; what the bundles name can be recomputed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::world::SHOP;
use crate::support::{Plan, World, http, process, until};

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

#[test]
fn origin_node_and_ledger_agree_to_the_byte_and_every_bundle_verifies() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish());
    let before = world.origin_counts();
    for (door, n) in [(world.door(&session), 3_000_001), (world.tls_door(&session), 2_000_003)] {
        world.fetch(&door, n);
        let request = http::request("POST", "/up", "shop.example.test", &[], &vec![7; usize::try_from(n).unwrap()]);
        let answer = door.https(&world.shop, SHOP, &request).unwrap();
        assert_eq!(answer.header("x-received"), Some(n.to_string().as_str()));
        let (refused, _) = door.connect("www.blocked.test:8443").unwrap();
        assert_eq!(refused.header("echomesh-reason"), Some("blocked-domain"));
        let (failed, _) = door.connect("nobody.example.test:8443").unwrap();
        assert_eq!(failed.header("echomesh-reason"), Some("dial-failed"));
    }
    until("all tunnels are over", || (world.node.tunnels() == 0).then_some(()));

    let after = world.origin_counts();
    let (ingress, egress) = (after.0 - before.0, after.1 - before.1);
    let status = world.node.status();
    let seen = world.node.session(&session.id).unwrap();
    assert_eq!((number(&seen, "bytesIngress"), number(&seen, "bytesEgress")), (ingress, egress));
    assert_eq!(world.node.metric("echomesh_ingress_bytes_total"), ingress as f64);
    assert_eq!(world.node.metric("echomesh_egress_bytes_total"), egress as f64);
    assert_eq!(number(&status["caps"], "usedTodayBytes"), 2 * (ingress + egress), "a relayed byte costs two on the uplink");

    world.market.close(&session);
    until("the coordinator has the final bundle", || (world.market.seen(&session)["state"] == "settled").then_some(()));
    let log = world.node.said(&["logs", "export"]);

    let bundles = world.operator(&["bundles"]);
    let bundles: Vec<&Value> = bundles.as_array().unwrap().iter().filter(|b| b["sessionId"] == session.id.as_str()).collect();
    assert!(!bundles.is_empty());
    assert_eq!(bundles.last().unwrap()["final"], true);
    let sum = |name: &str| bundles.iter().map(|b| number(b, name)).sum::<u64>();
    assert_eq!((sum("bytesIngress"), sum("bytesEgress")), (ingress, egress), "the ledger");
    assert_eq!((sum("requests"), sum("denied")), (6, 2));
    for (n, bundle) in bundles.iter().enumerate() {
        assert_eq!(number(bundle, "seq"), n as u64 + 1);
        let buckets = bundle["buckets"].as_array().unwrap();
        let column = |at: usize| buckets.iter().map(|b| b[at].as_u64().unwrap()).sum::<u64>();
        assert_eq!((column(1), column(2), column(3)), (number(bundle, "bytesIngress"), number(bundle, "bytesEgress"), number(bundle, "requests")));
        let seconds: Vec<u64> = buckets.iter().map(|b| b[0].as_u64().unwrap()).collect();
        assert!(seconds.windows(2).all(|w| w[0] < w[1]), "{seconds:?}");
    }
    let errors: u64 = bundles.iter().flat_map(|b| b["buckets"].as_array().unwrap()).map(|b| b[4].as_u64().unwrap()).sum();
    assert_eq!(errors, 2, "two tunnels failed for a cause beyond policy");

    digests_recompute(&log, &bundles);
    let verified = process::run(["coordinator", "verify", "--dir", world.folder.join("coordinator").to_str().unwrap()]);
    assert!(verified.status.success(), "{}{}", process::text(&verified.stdout), process::text(&verified.stderr));
    let dir = world.operator(&["ledger"]);
    assert!(dir.to_string().contains(&session.id), "{dir}");
}

/// Each chunk of the exported log hashes to the digest its bundle carries, and names no host.
fn digests_recompute(log: &str, bundles: &[&Value]) {
    assert!(!log.contains("example.test") && !log.contains("blocked.test"), "{log}");
    let carried: BTreeMap<&str, &Value> = bundles.iter().map(|b| (b["accessLogHash"].as_str().unwrap(), *b)).collect();
    let mut lines = String::new();
    let mut found = 0;
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let Some(chunk) = value.get("chunk") else {
            if value.get("host").is_some() {
                lines.push_str(line);
                lines.push('\n');
            }
            continue;
        };
        let hash = format!("b3:{}", blake3::hash(lines.as_bytes()).to_hex());
        assert_eq!(chunk["accessLogHash"], json!(hash), "{chunk}");
        assert_eq!(chunk["missing"], 0);
        found += usize::from(carried.contains_key(hash.as_str()));
        lines.clear();
    }
    let with_lines = bundles.iter().filter(|b| number(b, "requests") + number(b, "denied") > 0).count();
    assert_eq!(found, with_lines, "every bundle's digest is in the export\n{log}");
}
