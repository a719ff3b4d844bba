//! Answers a letter: which sessions of which buyers were served at a time, and, as far as lines are held, whose tunnel
//! went to a host.

use super::node::Node;
use crate::codec::time;
use crate::control::status::At;
use crate::control::who::{OpenedDay, Served, Who};
use crate::meter::access_log::{Line, host_hash};
use crate::net::host::Host;
use crate::session::roster::TOLERANCE_SEC;

/// Who was served at `at` (Unix seconds), to `host` where one is named.
pub fn who(node: &Node, at: u64, host: Option<&Host>) -> Who {
    let ledger = node.registry.ledger.borrow();
    let roster = node.book.roster.borrow();
    let lines_since = ledger.lines().map(|(_, line)| began(line)).min();
    let held = lines_since.is_some_and(|since| since <= at.saturating_add(TOLERANCE_SEC));
    let wanted = |line: &Line| lived_at(line, at) && host.is_none_or(|h| line.host_hash == host_hash(&node.identity, line.t, h.as_str()));
    let tunnels = |session: &str| {
        let count = ledger.lines().filter(|(id, line)| *id == session && wanted(line)).count();
        held.then(|| u32::try_from(count).unwrap_or(u32::MAX))
    };
    let sessions: Vec<Served> = roster
        .at(at)
        .map(|e| Served {
            session_id: e.session.to_string(),
            buyer_id: e.buyer.to_string(),
            opened: At(e.opened),
            closed: e.closed.map(At),
            tunnels: tunnels(&e.session),
        })
        .collect();
    let since = roster.since();
    let message = message(&sessions, at, since, lines_since, held, host.is_some());
    Who { at: At(at), sessions, roster_since: since.map(At), lines_since: lines_since.map(At), message }
}

/// The key of one UTC date; `None` where `date` is none.
pub fn open_day(node: &Node, date: &str) -> Option<OpenedDay> {
    time::from_rfc3339(&format!("{date}T00:00:00Z"))?;
    let key = blake3::Hash::from_bytes(node.identity.log_key(date)).to_hex().to_string();
    Some(OpenedDay { date: date.to_owned(), key })
}

/// Unix seconds at which the tunnel of a line began.
const fn began(line: &Line) -> u64 {
    line.t.saturating_sub(line.ms / 1000)
}

const fn lived_at(line: &Line, at: u64) -> bool {
    began(line) <= at.saturating_add(TOLERANCE_SEC) && line.t >= at.saturating_sub(TOLERANCE_SEC)
}

fn message(sessions: &[Served], at: u64, since: Option<u64>, lines_since: Option<u64>, held: bool, host: bool) -> String {
    let when = |unix: u64| time::rfc3339(unix);
    let mut out = match (sessions.len(), since) {
        (0, None) => "no session was served yet, or none within 90 days.".to_owned(),
        (0, Some(since)) if at < since => format!("what was before {} is no longer held.", when(since)),
        (0, Some(_)) => "no session was open then.".to_owned(),
        (1, _) => "one session was open then.".to_owned(),
        (n, _) => format!("{n} sessions were open then."),
    };
    if sessions.is_empty() {
        return out;
    }
    let to = if host { " to this host" } else { "" };
    if held {
        let of: Vec<&str> = sessions.iter().filter(|s| s.tunnels.is_some_and(|n| n > 0)).map(|s| s.buyer_id.as_str()).collect();
        match of.as_slice() {
            [] => out.push_str(&format!(" Among the lines that are held there is no closed tunnel{to} within a minute of it.")),
            buyers => out.push_str(&format!(" Tunnels{to} within a minute of it: of {}.", buyers.join(", "))),
        }
    } else {
        let from = lines_since.map_or("none are held".to_owned(), |from| format!("they are held from {} on", when(from)));
        out.push_str(&format!(" Lines of single tunnels do not outlive a reboot ({from}), so that nothing can be said{to} beyond the sessions."));
    }
    out.push_str(" The coordinator's operator knows who a buyer is.");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(tunnels: Option<u32>) -> Served {
        Served { session_id: "s".into(), buyer_id: "shop".into(), opened: At(1), closed: None, tunnels }
    }

    #[test]
    fn it_says_what_is_no_longer_held() {
        assert!(message(&[], 5, None, None, false, false).contains("no session"));
        assert!(message(&[], 5, Some(10), None, false, false).contains("before 1970-01-01T00:00:10Z is no longer held"));
        assert!(message(&[], 50, Some(10), None, false, true).contains("no session was open"));
        let gone = message(&[served(None)], 50, Some(10), Some(90), false, true);
        assert!(gone.contains("from 1970-01-01T00:01:30Z on") && gone.contains("nothing can be said to this host"), "{gone}");
        assert!(message(&[served(Some(2))], 50, Some(10), Some(9), true, true).contains("to this host within a minute of it: of shop"));
        assert!(message(&[served(Some(0))], 50, Some(10), Some(9), true, false).contains("no closed tunnel"));
    }

    #[test]
    fn a_tunnel_lived_from_its_first_to_its_last_second() {
        let line = Line {
            ms: 600_000,
            ..crate::meter::access_log::Line {
                t: 10_000,
                host_hash: crate::codec::Hash([0; 32]),
                port: 443,
                status: 200,
                reason: None,
                ingress: 0,
                egress: 0,
                ms: 0,
            }
        };
        assert!(lived_at(&line, 9_400) && lived_at(&line, 9_700) && lived_at(&line, 10_059));
        assert!(!lived_at(&line, 9_300) && !lived_at(&line, 10_100));
    }
}
