//! All sessions' chains together, the owner's caps, the quality and the graph: what roles count into, what the
//! coordinator's client takes bundles from, what status reads. Pure: every call is given the Unix second it happens in.

use std::collections::VecDeque;

use ed25519_dalek::SigningKey;

use super::access_log::{AccessLog, Line};
use super::bundle::Head;
use super::chain::{Chain, Dirt, Dropped};
use super::export;
use super::image::{Aside, MOST_ASIDE, MOST_ID, MOST_REASON, MOST_RECEIPTS, MOST_SESSIONS, Node, Quarantine};
use super::kept::Kept;
use super::qos::{Figures, Recent};
use super::sealed::Signed;
use super::series::{Ring, Series};
use super::state::{Lost, MOST_DEFINITION, Receipt};
use super::usage::Usage;
use crate::codec::{Hash, NodeId};
use crate::core::sorted::Sorted;

/// Bytes of all definitions together: 1 MB.
pub const MOST_DEFINITIONS: usize = 1024 * 1024;
/// Windows waiting past which a session gets no new tunnels: an outage past every lease.
pub const SPOOL_ROOM: usize = 32;
/// Bytes of windows waiting past which no session gets new tunnels: 2 MB.
pub const SPOOL_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of windows waiting past which the oldest are lost, and stated as a gap: 4 MB.
pub const SPOOL_BYTES_MOST: usize = 4 * 1024 * 1024;
/// Bundles leave within this many seconds of their window's end, spread by node.
const SPREAD: u32 = 60;

/// Seconds after a window's end at which this node sends its bundles, 0..=60: nodes do not all come at once.
pub fn send_offset(node_id: &NodeId) -> u32 {
    let [a, b, c, d, ..] = node_id.0;
    u32::from_le_bytes([a, b, c, d]) % (SPREAD + 1)
}

/// Why a session cannot be metered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// [`MOST_SESSIONS`] are here already, or their definitions take [`MOST_DEFINITIONS`].
    Full,
    /// Its name or definition is too long.
    TooLong,
    /// It is closed and waits for its last acknowledgement.
    Closed,
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            OpenError::Full => "no room for another session",
            OpenError::TooLong => "the session's name or definition is too long",
            OpenError::Closed => "the session is closed already",
        })
    }
}

impl std::error::Error for OpenError {}

/// What an acknowledgement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// It names no bundle that is waiting: ignored.
    Unknown,
    /// The bundle left.
    Left,
    /// It was the session's last: the session is settled and gone from the ledger.
    Settled,
}

/// What the coordinator's head did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// What the coordinator had already.
    pub dropped: Dropped,
    /// The last bundle was among them: the session is settled and gone from the ledger.
    pub settled: bool,
}

mod outlives;
mod persist;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    chains: Sorted<String, Chain>,
    node: Node,
    quarantine: Option<Quarantine>,
    aside: VecDeque<Aside>,
    receipts: VecDeque<(String, Receipt)>,
    kept: Kept,
    recent: Recent,
    ring: Ring,
    log: AccessLog,
    /// What an unclean stop may have cost sessions that the journal did not know yet.
    lost: Option<Lost>,
    /// Heads the coordinator told of sessions that are not open here.
    heads: Sorted<String, Head>,
    steps: u32,
    dirt: Touched,
}

/// What the journal does not hold yet; chains know for themselves.
#[derive(Clone, Debug, Default)]
struct Touched {
    any: bool,
    node: bool,
    quarantine: bool,
    aside: bool,
    receipts: bool,
    gone: Vec<String>,
    flash: bool,
}

impl Ledger {
    /// An empty one.
    pub fn new() -> Ledger {
        Ledger::default()
    }

    // ---- sessions ----

