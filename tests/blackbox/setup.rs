//! `echomesh setup`: on a real pseudo-terminal, interrupted and resumed; and from a file of answers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::pty::Pty;
use crate::support::{Plan, World, process};

/// A router as it comes: the settings are the package's, but for what a test's world must have.
struct Fresh {
    world: World,
    before: String,
    /// Where interrupted answers are kept.
    kept: PathBuf,
}

/// A key of nobody.
const OTHER_KEY: &str = "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

impl Fresh {
    fn new() -> Fresh {
        let world = World::without_node(Plan::default());
        let node = &world.node;
        let before = format!(
            "config node 'node'\n\toption enabled '0'\n\toption state_dir '{}'\n\toption log_dest 'stderr'\n\
             config network 'network'\n\tlist port '443'\n\tlist port '8443'\n\
             config security 'security'\n\tlist doh_url 'https://{}:8443/dns-query'\n\toption sandbox_mode 'standard'\n\
             config proxy 'proxy'\n\toption enabled '0'\n\tlist listen '{}'\n",
            node.state_dir.display(),
            world.ip(53),
            node.listen
        );
        process::write(&node.config, &before);
        let kept = node.run_dir.with_file_name(format!("{}.setup", node.run_dir.file_name().unwrap().to_str().unwrap()));
        Fresh { before, kept, world }
    }

    fn args(&self) -> Vec<String> {
        let node = &self.world.node;
        ["setup", "--config", node.config.to_str().unwrap(), "--run-dir", node.run_dir.to_str().unwrap()].map(str::to_owned).to_vec()
    }

    fn url(&self) -> String {
        format!("https://{}:8443", self.world.ip(1))
    }

    fn setting(&self, name: &str) -> String {
        let text = self.world.node.settings.text();
        text.lines().find_map(|l| l.trim().split_once(&format!(" {name} '"))?.1.strip_suffix('\'').map(str::to_owned)).unwrap()
    }

    #[track_caller]
    fn untouched(&self) {
        assert_eq!(std::fs::read_to_string(&self.world.node.config).unwrap(), self.before);
        assert!(!self.world.node.state_dir.exists(), "no identity yet");
    }

    fn by_file(&self, answers: &Value, more: &[&str]) -> Output {
        let path = self.world.folder.join("answers.json");
        process::write(&path, &answers.to_string());
        let mut args = self.args();
        args.extend(["--answers".to_owned(), path.to_str().unwrap().to_owned()]);
        args.extend(more.iter().map(|s| (*s).to_owned()));
        process::run(args)
    }

    fn answers(&self) -> Value {
        json!({
            "region": "PH", "line": 100, "caps": "own", "rate": 2000, "gbPerDay": 0, "proxy": true, "reach": "direct", "port": 8443,
            "coordinator": self.url(), "key": self.setting("key"), "caFile": self.setting("ca_file")
        })
    }

    /// What was set up works: the node runs and is accepted.
    #[track_caller]
    fn works(&mut self) {
        self.world.node.start();
        assert_eq!(self.world.node.status()["roles"]["proxy"]["state"], "running");
    }
}

#[test]
fn the_wizard_on_a_terminal_is_resumed_after_a_kill_and_writes_nothing_before_its_end() {
    let mut fresh = Fresh::new();
    let began = Instant::now();
    let mut pty = Pty::start(fresh.args());
    pty.expect("EchoMesh set-up");
    pty.expect("uplink");
    pty.expect("sandbox");
    pty.answer("Where is this node?", "Philippines");
    pty.expect("a country code like PH");
    pty.answer("Where is this node?", "ph");
    pty.answer("How fast is your line", "100");
    pty.answer("How much of it", "2");
    pty.expect("At most how many GB a month?");
    pty.signal(Signal::SIGKILL);
    pty.ended();
    let first = std::mem::take(&mut pty.seen);
    fresh.untouched();
    assert_eq!(std::fs::metadata(&fresh.kept).unwrap().permissions().mode() & 0o777, 0o600);

    let mut pty = Pty::start(fresh.args());
    pty.answer("interrupted after 3 answers", "");
    pty.answer("At most how many GB a month?", "300");
    pty.answer("When may it work?", "back");
    pty.answer("At most how many GB a month?", "");
    pty.answer("When may it work?", "always");
    pty.expect("Consent");
    // Ctrl-C in the middle, too.
    pty.signal(Signal::SIGINT);
    pty.ended();
    let second = std::mem::take(&mut pty.seen);
    fresh.untouched();

    let (url, key, ca_file) = (fresh.url(), fresh.setting("key"), fresh.setting("ca_file"));
    let mut pty = Pty::start(fresh.args());
    pty.answer("interrupted after 5 answers", "yes");
    pty.expect("The sites see your");
    pty.answer("address", "yes");
    pty.answer("How do buyers get here?", "direct");
    pty.answer("Which port?", "");
    pty.answer("Which coordinator?", &url);
    pty.answer("Its key?", OTHER_KEY);
    pty.answer("certificate of its own making?", &ca_file);
    pty.answer("Send health figures", "");
    pty.expect("FAILED  coordinator");
    pty.expect("ok      names");
    pty.expect("ok      port");
    pty.answer("A test failed", "change");
    pty.answer("Which port?", "");
    pty.answer("Which coordinator?", "");
    pty.answer("Its key?", &key);
    pty.answer("certificate of its own making?", "");
    pty.expect("ok      coordinator");
    pty.expect("What changes:");
    pty.expect("network.max_mbps: 10 -> 25");
    pty.expect("network.max_gb_per_month: 0 -> 300");
    pty.expect("Write this to");
    pty.expect("> ");
    fresh.untouched();
    pty.line("");
    pty.expect("identity is made:");
    pty.expect("ed25519:");
    assert!(pty.ended().success(), "{}", pty.seen);
    assert!(began.elapsed() < Duration::from_secs(180), "under three minutes");
    assert!(!fresh.kept.exists(), "the answers are not kept any longer");

    for seen in [&first, &second, &pty.seen] {
        assert!(!seen.contains('\u{1b}'), "no escape sequence: a dumb terminal is enough");
        // What is typed is the terminal's own echo.
        let long = seen.lines().find(|l| l.chars().count() > 80 && !l.contains("> "));
        assert_eq!(long, None, "80 columns are enough");
    }
    let check = process::run(["config", "check", "--config", fresh.world.node.config.to_str().unwrap()]);
    assert!(check.status.success(), "{}", process::text(&check.stdout));
    fresh.works();
}

