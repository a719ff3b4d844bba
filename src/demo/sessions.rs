//! The sessions of the demonstration: two that are compared, and one for each refusal that needs its own.

use super::broker::Broker;
use super::buyer::Access;
use super::names;
use super::stage::{AT_GATEWAY, REGIONS, Stage};
use super::wait::fail;
use crate::coordinator::reference::lifecycle::OpenRequest;
use crate::coordinator::wire::{Ech, Profile};
use crate::core::Clock;
use crate::core::exit::Failure;
use crate::net::roots;

/// What the demonstration's sessions are for.
const CATEGORY: &str = "qa_testing";
const OTHER_CATEGORY: &str = "ad_verification";
/// Lease of the session that is to lose it, in seconds: a few heartbeats.
pub const SHORT_LEASE_SEC: u32 = 4;
/// Rate of the session that is to use up a volume: as much as the machine gives.
const FAST_MBPS: u64 = 10_000;
/// Lifetime, in seconds: longer than any run.
const TTL_SEC: u64 = 24 * 3600;

/// An open session.
#[derive(Clone)]
pub struct Session {
    /// How a buyer uses it.
    pub access: Access,
    /// Which of the nodes serves it.
    pub at: usize,
}

impl Session {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.access.session
    }
}

/// All of them.
pub struct Sessions {
    /// Compared to the byte: the first through the TLS listener, the second by plain CONNECT.
    pub main: [Session; 2],
    /// For refusals that any session meets.
    pub any: Session,
    /// Its own profile leaves out its category.
    pub category: Session,
    /// No volume.
    pub empty: Session,
    /// One tunnel at once.
    pub narrow: Session,
    /// Closed by its buyer before it is used.
    pub over: Session,
    /// Its lease ends soon after the coordinator is gone.
    pub leased: Session,
    /// Closed by the owner while the coordinator is away.
    pub dropped: Session,
    /// At the node with few places.
    pub crowd: Session,
    /// Uses up the owner's volume of a day.
    pub capped: Session,
    /// Compared to the byte, and reached through the gateway.
    pub behind: Session,
}

/// What a session asks for beyond the usual.
#[derive(Default)]
struct Wish {
    at: usize,
    categories: Option<&'static str>,
    no_volume: bool,
    max_tunnels: Option<u32>,
    lease_sec: Option<u32>,
    fast: bool,
}

impl Sessions {
    /// Opens all, and waits until each has its node.
    ///
    /// # Errors
    /// One is not served, or by another node than its region says.
    pub async fn open(stage: &Stage) -> Result<Sessions, Failure> {
        let at = |at| Wish { at, ..Wish::default() };
        Ok(Sessions {
            main: [open(stage, at(0)).await?, open(stage, at(1)).await?],
            any: open(stage, at(0)).await?,
            category: open(stage, Wish { categories: Some(OTHER_CATEGORY), ..at(0) }).await?,
            empty: open(stage, Wish { no_volume: true, ..at(0) }).await?,
            narrow: open(stage, Wish { max_tunnels: Some(1), ..at(0) }).await?,
            over: open(stage, at(0)).await?,
            leased: open(stage, Wish { lease_sec: Some(SHORT_LEASE_SEC), ..at(1) }).await?,
            dropped: open(stage, at(1)).await?,
            crowd: open(stage, at(1)).await?,
            capped: open(stage, Wish { fast: true, ..at(1) }).await?,
            behind: open(stage, at(AT_GATEWAY)).await?,
        })
    }

    /// Every one but the two that are compared.
    pub fn others(&self) -> [&Session; 10] {
        [&self.any, &self.category, &self.empty, &self.narrow, &self.over, &self.leased, &self.dropped, &self.crowd, &self.capped, &self.behind]
    }

    /// Every one.
    pub fn all(&self) -> impl Iterator<Item = &Session> {
        self.main.iter().chain(self.others())
    }

    /// Closes all that their buyer has not closed yet.
    ///
    /// # Errors
    /// The coordinator does not answer.
    pub async fn close(&self, broker: &Broker) -> Result<(), Failure> {
        for session in self.all() {
            broker.close(session.id()).await?;
        }
        Ok(())
    }
}

/// One more session at the node `at`.
///
/// # Errors
/// It is not served.
pub async fn spare(stage: &Stage, at: usize) -> Result<Session, Failure> {
    open(stage, Wish { at, ..Wish::default() }).await
}

async fn open(stage: &Stage, wish: Wish) -> Result<Session, Failure> {
    let opened = stage.broker.open(&request(&wish)).await?;
    let view = stage.broker.active(&opened.session_id).await?;
    let node = view.address.parse().map_err(|_| fail(format!("the coordinator names a node at {}", view.address)))?;
    if node != stage.told(wish.at) {
        return Err(fail(format!("a session for {} was given to the node at {node}", REGIONS[wish.at])));
    }
    // The second node's sessions are plain, the others' use the TLS listener, pinned to the key the coordinator told.
    let node_tls = if wish.at != 1 { Some(pinned(&stage.clock, view.spki)?) } else { None };
    Ok(Session {
        access: Access { node, node_tls, session: opened.session_id, secret: opened.secret, category: CATEGORY, source: None },
        at: wish.at,
    })
}

fn pinned(clock: &Clock, spki: crate::codec::Hash) -> Result<std::sync::Arc<rustls::ClientConfig>, Failure> {
    roots::pinned(spki, &[], clock).map_err(|e| fail(e.to_string()))
}

fn request(wish: &Wish) -> OpenRequest {
    let categories = wish.categories.map_or_else(|| vec![CATEGORY.into(), OTHER_CATEGORY.into()], |only| vec![only.into()]);
    let profile = Profile {
        ports: vec![names::PORT],
        categories,
        allow_domains: vec![names::SUFFIX.into()],
        block_domains: Vec::new(),
        alpn: vec!["h2".into(), "http/1.1".into()],
        require_sni: true,
        ech: Ech::Refuse,
    };
    OpenRequest {
        region: REGIONS[wish.at].into(),
        category: CATEGORY.into(),
        policy_profile: None,
        profile: Some(profile),
        max_mbps: if wish.fast { FAST_MBPS } else { 400 },
        burst_mb: 16,
        max_gb: 1000,
        max_gb_per_day: wish.no_volume.then_some(0),
        max_tunnels: wish.max_tunnels.unwrap_or(64),
        ttl_sec: TTL_SEC,
        buyer_addrs: Vec::new(),
        lease_sec: wish.lease_sec,
    }
}
