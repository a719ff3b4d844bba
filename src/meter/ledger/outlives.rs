//! What else outlives a restart: the event stream's position, and what keeps the node from working.

use super::Ledger;
use crate::meter::image::{MOST_ID, Pause, Quarantine};

impl Ledger {
    /// Name and position of the coordinator's event stream.
    pub fn stream(&self) -> Option<(&str, u64)> {
        self.node.stream.as_ref().map(|(id, seq)| (id.as_str(), *seq))
    }

    /// A cold start next time: the stream was another name's.
    pub fn clear_stream(&mut self) {
        if self.node.stream.take().is_some() {
            (self.dirt.any, self.dirt.node) = (true, true);
        }
    }

    /// Events up to `seq` of the stream `id` are handled. A name too long to keep means a cold start next time.
    pub fn set_stream(&mut self, id: &str, seq: u64) {
        let stream = (id.len() <= MOST_ID).then(|| (id.to_owned(), seq));
        if self.node.stream != stream {
            self.node.stream = stream;
            (self.dirt.any, self.dirt.node) = (true, true);
        }
    }

    /// Whether the owner stopped the node.
    pub fn stopped(&self) -> bool {
        self.node.stopped
    }

    /// The owner's pause.
    pub fn pause(&self) -> Option<Pause> {
        self.node.pause
    }

    /// The owner paused the node, or the pause is over.
    pub fn set_pause(&mut self, pause: Option<Pause>) {
        if self.node.pause != pause {
            self.node.pause = pause;
            (self.dirt.any, self.dirt.node, self.dirt.flash) = (true, true, true);
        }
    }

    /// The owner stopped or started the node.
    pub fn set_stopped(&mut self, stopped: bool) {
        if self.node.stopped != stopped {
            self.node.stopped = stopped;
            (self.dirt.any, self.dirt.node, self.dirt.flash) = (true, true, true);
        }
    }

    /// The quarantine that stands, as it was set.
    pub fn quarantine(&self) -> Option<&Quarantine> {
        self.quarantine.as_ref()
    }

    /// A quarantine begins, grows or ends.
    pub fn set_quarantine(&mut self, quarantine: Option<Quarantine>) {
        if self.quarantine != quarantine {
            self.quarantine = quarantine;
            (self.dirt.any, self.dirt.quarantine, self.dirt.flash) = (true, true, true);
        }
    }
}
