//! What bytes travel in: pipes, copy buffers and the kernel's socket buffers, all within one budget of RAM.
//!
//! A tunnel borrows only while bytes flow, and the way from one socket into the next is a single step on one thread: so a
//! handful of pipes serves any number of tunnels. What the receiving socket would not take after all is kept on the
//! heap, charged here, and the pipe goes back empty: a stalled reader never holds one.
//!
//! A quarter of the budget is for pipes, buffers and what is left over; three quarters are for socket buffers, which
//! only the kernel can free: they are measured, and when they are used up new tunnels are refused ([`Pool::has_room`]).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};

mod pipe;

pub use pipe::Pipe;

/// A pipe: 256 KiB is where splicing stops getting cheaper (measured).
pub const PIPE_MOST: usize = 256 * 1024;
/// A pipe where the user's pages for pipes are used up: below that a copy is as good.
pub const PIPE_LEAST: usize = 64 * 1024;
/// A copy buffer.
pub const BUFFER_MOST: usize = 64 * 1024;
/// A copy buffer when the budget is nearly used up.
pub const BUFFER_LEAST: usize = 16 * 1024;
/// Pipes kept for the next borrower while tunnels live: 5 KiB of kernel memory while empty, charged in full.
const WARM_PIPES: usize = 2;
/// The part of RAM that all this may take.
const RAM_PART: u64 = 16;
/// The part of the budget that is for pipes, buffers and left-overs.
const WORK_PART: usize = 4;
/// Where the system does not tell its RAM, the smallest router is assumed.
const RAM_UNKNOWN: u64 = 64 << 20;
/// What two idle sockets cost the kernel (measured).
pub const IDLE_SOCKETS: usize = 8 * 1024;
/// From here on the kernel's own sizing of socket buffers is left alone.
const RAM_LARGE: u64 = 512 << 20;

/// The budget and what is in use of it. Cheap to clone; one thread.
#[derive(Clone)]
pub struct Pool(Rc<Inner>);

struct Inner {
    budget: usize,
    /// Of the budget, for pipes, buffers, left-overs.
    work: usize,
    /// In use of `work`, warm ones included.
    charged: Cell<usize>,
    /// Kernel memory in use by the sockets of all tunnels, as last measured.
    sockets: Cell<usize>,
    tunnels: Cell<usize>,
    /// Size asked of a new pipe; 0 = the system gives none.
    pipe_size: Cell<usize>,
    warm_pipes: RefCell<Vec<Pipe>>,
    warm_buffer: RefCell<Option<Vec<u8>>>,
    open_pipes: Cell<usize>,
    open_buffers: Cell<usize>,
    /// Counts returns; who waits looks whether it changed.
    returns: Cell<u32>,
    /// Who waits for a return: one per direction of a tunnel at most, 16 bytes each.
    waiting: RefCell<Vec<Waker>>,
    /// `SO_SNDBUF` and `SO_RCVBUF` of tunnel sockets; `None` = the kernel's own sizing.
    socket_buffer: Option<usize>,
}

/// What is in use, for the status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PoolStats {
    /// Open pipes, warm ones included.
    pub pipes: usize,
    /// Copy buffers and left-overs, warm ones included.
    pub buffers: usize,
    /// Live tunnels.
    pub tunnels: usize,
    /// Kernel memory of the tunnels' sockets in bytes, as last measured.
    pub sockets: usize,
    /// All of it in bytes: pipes, buffers, sockets.
    pub bytes: usize,
    /// What `bytes` may reach: 1/16 of RAM.
    pub budget: usize,
}

/// What a loan carries bytes in.
#[derive(Debug)]
pub enum Vessel {
    /// For `splice(2)`.
    Pipe(Pipe),
    /// For reading and writing.
    Buffer(Vec<u8>),
}

/// A borrowed vessel, and the right to keep up to [`Loan::room`] bytes of left-overs. Goes back when dropped.
pub struct Loan {
    pool: Pool,
    vessel: Option<Vessel>,
    room: usize,
}

/// Left-overs on the heap, charged to the pool until dropped.
pub struct Parcel {
    pool: Pool,
    bytes: Vec<u8>,
    charge: usize,
}

/// One tunnel's standing in the pool: its sockets' memory counts until this is dropped.
pub struct Member {
    pool: Pool,
    sockets: Cell<usize>,
}

/// Value for `SO_SNDBUF` and `SO_RCVBUF` of tunnel sockets on a machine of `ram` bytes: `None` where the kernel's own sizing
/// can be left alone. The kernel grants twice the value, its own overhead included: 128 KiB on a router of 64 MB, enough
/// for 10 Mbit/s over 50 ms.
pub fn socket_buffers(ram: u64) -> Option<usize> {
    (ram < RAM_LARGE).then(|| usize::try_from((ram / 1024).clamp(16 << 10, 256 << 10)).unwrap_or(16 << 10))
}

