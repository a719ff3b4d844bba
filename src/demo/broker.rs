//! The coordinator of the demonstration: its process, its buyer's API and its operator's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::call::{self, Ask};
use super::compare::Bytes;
use super::names::{self, Host, Net};
use super::process::{self, Process};
use super::wait::{fail, until};
use crate::codec::NodeId;
use crate::coordinator::reference::buyers::{NodeView, Opened, View};
use crate::coordinator::reference::lifecycle::OpenRequest;
use crate::coordinator::reference::operator::{self, Command};
use crate::coordinator::reference::places::Observed;
use crate::core::Clock;
use crate::core::exit::{self, Failure};
use crate::net::roots;

/// Seconds between heartbeats: many in a short run.
const HEARTBEAT_SEC: &str = "1";
/// The demonstration's buyer.
const BUYER: &str = "demo-shop";
/// A session must find a node, and be accepted, within this.
const ACTIVE_WITHIN: Duration = Duration::from_secs(20);
/// Each long poll for that.
const WAIT_SEC: u64 = 5;

/// The coordinator.
pub struct Broker {
    folder: PathBuf,
    dir: PathBuf,
    addr: SocketAddr,
    gateway: SocketAddr,
    process: Option<Process>,
    clock: Clock,
    key: String,
    ca_file: PathBuf,
    tls: Option<Arc<ClientConfig>>,
    token: String,
}

/// A session as the operator sees it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// UUID.
    pub session_id: String,
    /// `pending`, `active`, `closing`, `settled`.
    pub state: String,
    /// Bytes in the ledger.
    pub bytes_ingress: u64,
    /// Bytes in the ledger.
    pub bytes_egress: u64,
    /// Bundles booked.
    pub bundles: u64,
}

impl Held {
    /// Bytes in the ledger.
    pub fn bytes(&self) -> Bytes {
        Bytes { ingress: self.bytes_ingress, egress: self.bytes_egress }
    }
}

impl Broker {
    /// Starts it with a folder of its own below `folder`.
    ///
    /// # Errors
    /// The process cannot be made.
    pub fn start(folder: &Path, net: Net, clock: &Clock) -> Result<Broker, Failure> {
        let dir = folder.join("coordinator");
        let mut broker = Broker {
            folder: folder.to_owned(),
            dir,
            addr: net.addr(Host::Coordinator, 0),
            gateway: net.addr(Host::Gateway, 0),
            process: None,
            clock: clock.clone(),
            key: String::new(),
            ca_file: PathBuf::new(),
            tls: None,
            token: String::new(),
        };
        broker.again()?;
        Ok(broker)
    }

    /// Starts it (again) over the same store at the same address.
    ///
    /// # Errors
    /// The process cannot be made.
    pub fn again(&mut self) -> Result<(), Failure> {
        let (dir, listen, name) = (self.dir.to_string_lossy(), self.addr.to_string(), self.addr.ip().to_string());
        let endpoint = format!("https://{}:{}/probe", names::endpoint(), names::PORT);
        let args = ["coordinator", "run", "--dir", &dir, "--listen", &listen, "--name", &name, "--probe-endpoint", &endpoint];
        let (gateway, ports) = (self.gateway.to_string(), format!("{0}-{0}", names::GATEWAY_PORT));
        let args = [&args[..], &["--heartbeat", HEARTBEAT_SEC, "--gateway", &gateway, "--gateway-ports", &ports]].concat();
        self.process = Some(Process::start(&self.folder, "coordinator", &args)?);
        Ok(())
    }

    /// Waits until it serves; the first time it also gets its buyer.
    ///
    /// # Errors
    /// It does not get there.
    pub async fn ready(&mut self) -> Result<(), Failure> {
        let Some(process) = &mut self.process else { return Err(fail("the coordinator is off")) };
        let said = process.ready().await.map_err(|e| fail(format!("{e}\n{}", process.tail())))?;
        if self.tls.is_some() {
            return Ok(());
        }
        self.key = word(&said, |w| w.starts_with("ed25519:"))?;
        self.ca_file = word(&said, |w| w.ends_with(".pem"))?.into();
        self.tls = Some(roots::client_config(Some(&self.ca_file), &[b"http/1.1"], &self.clock).map_err(|e| fail(e.to_string()))?);
        let dir = self.dir.to_string_lossy();
        let token = process::said(&["coordinator", "buyer", "add", BUYER, "--dir", &dir]).await?;
        self.token = word(&[token], |w| crate::codec::base64::from_url(w).is_some_and(|bytes| bytes.len() == 32))?;
        Ok(())
    }

    /// Cuts it off as a power cut would.
    pub fn cut(&mut self) {
        self.process = None;
    }

    /// Its process, where it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Its key, as nodes are told.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The root that its TLS certificate is checked against.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The trusted probe endpoint, a process of its own with the endpoint's key: it outlives the coordinator.
    ///
    /// # Errors
    /// The process cannot be made.
    pub fn endpoint(&self, folder: &Path, net: Net) -> Result<Process, Failure> {
        let (listen, keys) = (net.addr(Host::Endpoint, 0).to_string(), self.dir.to_string_lossy());
        let (dir, name) = (folder.join("endpoint").display().to_string(), names::endpoint());
        Process::start(folder, "endpoint", &["demo", "part", "endpoint", "--listen", &listen, "--keys", &keys, "--name", &name, "--dir", &dir])
    }

