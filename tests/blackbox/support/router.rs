//! A router's file tree with the real program in it, and a service that starts what `update which` names.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::folder::Folder;
use super::http;
use super::node::Uci;
use super::process::{self, text};
use super::releases::{OLD, Releases, program};
use super::wait::{SOON, until};

/// The router. Its daemon ends with it.
pub struct Router {
    pub root: PathBuf,
    pub run_dir: PathBuf,
    pub config: PathBuf,
    pub settings: Uci,
    folder: Folder,
}

impl Router {
    /// With the packaged program, and settings that switch no role on; updates come from `releases`, signed by `key`.
    pub fn new(releases: &Releases, key: &str) -> Router {
        let mut settings = Uci::default();
        settings.set("node", "enabled", "0").set("node", "log_dest", "stderr").set("security", "sandbox_mode", "standard");
        Router::with(releases, key, settings, "run")
    }

    /// With these settings; `run` is how the daemon is started: `run`, or `demo part node`.
    pub fn with(releases: &Releases, key: &str, mut settings: Uci, run: &str) -> Router {
        let folder = Folder::new();
        let root = folder.join("root");
        for name in ["usr/bin", "usr/lib/echomesh", "etc/config", "etc/init.d", "var/run", "bin"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::copy(program(OLD), root.join("usr/bin/echomesh")).unwrap();
        let ca = root.join("etc/update-ca.pem");
        let before = settings.value("coordinator", "ca_file").map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
        process::write(&ca, &(before + &releases.pem));
        settings
            .set("node", "state_dir", root.join("etc/echomesh").to_str().unwrap())
            .set("coordinator", "ca_file", ca.to_str().unwrap())
            .set("update", "url", &releases.url())
            .add("update", "key", key);
        let router = Router { run_dir: root.join("var/run/echomesh"), config: root.join("etc/config/echomesh"), root, settings, folder };
        router.write_settings();
        router.write_service(run);
        router
    }

    /// Writes the settings.
    pub fn write_settings(&self) {
        process::write(&self.config, &self.settings.text());
    }

    fn write_service(&self, run: &str) {
        let (root, run_dir, config) = (self.root.display(), self.run_dir.display(), self.config.display());
        // What an init script does, without procd: end the daemon, start what `which` names.
        let script = format!(
            "#!/bin/sh\n\
             echo \"$1\" >> {root}/service.log\n\
             while [ -e {root}/hold ]; do sleep 0.05; done\n\
             [ -e {root}/no-restart ] && exit 1\n\
             if [ -e {run_dir}/pid ]; then\n\
             \tpid=$(cat {run_dir}/pid); kill \"$pid\"\n\
             \tfor i in $(seq 200); do [ -e {run_dir}/pid ] || break; sleep 0.05; done\n\
             \tif [ -e {run_dir}/pid ]; then kill -9 \"$pid\"; rm -f {run_dir}/pid; fi\n\
             fi\n\
             mkdir -p -m 755 {run_dir}-update\n\
             program=$({root}/usr/bin/echomesh --run-dir {run_dir} update --root {root} which)\n\
             echo \"$program\" >> {root}/started\n\
             setsid \"$program\" {run} --config {config} --run-dir {run_dir} < /dev/null >> {root}/daemon.log 2>&1 &\n"
        );
        self.executable("etc/init.d/echomesh", &script);
    }

    /// An executable file below the root.
    pub fn executable(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        process::write(&path, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the service's script.
    #[track_caller]
    pub fn service(&self, verb: &str) {
        let done = Command::new(self.root.join("etc/init.d/echomesh")).arg(verb).stdin(Stdio::null()).status().unwrap();
        assert!(done.success());
    }

    /// Starts the daemon and waits until it answers.
    #[track_caller]
    pub fn start(&self) {
        self.service("start");
        self.version(OLD);
    }

    /// Waits until the daemon of a version answers.
    #[track_caller]
    pub fn version(&self, version: &str) {
        until(&format!("version {version} answers"), || (self.status()?["version"] == version).then_some(()));
    }

    /// The status object, if the daemon answers.
    pub fn status(&self) -> Option<Value> {
        let mut stream = UnixStream::connect(self.run_dir.join("control.sock")).ok()?;
        stream.set_read_timeout(Some(SOON)).ok()?;
        let answer = http::exchange(&mut stream, &http::request("GET", "/status", "localhost", &[], b"")).ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// `echomesh update …` of the packaged program, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.root.join("usr/bin/echomesh"));
        command.args(self.arguments(args)).stdin(Stdio::null());
        command
    }

    /// Its arguments.
    pub fn arguments(&self, args: &[&str]) -> Vec<String> {
        let mut all = vec!["--run-dir", self.run_dir.to_str().unwrap(), "update", "--root", self.root.to_str().unwrap()];
        all.extend(args);
        all.into_iter().map(str::to_owned).collect()
    }

    /// The same, run to its end.
    pub fn update(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The same, in the background.
    pub fn update_in_background(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// `apply` with a short probation, not yet run.
    pub fn apply(&self, more: &[&str]) -> Output {
        self.update(&[["apply", "--probation", "1", "--patience", "20"].as_slice(), more].concat())
    }

    /// What `apply` refuses with: exit code, and the reason in the status file.
    #[track_caller]
    pub fn refused(&self, more: &[&str]) -> (i32, String) {
        let output = self.apply(more);
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "{}", text(&output.stdout));
        (code, self.last()["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// `update status --json`.
    #[track_caller]
    pub fn told(&self) -> Value {
        let output = self.update(&["status", "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What the updater said last.
    #[track_caller]
    pub fn last(&self) -> Value {
        self.told()["last"].take()
    }

    /// Waits for a phase of the update.
    #[track_caller]
    pub fn phase(&self, phase: &str) {
        until(&format!("the update is {phase}"), || (self.last()["phase"] == phase).then_some(()));
    }

    /// The program the service would start.
    #[track_caller]
    pub fn which(&self) -> PathBuf {
        let output = self.update(&["which"]);
        assert!(output.status.success());
        PathBuf::from(text(&output.stdout).trim())
    }

    /// The version that program tells.
    #[track_caller]
    pub fn which_version(&self) -> String {
        let said = Command::new(self.which()).arg("--version").output().unwrap();
        text(&said.stdout).trim().strip_prefix("echomesh ").unwrap().to_owned()
    }

    /// The packaged program.
    pub fn blue(&self) -> PathBuf {
        self.root.join("usr/bin/echomesh")
    }

    /// Programs that were started, in order.
    pub fn started(&self) -> Vec<String> {
        fs::read_to_string(self.root.join("started")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// A file beside the run folder: the updater's own.
    pub fn tmp(&self, name: &str) -> PathBuf {
        self.root.join("var/run/echomesh-update").join(name)
    }

    /// The program in force on flash, if there is one.
    pub fn green(&self) -> Option<PathBuf> {
        let mut found = fs::read_dir(self.root.join("usr/lib/echomesh/green")).ok()?.flatten().map(|e| e.path());
        found.find(|p| p.file_name().unwrap().to_str().unwrap().starts_with("echomesh-"))
    }

    /// Process id of the daemon.
    pub fn pid(&self) -> Option<i32> {
        fs::read_to_string(self.run_dir.join("pid")).ok()?.trim().parse().ok()
    }

    /// `kill -9` of the daemon.
    pub fn kill(&self) {
        if let Some(pid) = self.pid() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
            let _ = fs::remove_file(self.run_dir.join("pid"));
        }
    }

    /// What happens to tmpfs at a power cut, and to the daemon.
    pub fn power_cut(&self) {
        self.kill();
        let _ = fs::remove_dir_all(self.root.join("var/run"));
        fs::create_dir_all(self.root.join("var/run")).unwrap();
    }

    /// A folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            for name in ["daemon.log", "service.log", "started"] {
                let said = fs::read_to_string(self.root.join(name)).unwrap_or_default();
                let tail: Vec<&str> = said.lines().rev().take(20).collect();
                eprintln!("---- {name}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
        }
    }
}
