//! The node's state machine: the one transition table (contracts, "Node states").

use crate::control::status::NodeState;

/// What moves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Turn {
    /// Settings are read and a role is on.
    Start,
    /// The identity is sealed.
    Lock,
    /// The owner unlocked it.
    Unlock,
    /// The coordinator took our registration, or answers again.
    Connected,
    /// The coordinator does not answer.
    Lost,
    /// A role of ours failed and is being restarted.
    Fault,
    /// All roles work again.
    Mended,
    /// The owner, or the system, ends work.
    Stop,
    /// All is sealed.
    Drained,
}

/// Where `turn` leads from `state`; `None` where it changes nothing.
///
/// | from | turn → to |
/// | --- | --- |
/// | init | start → starting |
/// | starting | lock → locked, connected → running, lost → reconnecting, fault → degraded |
/// | locked | unlock → starting |
/// | running | lost → reconnecting, fault → degraded |
/// | degraded | mended → reconnecting (until the coordinator answers), connected stays |
/// | reconnecting | connected → running, fault → degraded |
/// | stopped | start → starting |
/// | any but stopped | stop → stopping; then drained → stopped |
pub const fn turned(state: NodeState, turn: Turn) -> Option<NodeState> {
    use NodeState as S;
    match (state, turn) {
        (S::Init | S::Stopped, Turn::Start) | (S::Locked, Turn::Unlock) => Some(S::Starting),
        (S::Starting, Turn::Lock) => Some(S::Locked),
        (S::Starting | S::Reconnecting, Turn::Connected) => Some(S::Running),
        (S::Starting | S::Running, Turn::Lost) | (S::Degraded, Turn::Mended) => Some(S::Reconnecting),
        (S::Starting | S::Running | S::Reconnecting, Turn::Fault) => Some(S::Degraded),
        (S::Init | S::Starting | S::Locked | S::Running | S::Degraded | S::Reconnecting, Turn::Stop) => Some(S::Stopping),
        (S::Stopping, Turn::Drained) => Some(S::Stopped),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: [Turn; 9] =
        [Turn::Start, Turn::Lock, Turn::Unlock, Turn::Connected, Turn::Lost, Turn::Fault, Turn::Mended, Turn::Stop, Turn::Drained];

    #[test]
    fn every_state_is_reached_and_every_work_can_be_stopped() {
        let mut reached = vec![NodeState::Init];
        let mut at = 0;
        while at < reached.len() {
            for turn in TURNS {
                if let Some(next) = turned(reached[at], turn) {
                    assert_ne!(next, reached[at]);
                    if !reached.contains(&next) {
                        reached.push(next);
                    }
                }
            }
            at += 1;
        }
        for state in NodeState::ALL {
            assert!(reached.contains(&state), "{}", state.name());
            let stopping = turned(state, Turn::Stop).unwrap_or(state);
            assert_eq!(turned(stopping, Turn::Drained).unwrap_or(stopping), NodeState::Stopped);
        }
    }
}
