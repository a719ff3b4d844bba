//! News that wait for a program to be done. Full, it drops the oldest: what a script must not miss is how things ended.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use super::news::News;

/// News that wait: 64 × about 500 bytes, 32 kB.
pub const MOST: usize = 64;

/// Between the thread that hears and one that runs programs.
pub struct Queue {
    /// For whom they wait, for the log.
    whom: &'static str,
    waiting: Mutex<Waiting>,
    came: Condvar,
}

#[derive(Default)]
struct Waiting {
    news: VecDeque<News>,
    /// Dropped since the last that was taken.
    dropped: u32,
    /// Dropped since one was last taken without any having been.
    in_a_row: u32,
}

impl Queue {
    /// Nothing waits for `whom`.
    pub fn new(whom: &'static str) -> Queue {
        Queue { whom, waiting: Mutex::default(), came: Condvar::new() }
    }

    /// Adds news at the end.
    pub fn push(&self, news: News) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.news.len() >= MOST {
            waiting.news.pop_front();
            waiting.dropped = waiting.dropped.saturating_add(1);
        }
        waiting.news.push_back(news);
        self.came.notify_one();
    }

    /// Waits for news. Also how many were dropped since those before.
    pub fn next(&self) -> (News, u32) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(news) = waiting.news.pop_front() {
                let dropped = std::mem::take(&mut waiting.dropped);
                let before = waiting.in_a_row;
                waiting.in_a_row = if dropped == 0 { 0 } else { before.saturating_add(dropped) };
                // Said when it begins and when it is over, not with each.
                match (before, dropped) {
                    (0, 0) => {}
                    (0, _) => log::warn!("{} cannot keep up with the events: the oldest are dropped", self.whom),
                    (all, 0) => log::warn!("{} can keep up again; {all} events were dropped", self.whom),
                    _ => {}
                }
                return (news, dropped);
            }
            waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_are_counted() {
        let queue = Queue::new("the test");
        (0..MOST + 3).for_each(|n| queue.push(News::missed("session-open", &n.to_string())));
        let (news, dropped) = queue.next();
        assert_eq!((news.session(), dropped), (Some("3"), 3));
        assert_eq!(queue.next().1, 0);
        let left = queue.waiting.lock().unwrap().news.len();
        assert_eq!(left, MOST - 2);
    }
}
