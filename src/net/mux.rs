//! Many streams over one connection, in yamux's framing: how a gateway hands buyers to a node it cannot dial.
//!
//! Under ALPN `echomesh-gw/1` a stream begins with a window of [`WINDOW_FIRST`] in both directions instead of yamux's
//! 256 KiB, because 128 of those would be 32 MiB; windows grow where bytes flow, out of one budget (docs/decisions/0010).
//!
//! [`machine`] is pure: bytes and calls in, bytes and events out. [`link`] drives it over a connection.

pub mod buffer;
pub mod frame;
pub mod link;
pub mod machine;
pub mod stream;

pub use link::{Ended, Link};
pub use machine::{Fault, Side};
pub use stream::Stream;

/// Streams of one connection at once (contracts). One more is reset; none is pushed out. About 300 bytes each while idle, 40 KiB.
pub const MOST_STREAMS: usize = 128;
/// What a stream's sender may send before it hears of more. These of all streams are half of [`Budget::windows`], and always
/// kept free for streams to come.
pub const WINDOW_FIRST: u32 = 16 * 1024;
/// All windows of a connection together (contracts): what its peer can make this side hold, but for the rounding of
/// [`buffer`] (8 KiB a stream at most).
pub const WINDOWS: usize = 4 * 1024 * 1024;
/// The least of them, on a box with next to no RAM: 32 streams, and one that grows to 256 KiB.
const WINDOWS_LEAST: usize = 1024 * 1024;
/// The part of RAM that a connection's windows may take, up to [`WINDOWS`].
const RAM_PART: u64 = 32;
/// Bytes of one frame of ours: what a stream puts in before others get their turn.
pub const FRAME_MOST: usize = 16 * 1024;
/// Frames that the connection has not taken yet: beyond it nobody may write. Held while bytes flow.
pub const OUT_MOST: usize = 64 * 1024;
/// What answers to the peer's frames may take beyond [`OUT_MOST`]: a peer that asks and does not read is cut off.
pub const ANSWERS_MOST: usize = 32 * 1024;

/// What one connection may make this side hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// All windows together, in bytes.
    pub windows: usize,
    /// What one stream's window grows to.
    pub window_most: u32,
    /// Streams at once.
    pub streams: usize,
}

impl Budget {
    /// What the contracts allow: [`WINDOWS`], [`MOST_STREAMS`], and 1 MiB for one stream: 80 Mbit/s over 100 ms.
    pub const MOST: Budget = Budget::of(WINDOWS);

    /// For a machine of `ram` bytes: 1/32 of them. Where the system does not tell, the smallest router is assumed. One of 64 MB
    /// has 1.8 MiB, 58 streams, and 464 KiB for one: 37 Mbit/s over 100 ms.
    pub fn for_ram(ram: Option<u64>) -> Budget {
        let part = usize::try_from(ram.unwrap_or(0) / RAM_PART).unwrap_or(WINDOWS);
        Budget::of(part.clamp(WINDOWS_LEAST, WINDOWS))
    }

    const fn of(windows: usize) -> Budget {
        let streams = windows / 2 / WINDOW_FIRST as usize;
        Budget { windows, window_most: (windows / 4) as u32, streams: if streams < MOST_STREAMS { streams } else { MOST_STREAMS } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_streams_go_with_the_ram() {
        assert_eq!(Budget::MOST, Budget { windows: 4 << 20, window_most: 1 << 20, streams: 128 });
        assert_eq!(Budget::for_ram(Some(512 << 20)), Budget::MOST);
        assert_eq!(Budget::for_ram(Some(u64::MAX)), Budget::MOST);
        let small = Budget::for_ram(Some(59416 * 1024));
        assert_eq!((small.windows, small.streams, small.window_most), (59416 * 1024 / 32, 58, 475_328));
        for least in [Budget::for_ram(Some(8 << 20)), Budget::for_ram(None)] {
            assert_eq!(least, Budget { windows: 1 << 20, window_most: 256 << 10, streams: 32 });
        }
    }
}
