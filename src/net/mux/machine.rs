//! The rules of a connection with many streams, without a socket and a clock.

use std::collections::VecDeque;
use std::io;

use super::buffer::Buffer;
use super::frame::{ACK, FIN, GO_AWAY_PROTOCOL, HEAD, Head, Kind, RST, SYN};
use super::{ANSWERS_MOST, Budget, FRAME_MOST, OUT_MOST, WINDOW_FIRST};
use crate::core::sorted::Sorted;

/// Which end this is: it decides whose stream numbers are odd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// It dialled; its streams have odd numbers.
    Dialler,
    /// It was dialled; its streams have even numbers.
    Listener,
}

/// What the peer did that no peer may: the connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No frame at all, or one of an unknown version or type.
    NotAFrame,
    /// A stream number that is not its to choose, or one in use.
    StreamNumber,
    /// More bytes than the window allowed.
    WindowOverrun,
    /// A window larger than there can be.
    WindowOverflow,
    /// It asks and asks, and does not read the answers.
    Flood,
}

/// Something that a waiting task may want to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The peer opened a stream.
    Incoming,
    /// There is something to read, or the end.
    Readable(u32),
    /// There is room to write, or no use in it any more.
    Writable(u32),
    /// The connection took bytes: every stream may have room.
    Room,
}

#[derive(Debug)]
struct Entry {
    received: Buffer,
    /// What the peer may still send.
    granted: u32,
    /// `granted`, what waits to be read, and what was read and not granted again: never more than this.
    window: u32,
    /// Read, and not granted again yet.
    consumed: u32,
    /// What we may still send.
    credit: u32,
    /// The peer said FIN.
    ended: bool,
    /// We said FIN.
    finished: bool,
    reset: bool,
    /// The first frame of ours carries this.
    first: u16,
}

#[derive(Debug)]
enum Input {
    Head { bytes: [u8; HEAD], at: usize },
    Body { stream: u32, left: u32, fin: bool },
}

const AT_HEAD: Input = Input::Head { bytes: [0; HEAD], at: 0 };

/// One end of a connection.
#[derive(Debug)]
pub struct Machine {
    side: Side,
    budget: Budget,
    streams: Sorted<u32, Entry>,
    incoming: VecDeque<u32>,
    next: u32,
    /// Sum of the streams' windows.
    windows: usize,
    input: Input,
    out: Vec<u8>,
    /// Taken by the connection already, of `out`.
    taken: usize,
    /// A stream has something to grant that did not fit into `out`.
    grants_due: bool,
    /// The peer said farewell: it takes no more streams.
    no_more: bool,
}

