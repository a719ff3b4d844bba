//! One HTTP/1.1 exchange over any stream, by code of the tests' own.

use std::io::{self, Read, Write};

use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The head of a request that somebody sent.
pub struct Head(String);

impl Head {
    /// Reads one byte by byte: what follows is the body.
    pub fn read(stream: &mut impl Read) -> io::Result<Head> {
        let mut head = Vec::new();
        let mut one = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut one)?;
            head.push(one[0]);
        }
        Ok(Head(String::from_utf8_lossy(&head).into_owned()))
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// The path, with its query.
    pub fn target(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }

    /// How long the body is.
    pub fn length(&self) -> usize {
        self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }

    /// The body.
    pub fn body(&self, stream: &mut impl Read) -> io::Result<Vec<u8>> {
        let mut body = vec![0; self.length()];
        stream.read_exact(&mut body).map(|()| body)
    }
}

/// A request with a body.
pub fn request(method: &str, target: &str, host: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        out.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// Sends `request` and reads the whole answer.
pub fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> io::Result<Answer> {
    stream.write_all(request)?;
    stream.flush()?;
    read(stream)
}

/// Reads one answer.
pub fn read(stream: &mut impl Read) -> io::Result<Answer> {
    let mut answer = read_head(stream)?;
    if let Some(length) = answer.header("content-length").and_then(|v| v.parse().ok()) {
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body)?;
    } else if answer.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        answer.body = chunked(stream)?;
    } else if answer.status != 204 {
        // The other side closes; an end without TLS's own farewell is an end all the same.
        match stream.read_to_end(&mut answer.body) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(e) => return Err(e),
        }
    }
    Ok(answer)
}

/// Reads a head byte by byte: what follows belongs to somebody else.
pub fn read_head(stream: &mut impl Read) -> io::Result<Answer> {
    let mut head = Vec::new();
    let mut one = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16 * 1024 || stream.read(&mut one)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("no whole head: {}", String::from_utf8_lossy(&head))));
        }
        head.push(one[0]);
    }
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(&head).map_err(io::Error::other)?;
    let headers = parsed.headers.iter().map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned())).collect();
    Ok(Answer { status: parsed.code.unwrap_or(0), headers, body: Vec::new() })
}

fn line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut one = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut one)?;
        line.push(one[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

fn chunked(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&line(stream)?, 16).map_err(io::Error::other)?;
        let from = body.len();
        body.resize(from + size, 0);
        stream.read_exact(&mut body[from..])?;
        line(stream)?;
        if size == 0 {
            return Ok(body);
        }
    }
}
