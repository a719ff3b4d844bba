//! One node of the demonstration: its configuration, its process, and its control API.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::{self, Ask, Said};
use super::names::{self, Host, Net};
use super::process::Process;
use super::wait::{fail, until};
use crate::control::call::Action;
use crate::control::run_dir::SOCKET;
use crate::control::status::Status;
use crate::core::Reason;
use crate::core::exit::{self, Failure};

/// A node must work within this: start, register, be checked by the coordinator.
const UP_WITHIN: Duration = Duration::from_secs(20);
/// SIGTERM ends it within 1 s (contracts); the rest is for a busy machine.
const DOWN_WITHIN: Duration = Duration::from_secs(5);

/// What the demonstration sets for a node.
pub struct Wish<'a> {
    /// Which of the three.
    pub nth: u8,
    /// `direct` or `gateway`.
    pub reach: &'static str,
    /// Region it serves, so that sessions can be sent to it.
    pub region: &'a str,
    /// Tunnels at once.
    pub max_tunnels: u32,
    /// The coordinator's key.
    pub coordinator_key: &'a str,
    /// Roots of coordinator, DoH server and trusted endpoint.
    pub ca_file: &'a Path,
}

/// A node.
pub struct Node {
    /// `node-a`, `node-b`, `node-c`.
    pub name: String,
    /// The buyers' port.
    pub addr: SocketAddr,
    /// Tunnels at once.
    pub max_tunnels: u32,
    /// Its run folder, with the control socket.
    pub run_dir: PathBuf,
    /// Identity and journal.
    pub state_dir: PathBuf,
    /// Its UCI file.
    pub config: PathBuf,
    folder: PathBuf,
    process: Process,
}

impl Node {
    /// Writes its configuration into `folder` and starts it.
    ///
    /// # Errors
    /// A file or the process cannot be made.
    pub fn start(folder: &Path, net: Net, wish: &Wish<'_>) -> Result<Node, Failure> {
        let name = format!("node-{}", char::from(b'a' + wish.nth));
        let own = folder.join(&name);
        let (run_dir, state_dir, config) = (own.join("run"), own.join("state"), own.join("echomesh"));
        let addr = net.addr(Host::Node, wish.nth);
        let text = uci(net, addr, &state_dir, wish);
        std::fs::create_dir_all(&own)
            .and_then(|()| std::fs::write(&config, text))
            .map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", own.display())))?;
        let process = spawn(folder, &name, &config, &run_dir)?;
        Ok(Node { name, addr, max_tunnels: wish.max_tunnels, run_dir, state_dir, folder: folder.to_owned(), config, process })
    }

    /// Waits until it works and the coordinator answers it.
    ///
    /// # Errors
    /// It ended, or does not get there.
    pub async fn up(&mut self) -> Result<(), Failure> {
        let socket = self.run_dir.join(SOCKET);
        let (what, process) = (format!("{} runs", self.name), &mut self.process);
        until(&what, UP_WITHIN, async || {
            process.alive()?;
            let status: Result<Status, Failure> = async { call::over_unix(&socket, &Ask::get("/status")).await?.read() }.await;
            Ok(status.ok().filter(|s| s.coordinator.reachable).map(drop))
        })
        .await
    }

    /// Ends it by SIGTERM.
    ///
    /// # Errors
    /// It does not end in time, or not with 0.
    pub async fn down(&mut self) -> Result<(), Failure> {
        let status = self.process.end(DOWN_WITHIN).await?;
        if status.success() { Ok(()) } else { Err(fail(format!("{} ended with {status}", self.name))) }
    }

    /// Starts it anew, after [`Node::down`].
    ///
    /// # Errors
    /// The process cannot be made.
    pub fn again(&mut self) -> Result<(), Failure> {
        self.process = spawn(&self.folder, &self.name, &self.config, &self.run_dir)?;
        Ok(())
    }