    /// Meters `id` from `now` on. `definition` is kept for the caller across restarts; given again, it replaces the
    /// earlier one.
    pub fn open(&mut self, id: &str, definition: Vec<u8>, now: u64) -> Result<(), OpenError> {
        if id.len() > MOST_ID || definition.len() > MOST_DEFINITION {
            return Err(OpenError::TooLong);
        }
        let others: usize = self.chains.iter().filter(|(other, _)| *other != id).map(|(_, c)| c.state.definition.len()).sum();
        if others + definition.len() > MOST_DEFINITIONS {
            return Err(OpenError::Full);
        }
        if let Some(chain) = self.chains.get_mut(id) {
            if chain.is_closed() {
                return Err(OpenError::Closed);
            }
            if chain.state.definition != definition {
                chain.state.definition = definition;
                chain.dirt = Dirt::Whole;
                self.dirt.any = true;
            }
            return Ok(());
        }
        if self.chains.len() >= MOST_SESSIONS {
            return Err(OpenError::Full);
        }
        let known = self.heads.remove(id);
        // Only a session that the coordinator knew of before can have lost counters.
        let lost = known.and(self.lost);
        self.chains.insert(id.to_owned(), Chain::new(definition, known.unwrap_or(Head::NONE), lost));
        self.dirt.gone.retain(|gone| gone != id);
        self.dirt.any = true;
        self.tell_sessions(now);
        Ok(())
    }

    /// Takes `id` out without a trace, if nothing of it was counted: it was refused, or its acceptance failed.
    pub fn forget(&mut self, id: &str, now: u64) -> bool {
        let idle = |c: &Chain| c.due().is_none() && c.spooled() == 0 && c.head() == Head::NONE;
        let found = self.chains.get(id).is_some_and(idle);
        if found {
            self.remove(id);
            self.tell_sessions(now);
        }
        found
    }

    /// Every session, those included that wait for their last acknowledgement.
    pub fn sessions(&self) -> impl Iterator<Item = (&str, &Chain)> {
        self.chains.iter().map(|(id, chain)| (id.as_str(), chain))
    }

    /// One session.
    pub fn session(&self, id: &str) -> Option<&Chain> {
        self.chains.get(id)
    }

    /// Whether `id` may get another tunnel as far as metering goes: it is known, not closed, and its bundles leave.
    pub fn has_room(&self, id: &str) -> bool {
        self.chains.get(id).is_some_and(|c| !c.is_closed() && c.spooled() < SPOOL_ROOM) && self.spool_bytes() < SPOOL_BYTES
    }

    /// Bundles waiting, of all sessions.
    pub fn spooled(&self) -> usize {
        self.chains.values().map(Chain::spooled).sum()
    }

    // ---- counting ----

    /// Bytes moved in a tunnel of `id` in second `sec`. Nothing is counted for a session that is unknown or closed.
    pub fn add(&mut self, id: &str, sec: u64, ingress: u64, egress: u64) {
        let Some(chain) = self.chains.get_mut(id).filter(|c| !c.is_closed()) else { return };
        let before = chain.spooled();
        chain.add(sec, ingress, egress);
        let sealed = chain.spooled() > before;
        self.node.usage.relayed(sec, ingress.saturating_add(egress));
        self.ring.add(sec, ingress, egress);
        (self.dirt.any, self.dirt.node) = (true, true);
        if sealed {
            self.keep_bounds();
        }
    }

    /// A tunnel's outcome: `error` where it failed for a cause beyond policy; its latency where it has one.
    pub fn outcome(&mut self, id: &str, sec: u64, error: bool, latency_ms: Option<u64>) {
        let Some(chain) = self.chains.get_mut(id) else { return };
        chain.outcome(sec, error, latency_ms);
        let p95 = self.recent.outcome(sec, error, latency_ms);
        self.ring.outcome(sec, error, p95);
        self.dirt.any = true;
    }

    /// A refusal by policy.
    pub fn denied(&mut self, id: &str, sec: u64) {
        if let Some(chain) = self.chains.get_mut(id) {
            chain.denied(sec);
            self.dirt.any = true;
        }
    }

    /// A tunnel closed and leaves its line.
    pub fn closed(&mut self, id: &str, line: Line) {
        let Some(chain) = self.chains.get_mut(id) else { return };
        if let Some(at) = chain.closed(&line) {
            self.log.push(id, at, line);
            self.dirt.any = true;
        }
    }

    /// Bytes of a probe on the uplink.
    pub fn probed(&mut self, sec: u64, bytes: u64) {
        self.node.usage.probed(sec, bytes);
        (self.dirt.any, self.dirt.node) = (true, true);
    }

