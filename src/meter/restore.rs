//! The journal's bytes: how items are laid into records, and how the two copies become a ledger again. No file is
//! touched here.
//!
//! A copy is a sequence of records ([`crate::codec::record`]), each a `Batch`. Batches with `more` belong together
//! with the next: what is written in one step is taken in one step or not at all.

use serde::{Deserialize, Serialize};

use super::bucket::LAST_SECOND;
use super::image::{Image, Item};
use super::ledger::Ledger;
use super::sealed::Sealed;
use super::state::Lost;
use crate::codec::record::{self, Raw};
use crate::codec::time;

/// Version byte of the journal's records.
pub const VERSION: u8 = 3;
/// Items are packed into records of about this size; one session's item is at most 350 kB.
const RECORD_BYTES: usize = 64 * 1024;

/// When and in what state something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// One up with each write; the copy with the higher one is the newer.
    pub generation: u64,
    /// Node time, Unix seconds.
    pub unix: u64,
    /// The process ended after this in good order.
    pub clean: bool,
}

#[derive(Serialize, Deserialize)]
struct Batch {
    stamp: Stamp,
    /// A snapshot begins: what stood before is void.
    first: bool,
    /// The next batch belongs to this one.
    more: bool,
    items: Vec<Item>,
}

/// `items` as records; `snapshot` where they are all there is.
pub fn encode(stamp: Stamp, snapshot: bool, items: impl Iterator<Item = Item>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut batch = Batch { stamp, first: snapshot, more: true, items: Vec::new() };
    let mut size = 0;
    for item in items {
        // An estimate is enough: it only decides where to cut.
        size += weight(&item);
        batch.items.push(item);
        if size >= RECORD_BYTES {
            out.extend(record::encode(VERSION, &batch));
            batch.items.clear();
            (batch.first, size) = (false, 0);
        }
    }
    batch.more = false;
    out.extend(record::encode(VERSION, &batch));
    out
}

fn weight(item: &Item) -> usize {
    match item {
        Item::Chain(_, c) => c.state.definition.len() + c.state.spool.iter().map(Sealed::size).sum::<usize>() + 1024,
        Item::Open(_, _, o) => 256 + o.buckets.len() * 16,
        Item::Receipts(r) => r.iter().map(|(_, r)| r.evidence.len() + 256).sum(),
        Item::Aside(a) => a.iter().map(|a| a.sealed.size() + 512).sum(),
        Item::Node(_) | Item::Gone(_) => 256,
        Item::Quarantine(_) => 2048,
    }
}

/// Reads one copy, record by record.
#[derive(Debug, Default)]
pub struct Reader {
    image: Image,
    group: Vec<Batch>,
    stamp: Option<Stamp>,
    fault: bool,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({}, {} items)", self.stamp.generation, self.items.len())
    }
}

impl Reader {
    /// Takes the next record.
    pub fn take(&mut self, raw: Raw<'_>) {
        let Some(batch) = (raw.version == VERSION && !self.fault).then(|| raw.decode::<Batch>()).flatten() else {
            self.fault = true;
            return;
        };
        let last = !batch.more;
        self.group.push(batch);
        if last {
            self.apply();
        }
    }

    fn apply(&mut self) {
        for (i, batch) in std::mem::take(&mut self.group).into_iter().enumerate() {
            if batch.first && i == 0 {
                (self.image, self.stamp) = (Image::default(), Some(batch.stamp));
            }
            let misplaced = self.stamp.is_none() || (batch.first && i > 0);
            if misplaced || batch.items.into_iter().any(|item| self.image.apply(item).is_err()) {
                // The checks of the records hold, and yet this is nothing we write: none of it can be trusted.
                *self = Reader { fault: true, ..Reader::default() };
                return;
            }
            self.stamp = Some(batch.stamp);
        }
    }

    /// The end of the copy, as it was found.
    pub fn finish(self, end: End) -> Side {
        let end = if self.fault { End::Corrupt } else { end };
        match self.stamp {
            Some(stamp) => Side::Found(Found { image: Box::new(self.image), stamp, end }),
            None if end == End::Whole && self.group.is_empty() => Side::None,
            None => Side::Damaged,
        }
    }
}

