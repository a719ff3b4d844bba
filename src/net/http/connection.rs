//! One connection of the bounded server: requests in order, one at a time, each within its limits.

use std::net::SocketAddr;
use std::time::Duration;

use smol::channel::{Receiver, bounded};
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::body::fill;
use super::head::{self, HeadError, RequestHead, lists};
use super::respond::{Shape, respond};
use super::server::Limits;
use super::{Handler, Request, Response};
use crate::net::deadline::within;

/// Bytes asked of the socket at once: the buffer of a connection is the head limit and this.
const READ: usize = 2 * 1024;
/// How long a new connection is spared when room is made for others: its first request may be under way.
const GRACE: Duration = Duration::from_secs(1);
/// After a refusal, how long and how much of what is still under way is thrown away, so that the answer is not lost
/// to the reset that closing on unread bytes causes.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 256 * 1024;

/// Serves requests on `stream` until either side ends it. Returns when nothing of the connection is left to do; the
/// stream is dropped then. `peer` is handed to the handler.
///
/// A handler runs to its end even where the client has gone; a streamed answer ends as soon as the client's does.
pub async fn connection<S, H>(stream: S, peer: Option<SocketAddr>, limits: &Limits, handler: &H)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let (_kept, never) = bounded(1);
    converse(stream, peer, limits, handler, &never).await;
}

/// The same; one message on `yields` ends one connection that waits for a request and had its chance to send one.
pub(super) async fn converse<S, H>(mut stream: S, peer: Option<SocketAddr>, limits: &Limits, handler: &H, yields: &Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let mut buffer = Vec::new();
    let grace = GRACE.min(limits.head_timeout).min(limits.idle_timeout);
    match within(grace, fill(&mut stream, &mut buffer, READ)).await {
        Some(Ok(1..)) | None => {}
        Some(_) => return,
    }
    loop {
        if buffer.is_empty() && !awaited(&mut stream, &mut buffer, limits.idle_timeout, yields).await {
            break;
        }
        let (request, shape) = match next_request(&mut stream, &mut buffer, peer, limits).await {
            Ok(next) => next,
            Err(Ended::Gone) => break,
            Err(Ended::Refuse(status)) => {
                refuse(&mut stream, status, limits).await;
                return;
            }
        };
        let response = handler.handle(request).await;
        match respond(&mut stream, response, shape, limits.write_timeout, &mut buffer, limits.head).await {
            Ok(true) => {}
            Ok(false) => break,
            // Nothing more can be said to this client.
            Err(_) => return,
        }
    }
    let _ = within(limits.write_timeout, stream.close()).await;
}

/// Why no further request is served.
enum Ended {
    /// The client closed, or was silent for too long.
    Gone,
    /// A last answer of this status.
    Refuse(u16),
}

/// Whether a request begins before the connection has been idle for too long or must give way.
async fn awaited<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, idle: Duration, yields: &Receiver<()>) -> bool {
    // An idle connection keeps no buffer.
    *buffer = Vec::new();
    let first = async { matches!(within(idle, fill(stream, buffer, READ)).await, Some(Ok(1..))) };
    let yielded = async {
        match yields.recv().await {
            Ok(()) => false,
            Err(_) => smol::future::pending().await,
        }
    };
    smol::future::or(first, yielded).await
}

