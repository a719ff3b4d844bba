//! Events for ubus: `ubus send echomesh.KIND JSON`.

use std::path::Path;
use std::time::Duration;

use super::queue::Queue;
use crate::platform::errand::{Errands, Outcome};

/// What a call has to be done within.
const LIMIT: Duration = Duration::from_secs(2);
/// Between two calls: at most 20 a second.
const GAP: Duration = Duration::from_millis(50);

/// Sends whatever comes. For ever.
pub fn serve(program: &Path, queue: &Queue, errands: &Errands) {
    let mut failing = false;
    loop {
        let (news, _) = queue.next();
        let args = ["send".to_owned(), format!("echomesh.{}", news.kind()), news.text()];
        match errands.run(program, &args, &[], LIMIT) {
            Outcome::Done => failing = false,
            Outcome::Over => return,
            other => {
                if !std::mem::replace(&mut failing, true) {
                    log::warn!("{}: {other}; it is tried again with the next event", program.display());
                }
            }
        }
        std::thread::sleep(GAP);
    }
}
