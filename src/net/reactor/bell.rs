//! Wakes the thread of a reactor, from that thread or from any other.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use nix::sys::eventfd::{EfdFlags, EventFd};

thread_local! {
    /// Its address tells threads apart, for less than `std::thread::current` costs.
    static ME: Cell<u8> = const { Cell::new(0) };
}

fn me() -> usize {
    ME.with(|me| std::ptr::from_ref(me).addr())
}

/// See the module.
pub(super) struct Bell {
    rung: AtomicBool,
    /// The thread waits in the kernel, or is about to.
    asleep: AtomicBool,
    thread: usize,
    descriptor: EventFd,
}

impl Bell {
    /// Of this thread.
    pub(super) fn new() -> io::Result<Bell> {
        let descriptor = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Bell { rung: AtomicBool::new(false), asleep: AtomicBool::new(false), thread: me(), descriptor })
    }

    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        // The thread itself is awake; and who is not asleep looks before sleeping.
        if me() != self.thread && self.asleep.load(Ordering::SeqCst) {
            let _ = self.descriptor.write(1);
        }
    }

    /// Whether it was rung since this was asked last.
    pub(super) fn rung(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }

    /// The thread is about to wait; `false` = it was rung, and must not.
    pub(super) fn sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        !self.rung.load(Ordering::SeqCst)
    }

    pub(super) fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Empties the descriptor.
    pub(super) fn hear(&self) {
        let _ = self.descriptor.read();
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
