//! One bounded HTTP/1.1 exchange over a stream that is already connected: DoH, the control socket, probes.
//!
//! No redirects, no connection pool, no clock: the caller dials, wraps deadlines ([`crate::net::deadline::within`]),
//! and keeps the stream where [`Head::reusable`] allows.

use std::fmt;
use std::fmt::Write as _;
use std::io;

use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::body::fill;
use super::chunked::{Broken, Decoder};
use super::head::{is_field_value, is_token, lists};

/// Bytes read at once; the buffer of an exchange is this and the head limit.
const READ: usize = 16 * 1024;
/// Headers an answer may have: 100 × 32 bytes on the stack while the head is parsed.
const MAX_HEADERS: usize = 100;
/// Interim answers (1xx) that are skipped before the final one.
const MAX_INTERIM: usize = 4;

/// A request to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// `GET`, `POST`, ….
    pub method: &'a str,
    /// Path with query.
    pub target: &'a str,
    /// The Host header: name or address, with the port where it is not the scheme's own.
    pub host: &'a str,
    /// Beside Host, Content-Length and Connection, which are set here.
    pub headers: &'a [(&'a str, &'a str)],
    /// Sent with Content-Length; an empty one only with POST, PUT and PATCH.
    pub body: &'a [u8],
    /// Ask to keep the connection.
    pub keep_alive: bool,
}

impl<'a> Outgoing<'a> {
    /// A GET on a connection that ends with it.
    pub const fn get(host: &'a str, target: &'a str) -> Outgoing<'a> {
        Outgoing { method: "GET", target, host, headers: &[], body: &[], keep_alive: false }
    }
}

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// Bytes of the answer's head. RAM.
    pub head: usize,
    /// Bytes of its body. RAM with [`fetch`]; with [`exchange`] only what the sink keeps.
    pub body: u64,
}

impl ClientLimits {
    /// For APIs: heads of 16 KiB, bodies of 64 KiB (contracts, "Common rules").
    pub const fn api() -> ClientLimits {
        ClientLimits { head: 16 * 1024, body: 64 * 1024 }
    }
}

/// The head of an answer, once its body was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Status code, 200 and above.
    pub status: u16,
    /// Header names in lower case, values without the blanks around them, in order.
    pub headers: Vec<(String, String)>,
    /// Another exchange may follow on the stream.
    pub reusable: bool,
}

impl Head {
    /// The value of header `name` (lower case); `None` where it is missing or there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        one(&self.headers, name)
    }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code, 200 and above.
    pub status: u16,
    /// Header names in lower case, values without the blanks around them, in order.
    pub headers: Vec<(String, String)>,
    /// At most [`ClientLimits::body`].
    pub body: Vec<u8>,
    /// Another exchange may follow on the stream.
    pub reusable: bool,
}

impl Answer {
    /// The value of header `name` (lower case); `None` where it is missing or there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        one(&self.headers, name)
    }
}