impl Pool {
    /// A pool of 1/16 of the machine's `ram` bytes.
    pub fn for_ram(ram: Option<u64>) -> Pool {
        let ram = ram.unwrap_or(RAM_UNKNOWN);
        Pool::with(usize::try_from(ram / RAM_PART).unwrap_or(usize::MAX), socket_buffers(ram))
    }

    /// A pool of `budget` bytes that leaves the sizing of socket buffers to the kernel.
    pub fn new(budget: usize) -> Pool {
        Pool::with(budget, None)
    }

    fn with(budget: usize, socket_buffer: Option<usize>) -> Pool {
        Pool(Rc::new(Inner {
            budget,
            // Less than one small buffer and its left-over would move nothing at all.
            work: (budget / WORK_PART).max(2 * BUFFER_LEAST),
            charged: Cell::new(0),
            sockets: Cell::new(0),
            tunnels: Cell::new(0),
            pipe_size: Cell::new(PIPE_MOST),
            warm_pipes: RefCell::default(),
            warm_buffer: RefCell::default(),
            open_pipes: Cell::new(0),
            open_buffers: Cell::new(0),
            returns: Cell::new(0),
            waiting: RefCell::default(),
            socket_buffer,
        }))
    }

    /// What is in use.
    pub fn stats(&self) -> PoolStats {
        let i = &self.0;
        PoolStats {
            pipes: i.open_pipes.get(),
            buffers: i.open_buffers.get(),
            tunnels: i.tunnels.get(),
            sockets: i.sockets.get(),
            bytes: i.charged.get() + i.sockets.get(),
            budget: i.budget,
        }
    }

    /// Whether one more tunnel fits; if not, the caller refuses it with `overload`.
    pub fn has_room(&self) -> bool {
        self.0.sockets.get() + IDLE_SOCKETS <= self.0.budget.saturating_sub(self.0.work)
    }

    /// `SO_SNDBUF` and `SO_RCVBUF` for tunnel sockets; `None` = leave them alone. Best set before connecting.
    pub fn socket_buffer(&self) -> Option<usize> {
        self.0.socket_buffer
    }

    /// A tunnel begins: its two idle sockets count from here.
    pub fn enter(&self) -> Member {
        self.0.tunnels.set(self.0.tunnels.get() + 1);
        let member = Member { pool: self.clone(), sockets: Cell::new(0) };
        member.set_sockets(0);
        member
    }

    /// The most one step can move: what is asked for beyond that is of no use.
    pub fn step(&self, spliced: bool) -> usize {
        match self.0.pipe_size.get() {
            size if spliced && size > 0 => size,
            _ => BUFFER_MOST,
        }
    }

    /// A vessel and room for up to `want` bytes, without waiting: a pipe if `spliced` and there is one, else a buffer, a
    /// small one if there is not more. `None` = the budget is used up: see [`Pool::returned`].
    pub fn borrow(&self, want: usize, spliced: bool) -> Option<Loan> {
        let want = want.max(1);
        let vessel = spliced.then(|| self.take_pipe()).flatten().map(Vessel::Pipe).or_else(|| self.take_buffer().map(Vessel::Buffer))?;
        // From here on dropping the loan returns the vessel.
        let mut loan = Loan { pool: self.clone(), vessel: Some(vessel), room: 0 };
        let most = match &loan.vessel {
            Some(Vessel::Pipe(pipe)) => pipe.capacity(),
            Some(Vessel::Buffer(buffer)) => buffer.len(),
            None => 0,
        };
        let room = want.min(most).min(self.spare());
        if room < want.min(BUFFER_LEAST) {
            return None;
        }
        self.charge(room);
        loan.room = room;
        Some(loan)
    }