fn lost() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl Machine {
    /// A connection without a stream, as large as the contracts allow.
    pub fn new(side: Side) -> Machine {
        Machine::within(side, Budget::MOST)
    }

    /// A connection without a stream that holds no more than `budget`.
    pub fn within(side: Side, budget: Budget) -> Machine {
        let next = if side == Side::Dialler { 1 } else { 2 };
        Machine {
            side,
            budget,
            streams: Sorted::new(),
            incoming: VecDeque::new(),
            next,
            windows: 0,
            input: AT_HEAD,
            out: Vec::new(),
            taken: 0,
            grants_due: false,
            no_more: false,
        }
    }

    /// Streams that live.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Bytes that wait to be read, all streams together.
    pub fn held(&self) -> usize {
        self.streams.values().map(|s| s.received.len()).sum()
    }

    /// Takes in what the connection brought.
    ///
    /// # Errors
    /// The peer broke the rules: a farewell is in [`Machine::pending`], and nothing more is to be taken in.
    pub fn receive(&mut self, mut bytes: &[u8], tell: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        while !bytes.is_empty() {
            match &mut self.input {
                Input::Head { bytes: head, at } => {
                    let n = (HEAD - *at).min(bytes.len());
                    head[*at..*at + n].copy_from_slice(&bytes[..n]);
                    *at += n;
                    bytes = &bytes[n..];
                    if *at == HEAD {
                        let head = *head;
                        self.input = AT_HEAD;
                        let taken = Head::parse(head).ok_or(Fault::NotAFrame).and_then(|head| self.frame(head, tell));
                        taken.inspect_err(|_| self.frame_out(Kind::GoAway, 0, 0, GO_AWAY_PROTOCOL))?;
                    }
                }
                Input::Body { stream, left, fin } => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (now, later) = bytes.split_at(n);
                    let (stream, fin) = (*stream, *fin);
                    *left -= u32::try_from(n).unwrap_or(0);
                    let done = *left == 0;
                    if done {
                        self.input = AT_HEAD;
                    }
                    // Of a stream that is gone on our side bytes are still under way: they are dropped.
                    if let Some(entry) = self.streams.get_mut(&stream) {
                        entry.received.push(now);
                        entry.ended |= done && fin;
                        tell(Event::Readable(stream));
                    }
                    bytes = later;
                }
            }
        }
        Ok(())
    }

    fn frame(&mut self, head: Head, tell: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        match head.kind {
            Kind::Ping if head.has(SYN) => self.answer(Kind::Ping, ACK, 0, head.length),
            Kind::Ping => Ok(()),
            Kind::GoAway => {
                self.no_more = true;
                Ok(())
            }
            Kind::Data | Kind::Window => self.of_stream(head, tell),
        }
    }

    fn of_stream(&mut self, head: Head, tell: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        if head.has(SYN) {
            self.opened(head.stream, tell)?;
        }
        let data = head.kind == Kind::Data;
        let Some(entry) = self.streams.get_mut(&head.stream) else {
            // Gone on our side, or never there: what comes with it is passed over.
            if data && head.length > 0 {
                self.input = Input::Body { stream: head.stream, left: head.length, fin: false };
            }
            return if head.stream == 0 { Err(Fault::StreamNumber) } else { Ok(()) };
        };
        if data {
            // Beyond the peer's own end nothing may come.
            entry.granted = entry.granted.checked_sub(head.length).filter(|_| !entry.ended || head.length == 0).ok_or(Fault::WindowOverrun)?;
        } else {
            entry.credit = entry.credit.checked_add(head.length).ok_or(Fault::WindowOverflow)?;
            tell(Event::Writable(head.stream));
        }
        if head.has(RST) {
            entry.reset = true;
            tell(Event::Readable(head.stream));
            tell(Event::Writable(head.stream));
        }
        if data && head.length > 0 {
            self.input = Input::Body { stream: head.stream, left: head.length, fin: head.has(FIN) };
        } else if head.has(FIN) {
            entry.ended = true;
            tell(Event::Readable(head.stream));
        }
        Ok(())
    }

    /// The peer opens stream `id`.
    fn opened(&mut self, id: u32, tell: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        let odd = id % 2 == 1;
        if id == 0 || odd == (self.side == Side::Dialler) || self.streams.contains_key(&id) {
            return Err(Fault::StreamNumber);
        }
        if self.streams.len() >= self.budget.streams {
            return self.answer(Kind::Window, RST, id, 0);
        }
        self.add(id, 0);
        self.incoming.push_back(id);
        tell(Event::Incoming);
        self.answer(Kind::Window, ACK, id, 0)
    }

    fn add(&mut self, id: u32, first: u16) {
        let entry = Entry {
            received: Buffer::default(),
            granted: WINDOW_FIRST,
            window: WINDOW_FIRST,
            consumed: 0,
            credit: WINDOW_FIRST,
            ended: false,
            finished: false,
            reset: false,
            first,
        };
        self.windows += WINDOW_FIRST as usize;
        self.streams.insert(id, entry);
    }

    /// Opens a stream; `None` where there are as many as there may be, or the peer takes no more.
    pub fn open(&mut self) -> Option<u32> {
        if self.streams.len() >= self.budget.streams || self.no_more {
            return None;
        }
        let id = self.next;
        // Two thousand million streams later the connection is renewed.
        self.next = self.next.checked_add(2)?;
        self.add(id, SYN);
        Some(id)
    }

    /// The next stream that the peer opened.
    pub fn next_incoming(&mut self) -> Option<u32> {
        self.incoming.pop_front()
    }

    /// Bytes to read on a stream; `Some(0)` = its end, `None` = nothing yet.
    ///
    /// # Errors
    /// The peer reset the stream.
    pub fn unread(&self, id: u32) -> io::Result<Option<usize>> {
        let entry = self.streams.get(&id).filter(|e| !e.reset).ok_or_else(lost)?;
        Ok((!entry.received.is_empty() || entry.ended).then(|| entry.received.len()))
    }

    /// Copies the first bytes and leaves them there; as [`Machine::unread`].
    ///
    /// # Errors
    /// The peer reset the stream.
    pub fn peek(&self, id: u32, into: &mut [u8]) -> io::Result<Option<usize>> {
        let there = self.unread(id)?;
        Ok(there.map(|_| self.streams.get(&id).map_or(0, |e| e.received.peek(into))))
    }

    /// Takes the first bytes; as [`Machine::unread`].
    ///
    /// # Errors
    /// The peer reset the stream.
    pub fn read(&mut self, id: u32, into: &mut [u8]) -> io::Result<Option<usize>> {
        if self.unread(id)?.is_none() {
            return Ok(None);
        }
        let entry = self.streams.get_mut(&id).ok_or_else(lost)?;
        let n = entry.received.take(into);
        entry.consumed = entry.consumed.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        self.grant(id);
        Ok(Some(n))
    }

    /// Lets the peer send on what was read: from half a window on, and more than before where the reader keeps up.
    fn grant(&mut self, id: u32) {
        let kept_free = (WINDOW_FIRST as usize).saturating_mul(self.budget.streams.saturating_sub(self.streams.len()));
        let spare = self.budget.windows.saturating_sub(self.windows).saturating_sub(kept_free);
        let (full, most) = (self.backlog() >= OUT_MOST, self.budget.window_most);
        let Some(entry) = self.streams.get_mut(&id) else { return };
        if entry.consumed < entry.window / 2 || entry.ended || entry.reset {
            return;
        }
        if full {
            self.grants_due = true;
            return;
        }
        let mut more = entry.consumed;
        if entry.received.is_empty() {
            let growth = entry.window.min(most.saturating_sub(entry.window)).min(u32::try_from(spare).unwrap_or(u32::MAX));
            entry.window += growth;
            self.windows += growth as usize;
            more += growth;
        }
        entry.granted += more;
        entry.consumed = 0;
        self.frame_out(Kind::Window, 0, id, more);
    }

    /// Bytes that [`Machine::write`] would take now.
    ///
    /// # Errors
    /// The peer reset the stream.
    pub fn room(&self, id: u32) -> io::Result<usize> {
        let entry = self.streams.get(&id).filter(|e| !e.reset).ok_or_else(lost)?;
        Ok(OUT_MOST.saturating_sub(self.backlog()).min(usize::try_from(entry.credit).unwrap_or(usize::MAX)))
    }

    /// Takes bytes to be sent, as many as there is room for, a frame's worth at most.
    ///
    /// # Errors
    /// The peer reset the stream, or it was finished before.
    pub fn write(&mut self, id: u32, bytes: &[u8]) -> io::Result<usize> {
        let n = self.room(id)?.min(FRAME_MOST).min(bytes.len());
        let entry = self.streams.get_mut(&id).filter(|e| !e.finished).ok_or(io::ErrorKind::BrokenPipe)?;
        if n == 0 {
            return Ok(0);
        }
        let length = u32::try_from(n).unwrap_or(0);
        entry.credit -= length;
        self.frame_out(Kind::Data, 0, id, length);
        self.out.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    /// Says that nothing more comes on a stream.
    pub fn finish(&mut self, id: u32) {
        if let Some(entry) = self.streams.get_mut(&id).filter(|e| !e.finished && !e.reset) {
            entry.finished = true;
            self.frame_out(Kind::Window, FIN, id, 0);
        }
    }

    /// Nobody holds the stream any more. Where it is not over on both sides, it is reset.
    pub fn forget(&mut self, id: u32) {
        let Some(entry) = self.streams.get(&id) else { return };
        if !(entry.reset || entry.ended && entry.finished) {
            self.frame_out(Kind::Window, RST, id, 0);
        }
        if let Some(gone) = self.streams.remove(&id) {
            self.windows = self.windows.saturating_sub(gone.window as usize);
        }
        self.incoming.retain(|other| *other != id);
    }

    /// Bytes for the connection.
    pub fn pending(&self) -> &[u8] {
        self.out.get(self.taken..).unwrap_or_default()
    }

    /// The connection took `n` of them.
    pub fn sent(&mut self, n: usize, tell: &mut dyn FnMut(Event)) {
        let before = self.backlog();
        self.taken += n.min(before);
        if self.backlog() == 0 {
            // An idle connection keeps nothing of its busy time.
            (self.out, self.taken) = (Vec::new(), 0);
        } else if self.taken >= OUT_MOST / 2 {
            self.out.drain(..self.taken);
            self.taken = 0;
        }
        if self.backlog() <= OUT_MOST / 2 {
            if std::mem::take(&mut self.grants_due) {
                let ids: Vec<u32> = self.streams.keys().copied().collect();
                ids.into_iter().for_each(|id| self.grant(id));
            }
            if before > 0 {
                tell(Event::Room);
            }
        }
    }

    fn backlog(&self) -> usize {
        self.out.len() - self.taken
    }

    /// A frame that the peer's own called for.
    fn answer(&mut self, kind: Kind, flags: u16, stream: u32, length: u32) -> Result<(), Fault> {
        if self.backlog() > OUT_MOST + ANSWERS_MOST {
            return Err(Fault::Flood);
        }
        self.frame_out(kind, flags, stream, length);
        Ok(())
    }

    fn frame_out(&mut self, kind: Kind, flags: u16, stream: u32, length: u32) {
        let first = self.streams.get_mut(&stream).map_or(0, |e| std::mem::take(&mut e.first));
        self.out.extend_from_slice(&Head { kind, flags: flags | first, stream, length }.bytes());
    }
}

#[cfg(test)]
mod tests;