/// Why an exchange failed. The stream is of no further use after any of them.
#[derive(Debug)]
pub enum ClientError {
    /// The request itself cannot be sent: a line end or a blank where none may be.
    Request,
    /// The peer closed before an answer began. On a reused connection a safe request may be sent once more on a new one.
    Closed,
    /// The peer closed within the answer.
    Truncated,
    /// The answer is not well-formed HTTP/1.1.
    Malformed,
    /// The answer's head is over its limit.
    HeadTooLong,
    /// The answer's body is over its limit.
    BodyTooLong,
    /// The stream failed.
    Io(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Request => f.write_str("the request holds what no HTTP request may"),
            ClientError::Closed => f.write_str("the peer closed the connection without an answer"),
            ClientError::Truncated => f.write_str("the answer broke off"),
            ClientError::Malformed => f.write_str("the answer is not well-formed HTTP/1.1"),
            ClientError::HeadTooLong => f.write_str("the answer's head is too long"),
            ClientError::BodyTooLong => f.write_str("the answer's body is too long"),
            ClientError::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<ClientError> for io::Error {
    fn from(error: ClientError) -> io::Error {
        match error {
            ClientError::Io(error) => error,
            ClientError::Closed | ClientError::Truncated => io::Error::new(io::ErrorKind::UnexpectedEof, error.to_string()),
            _ => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
        }
    }
}

/// Sends `request` and reads the answer; the body's bytes go to `sink` as they come, at most `limits.body` of them.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &Outgoing<'_>,
    limits: &ClientLimits,
    mut sink: impl FnMut(&[u8]),
) -> Result<Head, ClientError> {
    let mut sent = write_out(request)?;
    sent.extend_from_slice(request.body);
    let written = async {
        stream.write_all(&sent).await?;
        stream.flush().await
    };
    // A server that refuses early may close its side before it has read all; its answer is worth reading.
    let failed = written.await.err();
    drop(sent);
    let mut buffer = Vec::new();
    let read = read_head(stream, &mut buffer, limits.head).await;
    let (mut head, http_1_0) = match (read, failed) {
        (Ok(head), None) => head,
        (Ok(mut head), Some(_)) => {
            head.0.reusable = false;
            head
        }
        (Err(_), Some(error)) => return Err(ClientError::Io(error)),
        (Err(error), None) => return Err(error),
    };
    let length = body_length(request.method, &head, http_1_0)?;
    let closes = head.headers.iter().any(|(name, value)| name == "connection" && lists(value, "close"));
    head.reusable = head.reusable && request.keep_alive && !http_1_0 && !closes;
    match length {
        Length::Bytes(n) => read_bytes(stream, &mut buffer, n, limits.body, &mut sink).await?,
        Length::Chunked => read_chunked(stream, &mut buffer, limits.body, &mut sink).await?,
        Length::ToEnd => {
            head.reusable = false;
            read_to_end(stream, &mut buffer, limits.body, &mut sink).await?;
        }
    }
    // What nobody asked for must not be taken for the next answer.
    head.reusable = head.reusable && buffer.is_empty();
    Ok(head)
}

/// Sends `request` and reads the whole answer.
pub async fn fetch<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &Outgoing<'_>, limits: &ClientLimits) -> Result<Answer, ClientError> {
    let mut body = Vec::new();
    let head = exchange(stream, request, limits, |bytes| body.extend_from_slice(bytes)).await?;
    Ok(Answer { status: head.status, headers: head.headers, body, reusable: head.reusable })
}

/// How the end of an answer's body is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    Bytes(u64),
    Chunked,
    ToEnd,
}

fn one<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(n, _)| n == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

fn write_out(request: &Outgoing<'_>) -> Result<Vec<u8>, ClientError> {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let fields_fit = request.headers.iter().all(|(name, value)| is_token(name) && is_field_value(value));
    if !is_token(request.method) || !plain(request.target) || !plain(request.host) || !fields_fit {
        return Err(ClientError::Request);
    }
    let mut out = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target, request.host);
    for (name, value) in request.headers {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    if !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH") {
        let _ = write!(out, "Content-Length: {}\r\n", request.body.len());
    }
    if !request.keep_alive {
        out.push_str("Connection: close\r\n");
    }
    out.push_str("\r\n");
    Ok(out.into_bytes())
}

/// Fills `buffer` once more; how many bytes came, 0 at the end.
async fn more<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Result<usize, ClientError> {
    fill(stream, buffer, READ).await.map_err(|error| match error.kind() {
        // TLS without close_notify, or a reset: whatever was coming is cut off.
        io::ErrorKind::UnexpectedEof => ClientError::Truncated,
        _ => ClientError::Io(error),
    })
}

/// Reads up to the end of the final head; what follows it stays in `buffer`. Also whether it is HTTP/1.0.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, limit: usize) -> Result<(Head, bool), ClientError> {
    let (mut begun, mut interim) = (false, 0);
    loop {
        while let Some((head, http_1_0, used)) = parse_head(buffer, limit)? {
            buffer.drain(..used);
            match head.status {
                // Switching protocols was not asked for.
                101 => return Err(ClientError::Malformed),
                100..=199 if interim < MAX_INTERIM => interim += 1,
                200..=999 => return Ok((head, http_1_0)),
                _ => return Err(ClientError::Malformed),
            }
        }
        match more(stream, buffer).await {
            Ok(0) | Err(ClientError::Truncated) if begun => return Err(ClientError::Truncated),
            Ok(0) | Err(ClientError::Truncated) => return Err(ClientError::Closed),
            Ok(_) => begun = true,
            Err(error) => return Err(error),
        }
    }
}