    /// Tells how often node time has stepped and what it is now ([`crate::core::Clock::reading`]): a step closes every
    /// window, and what was counted for the caps goes along.
    pub fn clock(&mut self, steps: u32, now: u64) {
        if steps != self.steps {
            self.steps = steps;
            // Second 0 is before every window: each ends after the last second in which something happened.
            self.seal_all(0);
            self.node.usage.clock_set(now);
            self.chains.values_mut().for_each(|chain| chain.clock_set(now));
            (self.dirt.any, self.dirt.node) = (true, true);
        }
    }

    // ---- windows and bundles ----

    /// Seals every window that ended at or before `now`.
    pub fn seal_due(&mut self, now: u64) {
        self.seal_each(|chain| chain.seal_due(now));
    }

    /// Seals every open window as it stands: the node is about to stop.
    pub fn seal_all(&mut self, now: u64) {
        self.seal_each(|chain| chain.seal(now, false));
    }

    /// Ends a session: its last window is sealed as `final`.
    pub fn finish(&mut self, id: &str, now: u64) {
        let Some(chain) = self.chains.get_mut(id).filter(|c| !c.is_closed()) else { return };
        chain.seal(now, true);
        (self.dirt.any, self.dirt.flash) = (true, true);
        self.keep_bounds();
        self.tell_sessions(now);
    }

    /// When the next window ends; `None` while nothing is open.
    pub fn next_seal(&self) -> Option<u64> {
        self.chains.values().filter_map(Chain::due).min()
    }

    /// Sessions whose oldest bundle should have left by `now` and is in the journal. `offset`: [`send_offset`].
    pub fn due(&self, now: u64, offset: u32) -> Vec<String> {
        let ready = |c: &Chain| c.journaled() && c.send_at(offset, now).is_some_and(|at| at <= now);
        self.chains.iter().filter(|(_, c)| ready(c)).map(|(id, _)| id.clone()).collect()
    }

    /// When the next bundle should leave, which may be in the past.
    pub fn next_send(&self, now: u64, offset: u32) -> Option<u64> {
        self.chains.values().filter_map(|c| c.send_at(offset, now)).min()
    }

    /// The oldest bundle of `id`, signed; `None` where there is none or the journal does not hold it yet. Asked again
    /// before an answer, it is the same to the byte.
    pub fn next_bundle(&mut self, id: &str, key: &SigningKey, node_id: NodeId) -> Option<Signed> {
        self.chains.get_mut(id)?.next_bundle(key, node_id, id)
    }

    /// The coordinator's verified acknowledgement. `evidence`: the signed answer, kept as the owner's receipt.
    pub fn acked(&mut self, id: &str, seq: u64, hash: Hash, evidence: Vec<u8>) -> Acked {
        let Some(chain) = self.chains.get_mut(id) else { return Acked::Unknown };
        let closed = chain.is_closed();
        let (head, sealed) = (chain.head(), chain.state.spool.front().cloned());
        if !chain.acked(seq, hash, evidence) {
            return Acked::Unknown;
        }
        if let Some(sealed) = sealed {
            self.kept.push(id, head, hash, sealed);
        }
        self.dirt.any = true;
        if self.settle(id, closed) { Acked::Settled } else { Acked::Left }
    }

    /// The coordinator's head of a session (a 409, a head query, or its answer to `register`): the chain continues from
    /// there. Told of a session that is not open here, it is kept for [`Ledger::open`].
    pub fn on_head(&mut self, id: &str, head: Head, key: &SigningKey, node_id: NodeId) -> Synced {
        let Some(chain) = self.chains.get_mut(id) else {
            if id.len() <= MOST_ID {
                if self.heads.len() >= MOST_SESSIONS {
                    self.heads.pop_first();
                }
                self.heads.insert(id.to_owned(), head);
            }
            return Synced::default();
        };
        let closed = chain.is_closed();
        let dropped = chain.on_head(head, key, node_id, id);
        self.dirt.any |= !chain.journaled();
        Synced { dropped, settled: self.settle(id, closed) }
    }

