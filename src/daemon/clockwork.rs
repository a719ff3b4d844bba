//! What time alone does: deadlines of sessions, ends of windows and pauses, the journal. Asleep while nothing is due.

use std::rc::Rc;
use std::time::Duration;

use smol::future::FutureExt as _;

use super::books;
use super::node::Node;
use crate::core::Mono;
use crate::net::reactor::Timer;

/// Runs for ever.
pub async fn keep(node: Rc<Node>) {
    loop {
        let now = node.clock.now();
        node.registry.tick();
        node.follow_pause();
        node.follow_hours();
        node.watch_quarantine(now);
        node.engine.reputation.borrow_mut().tick(now);
        books::beat(&node);
        let look = node.refresh_alerts();
        let tick = node.next_tick();
        // While the journal ticks anyway, new bytes need not wake anybody.
        node.registry.awake.set(tick.is_some());
        let (quarantine, reputation) = (node.held.borrow().ends(), node.engine.reputation.borrow().deadline());
        let next = [tick, node.registry.deadline(), node.next_seal(), node.pause_end(), node.hours_change(), quarantine, reputation, look];
        let next: Option<Mono> = next.into_iter().flatten().min();
        let due = async {
            match next {
                // Never again within the same millisecond: a deadline just passed is acted on in the next round.
                Some(at) => Timer::after(at.since(node.clock.now()).max(Duration::from_millis(5))).await,
                None => std::future::pending().await,
            }
        };
        node.registry.changed.wait().or(due).await;
    }
}
