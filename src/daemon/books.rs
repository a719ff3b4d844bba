//! Counters over time: windows, bundles, acknowledgements, the journal, and what a restart finds.

use std::rc::Rc;
use std::time::Duration;

use super::node::Node;
use crate::codec::{Hash, json};
use crate::coordinator::client::Receipt;
use crate::core::Mono;
use crate::guard::Owner;
use crate::identity::Role;
use crate::meter::bundle::Head;
use crate::meter::ledger::{Acked, send_offset};
use crate::meter::restore::Restored;
use crate::meter::sealed::Signed;
use crate::net::work;
use crate::session::entry::GB;
use crate::session::registry::Limits;
use crate::session::{Event, Gate};

/// How the findings begin that go once a write succeeds.
const NO_JOURNAL: &str = "the journal cannot be written";
const NO_LOG: &str = "the access log cannot be written";

/// Highest number of a bundle believed: far beyond any session's, and far below what JSON can carry.
const MOST_SEQ: u64 = 1 << 40;

impl Node {
    /// Takes up what the journal held.
    pub fn restore(&self, restored: Restored) {
        for finding in restored.findings {
            self.finding(finding);
        }
        if let Some((from, to)) = restored.lost {
            log::warn!("the last stop was not a clean one: counters of at most {} s may be missing, and the bundles say so", to.saturating_sub(from));
        }
        self.registry.restore();
        if self.registry.ledger.borrow().stopped() {
            self.registry.set_gate(Gate { stopped: true, ..self.registry.gate() });
        }
        self.restore_quarantine(restored.broken);
        self.restore_pause();
    }

    /// The owner stopped or started the node: outlives a reboot.
    pub fn set_stopped(&self, stopped: bool) {
        self.registry.ledger.borrow_mut().set_stopped(stopped);
        self.registry.changed.ring();
    }

    /// Rates, caps and tables as the settings say.
    pub fn apply_limits(&self) {
        let settings = self.settings();
        let network = &settings.network;
        self.watch_the_line();
        self.apply_rate();
        self.engine.lower_effort.set(network.yield_to_household);
        let gb = |n: u32| (n > 0).then(|| u64::from(n) * GB);
        self.registry.set_limits(Limits { tunnels: network.max_tunnels, day: gb(network.max_gb_per_day), month: gb(network.max_gb_per_month) });
    }

    /// The owner's policy, compiled from the settings.
    pub fn apply_policy(&self, owner: Owner) {
        self.registry.set_owner(owner);
    }

    /// Seals the windows that are over; every one where node time has stepped.
    pub fn seal_due(&self) {
        let (mut ledger, unix) = self.registry.ledger_now();
        ledger.seal_due(unix);
    }

    /// When the next window ends.
    pub fn next_seal(&self) -> Option<Mono> {
        let at = self.registry.ledger.borrow().next_seal()?;
        Some(self.mono_of(at))
    }

    /// The monotonic point of a Unix second; now where it is past.
    pub fn mono_of(&self, unix: u64) -> Mono {
        let ahead = unix.saturating_mul(1000).saturating_sub(self.clock.unix_ms());
        self.clock.now().plus(Duration::from_millis(ahead))
    }

    /// A session was sealed: the journal takes it before its last bundle leaves.
    pub fn sealed(&self) {
        self.registry.changed.ring();
        self.post.ring();
    }

    /// One beat of the journal; what goes to flash is written off this thread.
    pub fn journal_tick(&self) {
        if self.gone.get() {
            return;
        }
        let job = {
            let mut ledger = self.registry.ledger.borrow_mut();
            self.journal.borrow_mut().tick(&mut ledger, &self.clock)
        };
        let written = job.map(|job| {
            if let Some(job) = job {
                *self.flash_job.borrow_mut() = Some(job);
                self.flash_due.ring();
            }
        });
        self.journal_written(written);
    }

    fn journal_written(&self, written: std::io::Result<()>) {
        if let Some(e) = self.journal.borrow_mut().log_fault() {
            self.finding(format!("{NO_LOG}: {e}; its lines are kept in memory: free some space in the run folder"));
        }
        match written {
            Err(e) => self.finding(format!("{NO_JOURNAL}: {e}; counters are kept in memory: free some space in the run and state folders")),
            Ok(()) if self.journal.borrow().is_well() => {
                self.no_longer(NO_JOURNAL);
                self.no_longer(NO_LOG);
            }
            Ok(()) => {}
        }
    }

    /// When the journal must be written next; `None` while it holds everything.
    pub fn next_tick(&self) -> Option<Mono> {
        if self.gone.get() {
            return None;
        }
        self.journal.borrow().next_tick(&self.registry.ledger.borrow())
    }

