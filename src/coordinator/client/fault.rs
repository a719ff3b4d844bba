//! Why something the coordinator's address sent was not believed, and how often.

use std::fmt;

/// Why an answer or an object was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer carries no signature or no time: something else than the coordinator spoke.
    Unsigned,
    /// The answer's signature does not verify for this request: forged, changed, or an old one played again.
    BadAnswer,
    /// The body is larger than 64 KiB.
    Oversize,
    /// The body is not JSON of the contracts' form.
    Malformed,
    /// A signed object (event, probe request) whose own signature does not verify.
    BadObject,
    /// A signed object for another node.
    Addressee,
    /// Events are missing: the position was given up and a snapshot asked for.
    Gap,
    /// An event that was already delivered.
    Stale,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 8] =
        [Fault::Unsigned, Fault::BadAnswer, Fault::Oversize, Fault::Malformed, Fault::BadObject, Fault::Addressee, Fault::Gap, Fault::Stale];

    /// Stable id, for metrics and logs.
    pub const fn id(self) -> &'static str {
        match self {
            Fault::Unsigned => "unsigned",
            Fault::BadAnswer => "bad-answer",
            Fault::Oversize => "oversize",
            Fault::Malformed => "malformed",
            Fault::BadObject => "bad-object",
            Fault::Addressee => "addressee",
            Fault::Gap => "gap",
            Fault::Stale => "stale",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Unsigned => "the answer is not signed; check that the url leads to the coordinator itself and not to a portal or proxy in between",
            Fault::BadAnswer => "the answer's signature does not verify; check the coordinator's key in the settings (option key)",
            Fault::Oversize => "the answer is larger than 64 KiB",
            Fault::Malformed => "the answer does not have the contracts' form; node and coordinator may speak different versions",
            Fault::BadObject => "a signed object does not verify under the coordinator's keys",
            Fault::Addressee => "a signed object is meant for another node",
            Fault::Gap => "events are missing from the stream; asking for a snapshot",
            Fault::Stale => "an event came a second time",
        })
    }
}

/// How often each [`Fault`] was met since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults([u32; Fault::ALL.len()]);

impl Faults {
    /// One more of `fault`.
    pub fn add(&mut self, fault: Fault) {
        let count = &mut self.0[fault as usize];
        *count = count.saturating_add(1);
    }

    /// How many of `fault`.
    pub const fn of(&self, fault: Fault) -> u32 {
        self.0[fault as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_id_and_count() {
        let mut faults = Faults::default();
        for (i, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, i);
            assert!(Fault::ALL.iter().filter(|f| f.id() == fault.id()).count() == 1);
            faults.add(fault);
            assert_eq!(faults.of(fault), 1);
        }
    }
}
