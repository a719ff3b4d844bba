//! The ledger's side of the journal: what changed since it was written, and the way back.

use super::{Ledger, Touched};
use crate::meter::access_log::AccessLog;
use crate::meter::chain::{Chain, Dirt};
use crate::meter::image::{Image, Item};
use crate::meter::state::{ChainImage, Lost};

impl Ledger {
    /// Puts a ledger together from what a journal's copy holds. `exact`: it is the last one written before anything
    /// was sent; `lost`: what an unclean stop may have cost.
    pub(in crate::meter) fn restore(image: Image, exact: bool, lost: Option<Lost>) -> Ledger {
        let chain = |c: ChainImage| Chain::restore(c.state, c.open.as_ref(), exact, lost);
        let mut ledger = Ledger {
            chains: image.chains.into_iter().map(|(id, c)| (id, chain(c))).collect(),
            node: image.node,
            quarantine: image.quarantine,
            aside: image.aside,
            receipts: image.receipts,
            lost,
            ..Ledger::default()
        };
        ledger.dirt.any = !ledger.chains.is_empty();
        ledger
    }

    /// Takes the access log over that earlier processes left. What it lacks of windows the journal still holds is
    /// told as missing.
    pub(in crate::meter) fn take_log(&mut self, log: AccessLog) {
        self.log = log;
        for (id, chain) in &self.chains {
            for sealed in &chain.state.spool {
                self.log.closed_earlier(id, sealed.start..sealed.end, sealed.log);
            }
        }
    }

    /// The access log, for its file.
    pub(in crate::meter) fn access_log(&mut self) -> &mut AccessLog {
        &mut self.log
    }

    /// Whether there is something the journal does not hold.
    pub(in crate::meter) fn is_dirty(&self) -> bool {
        self.dirt.any
    }

    /// Whether flash should hold it soon: a session ended, a bundle was refused, the owner stopped the node.
    pub(in crate::meter) fn wants_flash(&self) -> bool {
        self.dirt.flash
    }

    /// Flash holds it.
    pub(in crate::meter) fn flashed(&mut self) {
        self.dirt.flash = false;
    }

    /// What was touched since [`Ledger::journaled`].
    pub(in crate::meter) fn delta(&self) -> impl Iterator<Item = Item> {
        let d = &self.dirt;
        let gone = d.gone.iter().map(|id| Item::Gone(id.clone()));
        let chains = self.chains.iter().filter_map(|(id, c)| match c.dirt {
            Dirt::Clean => None,
            Dirt::Open(keep) => c.open_image(keep).map(|open| Item::Open(id.clone(), c.totals(), open)),
            Dirt::Whole => Some(Item::Chain(id.clone(), Box::new(c.image()))),
        });
        gone.chain(chains).chain(self.rest(d.node, d.receipts, d.aside)).chain(self.quarantine_item(d.quarantine))
    }

    /// All of it.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = Item> {
        self.chains
            .iter()
            .map(|(id, c)| Item::Chain(id.clone(), Box::new(c.image())))
            .chain(self.rest(true, true, true))
            .chain(self.quarantine_item(self.quarantine().is_some()))
    }

    /// The journal holds everything.
    pub(crate) fn journaled(&mut self) {
        self.chains.values_mut().for_each(|c| c.dirt = Dirt::Clean);
        self.dirt = Touched { flash: self.dirt.flash, ..Touched::default() };
    }

    fn quarantine_item(&self, wanted: bool) -> impl Iterator<Item = Item> {
        wanted.then(|| Item::Quarantine(self.quarantine().cloned())).into_iter()
    }

    fn rest(&self, node: bool, receipts: bool, aside: bool) -> impl Iterator<Item = Item> {
        let node = node.then(|| Item::Node(self.node.clone()));
        let receipts = receipts.then(|| Item::Receipts(self.receipts.clone()));
        let aside = aside.then(|| Item::Aside(self.aside.clone()));
        node.into_iter().chain(receipts).chain(aside)
    }
}
