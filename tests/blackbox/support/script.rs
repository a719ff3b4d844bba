//! An origin that does what one command byte says, and the buyer's end of such a raw tunnel.
//!
//! The node looks at the ClientHello and the first bytes back, and then relays bytes as they are: so these tests
//! need no TLS inside the tunnel beyond the hello.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::buyer::{Door, Wire};
use super::{raw, trust};

/// What the origin answers to the hello: looks like the start of a TLS record.
const FIRST: &[u8] = &[22, 3, 3, 0, 1, 2];
/// Sent by `DOWN`.
pub const DOWN_BYTES: u64 = 1_500_000;

/// Give back every byte.
pub const ECHO: u8 = b'e';
/// Read to the end, then answer the hash and end.
pub const UP: u8 = b'u';
/// Send [`DOWN_BYTES`], end that direction, then read to the end and tell the hash to the test.
pub const DOWN: u8 = b'd';
/// Send for ever.
pub const FLOOD: u8 = b'f';
/// Reset the connection.
pub const RESET: u8 = b'r';

/// The origin. Gives what `DOWN` was told by buyers.
pub fn origin(addr: SocketAddr) -> Receiver<String> {
    let (tell, told) = channel();
    let tell = Arc::new(Mutex::new(tell));
    raw::serve(addr, move |stream| {
        let tell = tell.lock().unwrap().clone();
        let _ = act(stream, &tell);
    });
    told
}

fn act(mut stream: TcpStream, tell: &Sender<String>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut hello)?;
    stream.write_all(FIRST)?;
    let mut command = [0];
    stream.read_exact(&mut command)?;
    match command[0] {
        ECHO => {
            let mut piece = vec![0; 64 * 1024];
            loop {
                let n = stream.read(&mut piece)?;
                if n == 0 {
                    break;
                }
                stream.write_all(&piece[..n])?;
            }
        }
        UP => {
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            stream.write_all(raw::hash(&all).as_bytes())?;
        }
        DOWN => {
            stream.write_all(&raw::bytes(DOWN_BYTES))?;
            stream.shutdown(Shutdown::Write)?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            let _ = tell.send(raw::hash(&all));
        }
        FLOOD => loop {
            stream.write_all(&[0x5a; 64 * 1024])?;
        },
        RESET => {
            nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
        }
        _ => {}
    }
    Ok(())
}

/// The ClientHello rustls makes for `name`, offering `alpn`.
pub fn hello(name: &str, alpn: &[&str]) -> Vec<u8> {
    let config = trust::client_of("", alpn);
    let mut client = ClientConnection::new(config, ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// A tunnel to the origin at `name`, the hello sent, its first bytes read, and `command` given.
#[track_caller]
pub fn tunnel(door: &Door, name: &str, command: u8) -> Wire {
    let mut wire = door.tunnel(&format!("{name}:8443"));
    wire.write_all(&hello(name, &[])).unwrap();
    wire.flush().unwrap();
    let mut first = [0; FIRST.len()];
    wire.read_exact(&mut first).unwrap();
    assert_eq!(first, FIRST);
    wire.write_all(&[command]).unwrap();
    wire.flush().unwrap();
    wire
}

/// Ends the buyer's sending direction.
pub fn no_more(wire: &mut Wire) {
    match wire {
        Wire::Plain(stream) => stream.shutdown(Shutdown::Write).unwrap(),
        Wire::Tls(tls) => {
            tls.conn.send_close_notify();
            tls.flush().unwrap();
        }
    }
}
