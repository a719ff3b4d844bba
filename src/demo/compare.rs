//! The comparison: what the origin saw on its raw sockets, what the node counted, what the ledger holds. Pure.

use serde::{Deserialize, Serialize};

/// Each session must have carried this much each way, or the comparison says little.
pub const LEAST_EACH_WAY: u64 = 1_000_000;

/// Bytes both ways. Ingress = from the origin, egress = to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// From the origin.
    pub ingress: u64,
    /// To the origin.
    pub egress: u64,
}

impl Bytes {
    /// Both together.
    pub fn total(self) -> u64 {
        self.ingress + self.egress
    }

    /// Sums of both.
    pub fn plus(self, other: Bytes) -> Bytes {
        Bytes { ingress: self.ingress + other.ingress, egress: self.egress + other.egress }
    }
}

/// One session, or all others together, counted three times.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is counted.
    pub name: String,
    /// Session id; `None` for several together.
    pub session: Option<String>,
    /// As the origin counts.
    pub origin: Bytes,
    /// As the node counts; `None` where it no longer holds the session.
    pub node: Option<Bytes>,
    /// As the ledger holds.
    pub ledger: Bytes,
    /// The node ended a tunnel in mid-transfer: bytes that were on their way then reached one side's socket and not the other's,
    /// so only node and ledger can agree.
    pub cut_off: bool,
}

/// Every difference, named.
pub fn differences(rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        if row.cut_off {
            found.extend(cut_off(row));
            continue;
        }
        let mut held = vec![("the ledger", row.ledger)];
        held.extend(row.node.map(|node| ("the node", node)));
        for (who, bytes) in held {
            for (way, counted, held) in [("ingress", row.origin.ingress, bytes.ingress), ("egress", row.origin.egress, bytes.egress)] {
                if counted != held {
                    let by = held.abs_diff(counted);
                    let (name, less) = (&row.name, if held < counted { "less" } else { "more" });
                    found.push(format!("{name}, {way}: the origin counted {counted} bytes, {who} holds {held}: {by} {less}"));
                }
            }
        }
        if row.session.is_some() && row.origin.ingress.min(row.origin.egress) < LEAST_EACH_WAY {
            found.push(format!("{}: less than {LEAST_EACH_WAY} bytes went one way", row.name));
        }
    }
    found
}

/// What of a row with a tunnel that was cut off must still fit.
fn cut_off(row: &Row) -> Option<String> {
    let node = row.node.unwrap_or_default();
    if node != row.ledger {
        return Some(format!("{}: the node holds {node:?}, the ledger {:?}", row.name, row.ledger));
    }
    let (sent, taken) = (row.origin.ingress, node.ingress);
    (sent < taken || taken == 0).then(|| format!("{}: the origin sent {sent} bytes, the node counted {taken}", row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(node: Option<Bytes>, ledger: Bytes) -> Row {
        Row { name: "a".into(), session: Some("s".into()), origin: Bytes { ingress: 2_000_000, egress: 1_000_000 }, node, ledger, cut_off: false }
    }

    #[test]
    fn one_byte_off_is_named() {
        let right = Bytes { ingress: 2_000_000, egress: 1_000_000 };
        assert_eq!(differences(&[row(Some(right), right), row(None, right)]), [""; 0]);
        let less = Bytes { ingress: 1_999_999, ..right };
        assert_eq!(differences(&[row(Some(right), less)]), ["a, ingress: the origin counted 2000000 bytes, the ledger holds 1999999: 1 less"]);
        let more = Bytes { egress: 1_000_001, ..right };
        assert_eq!(differences(&[row(Some(more), right)]), ["a, egress: the origin counted 1000000 bytes, the node holds 1000001: 1 more"]);
    }

    #[test]
    fn what_was_cut_off_may_differ_at_the_origin_alone() {
        let counted = Bytes { ingress: 1_900_000, egress: 1_000_000 };
        let cut = |node, ledger| differences(&[Row { cut_off: true, ..row(Some(node), ledger) }]).len();
        assert_eq!(cut(counted, counted), 0);
        assert_eq!(cut(counted, Bytes { ingress: 1_900_001, ..counted }), 1);
        let more = Bytes { ingress: 2_000_001, ..counted };
        assert_eq!(cut(more, more), 1);
    }

    #[test]
    fn equal_counts_of_nothing_do_not_pass() {
        let empty =
            Row { name: "a".into(), session: Some("s".into()), origin: Bytes::default(), node: None, ledger: Bytes::default(), cut_off: false };
        assert_eq!(differences(std::slice::from_ref(&empty)).len(), 1);
        assert_eq!(differences(&[Row { session: None, ..empty }]).len(), 0);
    }
}