#[test]
fn a_file_of_answers_sets_a_node_up_and_a_failed_test_or_a_dry_run_changes_nothing() {
    let mut fresh = Fresh::new();
    let shown = fresh.by_file(&fresh.answers(), &["--dry-run"]);
    assert!(shown.status.success(), "{}", process::text(&shown.stderr));
    let text = process::text(&shown.stdout);
    for part in ["ok      coordinator", "proxy.enabled: 0 -> 1", "network.max_mbps: 10 -> 2000", "Nothing was changed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    fresh.untouched();

    for (member, value, code, part) in [
        ("key", json!(OTHER_KEY), 69, "a test failed"),
        ("coordinator", json!(format!("https://{}:8443", fresh.world.ip(77))), 69, "a test failed"),
        ("line", json!("fast"), 65, "line"),
        ("prxy", json!(true), 65, "no question `prxy`"),
        ("proxy", json!("perhaps"), 65, "yes, no"),
    ] {
        let mut answers = fresh.answers();
        answers[member] = value;
        let refused = fresh.by_file(&answers, &[]);
        assert_eq!(refused.status.code(), Some(code), "{member}: {}", process::text(&refused.stderr));
        assert!(process::text(&refused.stderr).contains(part), "{member}: {}", process::text(&refused.stderr));
        fresh.untouched();
    }
    // Without a terminal and without answers there is nobody to ask.
    assert_eq!(process::run(fresh.args()).status.code(), Some(64));
    // Without consent nothing runs, whatever else is said.
    let mut without = fresh.answers();
    without["proxy"] = json!(false);
    let output = fresh.by_file(&without, &["--dry-run"]);
    assert!(!process::text(&output.stdout).contains("enabled"), "{}", process::text(&output.stdout));

    let done = fresh.by_file(&fresh.answers(), &[]);
    assert!(done.status.success(), "{}", process::text(&done.stderr));
    assert!(process::text(&done.stdout).contains("identity is made"), "{}", process::text(&done.stdout));
    fresh.works();

    // In the terminal Enter alone proposes what there is; a backup is offered, now that there is a daemon to make it.
    let mut pty = Pty::start(fresh.args());
    for title in ["Where is", "How fast", "How much", "how many Mbit/s", "GB a day?", "GB a month?", "When may", "Consent", "buyers get here"] {
        pty.answer(title, "");
    }
    for title in ["Which port?", "Which coordinator?", "Its key?", "of its own making?", "health figures"] {
        pty.answer(title, "");
    }
    pty.expect("The settings are like that already.");
    pty.answer("Write this to", "");
    pty.answer("Make a sealed backup", "");
    pty.expect("Later: echomesh identity backup FILE");
    assert!(pty.ended().success(), "{}", pty.seen);

    // With the node at work: its port is its own, the settings are as they were, and a change is in force at once.
    let again = fresh.by_file(&fresh.answers(), &[]);
    let text = process::text(&again.stdout);
    assert!(again.status.success() && text.contains("like that already") && text.contains("ok      port"), "{text}");
    let mut less = fresh.answers();
    less["rate"] = json!(7);
    let changed = fresh.by_file(&less, &[]);
    assert!(changed.status.success(), "{}", process::text(&changed.stderr));
    crate::support::until("the daemon read it", || (fresh.world.node.status()["caps"]["maxMbps"] == 7.0).then_some(()));
}
