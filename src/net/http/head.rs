//! The strict reading of a request's head (RFC 9112): request line and headers, framed by CR LF alone.
//!
//! Strict, because what two parties frame differently is how requests are smuggled: a bare LF, a bare CR, a space
//! before a colon, a folded line, a byte that is no text, all end the matter.

/// Headers a request may have. Parsing keeps 64 × 32 bytes on the stack for the moment.
const MAX_HEADERS: usize = 64;

/// A request's head as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestHead {
    /// A token, as sent.
    pub method: String,
    /// Printable ASCII.
    pub target: String,
    /// HTTP/1.0 (or 1.1).
    pub http_1_0: bool,
    /// Names in lower case, values without the blanks around them, in order.
    pub headers: Vec<(String, String)>,
    /// Bytes of the input that the head takes, with its empty line.
    pub used: usize,
}

/// Why there is no head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeadError {
    /// Not a head, or not one that everybody frames alike.
    Malformed,
    /// Longer than the limit, or with too many headers.
    TooLong,
}

/// Reads the head at the start of `bytes`; `None` while it is not complete. A head may take at most `limit` bytes.
pub(crate) fn parse(bytes: &[u8], limit: usize) -> Result<Option<RequestHead>, HeadError> {
    let Some(used) = end_of_head(bytes, limit)? else { return Ok(None) };
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(&bytes[..used]) {
        Ok(httparse::Status::Complete(n)) if n == used => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLong),
        _ => return Err(HeadError::Malformed),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(HeadError::Malformed);
    };
    if !target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(HeadError::Malformed);
    }
    let mut headers = Vec::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let value = std::str::from_utf8(field.value).map_err(|_| HeadError::Malformed)?;
        headers.push((field.name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
    }
    Ok(Some(RequestHead { method: method.to_owned(), target: target.to_owned(), http_1_0: minor == 0, headers, used }))
}

impl RequestHead {
    /// Every value of header `name` (lower case).
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether header `name` (lower case) is there at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The value of header `name` (lower case); `None` where it is missing or there more than once.
    pub(crate) fn one<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.all(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }
}

/// Where the head ends, past its empty line; `None` while that has not come.
fn end_of_head(bytes: &[u8], limit: usize) -> Result<Option<usize>, HeadError> {
    let mut line_start = 0;
    let mut previous = 0;
    for (i, &b) in bytes.iter().take(limit).enumerate() {
        match (previous, b) {
            (b'\r', b'\n') if i == line_start + 1 => return Ok(Some(i + 1)),
            (b'\r', b'\n') => line_start = i + 1,
            (b'\r', _) | (_, b'\n') => return Err(HeadError::Malformed),
            _ => {}
        }
        previous = b;
    }
    if bytes.len() >= limit { Err(HeadError::TooLong) } else { Ok(None) }
}

/// Whether `name` may be sent as a header's name: a token (RFC 9110, 5.6.2).
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether `value` may be sent as a header's value: no control but the tab, so no line end.
pub(crate) fn is_field_value(value: &str) -> bool {
    !value.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f)
}

/// Whether the comma-separated list `value` has `token`, in any case.
pub(crate) fn lists(value: &str, token: &str) -> bool {
    value.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &[u8] = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Two:  v w \r\n\r\nrest";

    #[test]
    fn reads_line_and_headers() {
        let head = parse(PLAIN, 8192).unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str(), head.http_1_0), ("GET", "/a?b=c", false));
        assert_eq!(head.one("x-two"), Some("v w"));
        assert_eq!(&PLAIN[head.used..], b"rest");
    }

    #[test]
    fn every_prefix_is_incomplete() {
        for n in 0..PLAIN.len() - 4 {
            assert_eq!(parse(&PLAIN[..n], 8192), Ok(None), "{n} bytes");
        }
    }

    #[test]
    fn what_two_parties_may_frame_differently_is_malformed() {
        for bad in [
            "GET / HTTP/1.1\nHost: x\n\n",
            "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
            "GET /\r\nHost: x\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nNo colon\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert_eq!(parse(bad.as_bytes(), 8192), Err(HeadError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn is_bounded() {
        let mut long = b"GET / HTTP/1.1\r\nA: ".to_vec();
        long.resize(200, b'a');
        assert_eq!(parse(&long, 200), Err(HeadError::TooLong));
        assert_eq!(parse(&long, 201), Ok(None));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(parse(many.as_bytes(), 8192), Err(HeadError::TooLong));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes, 256);
        }

        #[test]
        fn a_damaged_head_never_takes_more_than_there_is(at in 0..PLAIN.len(), to in any::<u8>()) {
            let mut bytes = PLAIN.to_vec();
            bytes[at] = to;
            if let Ok(Some(head)) = parse(&bytes, 8192) {
                prop_assert!(head.used <= bytes.len() && bytes[..head.used].ends_with(b"\r\n\r\n"));
            }
        }
    }
}