async fn next_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    peer: Option<SocketAddr>,
    limits: &Limits,
) -> Result<(Request, Shape), Ended> {
    let head = match within(limits.head_timeout, read_head(stream, buffer, limits.head)).await {
        Some(head) => head?,
        None => return Err(Ended::Refuse(408)),
    };
    buffer.drain(..head.used);
    let length = body_length(&head, limits.body).map_err(Ended::Refuse)?;
    let mut body: Vec<u8> = buffer.drain(..length.min(buffer.len())).collect();
    let rest = async {
        while body.len() < length {
            let room = (length - body.len()).min(READ);
            if !matches!(fill(stream, &mut body, room).await, Ok(1..)) {
                return Err(Ended::Gone);
            }
        }
        Ok(())
    };
    within(limits.body_timeout, rest).await.unwrap_or(Err(Ended::Refuse(408)))?;
    let close = head.http_1_0 || head.all("connection").any(|value| lists(value, "close"));
    let shape = Shape { head_only: head.method == "HEAD", http_1_0: head.http_1_0, close };
    Ok((Request { method: head.method, target: head.target, headers: head.headers, body, peer }, shape))
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, limit: usize) -> Result<RequestHead, Ended> {
    loop {
        // Empty lines before a request line are tolerated (RFC 9112, 2.2).
        while buffer.starts_with(b"\r\n") {
            buffer.drain(..2);
        }
        match head::parse(buffer, limit) {
            Ok(Some(head)) => return Ok(head),
            Ok(None) => {}
            Err(HeadError::Malformed) => return Err(Ended::Refuse(400)),
            Err(HeadError::TooLong) => return Err(Ended::Refuse(431)),
        }
        if !matches!(fill(stream, buffer, READ).await, Ok(1..)) {
            return Err(Ended::Gone);
        }
    }
}

