//! The origin: two ports, raw and TLS; does what one command byte says.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::args::Args;
use crate::tls;
use crate::way::{DOWN, FIRST, HOLD, PACED, UP, discard};

/// A step of a paced sender.
const STEP: Duration = Duration::from_millis(10);
const PIECE: usize = 256 * 1024;

/// Until it is killed.
pub fn run(args: &Args) {
    let listen = |name: &str| TcpListener::bind(args.need::<SocketAddr>(name)).unwrap();
    let (raw, inside) = (listen("raw"), listen("tls"));
    let config = tls::server(args.text("name").unwrap_or("raw.bench.test"));
    serve(raw, None);
    serve(inside, Some(config));
    println!("ready");
    std::thread::park();
    unreachable!("nobody unparks the main thread");
}

/// Threads take turns at accepting: a new one is made only when the last free one took a connection.
fn serve(listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
    let shared = Arc::new((listener, tls, AtomicUsize::new(0)));
    worker(shared);
}

fn worker(shared: Arc<(TcpListener, Option<Arc<ServerConfig>>, AtomicUsize)>) {
    shared.2.fetch_add(1, Ordering::SeqCst);
    let body = move || {
        loop {
            let Ok((stream, _)) = shared.0.accept() else { continue };
            if shared.2.fetch_sub(1, Ordering::SeqCst) == 1 {
                worker(shared.clone());
            }
            let _ = one(stream, shared.1.clone());
            shared.2.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::Builder::new().stack_size(128 * 1024).spawn(body).unwrap();
}

fn one(mut stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(config) = tls else {
        let mut hello = [0; 8 * 1024];
        stream.read_exact(&mut hello[..5])?;
        let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        stream.read_exact(hello.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?)?;
        stream.write_all(FIRST)?;
        let command = command(&mut stream)?;
        if command.0 == UP {
            let mut space = vec![0; PIECE];
            while discard(&stream, &mut space)? > 0 {}
            return Ok(());
        }
        return act(&mut stream, command);
    };
    let mut tls = StreamOwned::new(ServerConnection::new(config).map_err(io::Error::other)?, stream);
    let command = command(&mut tls)?;
    act(&mut tls, command)
}

fn command(stream: &mut impl Read) -> io::Result<(u8, u64)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let mut rate = [0; 8];
    if byte[0] == PACED {
        stream.read_exact(&mut rate)?;
    }
    Ok((byte[0], u64::from_be_bytes(rate)))
}

fn act(stream: &mut (impl Read + Write), (command, rate): (u8, u64)) -> io::Result<()> {
    let mut piece = vec![0x5a; if command == HOLD { 16 } else { PIECE }];
    match command {
        DOWN => loop {
            stream.write_all(&piece)?;
        },
        PACED => {
            let (began, mut sent) = (Instant::now(), 0u64);
            loop {
                let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
                let now = usize::try_from(due.saturating_sub(sent)).unwrap_or(PIECE).min(PIECE);
                stream.write_all(&piece[..now])?;
                stream.flush()?;
                sent += now as u64;
                std::thread::sleep(STEP);
            }
        }
        _ => while stream.read(&mut piece)? > 0 {},
    }
    Ok(())
}
