//! What others have put around the process: a jail, rules of nftables. Both are tried, not believed.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};

/// A connection on loopback is made, or refused, within the call; the deadline is for rules that drop.
const AT_ONCE: Duration = Duration::from_millis(50);

/// Whether the root of the file system is one made for this process: ujail's is a tmpfs that nobody can write.
pub(super) fn in_jail() -> bool {
    let tmpfs = statfs("/").is_ok_and(|fs| fs.filesystem_type() == TMPFS_MAGIC);
    tmpfs && statvfs("/").is_ok_and(|fs| fs.flags().contains(FsFlags::ST_RDONLY))
}

/// Whether rules hold this user's packets: a connection to ourselves, which `echomesh nft` leaves out and the kernel would
/// make. No byte leaves the box.
pub(super) fn nftables() -> String {
    let tried = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| Ok((listener.local_addr()?, listener)))
        .map(|(addr, _listener)| TcpStream::connect_timeout(&addr, AT_ONCE));
    match tried {
        Ok(Ok(_)) => "off: no rules hold this user's packets; the init script loads them where nft is installed".into(),
        Ok(Err(e)) if matches!(e.kind(), ErrorKind::HostUnreachable | ErrorKind::PermissionDenied | ErrorKind::TimedOut) => "on".into(),
        Ok(Err(e)) | Err(e) => format!("unknown: {e}"),
    }
}
