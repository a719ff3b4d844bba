//! Undoing the chunked transfer coding (RFC 9112, 7.1), pure and in fixed memory.

/// Bytes of a chunk's size line with its extensions, which are ignored.
const LINE: usize = 256;
/// Bytes of all trailer fields, which are ignored.
const TRAILERS: usize = 4 * 1024;

/// Not the chunked coding, or beyond its bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Broken;

/// Where in the coding the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// In a size line: the size so far, its digits, whether they are over.
    Size {
        size: u64,
        digits: u8,
        over: bool,
    },
    /// Behind the CR of a size line.
    SizeEnd(u64),
    /// In a chunk with so many bytes to come.
    Data(u64),
    /// Behind a chunk.
    DataCr,
    DataLf,
    /// In the trailers: whether the line is empty so far, and whether its CR came.
    Trailer {
        empty: bool,
        cr: bool,
    },
    Done,
}

/// A decoder in the middle of a body.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    at: At,
    /// Bytes of the size line or the trailers so far.
    line: usize,
}

const SIZE: At = At::Size { size: 0, digits: 0, over: false };

impl Decoder {
    pub(super) const fn new() -> Decoder {
        Decoder { at: SIZE, line: 0 }
    }

    /// The body is over; what follows belongs to the next message.
    pub(super) fn done(&self) -> bool {
        self.at == At::Done
    }

    /// Takes the next bytes, hands the body's to `sink`, and tells how many it took: all, unless the body ended.
    pub(super) fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize, Broken> {
        let mut i = 0;
        while i < bytes.len() && self.at != At::Done {
            if let At::Data(left) = self.at {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - i);
                sink(&bytes[i..i + take]);
                i += take;
                let left = left - take as u64;
                self.at = if left == 0 { At::DataCr } else { At::Data(left) };
            } else {
                self.step(bytes[i])?;
                i += 1;
            }
        }
        Ok(i)
    }

    fn step(&mut self, byte: u8) -> Result<(), Broken> {
        self.line += 1;
        self.at = match (self.at, byte) {
            (At::Size { size, digits: 1.., .. }, b'\r') => At::SizeEnd(size),
            (At::Size { .. }, b'\r' | b'\n') => return Err(Broken),
            (At::Size { size, digits, over: false }, b) if b.is_ascii_hexdigit() => {
                // 15 digits: far beyond any body, and far from an overflow.
                if digits == 15 {
                    return Err(Broken);
                }
                let digit = char::from(b).to_digit(16).ok_or(Broken)?;
                At::Size { size: size * 16 + u64::from(digit), digits: digits + 1, over: false }
            }
            (At::Size { size, digits: digits @ 1.., over }, b) if over || matches!(b, b';' | b' ' | b'\t') => {
                if self.line > LINE {
                    return Err(Broken);
                }
                At::Size { size, digits, over: true }
            }
            (At::SizeEnd(size), b'\n') => {
                self.line = 0;
                if size == 0 { At::Trailer { empty: true, cr: false } } else { At::Data(size) }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => {
                self.line = 0;
                SIZE
            }
            (At::Trailer { empty, cr: true }, b'\n') => {
                if empty {
                    At::Done
                } else {
                    At::Trailer { empty: true, cr: false }
                }
            }
            (At::Trailer { empty, cr: false }, b'\r') => At::Trailer { empty, cr: true },
            (At::Trailer { cr: false, .. }, b) if b != b'\n' && self.line <= TRAILERS => At::Trailer { empty: false, cr: false },
            _ => return Err(Broken),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), Broken> {
        let (mut decoder, mut body, mut used) = (Decoder::new(), Vec::new(), 0);
        for piece in pieces {
            used += decoder.push(piece, |bytes| body.extend_from_slice(bytes))?;
        }
        Ok((body, decoder.done(), used))
    }

    #[test]
    fn chunks_extensions_and_trailers() {
        let coded = b"3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0 \r\nT: v\r\n\r\nnext";
        let (body, done, used) = decode(&[coded]).unwrap();
        assert_eq!((body.as_slice(), done, &coded[used..]), (&b"abc0123456789"[..], true, &b"next"[..]));
    }

    #[test]
    fn other_framings_are_broken() {
        for bad in [
            "\r\n",
            "x\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n",
            "-1\r\n",
            "0\r\n\n",
            "0\r\nT: v\n\r\n",
            "1000000000000000\r\n",
            ";x\r\n",
            " 3\r\n",
        ] {
            assert_eq!(decode(&[bad.as_bytes()]), Err(Broken), "{bad:?}");
        }
        assert!(decode(&[b"1;", &[b'a'; LINE]]).is_err());
        assert!(decode(&[b"0\r\n", &[b'a'; TRAILERS + 1]]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_segmentation_gives_the_same(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6), step in 1usize..9) {
            let mut coded = Vec::new();
            for chunk in &chunks {
                coded.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                coded.extend_from_slice(chunk);
                coded.extend_from_slice(b"\r\n");
            }
            coded.extend_from_slice(b"0\r\n\r\n");
            let pieces: Vec<&[u8]> = coded.chunks(step).collect();
            prop_assert_eq!(decode(&pieces).unwrap(), (chunks.concat(), true, coded.len()));
        }

        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&[&bytes]);
        }
    }
}
