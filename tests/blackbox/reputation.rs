//! Sites that have had enough of us hold their category back, and no other.

use serde_json::{Value, json};

use crate::support::buyer::{Door, wish, wish_with};
use crate::support::world::{RAW, SHOP};
use crate::support::{Plan, World, script, until};

fn held(world: &World, category: &str) -> Option<Value> {
    world.node.status()["reputationGuard"].as_array().unwrap().iter().find(|h| h["category"] == category).cloned()
}

#[track_caller]
fn reason(door: &Door, target: &str) -> Option<String> {
    door.connect(target).unwrap().0.header("echomesh-reason").map(str::to_owned)
}

#[test]
fn resets_slow_the_category_and_then_stop_it() {
    let world = World::start(Plan::default());
    script::origin(world.raw());
    let qa = world.market.open(&wish());
    let door = world.door(&qa);
    let other = world.door(&world.market.open(&wish_with(&json!({"category": "ad_verification"}))));
    for _ in 0..5 {
        assert!(held(&world, "qa_testing").is_none());
        script::tunnel(&door, RAW, script::RESET).rest();
    }
    let slowed = until("the category is slowed", || held(&world, "qa_testing"));
    assert_eq!((&slowed["step"], slowed["sites"].as_array().unwrap().len()), (&json!("slowed"), 1));
    let alert = until("the owner is told", || world.node.alert("reputation-guard"));
    assert!(alert["message"].as_str().unwrap().contains("qa_testing is slowed"), "{alert}");
    assert_eq!(world.node.metric("echomesh_categories_held_back{step=\"slowed\"}"), 1.0);
    assert!(world.node.said(&["status"]).contains("qa_testing is slowed"));
    // The site is named by the hash that stands in the access log, and not by its name.
    let lines = world.node.get("/logs/export").text();
    let site = slowed["sites"][0].as_str().unwrap();
    assert!(lines.contains(site) && !world.node.status().to_string().contains("raw.example.test"), "{site} in {lines}");

    // Slowed, not stopped: now and then one gets through, and the next is refused; explain says by which rule.
    until("one begins and the next is refused", || {
        let (first, second) = (reason(&door, SHOP), reason(&door, SHOP));
        (first.is_none() && second.as_deref() == Some("overload")).then_some(())
    });
    until("explain names the rule", || {
        let _ = reason(&door, SHOP);
        let said = world.node.get(&format!("/policy/explain?host=shop.example.test&port=8443&session={}", qa.id)).json();
        (said["reason"] == "overload" && said["rule"].as_str()?.contains("qa_testing")).then_some(())
    });
    assert_eq!(reason(&other, SHOP), None, "another category is not touched");

    // Many sites that refuse at once: the other category, too.
    for n in 1..=8 {
        assert_eq!(reason(&other, &format!("closed{n}.example.test:8443")).as_deref(), Some("dial-failed"));
    }
    let many = held(&world, "ad_verification").expect("many sites refused");
    assert!(many["reason"].as_str().unwrap().contains("many sites") && many["sites"].as_array().unwrap().len() == 8, "{many}");
    assert_eq!(world.node.metric("echomesh_reputation_strikes_total"), 2.0);
}