/// How long the body is, or the status that refuses the request.
fn body_length(head: &RequestHead, limit: usize) -> Result<usize, u16> {
    if head.has("transfer-encoding") {
        return Err(501);
    }
    let origin_form = head.target.starts_with('/') && !head.target.contains('#');
    let named = if head.http_1_0 { head.all("host").count() <= 1 } else { head.one("host").is_some() };
    if !named || !(origin_form || head.target == "*") {
        return Err(400);
    }
    let length = match head.one("content-length") {
        None if head.has("content-length") => return Err(400),
        None => 0,
        Some(text) if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) => return Err(400),
        // More digits than a number holds is over any limit.
        Some(text) => text.parse().unwrap_or(usize::MAX),
    };
    if length > limit {
        return Err(413);
    }
    if head.has("expect") {
        return Err(417);
    }
    Ok(length)
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, status: u16, limits: &Limits) {
    let shape = Shape { head_only: false, http_1_0: false, close: true };
    let mut thrown = Vec::new();
    if respond(stream, Response::empty(status), shape, limits.write_timeout, &mut thrown, 0).await.is_err() {
        return;
    }
    let linger = async {
        let _ = stream.close().await;
        let mut seen = 0;
        while seen < LINGER_BYTES {
            thrown.clear();
            match fill(stream, &mut thrown, READ).await {
                Ok(n @ 1..) => seen += n,
                _ => return,
            }
        }
    };
    let _ = within(LINGER, linger).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http::Body;
    use smol::Async;
    use smol::future::zip;
    use smol::io::AsyncReadExt as _;
    use std::cell::RefCell;
    use std::os::unix::net::UnixStream;

    /// Answers with what was asked; `/stream` with the channel, `/split` with a header that would split the answer.
    #[derive(Default)]
    struct Echo {
        asked: RefCell<Vec<String>>,
        pieces: RefCell<Option<Receiver<Vec<u8>>>>,
    }

    impl Handler for Echo {
        async fn handle(&self, request: Request) -> Response {
            smol::future::yield_now().await;
            let asked = format!("{} {} {}", request.method, request.target, String::from_utf8_lossy(&request.body));
            self.asked.borrow_mut().push(asked.clone());
            match request.path() {
                "/stream" => Response { status: 200, headers: vec![], body: Body::Stream(self.pieces.take().unwrap()) },
                "/split" => Response::empty(200).with("X", "a\r\nY: b"),
                "/nothing" => Response::empty(204),
                "/long" => Response::new(200, "text/plain", vec![b'x'; 1 << 20]),
                "/last" => Response::new(200, "text/plain", asked).with("Connection", "close"),
                _ => Response::new(200, "text/plain", asked).with("Content-Length", "7"),
            }
        }
    }

    fn pair() -> (Async<UnixStream>, Async<UnixStream>) {
        Async::<UnixStream>::pair().unwrap()
    }

    fn limits() -> Limits {
        Limits { head: 200, body: 10, ..Limits::api() }
    }

    /// All that the server says to `sent` and the end of sending.
    async fn says(handler: &Echo, limits: &Limits, sent: &[u8]) -> String {
        let (ours, mut theirs) = pair();
        let client = async {
            theirs.write_all(sent).await.unwrap();
            theirs.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            let _ = theirs.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        };
        zip(connection(ours, None, limits, handler), client).await.1
    }

    fn statuses(answers: &str) -> Vec<u16> {
        answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
    }

    #[test]
    fn pipelined_requests_are_answered_in_order() {
        let sent =
            "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: x\r\n\r\n";
        let handler = Echo::default();
        let answers = smol::block_on(says(&handler, &limits(), sent.as_bytes()));
        assert_eq!(*handler.asked.borrow(), ["GET /1 ", "POST /2 abc", "GET /3 "]);
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ").count(), 3, "{answers}");
        assert!(answers.ends_with("Content-Length: 7\r\n\r\nGET /3 "), "{answers}");
    }

    #[test]
    fn every_bad_request_gets_its_status_and_the_end() {
        for (sent, status) in [
            ("GET / HTTP/1.1\nHost: x\n\n", 400),
            ("nonsense\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
            ("GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 417),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 501),
        ] {
            let handler = Echo::default();
            let answers = smol::block_on(says(&handler, &limits(), format!("{sent}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()));
            assert_eq!(statuses(&answers), [status], "{sent:?}");
            assert!(answers.contains("\r\nConnection: close\r\n") && handler.asked.borrow().is_empty(), "{sent:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(200));
        assert_eq!(statuses(&smol::block_on(says(&Echo::default(), &limits(), long.as_bytes()))), [431]);
    }

    #[test]
    fn a_body_over_the_limit_is_refused_while_its_sender_still_waits() {
        smol::block_on(async {
            let (ours, mut theirs) = pair();
            let client = async {
                theirs.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n").await.unwrap();
                let mut start = [0; 12];
                theirs.read_exact(&mut start).await.unwrap();
                drop(theirs);
                start
            };
            let ((), start) = zip(connection(ours, None, &limits(), &Echo::default()), client).await;
            assert_eq!(&start, b"HTTP/1.1 413");
        });
    }

    #[test]
    fn who_closes_is_told_so_and_closed() {
        for (sent, closes) in [
            ("GET /a HTTP/1.0\r\n\r\n", true),
            ("GET /a HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", true),
            ("GET /last HTTP/1.1\r\nHost: x\r\n\r\n", true),
            ("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", false),
        ] {
            let twice = format!("{sent}{sent}");
            let answers = smol::block_on(says(&Echo::default(), &limits(), twice.as_bytes()));
            assert_eq!((statuses(&answers).len(), answers.contains("Connection: close")), if closes { (1, true) } else { (2, false) }, "{sent}");
        }
    }

    #[test]
    fn head_and_204_have_no_body() {
        let answers = smol::block_on(says(&Echo::default(), &limits(), b"HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(answers.contains("Content-Length: 10\r\n") && answers.ends_with("\r\n\r\n"), "{answers}");
        let answers = smol::block_on(says(&Echo::default(), &limits(), b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(answers, "HTTP/1.1 204 No Content\r\n\r\n");
    }

    #[test]
    fn a_header_that_would_split_the_answer_is_not_sent() {
        let answers = smol::block_on(says(&Echo::default(), &limits(), b"GET /split HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(answers, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn silence_slow_heads_and_slow_bodies_end() {
        let short = Duration::from_millis(5);
        let limits = Limits { idle_timeout: short, head_timeout: short, body_timeout: short, ..limits() };
        for (sent, status) in [
            ("", None),
            ("GET / HTTP/1.1\r\nHost", Some(408)),
            ("\r\n", Some(408)),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab", Some(408)),
        ] {
            let answer = smol::block_on(async {
                let (ours, mut theirs) = pair();
                let client = async {
                    theirs.write_all(sent.as_bytes()).await.unwrap();
                    let mut answer = [0; 12];
                    let n = theirs.read(&mut answer).await.unwrap();
                    drop(theirs);
                    String::from_utf8_lossy(&answer[..n]).into_owned()
                };
                zip(connection(ours, None, &limits, &Echo::default()), client).await.1
            });
            assert_eq!(answer, status.map_or(String::new(), |status| format!("HTTP/1.1 {status}")), "{sent:?}");
        }
    }

    #[test]
    fn a_head_that_trickles_in_has_one_deadline_for_all_of_it() {
        let limits = Limits { head_timeout: Duration::from_millis(20), ..Limits::api() };
        smol::block_on(async {
            let (ours, mut theirs) = pair();
            let trickle = async {
                // Endless, unless the server ends it.
                while theirs.write_all(b"G").await.is_ok() {
                    smol::Timer::after(Duration::from_millis(1)).await;
                }
            };
            zip(connection(ours, None, &limits, &Echo::default()), trickle).await;
        });
    }

    #[test]
    fn a_stream_is_chunked_and_the_connection_goes_on() {
        smol::block_on(async {
            let (send, pieces) = bounded(4);
            let handler = Echo { pieces: RefCell::new(Some(pieces)), ..Echo::default() };
            for piece in ["one", "", "three"] {
                send.send(piece.into()).await.unwrap();
            }
            drop(send);
            let sent = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let (ours, mut theirs) = pair();
            let client = async {
                theirs.write_all(sent).await.unwrap();
                let mut answer = String::new();
                theirs.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let ((), answers) = zip(connection(ours, None, &limits(), &handler), client).await;
            assert!(
                answers.starts_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\nHTTP/1.1 200"),
                "{answers}"
            );
        });
    }

    #[test]
    fn a_stream_to_http_1_0_ends_with_the_connection() {
        smol::block_on(async {
            let (send, pieces) = bounded(4);
            let handler = Echo { pieces: RefCell::new(Some(pieces)), ..Echo::default() };
            send.send(b"one".to_vec()).await.unwrap();
            drop(send);
            let (ours, mut theirs) = pair();
            let client = async {
                theirs.write_all(b"GET /stream HTTP/1.0\r\n\r\n").await.unwrap();
                let mut answer = String::new();
                theirs.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let ((), answer) = zip(connection(ours, None, &limits(), &handler), client).await;
            assert_eq!(answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none");
        });
    }

    #[test]
    fn a_stream_ends_when_its_client_goes() {
        smol::block_on(async {
            let (send, pieces) = bounded(1);
            let handler = Echo { pieces: RefCell::new(Some(pieces)), ..Echo::default() };
            let (ours, mut theirs) = pair();
            let client = async {
                theirs.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                send.send(b"one".to_vec()).await.unwrap();
                let mut answer = [0; 60];
                theirs.read_exact(&mut answer[..55]).await.unwrap();
                drop(theirs);
            };
            zip(connection(ours, None, &limits(), &handler), client).await;
            assert!(send.is_closed(), "with nothing more to send");
        });
    }

    #[test]
    fn who_reads_nothing_is_given_up() {
        smol::block_on(async {
            let limits = Limits { write_timeout: Duration::from_millis(5), ..limits() };
            let (ours, mut theirs) = pair();
            theirs.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            connection(ours, None, &limits, &Echo::default()).await;
            let mut got = Vec::new();
            let _ = theirs.read_to_end(&mut got).await;
            assert!(got.starts_with(b"HTTP/1.1 200 OK\r\n") && got.len() < 1 << 20, "{}", got.len());
        });
    }
}
