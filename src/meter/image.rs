//! What the journal holds, as items: a snapshot is one of each, a delta those of what was touched since.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::bundle::Head;
use super::sealed::Sealed;
use super::state::{ChainImage, Receipt, Totals, Unsound, sound};
use super::usage::Usage;
use super::window::OpenImage;
use crate::core::sorted::Sorted;

/// Sessions at once, those included that wait for their last acknowledgement: 256 × 11 kB of open windows, 2.8 MB, if
/// all are busy in every second.
pub const MOST_SESSIONS: usize = 256;
/// Length of a session's or stream's name.
pub const MOST_ID: usize = 128;
/// Bundles kept aside that the coordinator refused for good: 64 × at most 4 kB, 256 kB.
pub const MOST_ASIDE: usize = 64;
/// Last acknowledgements kept of settled sessions: 64 × at most 1.1 kB, 70 kB.
pub const MOST_RECEIPTS: usize = 64;
/// Longest reason of a refusal kept.
pub(super) const MOST_REASON: usize = 128;

/// Part of the journal's content. The newest of a kind (and session) holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// What is not of one session.
    Node(Node),
    /// Last acknowledgements of settled sessions.
    Receipts(VecDeque<(String, Receipt)>),
    /// Bundles refused for good.
    Aside(VecDeque<Aside>),
    /// A session, whole.
    Chain(String, Box<ChainImage>),
    /// New counters of a session's open window.
    Open(String, Totals, OpenImage),
    /// A session that is settled or forgotten.
    Gone(String),
    /// The node's quarantine; `None` = it does not stand.
    Quarantine(Option<Quarantine>),
}

/// What the journal holds that is not of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Bytes on the uplink.
    pub usage: Usage,
    /// Name and position of the coordinator's event stream; none before the first contact.
    pub stream: Option<(String, u64)>,
    /// The owner stopped the node; outlives a reboot.
    pub stopped: bool,
    /// The owner paused the node.
    pub pause: Option<Pause>,
}

/// The owner's pause, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it began.
    pub since: u64,
    /// When it ends by itself; none = when the owner says `start`.
    pub until: Option<u64>,
}

/// Causes of a quarantine kept, and the length of each text of them: 2 kB.
const MOST_CAUSES: usize = 4;
const MOST_CAUSE: usize = 256;

/// A quarantine as it outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Unix seconds.
    pub since: u64,
    /// Id and detail of each cause.
    pub causes: Vec<(String, String)>,
}

impl Quarantine {
    fn is_sound(&self) -> bool {
        self.causes.len() <= MOST_CAUSES && self.causes.iter().all(|(id, detail)| id.len() <= MOST_CAUSE && detail.len() <= MOST_CAUSE)
    }
}

/// All of it, put together again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub(super) node: Node,
    pub(super) quarantine: Option<Quarantine>,
    pub(super) receipts: VecDeque<(String, Receipt)>,
    pub(super) aside: VecDeque<Aside>,
    pub(super) chains: Sorted<String, ChainImage>,
}

impl Image {
    /// Takes one item in.
    pub fn apply(&mut self, item: Item) -> Result<(), Unsound> {
        match item {
            Item::Node(node) => {
                sound(node.stream.as_ref().is_none_or(|(id, _)| id.len() <= MOST_ID))?;
                self.node = node;
            }
            Item::Receipts(receipts) => {
                sound(receipts.len() <= MOST_RECEIPTS && receipts.iter().all(|(id, r)| id.len() <= MOST_ID && r.is_sound()))?;
                self.receipts = receipts;
            }
            Item::Aside(aside) => {
                sound(aside.len() <= MOST_ASIDE && aside.iter().all(Aside::is_sound))?;
                self.aside = aside;
            }
            Item::Chain(id, chain) => {
                sound(chain.is_sound() && id.len() <= MOST_ID)?;
                sound(self.chains.contains_key(&id) || self.chains.len() < MOST_SESSIONS)?;
                self.chains.insert(id, *chain);
            }
            Item::Open(id, totals, open) => {
                let chain = self.chains.get_mut(&id).ok_or(Unsound)?;
                chain.continue_with(totals, open)?;
            }
            Item::Gone(id) => _ = self.chains.remove(&id),
            Item::Quarantine(quarantine) => {
                sound(quarantine.as_ref().is_none_or(Quarantine::is_sound))?;
                self.quarantine = quarantine;
            }
        }
        Ok(())
    }
}

/// A bundle the coordinator refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Session.
    pub session_id: String,
    /// What it would have continued.
    pub head: Head,
    /// The coordinator's reason, at most 128 bytes of it.
    pub reason: String,
    /// What it said.
    pub sealed: Sealed,
}

impl Aside {
    fn is_sound(&self) -> bool {
        self.session_id.len() <= MOST_ID && self.reason.len() <= MOST_REASON && self.sealed.is_sound()
    }
}
