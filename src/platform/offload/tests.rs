use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// The parts of `/` of a machine that was described (tests/vectors/offload).
fn machine(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/offload").join(name)
}

#[test]
fn described_machines_tell_what_they_have() {
    let mut seen = 0;
    for entry in fs::read_dir(machine("")).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir()) {
        let expected: Members = serde_json::from_slice(&fs::read(entry.path().join("expected.json")).unwrap()).unwrap();
        assert_eq!(Offload::read(&entry.path()).members(), expected, "{}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 4, "the vectors are there");
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let nothing = Offload::asked(&machine("none"), &[]);
    assert_eq!(nothing, Offload::default());
    assert!(nothing.members().values().all(Value::is_null) && nothing.members().len() == 6);
}

#[test]
fn the_kernel_is_asked_for_each_device() {
    let gro_of = |devices: &[&str]| gro(&devices.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>());
    assert_eq!(gro_of(&[]), None);
    assert!(gro_of(&["lo"]).is_some(), "loopback tells");
    for odd in ["no-such-device", "a-name-that-is-far-too-long-for-a-device", "a\0b"] {
        assert_eq!(gro_of(&["lo", odd]), None, "{odd:?}");
    }
}

#[test]
fn drivers_are_few_and_plain() {
    let entry = |driver: &str, priority: i32| {
        format!("name         : gcm(aes)\ndriver       : {driver}\npriority     : {priority}\nselftest     : passed\ninternal     : no\n\n")
    };
    let many: String = (0..20).map(|n| entry(&format!("engine-{}", n / 2), 300)).collect();
    assert_eq!(drivers_in(&many).len(), MOST_DRIVERS);
    for odd in [
        entry("\u{1b}[31m", 300),
        entry(&"x".repeat(65), 300),
        entry("gcm_base(ctr(aes-generic),ghash-generic)", 400),
        entry("a b", 300),
        entry("low", 110),
    ] {
        assert_eq!(drivers_in(&odd), Vec::<String>::new(), "{odd}");
    }
}

#[test]
fn the_firewall_s_defaults_decide() {
    let defaults = |options: &str| flow_of(&format!("config defaults\n{options}\nconfig zone\n\toption flow_offloading '1'\n"));
    assert_eq!(defaults(""), Flow::Off);
    assert_eq!(defaults("\toption flow_offloading '1'"), Flow::Software);
    assert_eq!(defaults("\toption flow_offloading \"on\"\n\toption flow_offloading_hw 1"), Flow::Hardware);
    assert_eq!(defaults("\toption flow_offloading_hw '1'"), Flow::Off, "the hardware's needs the other");
    assert_eq!(defaults("#\toption flow_offloading '1'"), Flow::Off);
}

#[test]
fn a_listing_of_flow_tables_is_counted() {
    let listing = "table inet fw4 {\n\tflowtable ft {\n\t\thook ingress priority filter\n\t\tdevices = { eth0, lan1 }\n\t\tcounter\n\t}\n}\n";
    assert_eq!((flowtables_in(listing), flowtables_in("table inet fw4 {\n}\n"), flowtables_in("")), (1, 0, 0));
    for flow in [Flow::Off, Flow::Software, Flow::Hardware] {
        assert_eq!(Flow::named(flow.name()), Some(flow));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_text_is_read(text in "(?s).{0,300}", lines in prop::collection::vec("(name|driver|priority|flags|Features|config|option|selftest)[ \t:]{1,4}(gcm\\(aes\\)|aes|defaults|flow_offloading|300)?[ -~]{0,20}", 0..12)) {
        for text in [text, lines.join("\n")] {
            let _ = (aes_in(&text), flow_of(&text), flowtable_in(&text));
            let drivers = drivers_in(&text);
            prop_assert!(drivers.len() <= MOST_DRIVERS && drivers.iter().all(|d| d.len() <= 64 && d.bytes().all(|b| b.is_ascii_graphic())));
        }
    }
}