/// How a copy ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After a whole record.
    Whole,
    /// In a record that is cut off: a stop while it was written, or a damaged length.
    Torn,
    /// In bytes that are no record.
    Corrupt,
}

/// Reads a copy that is in memory.
pub fn read(bytes: &[u8]) -> Side {
    let mut reader = Reader::default();
    let mut at = 0;
    let end = loop {
        match record::next(&bytes[at..]) {
            record::Next::Record(raw, used) => {
                reader.take(raw);
                at += used;
            }
            record::Next::End if at == bytes.len() => break End::Whole,
            record::Next::End => break End::Torn,
            record::Next::Corrupt => break End::Corrupt,
        }
    };
    reader.finish(end)
}

/// One copy of the journal, read.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // two values, while a process starts
pub enum Side {
    /// There is none.
    None,
    /// There is one, of which nothing can be used.
    Damaged,
    /// There is one.
    Found(Found),
}

/// A copy with something in it.
#[derive(Clone, Debug)]
pub struct Found {
    image: Box<Image>,
    stamp: Stamp,
    end: End,
}

impl Side {
    fn is_damaged(&self) -> bool {
        matches!(self, Side::Damaged | Side::Found(Found { end: End::Corrupt | End::Torn, .. }))
    }
}

/// Where a ledger came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing was there.
    Fresh,
    /// The copy in the run folder: at most a second was lost, if the stop was unclean.
    Run,
    /// The copy in the state folder: at most 30 minutes were lost, if the stop was unclean.
    State,
}

/// What opening the journal found.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Where from.
    pub source: Source,
    /// The last stop was in good order: nothing was lost.
    pub clean: bool,
    /// The highest generation seen.
    pub generation: u64,
    /// That of the copy in the state folder; 0 where it has none that can be used.
    pub state_generation: u64,
    /// The copy in the state folder says that the process ended in good order.
    pub state_clean: bool,
    /// Unix seconds `[last written, restart]` in which counters may have been lost; stated on the next bundles.
    pub lost: Option<(u64, u64)>,
    /// What the owner should know, one sentence each.
    pub findings: Vec<String>,
    /// There was a journal, and nothing whole is left of it to go on from. A record that is merely cut off is no damage:
    /// that is what a stop in the middle of a write leaves.
    pub broken: bool,
}

