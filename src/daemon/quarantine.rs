//! Into quarantine and out of it: every session ends, the owner and the coordinator are told, and a restart changes nothing.

use super::node::Node;
use crate::core::Mono;
use crate::guard::quarantine::{Cause, Change, Found};
use crate::identity::watch;
use crate::meter::image;
use crate::net::work;
use crate::session::{End, Phase};

impl Node {
    /// The node takes itself out of service.
    pub fn quarantine(&self, cause: Cause, detail: impl Into<String>) {
        let found = Found::new(cause, detail);
        log::error!("found: {}", found.detail);
        let change = self.held.borrow_mut().found(self.clock.now(), self.clock.unix(), found);
        self.turned(change);
    }

    /// The owner clears it; `false` where it does not stand. Causes that are watched have to last again.
    pub fn clear_quarantine(&self) -> bool {
        let change = self.held.borrow_mut().clear();
        self.turned(change);
        change == Change::Left
    }

    /// Ends it where the cool-down is over; takes up what the engine noticed of itself.
    pub fn watch_quarantine(&self, now: Mono) {
        if let Some(what) = self.engine.breach.take() {
            self.quarantine(Cause::Breach, what);
        }
        let change = self.held.borrow_mut().tick(now);
        self.turned(change);
    }

    /// The cool-down as the settings say.
    pub fn apply_cooldown(&self) {
        self.held.borrow_mut().set_cooldown(self.settings().policy.quarantine_cooldown);
        self.registry.changed.ring();
    }

    /// Takes up the quarantine an earlier process left in the journal, and enters it where the journal itself is broken.
    pub fn restore_quarantine(&self, broken: bool) {
        self.apply_cooldown();
        let kept = self.registry.ledger.borrow().quarantine().cloned();
        if let Some(image::Quarantine { since, causes }) = kept {
            // What a later version may have written that this one does not know is still a cause.
            let found = causes.into_iter().map(|(id, detail)| Found::new(Cause::from_id(&id).unwrap_or(Cause::Breach), detail)).collect();
            self.held.borrow_mut().restore(self.clock.now(), self.clock.unix(), since, found);
            log::warn!("the node is still in quarantine: {}", self.held.borrow().reason().unwrap_or_default());
            self.gate(|gate| gate.quarantine = true);
            self.end_all();
        }
        if broken {
            self.quarantine(Cause::Journal, "nothing whole was left of the journal to go on from, so counters may be missing");
        }
    }

    /// Whether the identity's file still is what this process loaded.
    pub async fn watch_key(&self) {
        let path = self.key_watch.borrow().path().to_owned();
        let found = work::aside(move || watch::look(&path)).await;
        let judged = self.key_watch.borrow_mut().judge(found);
        if let Some(what) = judged {
            self.quarantine(Cause::Key, what);
        }
    }

    fn turned(&self, change: Change) {
        match change {
            Change::Nothing => return,
            Change::Entered => {
                self.gate(|gate| gate.quarantine = true);
                self.end_all();
                log::error!("the node takes itself out of service: {}", self.held.borrow().reason().unwrap_or_default());
            }
            Change::Grew => {}
            Change::Left => {
                self.gate(|gate| gate.quarantine = false);
                self.registry.place.borrow_mut().begin_anew();
                log::warn!("the quarantine is over");
            }
        }
        self.registry.ledger.borrow_mut().set_quarantine(self.kept());
        self.registry.changed.ring();
        self.tell_state();
        self.refresh_alerts();
        // The coordinator hears of it now, not with the next heartbeat.
        self.hurry.set(true);
        self.post.ring();
    }

    fn kept(&self) -> Option<image::Quarantine> {
        let held = self.held.borrow();
        let (since, found) = held.standing()?;
        Some(image::Quarantine { since, causes: found.iter().map(|f| (f.cause.id().to_owned(), f.detail.clone())).collect() })
    }

    /// Sessions that serve buyers end; those not answered yet are answered with a refusal.
    fn end_all(&self) {
        for session in self.registry.all() {
            if matches!(session.phase(), Phase::Active | Phase::Probing) {
                self.registry.end(&session.id, End::Quarantine);
            }
        }
    }
}
