//! What is not installed, and that nothing happens then: no restart, nothing on flash.

use std::fs;

use serde_json::{Value, json};

use super::{ready, wrapped};
use crate::support::process::text;
use crate::support::releases::{NEW, OLD, program};

#[test]
fn nothing_that_is_not_right_is_installed() {
    let (router, releases, key) = ready();
    let stranger = releases.key("stranger");
    let program = wrapped(NEW, "");
    let publish = |change: &dyn Fn(&mut Value)| releases.publish(NEW, &program, &key, change);
    let expect = |what: &str, code: i32, reason: &str| assert_eq!(router.refused(&[]), (code, reason.into()), "{what}: {:?}", router.last());
    let signed = |text: &[u8]| {
        releases.put("stable.json.minisig", releases.sign(text, &key));
        releases.put("stable.json", text.to_vec());
    };

    expect("no server to speak of", 69, "server");
    releases.publish(NEW, &program, &stranger, |_| ());
    expect("another key", 65, "signature");
    publish(&|_| ());
    releases.put("stable.json", releases.manifest(NEW, b"other").to_string().into_bytes());
    expect("another text than was signed", 65, "signature");
    releases.put("stable.json.minisig", b"untrusted comment: none\n".to_vec());
    expect("half a signature", 65, "signature");
    publish(&|m| m["channel"] = json!("beta"));
    expect("another channel's", 65, "signature");
    signed(b"{\"format\":\"echomesh/update/v2\"}");
    expect("a form to come", 65, "manifest");
    publish(&|m| m["files"][0]["name"] = json!("../../etc/passwd"));
    expect("a name that leads elsewhere", 65, "manifest");
    releases.put("stable.json", vec![b' '; 80_000]);
    expect("a manifest without end", 69, "server");
    publish(&|m| m["expiresAt"] = json!("2026-01-02T00:00:00Z"));
    expect("past its date", 65, "stale");
    publish(&|m| m["files"][0]["target"] = json!("riscv"));
    expect("another processor's", 65, "target");
    publish(&|m| m["files"][0]["package"] = json!("echomesh-full"));
    expect("another package's", 65, "target");
    publish(&|m| m["version"] = json!("0.0.9"));
    expect("older", 65, "not-newer");
    publish(&|m| m["version"] = json!(OLD));
    expect("the same", 65, "not-newer");
    publish(&|m| m["minimum"] = json!("0.1.1"));
    expect("too far", 65, "minimum");
    publish(&|m| m["rollout"] = json!(0));
    expect("not yet", 65, "rollout");
    publish(&|m| m["files"][0]["hash"] = json!(format!("b3:{}", blake3::hash(b"x").to_hex())));
    expect("other bytes", 65, "hash");
    publish(&|m| m["files"][0]["size"] = json!(program.len() - 1));
    expect("more bytes", 65, "hash");
    publish(&|m| m["files"][0]["size"] = json!(program.len() + 1));
    expect("fewer bytes", 69, "server");
    let unlike = |name: &str, program: &[u8]| {
        releases.publish(NEW, program, &key, |_| ());
        expect(name, 70, "unfit");
    };
    unlike("no program at all", b"\x7fELF and nothing more");
    unlike("another version than was signed", &wrapped("0.1.8", ""));
    unlike("one that does not take the settings", &wrapped(NEW, "[ \"$1\" = config ] && exit 78"));
    unlike("one that hangs when asked", &wrapped(NEW, "[ \"$1\" = --version ] && sleep 1000"));

    assert_eq!(router.started().len(), 1, "the service was never restarted");
    assert!(!router.root.join("usr/lib/echomesh/green").exists(), "nothing was written to flash");
    let held: Vec<_> = fs::read_dir(router.tmp("")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!held.iter().any(|n| n == "trial"), "{held:?}");
    assert_eq!(router.status().unwrap()["version"], OLD);
}

#[test]
fn an_older_manifest_is_not_acted_upon_again() {
    let (router, releases, key) = ready();
    let program = wrapped(NEW, "");
    releases.publish(NEW, &program, &key, |_| ());
    assert!(router.apply(&[]).status.success());
    // Signed, newer by its number, and older than what was acted upon: somebody kept it.
    releases.publish("0.1.8", &wrapped("0.1.8", ""), &key, |m| m["issuedAt"] = json!("2026-01-31T12:00:00Z"));
    assert_eq!(router.refused(&[]), (65, "stale".into()));
    releases.publish("0.1.8", &wrapped("0.1.8", ""), &key, |_| ());
    assert!(router.apply(&[]).status.success());
    assert_eq!(router.which_version(), "0.1.8");
    // A step back is the owner's alone.
    releases.publish(NEW, &program, &key, |_| ());
    assert_eq!(router.refused(&[]), (65, "not-newer".into()));
    let done = router.apply(&["--allow-downgrade"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(router.which_version(), NEW);
    router.version(NEW);
}

#[test]
fn where_the_feed_has_it_the_feed_is_named() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &wrapped(NEW, ""), &key, |_| ());
    for (manager, script, command) in [
        ("bin/opkg", format!("echo 'luci - 1 - 2'; echo 'echomesh - {OLD}-1 - {NEW}-1'"), "opkg upgrade echomesh"),
        (
            "usr/bin/apk",
            format!("[ \"$*\" = 'version -l < echomesh' ] && echo 'Installed: Available:' && echo 'echomesh-{OLD}-r1 < 0.2.0-r1'"),
            "apk upgrade",
        ),
    ] {
        router.executable(manager, &format!("#!/bin/sh\n{script}\n"));
        let output = router.apply(&[]);
        assert_eq!(output.status.code(), Some(65));
        assert!(text(&output.stderr).contains(command), "{}", text(&output.stderr));
        assert_eq!(router.last()["reason"], "feed");
        let check = router.update(&["check", "--json"]);
        let check: Value = serde_json::from_slice(&check.stdout).unwrap();
        assert_eq!((&check["offered"], &check["whyNot"]["reason"]), (&NEW.into(), &"feed".into()));
    }
    // A manager that hangs or has nothing to say is none.
    router.executable("usr/bin/apk", "#!/bin/sh\nhead -c 1000000 /dev/zero\n");
    router.executable("bin/opkg", &format!("#!/bin/sh\necho 'echomesh - {OLD}-1 - 0.1.1-1'\n"));
    assert!(router.apply(&[]).status.success(), "the feed is behind the manifest");
}

#[test]
fn only_the_packaged_program_updates_and_only_beside_a_daemon() {
    let (router, releases, key) = ready();
    releases.publish(NEW, &wrapped(NEW, ""), &key, |_| ());
    let mut other = std::process::Command::new(program(OLD));
    let output = other.args(router.arguments(&["apply"])).output().unwrap();
    assert_eq!((output.status.code(), &router.last()["reason"]), (Some(77), &"not-allowed".into()), "{}", text(&output.stderr));
    router.kill();
    assert_eq!(router.refused(&[]), (69, "not-running".into()));
    fs::set_permissions(router.tmp(""), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    assert_eq!(router.apply(&[]).status.code(), Some(77), "a working folder others can write");
}
