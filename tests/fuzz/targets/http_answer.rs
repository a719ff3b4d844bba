//! Answers to the one HTTP/1.1 client (DoH servers, probes' endpoints), in segments of the first byte's length.
#![no_main]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use echomesh::net::http::client::{ClientLimits, Outgoing, exchange};
use libfuzzer_sys::fuzz_target;
use smol::io::{AsyncRead, AsyncWrite};

const LIMITS: ClientLimits = ClientLimits { head: 512, body: 300 };

fuzz_target!(|bytes: &[u8]| {
    let Some((&segment, sent)) = bytes.split_first() else { return };
    let segment = usize::from(segment).max(1);
    let asked = |segment: usize| {
        let mut wire = Wire { sent, segment };
        let mut body = Vec::new();
        let request = Outgoing { keep_alive: true, ..Outgoing::get("x.test", "/") };
        let head = smol::block_on(exchange(&mut wire, &request, &LIMITS, |piece| body.extend_from_slice(piece)));
        assert!(body.len() as u64 <= LIMITS.body);
        head.ok().map(|head| {
            assert!(head.status >= 200);
            for (name, value) in &head.headers {
                assert!(!name.contains(['\r', '\n', ':']) && !value.contains(['\r', '\n', '\0']), "{name:?}: {value:?}");
            }
            (head.status, head.headers, body)
        })
    };
    // However the network cuts it, it says the same.
    assert_eq!(asked(segment), asked(usize::MAX));
});

/// A server that has said all it will.
struct Wire<'a> {
    sent: &'a [u8],
    segment: usize,
}

impl AsyncRead for Wire<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let n = self.segment.min(into.len()).min(self.sent.len());
        let (now, later) = self.sent.split_at(n);
        into[..n].copy_from_slice(now);
        self.sent = later;
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
