//! SIGTERM and SIGINT end the process, SIGHUP reloads the settings.

use std::io;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt as _;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// End.
    Stop,
    /// Read the settings again.
    Reload,
}

/// The signals of this process.
pub struct Watch(Signals);

impl Watch {
    /// Starts watching; from here on these signals no longer kill the process.
    ///
    /// # Errors
    /// The system refuses to register the handlers.
    pub fn new() -> io::Result<Watch> {
        Signals::new([Signal::Term, Signal::Int, Signal::Hup]).map(Watch)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        loop {
            match self.0.next().await {
                Some(Ok(Signal::Hup)) => return Asked::Reload,
                Some(Ok(_)) => return Asked::Stop,
                // The stream of signals never ends; a broken read of it is tried again.
                Some(Err(_)) | None => smol::Timer::after(std::time::Duration::from_secs(1)).await,
            };
        }
    }
}
