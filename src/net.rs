//! Sockets and the bytes on them: parsing heads and ClientHellos, resolving, guarding and dialling addresses, TLS
//! set-up, token buckets, the relay, and the one bounded HTTP/1.1 server.
//!
//! What meters and what limits is plugged in from above through [`Tap`] and [`Pace`].

pub mod address;
pub mod bucket;
pub mod ciphers;
pub mod connect;
pub mod deadline;
pub mod dial;
pub mod dns;
pub mod doh;
pub mod hello;
pub mod host;
pub mod http;
pub mod mux;
pub mod pace;
pub mod pool;
pub mod proxy_header;
pub mod reactor;
pub mod relay;
pub mod resolve;
pub mod roots;
#[cfg(test)]
pub mod shake;
pub mod tls;
pub mod work;

pub use deadline::within;

/// Told of every byte the moment the receiving socket took it.
pub trait Tap {
    /// `bytes` from the destination were taken by the buyer's socket.
    fn ingress(&self, bytes: u64);
    /// `bytes` from the buyer were taken by the destination's socket.
    fn egress(&self, bytes: u64);
}

/// Hands out the right to move bytes.
#[allow(async_fn_in_trait)] // one thread, static dispatch: no Send bound is wanted
pub trait Pace {
    /// Waits until bytes may move, then grants 1..=`want` of them.
    async fn take(&self, want: usize) -> usize;
    /// Returns what was granted and not moved.
    fn give_back(&self, bytes: usize);
}