    /// Opens a session.
    ///
    /// # Errors
    /// It is refused, or the coordinator does not answer.
    pub async fn open(&self, wish: &OpenRequest) -> Result<Opened, Failure> {
        let body = serde_json::to_vec(wish).unwrap_or_default();
        self.buyer("POST", "/buyers/sessions", &body).await
    }

    /// The node that serves a session, once it has accepted.
    ///
    /// # Errors
    /// No node does in time.
    pub async fn active(&self, id: &str) -> Result<NodeView, Failure> {
        let target = format!("/buyers/sessions/{id}?wait={WAIT_SEC}");
        until(&format!("session {id} has a node"), ACTIVE_WITHIN, async || {
            let view: View = self.buyer("GET", &target, &[]).await?;
            match (view.state.as_str(), view.node) {
                ("active", Some(node)) => Ok(Some(node)),
                ("pending", _) => Ok(None),
                (state, _) => Err(fail(format!("session {id} is {state}: {}", view.reason.unwrap_or_default()))),
            }
        })
        .await
    }

    /// Closes a session as its buyer.
    ///
    /// # Errors
    /// The coordinator does not answer.
    pub async fn close(&self, id: &str) -> Result<(), Failure> {
        let _: View = self.buyer("POST", &format!("/buyers/sessions/{id}/close"), &[]).await?;
        Ok(())
    }

    /// Every session as the operator sees it.
    ///
    /// # Errors
    /// The coordinator does not answer.
    pub async fn held(&self) -> Result<Vec<Held>, Failure> {
        #[derive(Deserialize)]
        struct Sessions {
            sessions: Vec<Held>,
        }
        Ok(self.operator::<Sessions>(&Command::Sessions).await?.sessions)
    }

    /// Probes of all nodes that the coordinator judged good.
    ///
    /// # Errors
    /// The coordinator does not answer.
    pub async fn probes_passed(&self) -> Result<u64, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Row {
            probes_passed: u64,
        }
        #[derive(Deserialize)]
        struct Nodes {
            nodes: Vec<Row>,
        }
        Ok(self.operator::<Nodes>(&Command::Nodes).await?.nodes.iter().map(|n| n.probes_passed).sum())
    }

    /// Says where `node` is seen: country, and how sure that is. `None` = where it says itself.
    ///
    /// # Errors
    /// The coordinator does not answer, or does not know the node.
    pub async fn observe(&self, node: NodeId, seen: Option<(&str, f64)>) -> Result<(), Failure> {
        let observed = seen.map(|(place, confidence)| Observed { place: place.to_owned(), confidence });
        self.operator::<serde_json::Value>(&Command::Geo { node, observed }).await.map(drop)
    }

    async fn operator<T: DeserializeOwned>(&self, command: &Command) -> Result<T, Failure> {
        let body = serde_json::to_vec(command).unwrap_or_default();
        let ask = Ask { method: "POST", target: operator::PATH, headers: &[], body: &body };
        call::over_unix(&self.dir.join(operator::SOCKET), &ask).await?.read()
    }

    /// Verifies every stored bundle; how many there are.
    ///
    /// # Errors
    /// The first fault, as the coordinator's own command names it.
    pub async fn verify(&self) -> Result<u64, Failure> {
        #[derive(Deserialize)]
        struct Audit {
            bundles: u64,
        }
        let dir = self.dir.to_string_lossy();
        let output = process::once(&["coordinator", "verify", "--dir", &dir, "--json"]).await?;
        if !output.status.success() {
            return Err(Failure::new(exit::DATA, String::from_utf8_lossy(&output.stderr).trim()));
        }
        let audit: Audit = serde_json::from_slice(&output.stdout).map_err(|e| fail(format!("coordinator verify: {e}")))?;
        Ok(audit.bundles)
    }

    async fn buyer<T: DeserializeOwned>(&self, method: &str, target: &str, body: &[u8]) -> Result<T, Failure> {
        let tls = self.tls.as_ref().ok_or_else(|| fail("the coordinator is not ready"))?;
        let bearer = format!("Bearer {}", self.token);
        let ask = Ask { method, target, headers: &[("Authorization", &bearer)], body };
        call::over_tls(self.addr, tls, &ask).await?.read().map_err(|e| fail(format!("coordinator, {method} {target}: {e}")))
    }
}

/// The first word of what a process said that looks right.
fn word(lines: &[String], right: impl Fn(&str) -> bool) -> Result<String, Failure> {
    let words = lines.iter().flat_map(|line| line.split(|c: char| c.is_whitespace() || "\"',;".contains(c)));
    let found = words.map(str::to_owned).find(|w| right(w));
    found.ok_or_else(|| fail(format!("the coordinator did not say what was expected: {}", lines.join(" | "))))
}
