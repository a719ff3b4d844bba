//! Files of domains: large ones, and broken ones.

use nix::sys::signal::Signal;

use crate::support::buyer::wish;
use crate::support::world::SHOP;
use crate::support::{Plan, World, process, until};

#[test]
fn a_hundred_thousand_domains_block_and_a_broken_file_changes_nothing() {
    let mut world = World::without_node(Plan::default());
    let file = world.folder.join("block");
    let many: String = (0..100_000).map(|n| format!("site-number-{n}.some-long-name.example.org\n")).collect();
    process::write(&file, &format!("# a comment\n{many}*.shop.example.test # and below\n"));
    world.node.settings.set("network", "block_file", file.to_str().unwrap());
    world.node.write_settings();
    world.node.start();
    let session = world.market.open(&wish());
    let door = world.door(&session);
    let reason = || door.connect(SHOP).unwrap().0.header("echomesh-reason").map(str::to_owned);
    assert_eq!(reason().as_deref(), Some("blocked-domain"));
    let said = world.node.get(&format!("/policy/explain?host=a.shop.example.test&port=8443&session={}", session.id)).json();
    assert_eq!(said["rule"], "the owner blocks shop.example.test");
    assert_eq!(world.node.get("/policy/explain?host=x.site-number-99999.some-long-name.example.org").json()["reason"], "blocked-domain");

    // Each of these is refused by name, and what was in force stays.
    let long = "a".repeat(600);
    let huge: String = (0..200_001).map(|n| format!("{n}.example.org\n")).collect();
    for (bad, word) in [(long.as_str(), "line 1"), ("ok.test\nbad domain\n", "line 2"), (huge.as_str(), "200,000")] {
        process::write(&file, bad);
        world.node.running().signal(Signal::SIGHUP);
        until("it is told", || {
            let log = world.node.running().log();
            log.lines().any(|l| l.contains("not reloaded") && l.contains(word)).then_some(())
        });
        assert_eq!(reason().as_deref(), Some("blocked-domain"), "{word}");
    }
    process::write(&file, "elsewhere.test\n");
    world.node.running().signal(Signal::SIGHUP);
    until("the new list is in force", || reason().is_none().then_some(()));
}