fn parse_head(bytes: &[u8], limit: usize) -> Result<Option<(Head, bool, usize)>, ClientError> {
    let bytes = &bytes[..bytes.len().min(limit)];
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut fields);
    let used = match response.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) if bytes.len() < limit => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Err(ClientError::HeadTooLong),
        Err(_) => return Err(ClientError::Malformed),
    };
    let (Some(status), Some(minor)) = (response.code, response.version) else { return Err(ClientError::Malformed) };
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim_matches([' ', '\t']).to_owned();
    let headers = response.headers.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect();
    Ok(Some((Head { status, headers, reusable: true }, minor == 0, used)))
}

/// RFC 9112, 6.3, without its tolerance: two ways to tell the length are an error.
fn body_length(method: &str, head: &Head, http_1_0: bool) -> Result<Length, ClientError> {
    if method == "HEAD" || matches!(head.status, 204 | 304) {
        return Ok(Length::Bytes(0));
    }
    let has = |name: &str| head.headers.iter().any(|(n, _)| n == name);
    match (has("transfer-encoding"), has("content-length")) {
        (true, false) if !http_1_0 && head.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) => Ok(Length::Chunked),
        (true, _) => Err(ClientError::Malformed),
        (false, false) => Ok(Length::ToEnd),
        (false, true) => {
            let text = head.header("content-length").ok_or(ClientError::Malformed)?;
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten().map(Length::Bytes).ok_or(ClientError::Malformed)
        }
    }
}

async fn read_bytes<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    length: u64,
    limit: u64,
    sink: &mut impl FnMut(&[u8]),
) -> Result<(), ClientError> {
    if length > limit {
        return Err(ClientError::BodyTooLong);
    }
    let mut left = length;
    while left > 0 {
        if buffer.is_empty() && more(stream, buffer).await? == 0 {
            return Err(ClientError::Truncated);
        }
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        sink(&buffer[..take]);
        buffer.drain(..take);
        left -= take as u64;
    }
    Ok(())
}

async fn read_chunked<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    limit: u64,
    sink: &mut impl FnMut(&[u8]),
) -> Result<(), ClientError> {
    let (mut decoder, mut seen) = (Decoder::new(), 0);
    loop {
        let used = decoder
            .push(buffer, |bytes| {
                seen += bytes.len() as u64;
                if seen <= limit {
                    sink(bytes);
                }
            })
            .map_err(|Broken| ClientError::Malformed)?;
        if seen > limit {
            return Err(ClientError::BodyTooLong);
        }
        buffer.drain(..used);
        if decoder.done() {
            return Ok(());
        }
        if more(stream, buffer).await? == 0 {
            return Err(ClientError::Truncated);
        }
    }
}