    /// The coordinator refused bundle `seq` for good: it is kept aside, the chain goes on. Returns whether it was the
    /// session's last (then the session is settled); `None` where no such bundle was handed out.
    pub fn refused(&mut self, id: &str, seq: u64, reason: &str) -> Option<bool> {
        let chain = self.chains.get_mut(id)?;
        let (closed, head) = (chain.is_closed(), chain.head());
        let sealed = chain.refused(seq)?;
        if self.aside.len() == MOST_ASIDE {
            self.aside.pop_front();
        }
        let end = (0..=MOST_REASON.min(reason.len())).rev().find(|&i| reason.is_char_boundary(i)).unwrap_or(0);
        self.aside.push_back(Aside { session_id: id.to_owned(), head, reason: reason[..end].to_owned(), sealed });
        (self.dirt.any, self.dirt.aside, self.dirt.flash) = (true, true, true);
        Some(self.settle(id, closed))
    }

    /// Bundles refused for good, oldest first: worth an alert.
    pub fn aside(&self) -> impl Iterator<Item = &Aside> {
        self.aside.iter()
    }

    /// Last acknowledgements of settled sessions, oldest first.
    pub fn receipts(&self) -> impl Iterator<Item = (&str, &Receipt)> {
        self.receipts.iter().map(|(id, r)| (id.as_str(), r))
    }

    // ---- what is read ----

    /// Bytes on the uplink, for the owner's caps.
    pub fn usage(&self) -> &Usage {
        &self.node.usage
    }

    /// Quality over all sessions in the last ten minutes.
    pub fn qos(&self, now: u64) -> Figures {
        self.recent.figures(now)
    }

    /// The last 300 seconds.
    pub fn series(&self, now: u64) -> Series {
        self.ring.series(now)
    }

    /// Bits per second in and out.
    pub fn rate(&self, now: u64) -> (u64, u64) {
        self.ring.rate(now)
    }

    /// The access log as it is exported: [`AccessLog::export`].
    pub fn export(&self) -> impl Iterator<Item = String> {
        self.log.export()
    }

    /// The access log's lines that are kept, each with its session.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &Line)> {
        self.log.lines()
    }

    /// Lines of `GET /logs/export`: all that this node can show of what it was paid for (see [`super::export`]): bundles that
    /// left lately, the last receipt of each session, the access log. `made_at`: Unix seconds, where they are known.
    pub fn books(&self, key: &SigningKey, node_id: NodeId, made_at: Option<u64>) -> impl Iterator<Item = String> {
        let header = export::header(node_id, export::Source::Node, made_at);
        let bundles = self.kept.bundles(key, node_id).map(|signed| export::bundle(&signed));
        let live = self.chains.iter().filter_map(|(id, c)| Some((id.as_str(), c.receipt()?)));
        let receipts = self.receipts().chain(live).filter_map(|(id, receipt)| export::receipt(id, receipt));
        export::checked(std::iter::once(header).chain(bundles).chain(receipts).chain(self.export()))
    }

    fn seal_each(&mut self, mut seal: impl FnMut(&mut Chain)) {
        let before = self.spooled();
        self.chains.values_mut().for_each(&mut seal);
        if self.spooled() != before {
            self.dirt.any = true;
            self.keep_bounds();
        }
    }

    fn settle(&mut self, id: &str, was_closed: bool) -> bool {
        let settled = self.chains.get(id).is_some_and(|c| was_closed && c.spooled() == 0);
        if settled
            && let Some(chain) = self.remove(id)
            && let Some(receipt) = chain.state.receipt
        {
            if self.receipts.len() == MOST_RECEIPTS {
                self.receipts.pop_front();
            }
            self.receipts.push_back((id.to_owned(), receipt));
            self.dirt.receipts = true;
        }
        settled
    }

    fn remove(&mut self, id: &str) -> Option<Chain> {
        let chain = self.chains.remove(id)?;
        self.dirt.gone.push(id.to_owned());
        self.dirt.any = true;
        Some(chain)
    }

    fn spool_bytes(&self) -> usize {
        self.chains.values().map(Chain::spool_bytes).sum()
    }

    fn keep_bounds(&mut self) {
        while self.spool_bytes() > SPOOL_BYTES_MOST {
            let before = self.spooled();
            if let Some(fattest) = self.chains.values_mut().max_by_key(|c| c.spooled()) {
                fattest.shed();
            }
            if self.spooled() == before {
                break; // one window each: cannot be, at 256 sessions
            }
        }
    }

    fn tell_sessions(&mut self, now: u64) {
        let open = self.chains.values().filter(|c| !c.is_closed()).count();
        self.ring.sessions(now, open);
    }
}

#[cfg(test)]
mod tests;
