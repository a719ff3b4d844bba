//! `echomesh rpcd` as rpcd runs it: a process for each call, JSON in and out, beside real daemons. There is no ubus on the machines
//! that test: what stands between is rpcd's own contract with its plugins.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::buyer::wish;
use crate::support::folder::Folder;
use crate::support::node::Node;
use crate::support::wait::SOON;
use crate::support::{Plan, World, http, process, until, within};

/// What the documents promise for settings that root commits.
const IN_FORCE: Duration = Duration::from_secs(3);

/// One call as rpcd makes it, whatever comes of it.
#[track_caller]
fn raw(run_dir: &Path, config: &Path, method: &str, given: &str) -> Value {
    let (run_dir, config) = (run_dir.to_str().unwrap(), config.to_str().unwrap());
    let output = process::fed(given, ["rpcd", "call", method, "--config", config, "--run-dir", run_dir]);
    assert!(output.status.success(), "{method}: {}", process::text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{method}: {e}: {}", process::text(&output.stdout)))
}

/// A call by way of uhttpd. The daemon has 40 ms, which is little on a machine that runs other tests: asked again until it was quick.
#[track_caller]
fn ubus(node: &Node, method: &str, mut args: Value) -> Value {
    args["ubus_rpc_session"] = json!("0123456789abcdef0123456789abcdef");
    until(&format!("{method} is answered"), || {
        let said = raw(&node.run_dir, &node.config, method, &args.to_string());
        (!["no-answer", "busy"].contains(&said["error"]["reason"].as_str().unwrap_or_default())).then_some(said)
    })
}

/// The same; panics on an error.
#[track_caller]
fn well(node: &Node, method: &str, args: Value) -> Value {
    let said = ubus(node, method, args);
    assert!(said["error"].is_null() && said["running"] != false, "{method}: {said}");
    said
}

/// What a job comes to.
#[track_caller]
fn result(node: &Node, job: &Value) -> Value {
    until("the job is done", || {
        let said = ubus(node, "job", json!({ "id": job["id"] }));
        (said["state"] != "running").then_some(said)
    })
}

/// Has a job done that can be done once: by this call, or by one before that was cut off and says `already` now.
#[track_caller]
fn done(node: &Node, method: &str, args: &Value, already: &str) {
    let job = ubus(node, method, args.clone());
    if job["error"]["reason"] != already {
        assert_eq!(result(node, &job)["state"], "done", "{job}");
    }
}

#[test]
fn the_methods_are_those_of_the_golden_file_and_the_access_groups_name_each_once() {
    let listed = process::said(["rpcd", "list"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let golden = fs::read_to_string(root.join("tests/golden/rpcd/list.json")).unwrap();
    assert_eq!(serde_json::to_string_pretty(&listed).unwrap() + "\n", golden);

    let groups: Value = serde_json::from_str(&fs::read_to_string(root.join("openwrt/files/usr/share/rpcd/acl.d/echomesh.json")).unwrap()).unwrap();
    let names = |group: &str, kind: &str| -> Vec<String> {
        let names = groups[group][kind]["ubus"]["echomesh"].as_array().cloned().unwrap_or_default();
        names.iter().map(|n| n.as_str().unwrap().to_owned()).collect()
    };
    let (read, write) = (names("echomesh", "read"), names("echomesh", "write"));
    let mut all: Vec<String> = read.iter().chain(&write).cloned().collect();
    all.sort();
    assert_eq!(all, listed.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), "the owner's group names each method once");
    for group in ["echomesh-reader", "echomesh-observer"] {
        assert!(names(group, "read").iter().all(|name| read.contains(name)), "{group} sees what the owner reads");
        assert!(groups[group]["write"].is_null(), "{group} changes nothing");
    }
    let page = fs::read_to_string(root.join("docs/reference/ubus.md")).unwrap();
    assert!(all.iter().all(|name| page.contains(&format!("`{name}`"))), "the reference page names each method");
}

#[test]
fn every_method_is_answered_by_a_node_at_work() {
    let world = World::start(Plan::default());
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 200_000);
    let node = &world.node;

    let status = well(node, "status", json!({}));
    assert_eq!((&status["running"], &status["state"]), (&json!(true), &json!("running")));
    let tile = well(node, "tile", json!({}));
    assert_eq!((&tile["state"], &tile["sessions"], &tile["paused"]), (&json!("running"), &json!(1), &json!(false)));
    let overview = well(node, "overview", json!({ "seconds": 5 }));
    assert_eq!((&overview["status"]["nodeId"], overview["series"]["bitsIn"].as_array().unwrap().len()), (&status["nodeId"], 5));
    assert!(overview["recentAlerts"].is_array());
    until("the seconds that are over tell of it", || {
        let series = well(node, "series", json!({}));
        let bits: u64 = series["bitsIn"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
        (bits > 200_000 * 8).then_some(())
    });
    assert_eq!(well(node, "config_get", json!({}))["settings"]["network"]["maxMbps"], 8000);
    assert_eq!(well(node, "config_check", json!({ "patch": { "network": { "maxMbps": 5 } } }))["findings"], json!([]));
    assert_eq!(well(node, "config_check", json!({ "patch": { "network": { "maxMbps": -5 } } }))["findings"][0]["path"], "network.maxMbps");
    let why = well(node, "policy_explain", json!({ "host": "printer.lan", "port": 8443, "session": session.id }));
    assert_eq!((&why["allowed"], &why["reason"]), (&json!(false), &json!("private-address")));
    let lines = well(node, "logs", json!({}))["lines"].as_array().unwrap().clone();
    let last = lines.last().unwrap()["number"].as_u64().unwrap();
    assert!(well(node, "logs", json!({ "since": last }))["lines"].as_array().unwrap().len() < lines.len());
    assert!(well(node, "logs_who", json!({ "at": "2026-01-31T12:00:00Z", "host": "shop.example.test" }))["sessions"].is_array());
    assert_eq!(well(node, "logs_open_day", json!({ "date": "2026-01-31" }))["key"].as_str().unwrap().len(), 64);
    assert!(well(node, "metrics", json!({}))["text"].as_str().unwrap().contains("echomesh_state{state=\"running\"} 1"));
    assert!(well(node, "report", json!({}))["status"].is_object());
    assert!(well(node, "report", json!({ "text": true }))["text"].as_str().unwrap().contains("running"));
    assert_eq!(well(node, "identity", json!({}))["nodeId"], status["nodeId"]);
    assert!(well(node, "survey", json!({}))["uplinks"].is_array());
    assert_eq!(well(node, "presets", json!({ "line": 40 }))["caps"][1]["maxMbps"], 10);

    assert_eq!(well(node, "control", json!({ "action": "pause", "seconds": 60 }))["paused"], true);
    let tile = well(node, "tile", json!({}));
    assert!(tile["paused"] == true && tile["pauseLeftSec"].as_u64().unwrap() <= 60, "{tile}");
    assert_eq!(well(node, "control", json!({ "action": "start" }))["paused"], false);

    let tests = result(node, &well(node, "setup_test", json!({})));
    assert_eq!((&tests["result"]["passed"], &tests["result"]["tests"][0]["name"]), (&json!(true), &json!("coordinator")), "{tests}");
    let elsewhere = json!({ "patch": { "coordinator": { "url": format!("https://{}:1", world.ip(1)) } } });
    let tests = result(node, &well(node, "setup_test", elsewhere));
    assert_eq!((&tests["state"], &tests["result"]["passed"]), (&json!("done"), &json!(false)), "{tests}");
    assert_eq!(ubus(node, "setup_test", json!({ "patch": { "network": { "maxMbps": 0 } } }))["error"]["reason"], "findings");

    let passphrase = json!({ "passphrase": "correct horse battery" });
    let backup = result(node, &well(node, "identity_backup", passphrase.clone()));
    assert!(backup["result"]["backup"].as_str().unwrap().len() > 100, "{backup}");
    done(node, "identity_seal", &passphrase, "sealed");
    assert_eq!(well(node, "identity", json!({}))["sealed"], true);
    assert_eq!(ubus(node, "identity_unlock", passphrase.clone())["error"]["reason"], "not-locked");
    done(node, "identity_unseal", &passphrase, "not-sealed");
    assert_eq!(well(node, "identity", json!({}))["sealed"], false);
    assert_eq!(ubus(node, "identity_opt_out", json!({ "confirm": "no" }))["error"]["reason"], "bad-request");
    assert_eq!(ubus(node, "job", json!({ "id": "opt-out" }))["error"]["reason"], "job-unknown");
    assert_eq!(ubus(node, "identity_rotate", json!({}))["error"]["reason"], "sessions-open");

    // Closed by this call, or by one before that was cut off.
    let closed = ubus(node, "sessions_close", json!({ "sessionId": session.id }));
    assert!(closed["closed"] == true || closed["error"]["reason"] == "session-unknown", "{closed}");
    assert_eq!(ubus(node, "sessions_close", json!({ "sessionId": "none" }))["error"]["reason"], "session-unknown");
    assert_eq!(ubus(node, "job", json!({ "id": "none" }))["error"]["reason"], "job-unknown");

    // Started beside, and told later; whether there is anything to update is not this test's matter.
    assert_eq!(well(node, "update_check", json!({}))["state"], "running");
    until("it tells", || {
        let printed = ubus(node, "update_status", json!({}))["printed"].clone();
        (!printed.is_null() && printed != "").then_some(())
    });
}

#[test]
fn wrong_arguments_are_named_whether_or_not_a_daemon_runs() {
    let folder = Folder::new();
    let said = |method: &str, given: &str| {
        let said = raw(&folder.join("run"), &folder.join("config"), method, given);
        assert_eq!(said["error"]["reason"], "bad-arguments", "{method} {given}: {said}");
        said["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(said("status", r#"{"verbose":true}"#).contains("`verbose`"));
    assert!(said("overview", r#"{"seconds":"5"}"#).contains("whole number"));
    assert!(said("control", "{}").contains("action"));
    assert!(said("config_set", r#"{"patch":[]}"#).contains("object"));
    assert!(said("nonsense", "{}").contains("no method"));
    assert!(said("status", "{").contains("JSON"));
    assert!(said("logs_export", r#"{"id":"../../etc/passwd"}"#).contains("no export"));
    let output = process::fed("", ["rpcd", "fly"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn without_a_daemon_it_says_so_and_settings_are_written_all_the_same() {
    let folder = Folder::new();
    let config = folder.join("config");
    process::write(&config, "config node 'node'\n\toption enabled '0'\n\nconfig network 'network'\n\toption odd 'kept'\n");
    let said = |method: &str, args: Value| raw(&folder.join("run"), &config, method, &args.to_string());
    for method in ["status", "tile", "overview", "metrics", "identity"] {
        let said = said(method, json!({}));
        assert_eq!(said["running"], false, "{said}");
        assert!(said["message"].as_str().unwrap().contains("start"), "what to do: {said}");
    }
    assert_eq!(said("config_get", json!({}))["settings"]["network"]["maxMbps"], 10);
    assert_eq!(said("config_check", json!({ "patch": { "network": { "maxMbps": -5 } } }))["findings"][0]["path"], "network.maxMbps");
    let wrong = said("config_set", json!({ "patch": { "proxy": { "enabled": true } } }));
    assert_eq!((&wrong["error"]["reason"], &wrong["running"]), (&json!("findings"), &json!(false)), "a role needs a coordinator");
    let written = said("config_set", json!({ "patch": { "network": { "maxMbps": 5 } } }));
    assert_eq!((&written["written"], &written["settings"]["network"]["maxMbps"]), (&json!(true), &json!(5)), "{written}");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("option max_mbps '5'") && text.contains("option odd 'kept'"), "{text}");
    assert!(said("report", json!({}))["system"].is_object());
    assert!(said("survey", json!({}))["ramBytes"].as_u64().unwrap() > 0);
    assert!(said("presets", json!({}))["hours"].is_array());

    // Another program holds the settings: told, not waited for.
    let held = fs::File::open(&config).unwrap();
    held.lock().unwrap();
    let busy = said("config_set", json!({ "patch": { "network": { "maxMbps": 6 } } }));
    assert!(busy["error"]["message"].as_str().unwrap().contains("try again"), "{busy}");
    assert_eq!(fs::read_to_string(&config).unwrap(), text);
}

#[test]
fn a_daemon_that_hangs_holds_nobody() {
    let folder = Folder::new();
    fs::create_dir(folder.join("run")).unwrap();
    let silent = UnixListener::bind(folder.join("run/control.sock")).unwrap();
    let said = raw(&folder.join("run"), &folder.join("config"), "status", "");
    assert_eq!(said["error"]["reason"], "no-answer", "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("within 40ms"), "{said}");
    let said = raw(&folder.join("run"), &folder.join("config"), "control", r#"{"action":"stop"}"#);
    assert!(said["error"]["message"].as_str().unwrap().contains("may still do"), "{said}");
    drop(silent);
}

/// A daemon that may not write its settings, because they lie in its run folder: there root puts a copy. Here it is the only one.
fn confined() -> World {
    let mut world = World::without_node(Plan::default());
    let node = &mut world.node;
    fs::create_dir(&node.run_dir).unwrap();
    node.config = node.run_dir.join("echomesh");
    node.write_settings();
    node.start();
    world
}

#[test]
fn what_the_daemon_may_not_write_root_commits_and_it_acts_within_three_seconds() {
    let world = confined();
    let node = &world.node;
    let put = node.call("PUT", "/config", r#"{"network": {"maxMbps": 4}}"#).unwrap();
    assert_eq!((put.status, &put.json()["reason"]), (409, &json!("needs-root")));
    let wrong = ubus(node, "config_set", json!({ "patch": { "network": { "maxMbps": "fast" } } }));
    assert_eq!((&wrong["error"]["reason"], &wrong["findings"][0]["path"]), (&json!("findings"), &json!("network.maxMbps")), "{wrong}");
    let written = well(node, "config_set", json!({ "patch": { "network": { "maxMbps": 4 } } }));
    assert_eq!(written["written"], true);
    within(IN_FORCE, "the new rate is in force", || (node.status()["caps"]["maxMbps"].as_f64() == Some(4.0)).then_some(()));
    assert!(fs::read_to_string(&node.config).unwrap().contains("option max_mbps '4'"));
}

/// A child that ends with its test.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_daemon_of_another_user_has_its_settings_committed_by_root() {
    const NOBODY: u32 = 65534;
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: to run the daemon as another user takes root");
        return;
    }
    let world = World::without_node(Plan::default());
    let node = &world.node;
    // Where that user can reach it, wherever the build is.
    let program = world.folder.join("echomesh");
    fs::hard_link(process::binary(), &program).or_else(|_| fs::copy(process::binary(), &program).map(drop)).unwrap();
    for folder in [&node.run_dir, &node.state_dir] {
        fs::create_dir(folder).unwrap();
        chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chown(&node.config, Some(0), Some(NOBODY)).unwrap();
    fs::set_permissions(&node.config, fs::Permissions::from_mode(0o640)).unwrap();
    let log = fs::File::create(world.folder.join("other.log")).unwrap();
    let mut daemon = Command::new(&program);
    daemon.args(["demo", "part", "node", "--config"]).arg(&node.config).arg("--run-dir").arg(&node.run_dir);
    let _daemon = Other(daemon.uid(NOBODY).gid(NOBODY).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    node.state("running");

    assert_eq!(node.call("PUT", "/config", r#"{"network": {"maxMbps": 3}}"#).unwrap().status, 409);
    let written = well(node, "config_set", json!({ "patch": { "network": { "maxMbps": 3 } } }));
    assert_eq!(written["written"], true, "{written}");
    within(IN_FORCE, "the new rate is in force", || (node.status()["caps"]["maxMbps"].as_f64() == Some(3.0)).then_some(()));
    let meta = fs::metadata(&node.config).unwrap();
    assert_eq!((meta.permissions().mode() & 0o777, std::os::unix::fs::MetadataExt::gid(&meta)), (0o640, NOBODY));
}

#[test]
fn settings_that_wait_for_a_lock_hold_up_no_other_call() {
    let world = World::start(Plan::default());
    let node = &world.node;
    let held = fs::File::open(&node.config).unwrap();
    held.lock().unwrap();
    let mut put = UnixStream::connect(node.run_dir.join("control.sock")).unwrap();
    put.set_read_timeout(Some(SOON)).unwrap();
    put.write_all(&http::request("PUT", "/config", "localhost", &[], br#"{"network": {"maxMbps": 7}}"#)).unwrap();
    // Meanwhile the data plane and the other calls go on.
    let session = world.market.open(&wish());
    world.fetch(&world.door(&session), 100_000);
    for _ in 0..20 {
        assert_eq!(node.status()["caps"]["maxMbps"].as_f64(), Some(8000.0));
    }
    held.unlock().unwrap();
    // The control thread gives up after five seconds, which a busy machine may have used up.
    assert!([200, 503].contains(&http::read(&mut put).unwrap().status));
    until("it is in force", || (node.status()["caps"]["maxMbps"].as_f64() == Some(7.0)).then_some(()));
}

#[test]
fn who_opts_out_in_the_page_has_the_settings_reset_by_root() {
    let mut world = confined();
    let job = well(&world.node, "identity_opt_out", json!({ "confirm": "opt-out", "offline": true }));
    assert_eq!((&job["id"], &job["state"]), (&json!("opt-out"), &json!("running")), "{job}");
    assert!(world.node.running().ended(SOON).success());
    world.node.process = None;
    let node = &world.node;
    until("the settings are reset", || {
        let text = fs::read_to_string(&node.config).ok()?;
        (!text.contains("127.77.")).then_some(())
    });
    let left = until("and it says so", || {
        let said = raw(&node.run_dir, &node.config, "job", &json!({ "id": job["id"] }).to_string());
        (said["state"] != "running").then_some(said)
    });
    assert!(left["state"] == "done" && left["printed"].as_str().unwrap().contains("has left"), "{left}");
    assert!(!node.state_dir.join("identity").exists());
}

#[test]
fn a_backup_is_taken_back_in_the_page_and_what_is_off_stops_nothing() {
    const PASSPHRASE: &str = "correct horse battery";
    let mut world = World::start(Plan::default());
    let backup = result(&world.node, &well(&world.node, "identity_backup", json!({ "passphrase": PASSPHRASE })))["result"]["backup"].clone();
    let before = world.node.status()["nodeId"].clone();
    // A router that was reset: another identity.
    world.node.running().signal(Signal::SIGTERM);
    assert!(world.node.running().ended(SOON).success());
    world.node.process = None;
    fs::remove_file(world.node.state_dir.join("identity")).unwrap();
    world.node.start();
    let node = &world.node;
    let there = node.status()["nodeId"].clone();
    assert_ne!(there, before);

    let asked = |args: Value| ubus(node, "identity_restore", args);
    let other = asked(json!({ "backup": backup, "passphrase": PASSPHRASE }));
    assert_eq!((&other["error"]["reason"], &other["nodeId"], &other["there"]), (&json!("other-identity"), &before, &there), "{other}");
    for wrong in ["", "!", "AAAA"] {
        let said = asked(json!({ "backup": wrong, "passphrase": PASSPHRASE, "replace": true }));
        assert_eq!(said["error"]["reason"], "bad-backup", "{wrong}: {said}");
    }
    assert_eq!(asked(json!({ "backup": backup, "passphrase": "" }))["error"]["reason"], "bad-request");
    assert_eq!(asked(json!({ "backup": backup, "passphrase": "a\nb" }))["error"]["reason"], "bad-request");
    let failed = result(node, &asked(json!({ "backup": backup, "passphrase": "wrong horse battery", "replace": true })));
    assert_eq!((&failed["state"], &failed["reason"]), (&json!("failed"), &json!("wrong-passphrase")), "{failed}");
    assert_eq!(node.status()["nodeId"], there, "it never stopped");

    let job = asked(json!({ "backup": backup, "passphrase": PASSPHRASE, "replace": true }));
    assert_eq!((&job["id"], &job["state"], &job["nodeId"]), (&json!("restore"), &json!("running"), &before), "{job}");
    let done = result(node, &job);
    assert_eq!(done["state"], "done", "{done}");
    assert!(done["printed"].as_str().unwrap().contains("in the place of"), "{done}");
    let beside = format!("{}.rpcd", node.run_dir.display());
    for file in fs::read_dir(beside).unwrap() {
        let kept = fs::read(file.unwrap().path()).unwrap();
        assert!(!kept.windows(PASSPHRASE.len()).any(|part| part == PASSPHRASE.as_bytes()), "the passphrase is written nowhere");
    }
    assert!(world.node.running().ended(SOON).success());
    world.node.process = None;
    world.node.start();
    assert_eq!(world.node.status()["nodeId"], before);
}

#[test]
fn the_books_come_in_pieces_of_one_moment() {
    let world = World::start(Plan::default());
    let door = world.door(&world.market.open(&wish()));
    for _ in 0..600 {
        assert_eq!(door.connect("www.blocked.test:8443").unwrap().0.status, 403);
    }
    let node = &world.node;
    let id = ubus(node, "logs_export", json!({}))["id"].clone();
    let mut books = String::new();
    let mut pieces = 0;
    let mut offset = json!(0);
    while !offset.is_null() {
        let piece = until("the piece is ready", || {
            let said = ubus(node, "logs_export", json!({ "id": id, "offset": offset }));
            assert!(said["error"].is_null(), "{said}");
            (said["ready"] == true).then_some(said)
        });
        let text = piece["text"].as_str().unwrap();
        assert!(text.ends_with('\n') && text.len() <= 64 * 1024);
        books.push_str(text);
        (offset, pieces) = (piece["next"].clone(), pieces + 1);
    }
    assert!(pieces > 1, "{} bytes", books.len());
    let file = world.folder.join("books");
    process::write(&file, &books);
    let node_id = node.status()["nodeId"].as_str().unwrap().to_owned();
    process::said(["verify", file.to_str().unwrap(), "--node", &node_id]);
    // The last piece was the end of it; nobody else may read what is left beside the run folder.
    assert_eq!(ubus(node, "logs_export", json!({ "id": id }))["error"]["reason"], "no-export");
    let beside = format!("{}.rpcd", node.run_dir.display());
    assert_eq!(fs::metadata(beside).unwrap().permissions().mode() & 0o777, 0o700);
}