    /// The end of the process: windows are closed and the journal goes to flash.
    pub fn close_books(&self) {
        if self.gone.get() {
            return;
        }
        let (mut ledger, unix) = self.registry.ledger_now();
        ledger.seal_all(unix);
        if let Err(e) = self.journal.borrow_mut().close(&mut ledger, &self.clock) {
            log::error!("the journal cannot be written to flash: {e}; the copy in the run folder serves until the next boot");
        }
    }

    /// The oldest sealed bundle that should leave now, signed; with its session, which is none of those `held`.
    pub fn next_bundle(&self, held: impl Fn(&str) -> bool) -> Option<(String, Signed)> {
        if !self.clock.synced() {
            return None;
        }
        let node_id = self.identity.node_id();
        let mut ledger = self.registry.ledger.borrow_mut();
        let id = ledger.due(self.clock.unix(), send_offset(&node_id)).into_iter().find(|id| !held(id))?;
        let signed = ledger.next_bundle(&id, &self.identity.role_key(Role::Proxy), node_id)?;
        Some((id, signed))
    }

    /// When the next sealed bundle should leave.
    pub fn next_send(&self) -> Option<Mono> {
        let now = self.clock.unix();
        let at = self.registry.ledger.borrow().next_send(now, send_offset(&self.identity.node_id()))?;
        // What should have left already waits for the journal, which rings when it has it.
        (at > now).then(|| self.mono_of(at))
    }

    /// A bundle's signed acknowledgement.
    pub fn acked(&self, id: &str, seq: u64, hash: Hash, receipt: &Receipt) {
        let evidence = json::text(receipt);
        let acked = self.registry.ledger.borrow_mut().acked(id, seq, hash, evidence);
        if acked != Acked::Unknown {
            let (taken, refused) = self.bundles.get();
            self.bundles.set((taken + 1, refused));
        }
        self.settled(id, acked == Acked::Settled);
    }

    /// Where the coordinator's chain of a session stands: ours goes on from there.
    pub fn on_head(&self, id: &str, head: Head) {
        if head.seq > MOST_SEQ {
            log::warn!("session {id}: the coordinator names bundle {} as its last, which cannot be: not believed", head.seq);
            return;
        }
        let key = self.identity.role_key(Role::Proxy);
        let synced = self.registry.ledger.borrow_mut().on_head(id, head, &key, self.identity.node_id());
        if synced.dropped.windows > 0 {
            log::info!("session {id}: the coordinator had {} windows already", synced.dropped.windows);
        }
        self.settled(id, synced.settled);
    }

    /// A bundle was refused for good.
    pub fn bundle_refused(&self, id: &str, seq: u64, reason: &str) {
        let last = self.registry.ledger.borrow_mut().refused(id, seq, reason);
        let (taken, refused) = self.bundles.get();
        self.bundles.set((taken, refused + 1));
        self.finding(format!("the coordinator refused bundle {seq} of session {id} for good: {reason}"));
        self.settled(id, last == Some(true));
    }

    fn settled(&self, id: &str, last: bool) {
        if last {
            self.registry.on(id, Event::Settled);
        }
        self.registry.changed.ring();
    }

    /// Where the event stream is to be taken up.
    pub fn position(&self) -> (Option<String>, u64) {
        match self.registry.ledger.borrow().stream() {
            Some((stream, seq)) => (Some(stream.to_owned()), seq),
            None => (None, 0),
        }
    }

    /// Events up to here are handled.
    pub fn set_position(&self, stream: Option<String>, seq: u64) {
        if let Some(stream) = stream {
            self.registry.ledger.borrow_mut().set_stream(&stream, seq);
        }
    }
}

/// The clockwork's part: seal, tick, and wake the posts where something may leave.
pub fn beat(node: &Rc<Node>) {
    node.seal_due();
    node.journal_tick();
    if node.registry.ledger.borrow().spooled() > 0 || !node.registry.unanswered().is_empty() {
        node.post.ring();
    }
}

/// Writes the journal's copy on flash whenever the clockwork has one to be written, for ever. A task of its own: a sync may
/// take seconds, and the copy in the run folder must not wait for it.
pub async fn keep_flash(node: Rc<Node>) {
    loop {
        node.flash_due.wait().await;
        let Some(job) = node.flash_job.take().filter(|_| !node.gone.get()) else { continue };
        let done = work::aside(move || job.run()).await;
        let written = node.journal.borrow_mut().flashed(done);
        node.journal_written(written);
        // The next one may be due already.
        node.registry.changed.ring();
    }
}
