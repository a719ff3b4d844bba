//! `echomesh hooks`: scripts and ubus hear of what happens, and nothing that scripts or a daemon do harms anybody.
//!
//! With a real daemon, and with a scripted one where it has to say what none says yet, or what none should say.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::buyer::wish;
use crate::support::folder::Folder;
use crate::support::process::{self, Process};
use crate::support::{Plan, World, until};

/// Where scripts stand and what they wrote down.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn new(folder: &Path) -> Place {
        let at = Place { folder: folder.to_owned() };
        for part in [at.folder.join("etc"), at.dir()] {
            fs::create_dir_all(&part).unwrap();
            mode(&part, 0o755);
        }
        at
    }

    fn dir(&self) -> PathBuf {
        self.folder.join("etc/offload.d")
    }

    /// A script of these lines.
    fn script(&self, name: &str, lines: &str) -> PathBuf {
        program(&self.dir().join(name), lines)
    }

    fn record(&self) -> PathBuf {
        self.folder.join("record")
    }

    /// A script that writes down its environment, a record a run.
    fn recorder(&self, name: &str) {
        self.script(name, &format!("{{ echo run $1; env; echo; }} >> {}", self.record().display()));
    }

    /// What was written down: the first line, then variables.
    fn runs(&self) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.record()).unwrap_or_default();
        // What ends with an empty line is complete; the rest is being written.
        let complete = text.rfind("\n\n").map_or("", |end| &text[..end]);
        complete.split("\n\n").filter(|run| !run.is_empty()).map(|run| run.lines().map(str::to_owned).collect()).collect()
    }

    fn start(&self, run_dir: &Path) -> Process {
        let (dir, ubus) = (self.dir(), self.folder.join("ubus"));
        let args = ["hooks", "--dir", dir.to_str().unwrap(), "--ubus", ubus.to_str().unwrap(), "--run-dir", run_dir.to_str().unwrap()];
        Process::start("hooks", &self.folder, args)
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn program(path: &Path, lines: &str) -> PathBuf {
    process::write(path, &format!("#!/bin/sh\n{lines}\n"));
    mode(path, 0o755);
    path.to_owned()
}

fn value<'a>(run: &'a [String], name: &str) -> &'a str {
    run.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_else(|| panic!("no {name} in {run:?}"))
}

fn gone(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
}

/// A daemon of the test's own: what it says on `/events` is what the test says.
struct Daemon {
    folder: Folder,
    listeners: Receiver<UnixStream>,
}

impl Daemon {
    fn new() -> Daemon {
        let folder = Folder::new();
        let socket = UnixListener::bind(folder.join("control.sock")).unwrap();
        let (tell, listeners) = channel();
        std::thread::spawn(move || {
            for mut stream in socket.incoming().map_while(Result::ok) {
                let mut request = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut request).unwrap();
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    line.clear();
                }
                if request.starts_with("GET /events ") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: listening\n\n").unwrap();
                    if tell.send(stream).is_err() {
                        return;
                    }
                } else {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"sessions\":[]}");
                }
            }
        });
        Daemon { folder, listeners }
    }

    fn place(&self) -> Place {
        Place::new(self.folder.path())
    }

    fn listener(&self) -> UnixStream {
        self.listeners.recv_timeout(Duration::from_secs(30)).expect("somebody listens")
    }
}

fn relay_up(name: &str) -> String {
    format!("data: {{\"at\":\"2026-01-01T00:00:00Z\",\"kind\":\"relay-up\",\"role\":\"relay\",\"relayId\":\"{name}\",\"device\":\"wg0\"}}\n\n")
}

