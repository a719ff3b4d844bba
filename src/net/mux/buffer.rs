//! What a stream received and nobody has read yet. Pieces of fixed size, so that however small the frames are that bring
//! them, n bytes cost at most n and two pieces; an empty one costs nothing.

use std::collections::VecDeque;

const PIECE: usize = 4 * 1024;

/// A queue of bytes.
#[derive(Debug, Default)]
pub struct Buffer {
    pieces: VecDeque<Vec<u8>>,
    /// Read already of the first.
    read: usize,
    len: usize,
}

impl Buffer {
    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len();
        while !bytes.is_empty() {
            let room = self.pieces.back().map_or(0, |last| PIECE - last.len());
            if room == 0 {
                self.pieces.push_back(Vec::with_capacity(PIECE));
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(last) = self.pieces.back_mut() {
                last.extend_from_slice(now);
            }
            bytes = later;
        }
    }

    /// Copies the first bytes, as many as there are and fit, and leaves them there.
    pub fn peek(&self, mut into: &mut [u8]) -> usize {
        let (mut skip, mut copied) = (self.read, 0);
        for piece in &self.pieces {
            let bytes = piece.get(skip..).unwrap_or_default();
            let n = bytes.len().min(into.len());
            let (now, later) = into.split_at_mut(n);
            now.copy_from_slice(&bytes[..n]);
            (into, skip, copied) = (later, 0, copied + n);
            if into.is_empty() {
                break;
            }
        }
        copied
    }

    /// Takes the first bytes out.
    pub fn take(&mut self, into: &mut [u8]) -> usize {
        let n = self.peek(into);
        self.len -= n;
        self.read += n;
        while self.pieces.front().is_some_and(|first| self.read >= first.len()) {
            self.read -= self.pieces.pop_front().map_or(0, |first| first.len());
        }
        if self.pieces.is_empty() {
            // An idle stream keeps nothing of its busy time.
            self.pieces = VecDeque::new();
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a plain queue: pushes of any size, reads of any size.
        #[test]
        fn is_a_queue(steps in proptest::collection::vec((0usize..10_000, 0usize..10_000), 0..40)) {
            let (mut buffer, mut model, mut next) = (Buffer::default(), VecDeque::new(), 0u8);
            for (push, take) in steps {
                let bytes: Vec<u8> = (0..push).map(|_| { next = next.wrapping_add(1); next }).collect();
                buffer.push(&bytes);
                model.extend(bytes);
                let mut into = vec![0; take];
                prop_assert_eq!(buffer.peek(&mut into), take.min(model.len()));
                let n = buffer.take(&mut into);
                prop_assert_eq!(&into[..n], &model.drain(..n).collect::<Vec<u8>>()[..]);
                prop_assert_eq!(buffer.len(), model.len());
                let held: usize = buffer.pieces.iter().map(Vec::capacity).sum();
                prop_assert!(held <= buffer.len() + 2 * PIECE);
            }
        }
    }

    #[test]
    fn one_byte_at_a_time_costs_no_more() {
        let mut buffer = Buffer::default();
        for n in 0..20_000u32 {
            buffer.push(&[n as u8]);
        }
        assert!(buffer.pieces.iter().map(Vec::capacity).sum::<usize>() <= 20_000 + PIECE);
    }
}
