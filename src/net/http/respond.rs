//! Writing an answer, each step of progress within its deadline.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use smol::channel::Receiver;
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::body::fill;
use super::head::{is_field_value, is_token};
use super::{Body, Response};
use crate::net::deadline::within;

/// A whole body up to here goes out with its head in one write.
const TOGETHER: usize = 16 * 1024;

/// What the request asks of the shape of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Answer a HEAD: the head alone.
    pub head_only: bool,
    /// The client knows no chunks: a stream ends with the connection.
    pub http_1_0: bool,
    /// Say that the connection ends after this answer.
    pub close: bool,
}

/// Sends `response` over `stream`. While a stream runs, what the client sends goes to `early` (at most `early_limit`
/// bytes), and its end of sending is taken as going away. Tells whether another request may follow.
pub(super) async fn respond<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    response: Response,
    shape: Shape,
    timeout: Duration,
    early: &mut Vec<u8>,
    early_limit: usize,
) -> io::Result<bool> {
    let response = checked(response);
    let close = shape.close
        || response.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close"))
        || (shape.http_1_0 && matches!(response.body, Body::Stream(_)));
    let mut out = head(&response, shape, close).into_bytes();
    let bodiless = shape.head_only || matches!(response.status, 100..=199 | 204 | 304);
    match response.body {
        Body::Whole(_) if bodiless => write_all(stream, &out, timeout).await?,
        Body::Whole(body) if body.len() <= TOGETHER => {
            out.extend_from_slice(&body);
            write_all(stream, &out, timeout).await?;
        }
        Body::Whole(body) => {
            write_all(stream, &out, timeout).await?;
            write_all(stream, &body, timeout).await?;
        }
        Body::Stream(_) if bodiless => write_all(stream, &out, timeout).await?,
        Body::Stream(pieces) => {
            write_all(stream, &out, timeout).await?;
            send_pieces(stream, pieces, shape.http_1_0, timeout, early, early_limit).await?;
        }
    }
    Ok(!close)
}

enum Event {
    Piece(Option<Vec<u8>>),
    Read(io::Result<usize>),
}

async fn send_pieces<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    pieces: Receiver<Vec<u8>>,
    raw: bool,
    timeout: Duration,
    early: &mut Vec<u8>,
    early_limit: usize,
) -> io::Result<()> {
    loop {
        let event = {
            let piece = async { Event::Piece(pieces.recv().await.ok()) };
            let room = early_limit.saturating_sub(early.len()).min(1024);
            let read = async {
                if room == 0 {
                    return smol::future::pending().await;
                }
                Event::Read(fill(stream, early, room).await)
            };
            smol::future::or(piece, read).await
        };
        match event {
            // An empty chunk would end the body.
            Event::Piece(Some(piece)) if piece.is_empty() => {}
            Event::Piece(Some(piece)) if raw => write_all(stream, &piece, timeout).await?,
            Event::Piece(Some(piece)) => {
                let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
                chunk.extend_from_slice(&piece);
                chunk.extend_from_slice(b"\r\n");
                write_all(stream, &chunk, timeout).await?;
            }
            Event::Piece(None) if raw => return Ok(()),
            Event::Piece(None) => return write_all(stream, b"0\r\n\r\n", timeout).await,
            Event::Read(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Event::Read(Ok(_)) => {}
            Event::Read(Err(error)) => return Err(error),
        }
    }
}

/// Writes all of `bytes` and flushes; an error where nothing moves for `timeout`.
pub(super) async fn write_all<S: AsyncWrite + Unpin>(stream: &mut S, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = within(timeout, stream.write(bytes)).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(n..).unwrap_or_default();
    }
    within(timeout, stream.flush()).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

/// The response, or a bare 500 where one of its headers could split the answer.
fn checked(response: Response) -> Response {
    let bad = response.headers.iter().find(|(name, value)| !is_token(name) || !is_field_value(value));
    match bad {
        None => response,
        Some((name, _)) => {
            log::error!("an answer's header {name:?} holds a line end or a control; answering 500");
            Response::empty(500)
        }
    }
}

fn head(response: &Response, shape: Shape, close: bool) -> String {
    let status = response.status;
    let mut out = format!("HTTP/1.1 {status} {}\r\n", phrase(status));
    for (name, value) in &response.headers {
        if !["content-length", "transfer-encoding", "connection"].iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            let _ = write!(out, "{name}: {value}\r\n");
        }
    }
    match &response.body {
        _ if matches!(status, 100..=199 | 204) => {}
        Body::Whole(body) if status != 304 => {
            let _ = write!(out, "Content-Length: {}\r\n", body.len());
        }
        Body::Stream(_) if status != 304 && !shape.http_1_0 => out.push_str("Transfer-Encoding: chunked\r\n"),
        _ => {}
    }
    if close {
        out.push_str("Connection: close\r\n");
    }
    out.push_str("\r\n");
    out
}

/// The words beside a status code.
pub(crate) const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}
