//! One node: its settings file, its process, its control API.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::http::{self, Answer};
use super::process::{self, Process};
use super::wait::{SOON, until};

/// Settings as lines of a UCI file.
#[derive(Clone, Default)]
pub struct Uci(Vec<(String, String, String, bool)>);

impl Uci {
    /// An option; replaces one of the same name.
    pub fn set(&mut self, section: &str, option: &str, value: &str) -> &mut Uci {
        self.0.retain(|(s, o, ..)| (s.as_str(), o.as_str()) != (section, option));
        self.0.push((section.into(), option.into(), value.into(), false));
        self
    }

    /// One more value of a list.
    pub fn add(&mut self, section: &str, option: &str, value: &str) -> &mut Uci {
        self.0.push((section.into(), option.into(), value.into(), true));
        self
    }

    /// Removes an option or list.
    pub fn drop(&mut self, section: &str, option: &str) -> &mut Uci {
        self.0.retain(|(s, o, ..)| (s.as_str(), o.as_str()) != (section, option));
        self
    }

    /// The value of an option.
    pub fn value(&self, section: &str, option: &str) -> Option<&str> {
        self.0.iter().find(|(s, o, ..)| (s.as_str(), o.as_str()) == (section, option)).map(|(_, _, value, _)| value.as_str())
    }

    /// The file.
    pub fn text(&self) -> String {
        let mut sections: Vec<&str> = self.0.iter().map(|l| l.0.as_str()).collect();
        sections.sort_unstable();
        sections.dedup();
        let mut out = String::new();
        for section in sections {
            out.push_str(&format!("config {section} '{section}'\n"));
            for (_, option, value, list) in self.0.iter().filter(|l| l.0 == section) {
                out.push_str(&format!("\t{} {option} '{value}'\n", if *list { "list" } else { "option" }));
            }
        }
        out
    }
}

/// A node of the world: for it 127.77.0.0/16 is public.
pub struct Node {
    pub settings: Uci,
    pub config: PathBuf,
    pub run_dir: PathBuf,
    pub state_dir: PathBuf,
    pub listen: SocketAddr,
    folder: PathBuf,
    name: String,
    pub process: Option<Process>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// More arguments of its process.
    pub args: Vec<String>,
}

impl Node {
    /// Writes its files; starts nothing.
    pub fn new(folder: &Path, name: &str, ip: Ipv4Addr, mut settings: Uci) -> Node {
        let (state_dir, run_dir, config) =
            (folder.join(format!("{name}.state")), folder.join(format!("{name}.run")), folder.join(format!("{name}.config")));
        let listen = SocketAddr::from((ip, 8443));
        settings.set("node", "state_dir", state_dir.to_str().unwrap()).add("proxy", "listen", &listen.to_string());
        process::write(&config, &settings.text());
        Node {
            settings,
            config,
            run_dir,
            state_dir,
            listen,
            folder: folder.to_owned(),
            name: name.to_owned(),
            process: None,
            env: Vec::new(),
            args: Vec::new(),
        }
    }

    /// Starts the process.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let (config, run_dir) = (self.config.to_str().unwrap(), self.run_dir.to_str().unwrap());
        let mut args = vec!["demo", "part", "node", "--config", config, "--run-dir", run_dir];
        args.extend(self.args.iter().map(String::as_str));
        self.process = Some(Process::start_with(&self.env, &self.name, &self.folder, args));
    }

    /// Starts it and waits until the coordinator took it.
    #[track_caller]
    pub fn start(&mut self) {
        self.launch();
        self.state("running");
    }

    /// Waits for a state of the node.
    #[track_caller]
    pub fn state(&self, state: &str) {
        until(&format!("{} is {state}", self.name), || (self.try_status()?["state"] == state).then_some(()));
    }

    /// The process that runs.
    pub fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("the node runs")
    }

    /// Writes the settings anew.
    pub fn write_settings(&self) {
        process::write(&self.config, &self.settings.text());
    }

    /// One call of the control API.
    pub fn call(&self, method: &str, target: &str, body: &str) -> std::io::Result<Answer> {
        let mut stream = UnixStream::connect(self.run_dir.join("control.sock"))?;
        stream.set_read_timeout(Some(SOON))?;
        http::exchange(&mut stream, &http::request(method, target, "localhost", &[("Content-Type", "application/json")], body.as_bytes()))
    }

    /// A `GET`; panics unless it is answered with 200.
    #[track_caller]
    pub fn get(&self, target: &str) -> Answer {
        let answer = self.call("GET", target, "").unwrap();
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer
    }

    /// A call with a JSON body; panics unless it is answered with 200.
    #[track_caller]
    pub fn tell(&self, method: &str, target: &str, body: &Value) -> Value {
        let answer = self.call(method, target, &body.to_string()).unwrap();
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }

    /// The status object.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.get("/status").json()
    }

    fn try_status(&self) -> Option<Value> {
        let answer = self.call("GET", "/status", "").ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// The alert of this id, where it stands.
    #[track_caller]
    pub fn alert(&self, id: &str) -> Option<Value> {
        self.status()["alerts"].as_array().unwrap().iter().find(|a| a["id"] == id).cloned()
    }

    /// The quarantine, where it stands.
    #[track_caller]
    pub fn quarantine(&self) -> Option<Value> {
        Some(self.status()["quarantine"].take()).filter(|q| !q.is_null())
    }

    /// Ends it by SIGTERM.
    #[track_caller]
    pub fn stop(&mut self) {
        self.running().signal(nix::sys::signal::Signal::SIGTERM);
        assert!(self.running().ended(std::time::Duration::from_secs(10)).success());
        self.process = None;
    }

    /// One session of the status object.
    #[track_caller]
    pub fn session(&self, id: &str) -> Option<Value> {
        self.status()["sessions"].as_array().unwrap().iter().find(|s| s["sessionId"] == id).cloned()
    }

    /// Live tunnels of all sessions.
    #[track_caller]
    pub fn tunnels(&self) -> u64 {
        self.status()["sessions"].as_array().unwrap().iter().map(|s| s["tunnels"].as_u64().unwrap()).sum()
    }

    /// A sample of the metrics, by its whole name with labels.
    #[track_caller]
    pub fn metric(&self, sample: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|l| l.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no sample {sample} in\n{text}")).parse().unwrap()
    }

    /// How often a reason was given.
    #[track_caller]
    pub fn refusals(&self, reason: &str) -> u64 {
        self.metric(&format!("echomesh_refusals_total{{reason=\"{reason}\"}}")) as u64
    }

    /// A client command of the program against this node.
    pub fn cli(&self, args: &[&str]) -> Output {
        let mut all = args.to_vec();
        all.extend(["--run-dir", self.run_dir.to_str().unwrap()]);
        process::run(all)
    }

    /// The same; panics where it fails; standard output.
    #[track_caller]
    pub fn said(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        assert!(output.status.success(), "{args:?}: {} {}", output.status, process::text(&output.stderr));
        process::text(&output.stdout)
    }
}