    /// Waits until something came back. To be called without an await since [`Pool::borrow`] gave nothing.
    pub async fn returned(&self) {
        let before = self.0.returns.get();
        std::future::poll_fn(|cx| {
            if self.0.returns.get() != before {
                return Poll::Ready(());
            }
            let mut waiting = self.0.waiting.borrow_mut();
            if !waiting.iter().any(|w| w.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Whether bytes are moved by `splice(2)`; otherwise they are copied.
    pub fn splices(&self) -> bool {
        self.0.pipe_size.get() > 0
    }

    /// The kernel or a socket cannot splice after all: from here on bytes are copied.
    pub fn give_up_splicing(&self) {
        self.0.pipe_size.set(0);
    }

    fn spare(&self) -> usize {
        self.0.work.saturating_sub(self.0.charged.get())
    }

    fn charge(&self, bytes: usize) {
        self.0.charged.set(self.0.charged.get() + bytes);
    }

    fn discharge(&self, bytes: usize) {
        self.0.charged.set(self.0.charged.get().saturating_sub(bytes));
        self.tell();
    }

    /// Something came back: whoever waits looks again.
    fn tell(&self) {
        self.0.returns.set(self.0.returns.get().wrapping_add(1));
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }

    fn take_pipe(&self) -> Option<Pipe> {
        if let Some(pipe) = self.0.warm_pipes.borrow_mut().pop() {
            return Some(pipe);
        }
        let size = self.0.pipe_size.get();
        // A pipe without room for what it might leave over is of no use.
        if size == 0 || self.spare() < size + BUFFER_LEAST {
            return None;
        }
        match Pipe::open(size) {
            Ok(pipe) => {
                self.0.pipe_size.set(size.min(pipe.capacity()));
                self.charge(pipe.capacity());
                self.0.open_pipes.set(self.0.open_pipes.get() + 1);
                Some(pipe)
            }
            Err(e) => {
                // Not asked again before all tunnels ended: it would cost every step three calls.
                log::debug!("no pipe to splice through ({e}): copying");
                self.0.pipe_size.set(0);
                None
            }
        }
    }

    fn put_pipe(&self, pipe: Pipe) {
        let mut warm = self.0.warm_pipes.borrow_mut();
        if pipe.inside() == 0 && warm.len() < WARM_PIPES && self.0.tunnels.get() > 0 {
            warm.push(pipe);
            return;
        }
        drop(warm);
        self.0.open_pipes.set(self.0.open_pipes.get().saturating_sub(1));
        self.discharge(pipe.capacity());
    }

    fn take_buffer(&self) -> Option<Vec<u8>> {
        if let Some(buffer) = self.0.warm_buffer.borrow_mut().take() {
            return Some(buffer);
        }
        // Half for the buffer, half for what it might leave over.
        let size = [BUFFER_MOST, BUFFER_LEAST].into_iter().find(|size| self.spare() >= 2 * size)?;
        self.charge(size);
        self.0.open_buffers.set(self.0.open_buffers.get() + 1);
        Some(vec![0; size])
    }

    fn put_buffer(&self, buffer: Vec<u8>) {
        let mut warm = self.0.warm_buffer.borrow_mut();
        if warm.is_none() && buffer.len() == BUFFER_MOST && self.0.tunnels.get() > 0 {
            *warm = Some(buffer);
            return;
        }
        drop(warm);
        self.0.open_buffers.set(self.0.open_buffers.get().saturating_sub(1));
        self.discharge(buffer.len());
    }

    /// No tunnel is left: nothing is kept for the next.
    fn cool(&self) {
        for pipe in self.0.warm_pipes.take() {
            self.put_pipe(pipe);
        }
        if let Some(buffer) = self.0.warm_buffer.take() {
            self.put_buffer(buffer);
        }
        self.0.pipe_size.set(PIPE_MOST);
    }
}

impl Loan {
    /// Bytes that may be taken in: what does not fit the other side will be kept.
    pub fn room(&self) -> usize {
        self.room
    }

    /// What to carry them in.
    pub fn vessel(&mut self) -> Option<&mut Vessel> {
        self.vessel.as_mut()
    }

    /// Returns the vessel and keeps `left` (at most [`Loan::room`] bytes) on the heap.
    pub fn keep(mut self, left: Vec<u8>) -> Parcel {
        let charge = left.len();
        let parcel = Parcel { pool: self.pool.clone(), bytes: left, charge };
        self.hand_over(charge);
        parcel
    }

    /// Returns the vessel and keeps the charge for `bytes` that another holds on the heap.
    pub fn owe(mut self, bytes: usize) -> Parcel {
        self.hand_over(bytes);
        Parcel { pool: self.pool.clone(), bytes: Vec::new(), charge: bytes }
    }

    fn hand_over(&mut self, bytes: usize) {
        self.pool.0.open_buffers.set(self.pool.0.open_buffers.get() + 1);
        if bytes <= self.room {
            self.room -= bytes;
        } else {
            self.pool.charge(bytes - self.room);
            self.room = 0;
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        match self.vessel.take() {
            Some(Vessel::Pipe(pipe)) => self.pool.put_pipe(pipe),
            Some(Vessel::Buffer(buffer)) => self.pool.put_buffer(buffer),
            None => {}
        }
        self.pool.discharge(self.room);
    }
}

impl Parcel {
    /// What was left over.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.pool.0.open_buffers.set(self.pool.0.open_buffers.get().saturating_sub(1));
        self.pool.discharge(self.charge);
    }
}

impl Member {
    /// The tunnel's sockets hold `bytes` of kernel memory now, or may before they are looked at again.
    pub fn set_sockets(&self, bytes: usize) {
        let bytes = bytes.max(IDLE_SOCKETS);
        let all = &self.pool.0.sockets;
        all.set(all.get().saturating_sub(self.sockets.replace(bytes)).saturating_add(bytes));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let inner = &self.pool.0;
        inner.sockets.set(inner.sockets.get().saturating_sub(self.sockets.get()));
        inner.tunnels.set(inner.tunnels.get().saturating_sub(1));
        if inner.tunnels.get() == 0 {
            self.pool.cool();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(loan: &Option<Loan>) -> Option<usize> {
        loan.as_ref().map(Loan::room)
    }

    #[test]
    fn falls_from_pipes_to_buffers_to_small_ones_to_nothing_and_gets_all_back() {
        let pool = Pool::new(4 * (PIPE_MOST * 2 + BUFFER_MOST));
        let member = pool.enter();
        let first = pool.borrow(1 << 30, true);
        assert_eq!(room(&first), Some(PIPE_MOST));
        let second = pool.borrow(1 << 30, true);
        assert_eq!(room(&second), Some(BUFFER_LEAST), "64 KiB are left: a small buffer and its left-over");
        let third = pool.borrow(1 << 30, true);
        assert_eq!(room(&third), Some(BUFFER_LEAST));
        assert!(pool.borrow(1, true).is_none());
        let stats = pool.stats();
        assert_eq!((stats.pipes, stats.buffers), (1, 2));
        assert!(stats.bytes - stats.sockets <= pool.0.work);
        drop((first, second, third));
        assert_eq!(pool.stats().pipes, 1, "kept warm");
        drop(member);
        assert_eq!(pool.stats(), PoolStats { budget: pool.0.budget, ..PoolStats::default() });
    }

    #[test]
    fn left_overs_are_charged_until_they_are_gone() {
        let pool = Pool::new(64 << 20);
        let member = pool.enter();
        let parcel = pool.borrow(100_000, true).unwrap().keep(vec![7; 1000]);
        assert_eq!(pool.stats().bytes, PIPE_MOST + 1000 + IDLE_SOCKETS);
        assert_eq!(parcel.bytes().len(), 1000);
        let owed = pool.borrow(100_000, true).unwrap().owe(500);
        assert_eq!(pool.stats().bytes, PIPE_MOST + 1500 + IDLE_SOCKETS);
        drop((parcel, owed, member));
        assert_eq!(pool.stats().bytes, 0);
    }

    #[test]
    fn a_pipe_with_something_in_it_is_not_lent_again() {
        use std::io::Write as _;
        let pool = Pool::new(64 << 20);
        let _member = pool.enter();
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.write_all(b"left over").unwrap();
        let mut loan = pool.borrow(100, true).unwrap();
        let Some(Vessel::Pipe(pipe)) = loan.vessel() else { panic!("a pipe was to be had") };
        assert_eq!(pipe.fill(&far, 100).unwrap(), 9);
        drop(loan);
        assert_eq!(pool.stats().pipes, 0);
        let mut loan = pool.borrow(100, true).unwrap();
        let Some(Vessel::Pipe(pipe)) = loan.vessel() else { panic!("a pipe was to be had") };
        near.write_all(b"next").unwrap();
        pipe.fill(&far, 100).unwrap();
        assert_eq!(pipe.drain().unwrap(), b"next");
        drop(loan);
        assert_eq!(pool.stats().pipes, 1);
    }

    #[test]
    fn who_waits_hears_of_a_return() {
        let pool = Pool::new(0);
        let _member = pool.enter();
        let loan = pool.borrow(1 << 20, false);
        assert!(loan.is_some(), "however small the machine, one tunnel moves");
        assert!(pool.borrow(1, false).is_none());
        let mut returned = Box::pin(pool.returned());
        smol::block_on(async {
            assert!(smol::future::poll_once(&mut returned).await.is_none());
            drop(loan);
            assert!(smol::future::poll_once(&mut returned).await.is_some());
        });
    }

    #[test]
    fn sockets_that_hold_much_keep_new_tunnels_out() {
        let pool = Pool::for_ram(Some(64 << 20));
        assert_eq!((pool.stats().budget, pool.socket_buffer()), (4 << 20, Some(64 << 10)));
        let member = pool.enter();
        assert!(pool.has_room());
        member.set_sockets(3 << 20);
        assert!(!pool.has_room());
        member.set_sockets(0);
        assert!(pool.has_room());
        assert_eq!(Pool::for_ram(Some(2 << 30)).socket_buffer(), None);
    }
}