#[test]
fn sessions_of_a_daemon_reach_scripts_and_ubus_over_its_restarts() {
    let mut world = World::without_node(Plan::default());
    let place = Place::new(world.folder.path());
    place.recorder("10-record");
    mode(&place.script("20-off", &format!("touch {}/off", place.folder.display())), 0o644);
    let sent = place.folder.join("sent");
    program(&place.folder.join("ubus"), &format!("printf '%s|' \"$@\" >> {0}; echo >> {0}", sent.display()));
    let mut hooks = place.start(&world.node.run_dir);
    world.node.start();
    for (n, restart) in [(0, true), (1, false)] {
        let session = world.market.open(&wish());
        let opened = until("the script ran for the opening", || place.runs().get(2 * n).cloned());
        assert_eq!((opened[0].as_str(), value(&opened, "ECHOMESH_EVENT")), ("run session-open", "session-open"));
        assert_eq!((value(&opened, "ECHOMESH_SESSION"), value(&opened, "ECHOMESH_ROLE")), (session.id.as_str(), "proxy"));
        assert_eq!((value(&opened, "ECHOMESH_REASON"), value(&opened, "ECHOMESH_RELAY"), value(&opened, "ECHOMESH_DROPPED")), ("", "", "0"));
        // Nothing of our own environment, and nothing of the buyer or of a host.
        let names: Vec<&str> = opened[1..].iter().filter_map(|line| line.split('=').next()).collect();
        let expected = ["DEVICE", "DROPPED", "EVENT", "REASON", "RELAY", "ROLE", "SESSION", "TIME"].map(|n| format!("ECHOMESH_{n}"));
        let other: Vec<&&str> =
            names.iter().filter(|n| !expected.contains(&(**n).to_owned()) && !["PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_"].contains(n)).collect();
        assert!(other.is_empty() && expected.iter().all(|n| names.contains(&n.as_str())), "{names:?}");
        world.market.close(&session);
        let closed = until("the script ran for the ending", || place.runs().get(2 * n + 1).cloned());
        assert_eq!((value(&closed, "ECHOMESH_EVENT"), value(&closed, "ECHOMESH_SESSION")), ("session-close", session.id.as_str()));
        assert!(!value(&closed, "ECHOMESH_REASON").is_empty());
        let wanted = "send|echomesh.session-close|{\"at\":";
        until("ubus was told", || fs::read_to_string(&sent).ok()?.lines().any(|l| l.starts_with(wanted) && l.contains(&session.id)).then_some(()));
        if restart {
            world.node.stop();
            world.node.start();
            until("it listens again", || (hooks.log().matches("listening to the daemon").count() == 2).then_some(()));
        }
    }
    assert!(place.runs().len() == 4 && !place.folder.join("off").exists(), "{:?}", place.runs());
    world.node.tell("POST", "/control", &json!({"action": "pause"}));
    let paused = |line: &str| line.starts_with("send|echomesh.state|{") && line.contains("\"paused\":true");
    until("ubus is told of more than scripts are", || fs::read_to_string(&sent).ok()?.lines().any(paused).then_some(()));
    hooks.signal(Signal::SIGTERM);
    assert!(hooks.ended(Duration::from_secs(10)).success());
}

#[test]
fn a_script_that_hangs_or_fails_is_said_once_and_the_others_run() {
    let daemon = Daemon::new();
    let place = daemon.place();
    let pids = place.folder.join("pids");
    place.script("10-hangs", &format!("sleep 600 & echo $$ $! >> {}; wait", pids.display()));
    place.script("20-fails", "exit 3");
    process::write(&place.script("25-broken", ""), "#!/nonexistent/shell\n");
    place.recorder("30-record");
    let hooks = place.start(daemon.folder.path());
    let mut says = daemon.listener();
    for n in 0..2 {
        says.write_all(relay_up(&format!("r{n}")).as_bytes()).unwrap();
        let run = until("the last script ran", || place.runs().get(n).cloned());
        assert_eq!((value(&run, "ECHOMESH_EVENT"), value(&run, "ECHOMESH_ROLE")), ("relay-up", "relay"));
        assert_eq!((value(&run, "ECHOMESH_RELAY"), value(&run, "ECHOMESH_DEVICE")), (format!("r{n}").as_str(), "wg0"));
    }
    let all = fs::read_to_string(&pids).unwrap();
    assert!(!all.is_empty());
    until("what hung is gone, with what it started", || all.split_whitespace().all(gone).then_some(()));
    let log = hooks.log();
    for (what, times) in [("10-hangs: it was killed", 1), ("20-fails: it ended with 3", 1), ("25-broken: it cannot be run", 1), ("30-record", 0)] {
        assert_eq!(log.matches(what).count(), times, "{what} in {log}");
    }
    // Mended, that is said too.
    place.script("20-fails", "exit 0");
    says.write_all(b"data: {\"kind\":\"relay-down\",\"role\":\"relay\",\"relayId\":\"r0\",\"reason\":\"stopped\"}\n\n").unwrap();
    let down = until("the last script ran", || place.runs().get(2).cloned());
    assert_eq!((value(&down, "ECHOMESH_EVENT"), value(&down, "ECHOMESH_REASON"), value(&down, "ECHOMESH_TIME")), ("relay-down", "stopped", ""));
    assert!(hooks.log().contains("20-fails: all is well again"), "{}", hooks.log());
}

