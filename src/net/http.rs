//! HTTP/1.1 messages as the one bounded server speaks them, and the trait of what answers.

use std::net::SocketAddr;

use crate::codec::json;

pub(crate) mod body;
mod chunked;
pub mod client;
mod connection;
pub(crate) mod head;
pub(crate) mod respond;
pub mod server;

/// One whole, bounded request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, ….
    pub method: String,
    /// Path with query, as on the request line.
    pub target: String,
    /// Header names in lower case, values as sent, in order.
    pub headers: Vec<(String, String)>,
    /// At most the server's body limit.
    pub body: Vec<u8>,
    /// Who asks; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
}

impl Request {
    /// The value of header `name` (lower case); `None` where it is missing or there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first query parameter `name`, percent-decoded; `None` where it is missing or no UTF-8.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let (_, value) = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name)?;
        percent_decode(value)
    }
}

/// Percent-decoding (RFC 3986, 2.1); `None` on a broken escape or what is no UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let (hi, lo) = (char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?);
            out.push(u8::try_from(hi * 16 + lo).ok()?);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Beside Content-Length, Transfer-Encoding and Connection, which the server sets.
    pub headers: Vec<(&'static str, String)>,
    /// What follows.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it, sent with Content-Length.
    Whole(Vec<u8>),
    /// Pieces as they come, sent chunked until the sender is dropped. A bounded channel: a slow reader holds the sender.
    Stream(smol::channel::Receiver<Vec<u8>>),
}

impl Response {
    /// `status` with `body` of `content_type`.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, headers: vec![("Content-Type", content_type.to_owned())], body: Body::Whole(body.into()) }
    }

    /// `status` with a JSON body.
    pub fn json<T: serde::Serialize>(status: u16, value: &T) -> Response {
        Response::new(status, "application/json", json::text(value))
    }

    /// `status` without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }
}

/// What answers requests, on one thread.
#[allow(async_fn_in_trait)] // one thread, static dispatch: no Send bound is wanted
pub trait Handler {
    /// The answer to `request`. Must end in bounded time, or stream.
    async fn handle(&self, request: Request) -> Response;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_path_query_and_headers() {
        let headers = [("a", "1"), ("b", "2"), ("b", "3")].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let request = Request { target: "/p%20q?x=a%2Fb&y=&x=2&z=%FF&w".to_owned(), headers, ..Request::default() };
        assert_eq!((request.path(), request.header("a"), request.header("b"), request.header("c")), ("/p%20q", Some("1"), None, None));
        let query = ["x", "y", "z", "w", "v"].map(|name| request.query(name));
        assert_eq!(query, [Some("a/b".to_owned()), Some(String::new()), None, None, None]);
    }

    #[test]
    fn broken_escapes_are_none() {
        for bad in ["%", "%4", "%4g", "%+1", "a%C3"] {
            assert_eq!(percent_decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn decoding_undoes_encoding(text in "\\PC{0,20}", noise in "\\PC{0,20}") {
            let encoded: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
            prop_assert_eq!(percent_decode(&encoded), Some(text));
            let _ = percent_decode(&noise);
        }
    }
}
