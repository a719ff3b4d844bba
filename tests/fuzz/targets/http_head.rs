//! Requests on a connection of the HTTP/1.1 server: heads, framing and bodies, in segments of the first byte's length.
#![no_main]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use echomesh::net::http::server::{Limits, connection};
use echomesh::net::http::{Handler, Request, Response};
use libfuzzer_sys::fuzz_target;
use smol::io::{AsyncRead, AsyncWrite};

const LIMITS: Limits = Limits { head: 512, body: 256, ..Limits::api() };

fuzz_target!(|bytes: &[u8]| {
    let Some((&segment, sent)) = bytes.split_first() else { return };
    let mut answers = Vec::new();
    let wire = Wire { sent, segment: usize::from(segment).max(1), answers: &mut answers };
    smol::block_on(connection(wire, None, &LIMITS, &Echo));
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1.1 "));
});

/// Answers with what it was asked, so that both directions are exercised.
struct Echo;

impl Handler for Echo {
    async fn handle(&self, request: Request) -> Response {
        assert!(request.body.len() <= LIMITS.body && request.target.len() <= LIMITS.head);
        for (name, value) in &request.headers {
            assert!(!name.contains(['\r', '\n', ':']) && !value.contains(['\r', '\n', '\0']), "{name:?}: {value:?}");
        }
        let _ = (request.path(), request.query("a"), request.header("host"));
        Response::new(200, "application/octet-stream", request.body)
    }
}

/// A client that sends all it has and then closes.
struct Wire<'a> {
    sent: &'a [u8],
    segment: usize,
    answers: &'a mut Vec<u8>,
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
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answers.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
