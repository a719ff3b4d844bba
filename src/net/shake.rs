//! A handshake in memory, for the tests of all that speaks TLS.

use rustls::{ClientConnection, Error, ServerConnection};

/// More turns than any handshake takes, the tickets after it included.
const TURNS: usize = 10;

/// Moves records between both ends until neither has more to say.
///
/// # Errors
/// Why an end refused the other.
///
/// # Panics
/// Where they come to no end.
pub fn shake(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Error> {
    for _ in 0..TURNS {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
        if !client.wants_write() && !client.is_handshaking() && !server.is_handshaking() {
            return Ok(());
        }
    }
    panic!("the handshake comes to no end");
}
