//! A node's rotation: the new name takes over what the old one earned, and the old one is closed for good.

use super::bounds;
use super::engine::{At, Engine};
use super::row::{Day, Node};
use crate::codec::NodeId;
use crate::coordinator::wire::Register;
use crate::identity::rotate;

/// Reason of a registration under a name that was given up.
pub const ROTATED: &str = "rotated";

impl Engine {
    /// What `register` says of a name before it, judged.
    ///
    /// # Errors
    /// The name is closed, or the word of the one before does not hold: why.
    pub(super) fn judge_succession(&self, register: &Register) -> Result<(), &'static str> {
        if self.state.successors().contains_key(&register.node_id) {
            return Err(ROTATED);
        }
        let Some(previous) = register.previous_node_id else { return Ok(()) };
        let word = register.previous_sig.as_deref().unwrap_or_default();
        if previous == register.node_id || !rotate::is_successor(previous, register.node_id, word) {
            return Err("previous-sig");
        }
        match self.state.successors().get(&previous) {
            // Told again, because our answer was lost.
            Some(successor) if *successor == register.node_id => Ok(()),
            Some(_) => Err("previous-rotated"),
            None if self.state.successors().len() >= bounds::SUCCESSIONS => Err("overload"),
            None => Ok(()),
        }
    }

    /// Moves what the name before earned to `node`, and closes that name. Nothing the second time.
    pub(super) fn succeed(&mut self, previous: Option<NodeId>, node: &mut Node, at: At) {
        let Some(previous) = previous.filter(|p| !self.state.successors().contains_key(p)) else { return };
        self.state.put_successor(previous, node.id);
        if let Some(before) = self.state.nodes().get(&previous).cloned() {
            // A rotation is for nodes without a session; what is left ends.
            self.release(previous, ROTATED, at);
            node.credits = node.credits.saturating_add(before.credits);
            node.days = merged(std::mem::take(&mut node.days), before.days);
            node.last_probe = node.last_probe.take().or(before.last_probe);
            self.state.drop_node(previous);
            self.live.remove(&previous);
        }
    }
}

/// The figures of both, by day.
fn merged(a: Vec<Day>, b: Vec<Day>) -> Vec<Day> {
    let mut days = a;
    for day in b {
        match days.binary_search_by_key(&day.day, |d| d.day) {
            Err(at) => days.insert(at, day),
            Ok(at) => {
                let d = &mut days[at];
                d.passed = d.passed.saturating_add(day.passed);
                d.failed = d.failed.saturating_add(day.failed);
                d.requests = d.requests.saturating_add(day.requests);
                d.errors = d.errors.saturating_add(day.errors);
                d.credits = d.credits.saturating_add(day.credits);
            }
        }
    }
    days
}

#[cfg(test)]
mod tests {
    use super::super::reputation;
    use super::super::state::State;
    use super::super::testing::{self, START, at};
    use super::*;
    use crate::codec::record;
    use crate::coordinator::wire::Registered;

    fn rotated(e: &mut Engine, from: u8, to: u8, word_for: u8) -> Registered {
        let mut register = testing::register(to, "boot");
        register.previous_node_id = Some(testing::id(from));
        register.previous_sig = Some(rotate::previous_sig(&testing::key(from), testing::id(word_for)));
        e.register(&register, Some([127, 0, 0, 1].into()), at(5)).unwrap()
    }

    #[test]
    fn the_new_name_has_what_the_old_one_earned_once_and_the_old_one_is_closed() {
        let mut e = testing::engine();
        testing::join(&mut e, 1);
        e.state.change_node(testing::id(1), |n| {
            n.credits = 700;
            let today = reputation::today(n, START);
            (today.passed, today.credits) = (9, 70);
        });
        let forged = rotated(&mut e, 1, 2, 3);
        assert_eq!((forged.accepted, forged.reason.as_deref()), (false, Some("previous-sig")));
        assert!(e.state.nodes().contains_key(&testing::id(1)) && !e.state.nodes().contains_key(&testing::id(2)));
        for _ in 0..2 {
            assert!(rotated(&mut e, 1, 2, 2).accepted);
            let node = &e.state.nodes()[&testing::id(2)];
            assert_eq!((node.credits, node.days[0].passed, node.days[0].credits), (700, 9, 70));
            assert!(!e.state.nodes().contains_key(&testing::id(1)));
        }
        let old = e.register(&testing::register(1, "boot"), Some([127, 0, 0, 1].into()), at(6)).unwrap();
        assert_eq!((old.accepted, old.reason.as_deref()), (false, Some(ROTATED)));
        assert_eq!(rotated(&mut e, 1, 3, 3).reason.as_deref(), Some("previous-rotated"), "one successor");
        assert_eq!(rotated(&mut e, 2, 1, 1).reason.as_deref(), Some(ROTATED), "no way back");
        assert!(rotated(&mut e, 2, 3, 3).accepted, "and on");
        assert_eq!(e.state.nodes()[&testing::id(3)].credits, 700);
        assert!(rotated(&mut e, 8, 9, 9).accepted, "a name nobody knew has nothing to carry");

        let mut again = State::default();
        for bytes in [e.state.take_record().unwrap(), e.state.all_records()] {
            let mut at = 0;
            while let record::Next::Record(raw, used) = record::next(&bytes[at..]) {
                again.replay(raw.decode().unwrap());
                at += used;
            }
            assert_eq!(again.successors(), e.state.successors(), "over a restart");
        }
    }
}
