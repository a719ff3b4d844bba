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

/// Streams of one connection at once. One more is reset; none is pushed out. About 300 bytes each while idle, 40 KiB.
pub const MOST_STREAMS: usize = 128;
/// What a stream's sender may send before it hears of more. 128 of these: half of [`WINDOWS`], and always kept free for
/// streams to come.
pub const WINDOW_FIRST: u32 = 16 * 1024;
/// What one stream's window grows to: 80 Mbit/s over 100 ms.
pub const WINDOW_MOST: u32 = 1024 * 1024;
/// All windows of a connection together (contracts): what its peer can make this side hold, but for the rounding of
/// [`buffer`] (8 KiB a stream at most).
pub const WINDOWS: usize = 4 * 1024 * 1024;
/// Bytes of one frame of ours: what a stream puts in before others get their turn.
pub const FRAME_MOST: usize = 16 * 1024;
/// Frames that the connection has not taken yet: beyond it nobody may write. Held while bytes flow.
pub const OUT_MOST: usize = 64 * 1024;
/// What answers to the peer's frames may take beyond [`OUT_MOST`]: a peer that asks and does not read is cut off.
pub const ANSWERS_MOST: usize = 32 * 1024;
