//! One buyer's bytes, both ways, each direction to its own end.

use std::io;
use std::net::{Shutdown, TcpStream};

use smol::Async;
use smol::future::try_zip;
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::net::mux::Stream;

/// Bytes under way in one direction; two of them a connection.
const PIECE: usize = 16 * 1024;

/// Carries until both sides said their last, or one fails; then both are closed.
pub(super) async fn carry(buyer: Async<TcpStream>, stream: Stream) {
    let out = async {
        pour(&buyer, &stream).await?;
        stream.finish()
    };
    let back = async {
        pour(&stream, &buyer).await?;
        buyer.get_ref().shutdown(Shutdown::Write)
    };
    if let Err(e) = try_zip(out, back).await {
        log::debug!("gateway: a buyer's connection: {e}");
    }
}

async fn pour(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).await? {
            0 => return Ok(()),
            n => to.write_all(&piece[..n]).await?,
        }
    }
}