#[test]
fn a_new_version_is_told_to_the_updater_which_outlives_the_hooks() {
    let daemon = Daemon::new();
    let place = daemon.place();
    let (ran, go) = (place.folder.join("ran"), place.folder.join("go"));
    let lines = format!("echo \"$*\" > {0}; while [ ! -e {1} ]; do sleep 0.05; done; echo done >> {0}", ran.display(), go.display());
    let updater = program(&place.folder.join("updater"), &lines);
    let (dir, run_dir) = (place.dir(), daemon.folder.path().to_owned());
    let args = ["hooks", "--dir", dir.to_str().unwrap(), "--updater", updater.to_str().unwrap(), "--run-dir", run_dir.to_str().unwrap()];
    let mut hooks = Process::start("hooks", &place.folder, args);
    let mut says = daemon.listener();
    says.write_all(b"data: {\"kind\":\"alert\",\"alert\":{\"id\":\"update-available\"}}\n\n").unwrap();
    until("the updater runs", || fs::read_to_string(&ran).ok().filter(|said| !said.is_empty()));
    assert_eq!(fs::read_to_string(&ran).unwrap(), format!("--run-dir {} update auto\n", run_dir.display()));
    // An update restarts the service, and the hooks with it.
    hooks.signal(Signal::SIGTERM);
    assert!(hooks.ended(Duration::from_secs(10)).success());
    fs::write(&go, "").unwrap();
    until("the updater comes to its end", || fs::read_to_string(&ran).ok().filter(|said| said.ends_with("done\n")));
}

#[test]
fn a_daemon_that_stays_away_is_the_updaters_to_look_at_once_each_time() {
    let daemon = Daemon::new();
    let place = daemon.place();
    let ran = place.folder.join("ran");
    let updater = program(&place.folder.join("updater"), &format!("echo \"$*\" >> {}", ran.display()));
    let (dir, run_dir) = (place.dir(), daemon.folder.path().to_owned());
    let args = ["hooks", "--dir", dir.to_str().unwrap(), "--updater", updater.to_str().unwrap(), "--rescue-after", "1"];
    let _hooks = Process::start("hooks", &place.folder, args.into_iter().chain(["--run-dir", run_dir.to_str().unwrap()]));
    let (socket, aside) = (run_dir.join("control.sock"), run_dir.join("aside.sock"));
    let line = format!("--run-dir {} update rescue\n", run_dir.display());
    for times in 1..=3 {
        // It is heard, and then gone.
        let says = daemon.listener();
        assert_eq!(fs::read_to_string(&ran).unwrap_or_default(), line.repeat(times - 1), "not while it is there");
        fs::rename(&socket, &aside).unwrap();
        drop(says);
        until("the updater is run", || (fs::read_to_string(&ran).unwrap_or_default().len() >= times * line.len()).then_some(()));
        fs::rename(&aside, &socket).unwrap();
    }
}

#[test]
fn a_flood_drops_the_oldest_and_counts_them() {
    let daemon = Daemon::new();
    let place = daemon.place();
    place.script("10-slow", "sleep 0.03");
    place.recorder("20-record");
    let hooks = place.start(daemon.folder.path());
    let mut says = daemon.listener();
    let flood: String = (0..1000).map(|n| relay_up(&n.to_string())).collect();
    says.write_all(flood.as_bytes()).unwrap();
    until("the newest arrived", || place.runs().last().filter(|run| value(run, "ECHOMESH_RELAY") == "999").map(|_| ()));
    let runs = place.runs();
    let dropped: usize = runs.iter().map(|run| value(run, "ECHOMESH_DROPPED").parse::<usize>().unwrap()).sum();
    assert_eq!((runs.len() + dropped, dropped > 0), (1000, true), "each is either told or counted");
    let order: Vec<u32> = runs.iter().map(|run| value(run, "ECHOMESH_RELAY").parse().unwrap()).collect();
    assert!(order.is_sorted());
    assert!(hooks.log().contains("the scripts cannot keep up with the events"), "{}", hooks.log());
}

