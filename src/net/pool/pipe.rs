//! A pipe as `splice(2)` needs it, which is always handed on empty.

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::{pipe2, read};

use super::{PIPE_LEAST, PIPE_MOST};

/// Both ends of a pipe, and how much is in it.
#[derive(Debug)]
pub struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    capacity: usize,
    inside: usize,
}

impl Pipe {
    /// An empty pipe of [`PIPE_MOST`] bytes, or of [`PIPE_LEAST`] where `fs.pipe-user-pages-soft` is reached. Both ends do not block.
    pub(super) fn open(wanted: usize) -> io::Result<Pipe> {
        let (out, into) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let sizes = [PIPE_MOST, PIPE_LEAST].into_iter().filter(|size| *size <= wanted);
        for size in sizes {
            let asked = i32::try_from(size).unwrap_or(i32::MAX);
            match fcntl(&into, FcntlArg::F_SETPIPE_SZ(asked)) {
                Ok(got) => return Ok(Pipe { out, into, capacity: usize::try_from(got).unwrap_or(size), inside: 0 }),
                Err(Errno::EPERM | Errno::EBUSY | Errno::EINVAL) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(Errno::EPERM.into())
    }

    /// Bytes it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes in it.
    pub fn inside(&self) -> usize {
        self.inside
    }

    /// Moves up to `most` bytes from a socket into the pipe. 0 = the socket's end.
    pub fn fill(&mut self, socket: impl std::os::fd::AsFd, most: usize) -> io::Result<usize> {
        let n = retry(|| splice(&socket, None, &self.into, None, most, SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK))?;
        self.inside += n;
        Ok(n)
    }

    /// Moves bytes from the pipe to a socket, as many as it takes now.
    pub fn pour(&mut self, socket: impl std::os::fd::AsFd) -> io::Result<usize> {
        let n = retry(|| splice(&self.out, None, &socket, None, self.inside, SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK))?;
        self.inside = self.inside.saturating_sub(n);
        Ok(n)
    }

    /// Takes out what is left, so that the pipe can go to another.
    pub fn drain(&mut self) -> io::Result<Vec<u8>> {
        let mut left = vec![0; self.inside];
        let mut at = 0;
        while at < left.len() {
            match retry(|| read(&self.out, &mut left[at..]))? {
                0 => break,
                n => at += n,
            }
        }
        left.truncate(at);
        self.inside = 0;
        Ok(left)
    }
}

fn retry(mut call: impl FnMut() -> nix::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}