async fn read_to_end<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    limit: u64,
    sink: &mut impl FnMut(&[u8]),
) -> Result<(), ClientError> {
    let mut left = limit;
    loop {
        left = left.checked_sub(buffer.len() as u64).ok_or(ClientError::BodyTooLong)?;
        sink(buffer);
        buffer.clear();
        if more(stream, buffer).await? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smol::Async;
    use std::os::unix::net::UnixStream;

    const LIMITS: ClientLimits = ClientLimits { head: 200, body: 20 };

    /// What [`fetch`] makes of `answer`, after which the server closes, and what it sent.
    fn asked(request: Outgoing<'_>, answer: &[u8]) -> (Result<Answer, ClientError>, String) {
        smol::block_on(async {
            let (mut ours, mut theirs) = Async::<UnixStream>::pair().unwrap();
            theirs.write_all(answer).await.unwrap();
            theirs.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
            let result = fetch(&mut ours, &request, &LIMITS).await;
            drop(ours);
            let mut sent = String::new();
            // What the client left unread comes back as a reset, after what it sent.
            let _ = smol::io::AsyncReadExt::read_to_string(&mut theirs, &mut sent).await;
            (result, sent)
        })
    }

    fn kept(answer: &str) -> Answer {
        asked(Outgoing { keep_alive: true, ..Outgoing::get("x", "/") }, answer.as_bytes()).0.unwrap()
    }

    fn failed(answer: &str) -> ClientError {
        asked(Outgoing::get("x", "/"), answer.as_bytes()).0.unwrap_err()
    }

    #[test]
    fn writes_a_request() {
        let headers = [("Accept", "a/b"), ("X-Y", "z")];
        let post = Outgoing { method: "POST", target: "/q?a=b", host: "x:1", headers: &headers, body: b"{}", keep_alive: true };
        let sent = asked(post, b"HTTP/1.1 204 No Content\r\n\r\n").1;
        assert_eq!(sent, "POST /q?a=b HTTP/1.1\r\nHost: x:1\r\nAccept: a/b\r\nX-Y: z\r\nContent-Length: 2\r\n\r\n{}");
        let sent = asked(Outgoing::get("x", "/"), b"HTTP/1.1 204 No Content\r\n\r\n").1;
        assert_eq!(sent, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn sends_nothing_that_would_be_two_requests() {
        let get = Outgoing::get("x", "/");
        for bad in [
            Outgoing { method: "GE T", ..get },
            Outgoing { method: "", ..get },
            Outgoing { target: "/ HTTP/1.1\r\nA: b", ..get },
            Outgoing { target: "/a b", ..get },
            Outgoing { host: "x\r\nA: b", ..get },
            Outgoing { headers: &[("A", "b\r\nC: d")], ..get },
            Outgoing { headers: &[("A: b\r\nC", "d")], ..get },
        ] {
            let (result, sent) = asked(bad, b"");
            assert!(matches!(result, Err(ClientError::Request)) && sent.is_empty(), "{bad:?}");
        }
    }

    #[test]
    fn reads_bodies_of_each_length() {
        for (answer, body, reusable) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "abc", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", "abc", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", false),
            ("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "abcd", true),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", false),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "", true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", true),
        ] {
            let got = kept(answer);
            assert_eq!((got.body.as_slice(), got.reusable), (body.as_bytes(), reusable), "{answer:?}");
        }
        let head = Outgoing { method: "HEAD", keep_alive: true, ..Outgoing::get("x", "/") };
        let got = asked(head, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").0.unwrap();
        assert!(got.body.is_empty() && got.reusable && got.header("content-length") == Some("3"));
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let twenty = "x".repeat(20);
        for (fits, over) in [
            (format!("Content-Length: 20\r\n\r\n{twenty}"), "Content-Length: 21\r\n\r\n".to_owned()),
            (
                format!("Transfer-Encoding: chunked\r\n\r\n14\r\n{twenty}\r\n0\r\n\r\n"),
                format!("Transfer-Encoding: chunked\r\n\r\n14\r\n{twenty}\r\n1\r\nx"),
            ),
            (format!("\r\n{twenty}"), format!("\r\n{twenty}x")),
        ] {
            assert_eq!(kept(&format!("HTTP/1.1 200 OK\r\n{fits}")).body, twenty.as_bytes());
            assert!(matches!(failed(&format!("HTTP/1.1 200 OK\r\n{over}")), ClientError::BodyTooLong), "{over}");
        }
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(200));
        assert!(matches!(failed(&long), ClientError::HeadTooLong));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A:\r\n".repeat(MAX_HEADERS + 1));
        assert!(matches!(failed(&many), ClientError::HeadTooLong));
    }

    #[test]
    fn what_breaks_off_or_lies_is_told() {
        for closed in
            ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"]
        {
            let error = failed(closed);
            assert!(
                if closed.is_empty() { matches!(error, ClientError::Closed) } else { matches!(error, ClientError::Truncated) },
                "{closed:?}: {error}"
            );
        }
        for bad in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "HTTP/1.1 099 Odd\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        ] {
            assert!(matches!(failed(bad), ClientError::Malformed), "{bad:?}");
        }
        let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM + 1);
        assert!(matches!(failed(&endless), ClientError::Malformed));
    }

    #[test]
    fn an_early_refusal_is_read_though_the_request_was_not() {
        smol::block_on(async {
            let (mut ours, mut theirs) = Async::<UnixStream>::pair().unwrap();
            theirs.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            theirs.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
            let body = vec![0; 1 << 20];
            let request = Outgoing { method: "POST", body: &body, keep_alive: true, ..Outgoing::get("x", "/") };
            let answer = fetch(&mut ours, &request, &LIMITS).await.unwrap();
            assert_eq!((answer.status, answer.reusable), (413, false));
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_answer_is_judged(noise in proptest::collection::vec(any::<u8>(), 0..120), at in 0usize..60) {
            let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec();
            answer.splice(at..at, noise);
            let _ = asked(Outgoing::get("x", "/"), &answer);
        }
    }
}