/// The newest usable copy as a ledger. `now`: node time at the restart.
pub fn choose(run: Side, state: Side, now: u64) -> (Ledger, Restored) {
    let mut findings = Vec::new();
    for (copy, name, cost) in [(&run, "run folder", "a second"), (&state, "state folder", "30 minutes")] {
        match copy {
            Side::Damaged | Side::Found(Found { end: End::Corrupt, .. }) => {
                findings.push(format!("the journal's copy in the {name} is damaged; what it held beyond the damage is lost"));
            }
            Side::Found(Found { end: End::Torn, .. }) => {
                findings.push(format!("the journal's copy in the {name} ends in the middle of a record; at most {cost} of counters is lost"));
            }
            _ => {}
        }
    }
    let (run_damaged, damaged) = (run.is_damaged(), run.is_damaged() || state.is_damaged());
    let generation = |copy: &Side| if let Side::Found(f) = copy { Some(f.stamp.generation) } else { None };
    let highest = generation(&run).max(generation(&state)).unwrap_or(0);
    let state_generation = generation(&state).unwrap_or(0);
    let state_clean = matches!(&state, Side::Found(found) if found.stamp.clean && found.end == End::Whole);
    let run_is_newer = generation(&run) >= generation(&state);
    let (found, source) = match (run, state) {
        (Side::Found(run), _) if run_is_newer => (run, Source::Run),
        (_, Side::Found(state)) => (state, Source::State),
        _ => {
            // Since when nothing is known, nobody can say: the time lost begins at the epoch.
            let lost = damaged.then_some(Lost { from: 0, restart: now.min(LAST_SECOND) });
            let restored = Restored {
                source: Source::Fresh,
                clean: !damaged,
                generation: highest,
                state_generation,
                state_clean,
                lost: lost.map(|l| (l.from, l.restart)),
                findings,
                broken: damaged,
            };
            return (Ledger::restore(Image::default(), true, lost), restored);
        }
    };
    let whole = found.end == End::Whole;
    let broken = found.end == End::Corrupt;
    // Where the run folder's copy is damaged, it may have held more than the state folder's.
    let clean = found.stamp.clean && whole && !run_damaged;
    // The run folder's copy is written before anything it holds is sent; the state folder's is older, unless the
    // process said goodbye.
    let exact = clean || (source == Source::Run && whole);
    let lost = (!clean).then_some(Lost { from: found.stamp.unix.min(LAST_SECOND), restart: now.min(LAST_SECOND) });
    if let (Some(lost), Source::State) = (lost, source) {
        findings.push(format!("the node stopped without warning; what was counted after {} and not sent is lost", time::rfc3339(lost.from)));
    }
    let lost_time = lost.map(|l| (l.from, l.restart));
    let restored = Restored { source, clean, generation: highest, state_generation, state_clean, lost: lost_time, findings, broken };
    (Ledger::restore(*found.image, exact, lost), restored)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const W: u64 = 1_766_152_800;

    fn stamp(generation: u64) -> Stamp {
        Stamp { generation, unix: W + generation, clean: false }
    }

    /// Three sessions, one with a spool, refusals, a stream; then `seconds` deltas.
    fn written(seconds: u64) -> (Vec<u8>, Vec<usize>) {
        let mut ledger = Ledger::new();
        for id in ["a", "b", "c"] {
            ledger.open(id, vec![7; 100], W).unwrap();
            ledger.add(id, W, 10, 20);
        }
        ledger.seal_due(W + 300);
        ledger.set_stream("stream", 4);
        let mut bytes = encode(stamp(1), true, ledger.snapshot());
        let mut ends = vec![bytes.len()];
        ledger.journaled();
        for n in 0..seconds {
            ledger.add("a", W + 300 + n, 1, 1);
            ledger.outcome("b", W + 300 + n, n % 2 == 0, Some(n));
            ledger.denied("c", W + 300);
            bytes.extend(encode(stamp(2 + n), false, ledger.delta()));
            ledger.journaled();
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn counted(ledger: &Ledger) -> (u64, u64, u64) {
        let t = |id| ledger.session(id).map(crate::meter::chain::Chain::totals).unwrap_or_default();
        (t("a").ingress, t("b").requests, t("c").denied)
    }

    #[test]
    fn a_cut_at_any_byte_loses_at_most_what_was_written_last() {
        let (bytes, ends) = written(4);
        for cut in 0..=bytes.len() {
            let (ledger, restored) = choose(read(&bytes[..cut]), Side::None, W + 900);
            let whole = ends.iter().filter(|&&end| end <= cut).count() as u64;
            if whole == 0 {
                assert_eq!((restored.source, restored.findings.len()), (Source::Fresh, usize::from(cut > 0)), "{cut}");
                continue;
            }
            assert_eq!(counted(&ledger), (10 + whole - 1, whole - 1, whole - 1), "{cut}");
            assert_eq!((restored.source, restored.generation), (Source::Run, whole));
            assert_eq!(restored.lost, Some((W + whole, W + 900)));
            assert_eq!(restored.findings.len(), usize::from(!ends.contains(&cut)), "{cut}");
        }
    }

    #[test]
    fn any_flipped_byte_is_detected_and_nothing_after_it_believed() {
        let (bytes, ends) = written(2);
        let (flash, _) = written(0);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            let before = ends.iter().filter(|&&end| end <= at).count() as u64;
            let (ledger, restored) = choose(read(&flipped), read(&flash), W + 900);
            assert_eq!(counted(&ledger), (10 + before.max(1) - 1, before.max(1) - 1, before.max(1) - 1), "{at}");
            assert!(!restored.clean);
            assert_eq!((restored.source == Source::State, restored.findings.is_empty()), (before == 0, false), "{at}");
            assert!(ledger.session("a").unwrap().is_unsure(), "what was sent after the damage is not known");
        }
    }

    #[test]
    fn the_newer_copy_counts_and_a_goodbye_costs_nothing() {
        let (run, _) = written(3);
        let (flash, _) = written(1);
        let (ledger, restored) = choose(read(&run), read(&flash), W + 900);
        assert_eq!((restored.source, counted(&ledger).0), (Source::Run, 13));
        let (ledger, restored) = choose(Side::None, read(&flash), W + 900);
        assert_eq!((restored.source, counted(&ledger).0, restored.lost), (Source::State, 11, Some((W + 2, W + 900))));
        assert_eq!(restored.findings.len(), 1);
        assert_eq!(ledger.stream(), Some(("stream", 4)));
        let bye = encode(Stamp { clean: true, ..stamp(9) }, true, ledger.snapshot());
        let (_, restored) = choose(read(&run), read(&bye), W + 900);
        assert_eq!((restored.source, restored.clean, restored.lost, restored.findings.len()), (Source::State, true, None, 0));
        let mut damaged = run;
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        let (_, restored) = choose(read(&damaged), read(&bye), W + 900);
        assert!(!restored.clean, "the damaged copy may have held more");
    }

    #[test]
    fn a_snapshot_is_taken_whole_or_not_at_all() {
        let mut ledger = Ledger::new();
        for n in 0..5 {
            ledger.open(&format!("s{n}"), vec![n; 40_000], W).unwrap();
        }
        let bytes = encode(stamp(1), true, ledger.snapshot());
        let record::Next::Record(_, first) = record::next(&bytes) else { panic!("no record") };
        assert!(first < bytes.len(), "it takes more than one record");
        assert!(matches!(read(&bytes[..first]), Side::Damaged));
        let (restored, _) = choose(read(&bytes), Side::None, W);
        assert_eq!(restored.sessions().count(), 5);
        assert_eq!(restored.session("s3").unwrap().definition(), vec![3; 40_000]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), flash in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = choose(read(&bytes), read(&flash), W);
        }

        /// Records whose checks hold around content that nobody wrote: changed bytes of real ones.
        #[test]
        fn sound_records_of_nonsense_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), now in any::<u64>()) {
            let (bytes, _) = written(1);
            let mut forged = Vec::new();
            let mut at = 0;
            while let record::Next::Record(raw, used) = record::next(&bytes[at..]) {
                let mut payload = raw.payload.to_vec();
                for (index, to) in &changes {
                    let i = index.index(payload.len());
                    payload[i] = *to;
                }
                forged.extend(record::encode(VERSION, &Verbatim(payload)));
                at += used;
            }
            let (mut ledger, _) = choose(read(&forged), Side::None, now);
            let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
            let id = crate::codec::NodeId::from(&key.verifying_key());
            for session in ["a", "b", "c"] {
                ledger.add(session, W + 600, 1, 1);
                ledger.finish(session, W + 700);
                ledger.journaled();
                if let Some(signed) = ledger.next_bundle(session, &key, id) {
                    let bundle: crate::meter::bundle::Bundle = crate::codec::json::from_slice(&signed.body).unwrap_or_else(|e| panic!("{e}"));
                    prop_assert!(bundle.window_start < bundle.window_end);
                }
            }
            let again = encode(stamp(5), true, ledger.snapshot());
            prop_assert!(!matches!(read(&again), Side::Damaged), "what is written can be read");
        }
    }

    /// Bytes as they are, without a length.
    struct Verbatim(Vec<u8>);

    impl Serialize for Verbatim {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple as _;
            let mut tuple = s.serialize_tuple(self.0.len())?;
            self.0.iter().try_for_each(|b| tuple.serialize_element(b))?;
            tuple.end()
        }
    }
}
