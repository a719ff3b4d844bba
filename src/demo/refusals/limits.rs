//! Refusals that the owner's settings cause: an opt-out, a window that is closed, and volumes that are used up, the first of them in mid-transfer.

use std::sync::Arc;

use rustls::ClientConfig;
use serde_json::{Value, json};

use super::{Refusals, before};
use crate::core::exit::Failure;
use crate::core::{Clock, Reason};
use crate::demo::flow::Flow;
use crate::demo::names;
use crate::demo::node::Node;
use crate::demo::sessions::Sessions;
use crate::session::entry::GB;

/// Bytes on the uplink that are left of the day's volume at the least, whatever was used before.
const LEAST_LEFT: u64 = 100_000_000;
/// Body of one exchange. A relayed byte counts twice on the uplink, so some eight of these use up a day.
const PIECE: u64 = 64 * 1024 * 1024;
/// Exchanges after which the day's volume must be used up, whatever was used before.
const MOST_EXCHANGES: usize = 16;

/// Changes the settings of `node` while it works, and puts each back.
///
/// # Errors
/// The node's control API does not answer, or refuses a setting.
pub async fn provoke(node: &Node, sessions: &Sessions, origin: &Arc<ClientConfig>, book: &Refusals) -> Result<(), Failure> {
    let access = &sessions.crowd.access;
    let head = access.connect_head(&format!("{}:{}", names::origin(2), names::PORT));
    node.set(&json!({ "policy": { "optOut": [access.category] } })).await?;
    book.note(Reason::OptOut, before(Reason::OptOut, access, &head).await);
    node.set(&json!({ "policy": { "optOut": [] } })).await?;

    node.set(&json!({ "node": { "schedules": [never_now(Clock::system().unix())] } })).await?;
    book.note(Reason::Schedule, before(Reason::Schedule, access, &head).await);
    node.set(&json!({ "node": { "schedules": [] } })).await?;

    let caps = node.status().await?.caps;
    let (before_it, next) = (caps.max_gb_per_day, (caps.used_today_bytes + LEAST_LEFT) / GB + 1);
    node.set(&json!({ "network": { "maxGBPerDay": next } })).await?;
    book.note(Reason::DailyCap, used_up(sessions, origin).await);
    node.set(&json!({ "network": { "maxGBPerDay": 0, "maxGBPerMonth": next } })).await?;
    book.note(Reason::MonthlyCap, before(Reason::MonthlyCap, access, &head).await);
    node.set(&json!({ "network": { "maxGBPerDay": before_it, "maxGBPerMonth": 0 } })).await
}

/// A window of a minute, three days from now: closed now in any time zone.
fn never_now(unix: u64) -> Value {
    // 1 January 1970 was a Thursday.
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day = DAYS[usize::try_from((unix / 86_400 + 3) % 7).unwrap_or_default()];
    json!({ "days": [day], "start": "00:00", "end": "00:01" })
}

/// Loads until the node ends the tunnel in mid-transfer, and asks for one more.
async fn used_up(sessions: &Sessions, origin: &Arc<ClientConfig>) -> Result<(), String> {
    let (access, host) = (&sessions.capped.access, names::origin(names::CUT_OFF));
    let mut exchanges = 0;
    while access.https(origin, &host, names::PORT, 0, PIECE, &Flow::default()).await.is_ok() {
        exchanges += 1;
        if exchanges == MOST_EXCHANGES {
            return Err(format!("{exchanges} × {PIECE} bytes did not use up what was left of the day"));
        }
    }
    before(Reason::DailyCap, access, &access.connect_head(&format!("{host}:{}", names::PORT))).await
}
