//! A bell on one thread: rung any number of times, heard once.

use smol::channel::{Receiver, Sender, bounded};

/// Wakes one waiting task. Ringing before anybody waits is kept, once.
#[derive(Clone, Debug)]
pub struct Signal {
    ring: Sender<()>,
    heard: Receiver<()>,
}

impl Default for Signal {
    fn default() -> Self {
        let (ring, heard) = bounded(1);
        Signal { ring, heard }
    }
}

impl Signal {
    /// Rings.
    pub fn ring(&self) {
        // Full means: already rung and not heard yet.
        let _ = self.ring.try_send(());
    }

    /// Waits until it rings.
    pub async fn wait(&self) {
        let _ = self.heard.recv().await;
    }
}