#[test]
fn only_what_nobody_else_could_have_laid_down_is_run() {
    let daemon = Daemon::new();
    let place = daemon.place();
    place.recorder("10-good");
    let hooks = place.start(daemon.folder.path());
    let mut says = daemon.listener();
    let mut number = 0;
    let mut told = |says: &mut UnixStream| {
        number += 1;
        says.write_all(relay_up(&number.to_string()).as_bytes()).unwrap();
        number
    };
    let ran = |number: usize| place.runs().iter().any(|run| value(run, "ECHOMESH_RELAY") == number.to_string());
    let (etc, dir) = (place.folder.join("etc"), place.dir());
    let is_root = nix::unistd::geteuid().is_root();
    let give = |path: &Path, to: u32| nix::unistd::chown(path, Some(to.into()), None).unwrap();

    // The folder, and what stands above it.
    for (path, bad, what) in [(&dir, 0o775, "chmod go-w"), (&dir, 0o1777, "chmod go-w"), (&etc, 0o777, "chmod go-w")] {
        mode(path, bad);
        let before = hooks.log().matches(what).count();
        let n = told(&mut says);
        until("it is said why", || (hooks.log().matches(what).count() > before).then_some(()));
        assert!(!ran(n), "{bad:o} of {}", path.display());
        mode(path, 0o755);
        let n = told(&mut says);
        until("it is run again", || ran(n).then_some(()));
    }
    if is_root {
        give(&etc, 12345);
        let n = told(&mut says);
        until("it is said whose it is", || hooks.log().contains("belongs to user 12345").then_some(()));
        give(&etc, 0);
        assert!(!ran(n));
    }
    // A folder in which others write, but rename nothing of root's: the state folder of a daemon with a user of its own.
    mode(&etc, 0o1770);
    let n = told(&mut says);
    until("it is run", || ran(n).then_some(()));

    // Single scripts; the good one runs beside them.
    let traces = ["20-writable", "30-linked", "40-given"].map(|name| (name, place.folder.join(format!("{name}.ran"))));
    let lines = |trace: &Path| format!("touch {}", trace.display());
    mode(&place.script(traces[0].0, &lines(&traces[0].1)), 0o775);
    symlink(program(&place.folder.join("elsewhere"), &lines(&traces[1].1)), dir.join(traces[1].0)).unwrap();
    if is_root {
        give(&place.script(traces[2].0, &lines(&traces[2].1)), 12345);
    }
    let n = told(&mut says);
    let m = told(&mut says);
    until("the good one is run", || (ran(n) && ran(m)).then_some(()));
    // The second event was told after all scripts had had their turn with the first.
    let log = hooks.log();
    for (name, trace) in traces.iter().take(if is_root { 3 } else { 2 }) {
        assert!(!trace.exists(), "{name} was run");
        assert_eq!(log.lines().filter(|l| l.contains("passed over") && l.contains(name)).count(), 1, "{name} in {log}");
    }
}

#[test]
fn a_daemon_that_raves_runs_nothing_and_is_left_behind() {
    let daemon = Daemon::new();
    let place = daemon.place();
    place.recorder("10-record");
    let mut hooks = place.start(daemon.folder.path());
    let mut says = daemon.listener();
    let held = |hooks: &Process| {
        let status = fs::read_to_string(format!("/proc/{}/status", hooks.pid())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap().trim().to_owned();
        line.strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
    };
    let before = held(&hooks);
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..500 {
        says.write_all(&piece).unwrap();
    }
    let deep = format!("\ndata: {}\n", "[".repeat(8000));
    for line in [
        "\ndata: {\"kind\":\"relay-up\",\"relayId\":",
        &deep,
        "data: {\"kind\":\"../x\"}\n",
        "data: {\"kind\":\"session-close\",\"sessionId\":\"never-open\"}\n",
        "data: null\n",
    ] {
        says.write_all(line.as_bytes()).unwrap();
    }
    says.write_all(b"\n").unwrap();
    says.write_all(relay_up("$(id)").as_bytes()).unwrap();
    says.write_all(relay_up("good").as_bytes()).unwrap();
    until("the good one came through", || place.runs().iter().any(|run| value(run, "ECHOMESH_RELAY") == "good").then_some(()));
    let runs = place.runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(value(&runs[0], "ECHOMESH_RELAY"), "", "what is not plain is left out");
    assert!(held(&hooks) < before + 4096, "32 MB came, and held are {} kB, {before} kB before", held(&hooks));
    // It goes; another one comes.
    drop(says);
    let mut says = daemon.listener();
    says.write_all(relay_up("again").as_bytes()).unwrap();
    until("the next one is heard", || place.runs().iter().any(|run| value(run, "ECHOMESH_RELAY") == "again").then_some(()));
    assert!(hooks.exited().is_none());
}

#[test]
fn ending_it_ends_the_script_that_runs() {
    let daemon = Daemon::new();
    let place = daemon.place();
    let pids = place.folder.join("pids");
    place.script("10-waits", &format!("sleep 600 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", pids.display()));
    let mut hooks = place.start(daemon.folder.path());
    daemon.listener().write_all(relay_up("r").as_bytes()).unwrap();
    let running = until("the script runs", || fs::read_to_string(&pids).ok());
    hooks.signal(Signal::SIGTERM);
    assert!(hooks.ended(Duration::from_secs(10)).success());
    until("it ended with it", || running.split_whitespace().all(gone).then_some(()));
}