    /// Its status object.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> Result<Status, Failure> {
        self.ask(&Ask::get("/status")).await?.read()
    }

    /// How often it gave `reason`.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn gave(&self, reason: Reason) -> Result<u64, Failure> {
        self.metric(&format!("echomesh_refusals_total{{reason=\"{}\"}}", reason.id())).await
    }

    /// One sample of its metrics; 0 where there is none.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metric(&self, sample: &str) -> Result<u64, Failure> {
        let text = self.ask(&Ask::get("/metrics")).await?.good()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok());
        Ok(value.unwrap_or(0))
    }

    /// Tells it what the owner wants.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn control(&self, action: Action) -> Result<(), Failure> {
        let body = serde_json::json!({ "action": action }).to_string();
        self.post("/control", &body).await
    }

    /// Closes a session as the owner would.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn close_session(&self, id: &str) -> Result<(), Failure> {
        let body = serde_json::json!({ "sessionId": id }).to_string();
        self.post("/sessions/close", &body).await
    }

    /// All that it wrote to its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The process, for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Changes its settings as the owner would: `patch` is a JSON merge patch.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn set(&self, patch: &serde_json::Value) -> Result<(), Failure> {
        let body = patch.to_string();
        self.ask(&Ask { method: "PUT", target: "/config", headers: &[], body: body.as_bytes() }).await?.good().map(drop)
    }

    async fn post(&self, target: &str, body: &str) -> Result<(), Failure> {
        self.ask(&Ask { method: "POST", target, headers: &[], body: body.as_bytes() }).await?.good().map(drop)
    }

    async fn ask(&self, ask: &Ask<'_>) -> Result<Said, Failure> {
        call::over_unix(&self.run_dir.join(SOCKET), ask).await
    }
}

fn spawn(folder: &Path, name: &str, config: &Path, run_dir: &Path) -> Result<Process, Failure> {
    let (config, run_dir) = (config.to_string_lossy(), run_dir.to_string_lossy());
    Process::start(folder, name, &["--run-dir", &run_dir, "demo", "part", "node", "--config", &config])
}

/// The UCI file, as an owner would write it.
fn uci(net: Net, addr: SocketAddr, state_dir: &Path, wish: &Wish<'_>) -> String {
    let (state, ca) = (state_dir.display(), wish.ca_file.display());
    let (coordinator, doh) = (net.addr(Host::Coordinator, 0), net.addr(Host::Doh, 0));
    let (port, region, tunnels, key) = (names::PORT, wish.region, wish.max_tunnels, wish.coordinator_key);
    let (blocked, probe, reach) = (names::blocked(), names::endpoint(), wish.reach);
    format!(
        "config node 'node'
	option enabled '1'
	list region_allow '{region}'
	option state_dir '{state}'
	option log_dest 'stderr'

config network 'network'
	list uplink 'lo'
	option max_mbps '2000'
	option burst_mb '64'
	option yield '0'
	option max_gb_per_day '1000'
	list port '{port}'
	list block_domain '{blocked}'
	option max_tunnels '{tunnels}'

config policy 'policy'
	list probe_host '{probe}:{port}'

config security 'security'
	option dns_over_https '1'
	list doh_url 'https://{doh}/dns-query'
	option sandbox_mode 'standard'

config coordinator 'coordinator'
	option url 'https://{coordinator}'
	list key '{key}'
	option ca_file '{ca}'

config proxy 'proxy'
	option enabled '1'
	list listen '{addr}'
	option reach '{reach}'
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_no_error() {
        let key = "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let wish = Wish { nth: 1, reach: "gateway", region: "NL", max_tunnels: 12, coordinator_key: key, ca_file: Path::new("/tmp/ca.pem") };
        let net = Net(9);
        let path = std::env::temp_dir().join(format!("echomesh-demo-uci-{}", std::process::id()));
        std::fs::write(&path, uci(net, net.addr(Host::Node, 1), Path::new("/tmp/state"), &wish)).unwrap();
        let (settings, findings) = crate::config::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        // Warned of: loopback alone, and a state folder that a reboot would take. Both are meant here.
        assert!(!crate::config::any_error(&findings), "{}", findings.iter().map(ToString::to_string).collect::<String>());
        assert_eq!((settings.network.max_tunnels, settings.network.ports), (12, vec![names::PORT]));
        assert_eq!(settings.proxy.listen, [net.addr(Host::Node, 1)]);
    }
}
