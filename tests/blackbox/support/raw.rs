//! Origins of the tests' own: any TCP server in threads, and an HTTPS one that answers with hashes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::Head;

/// Serves every connection to `addr` in a thread of its own, for as long as the test process lives.
/// Gives the count of connections so far.
pub fn serve(addr: SocketAddr, one: impl Fn(TcpStream) + Send + Sync + 'static) -> Arc<AtomicU64> {
    let listener = TcpListener::bind(addr).unwrap_or_else(|e| panic!("{addr}: {e}"));
    let (one, count) = (Arc::new(one), Arc::new(AtomicU64::new(0)));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            let one = one.clone();
            std::thread::spawn(move || one(stream));
        }
    });
    count
}

/// `GET /N` answers the N bytes of [`bytes`]; a body sent is answered with its hash.
pub fn hashing(addr: SocketAddr, tls: Arc<ServerConfig>) -> Arc<AtomicU64> {
    serve(addr, move |stream| {
        let _ = stream.set_nodelay(true);
        let mut tls = StreamOwned::new(ServerConnection::new(tls.clone()).unwrap(), stream);
        // A buyer that goes away early is no fault of the origin's.
        let _ = answer(&mut tls);
    })
}

fn answer(tls: &mut StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    let head = Head::read(tls)?;
    let wanted: u64 = head.target().trim_start_matches('/').parse().unwrap_or(0);
    let length = head.length() as u64;
    if head.header("expect").is_some_and(|wish| wish.eq_ignore_ascii_case("100-continue")) {
        tls.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; 64 * 1024];
    let mut left = length;
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = tls.read(&mut piece[..most])?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&piece[..n]);
        left -= n as u64;
    }
    let text = hasher.finalize().to_hex().to_string();
    let body = if wanted > 0 { bytes(wanted) } else { text.into_bytes() };
    tls.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes())?;
    tls.write_all(&body)?;
    tls.conn.send_close_notify();
    tls.flush()?;
    let _ = tls.sock.shutdown(std::net::Shutdown::Write);
    let _ = tls.read_to_end(&mut Vec::new());
    Ok(())
}

/// `n` bytes in which no piece is like another.
pub fn bytes(n: u64) -> Vec<u8> {
    let mut out = vec![0; usize::try_from(n).unwrap()];
    blake3::Hasher::new_derive_key("echomesh test bytes").finalize_xof().fill(&mut out);
    out
}

/// The hash of some bytes, as the origin tells it.
pub fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
