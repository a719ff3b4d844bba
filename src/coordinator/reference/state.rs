//! The durable tables, and the list of rows that changed since the last commit.

use std::collections::{BTreeMap, BTreeSet};

use super::places::Observed;
use super::row::{Agreed, Buyer, Node, Progress, Purchase, Row, VERSION, Window};
use super::usage::apart;
use crate::codec::{NodeId, record};

/// One session: what was agreed, and how far it has come.
#[derive(Clone, Debug)]
pub struct Session {
    /// What was agreed.
    pub agreed: Agreed,
    /// How far it has come.
    pub progress: Progress,
}

/// Nodes, buyers, sessions. Built from rows, changed only through the methods that remember which row changed.
#[derive(Debug, Default)]
pub struct State {
    nodes: BTreeMap<NodeId, Node>,
    places: BTreeMap<NodeId, Observed>,
    buyers: BTreeMap<String, Buyer>,
    sessions: BTreeMap<String, Session>,
    successors: BTreeMap<NodeId, NodeId>,
    buyer_keys: BTreeMap<String, NodeId>,
    windows: BTreeMap<(String, u64), Window>,
    /// Those of the windows that are disputed.
    disputed: BTreeSet<(String, u64)>,
    purchases: BTreeMap<String, Purchase>,
    changed: Changed,
}

#[derive(Debug, Default)]
struct Changed {
    nodes: BTreeSet<NodeId>,
    places: BTreeSet<NodeId>,
    buyers: BTreeSet<String>,
    agreed: BTreeSet<String>,
    progress: BTreeSet<String>,
    successors: BTreeSet<NodeId>,
    buyer_keys: BTreeSet<String>,
    windows: BTreeSet<(String, u64)>,
    purchases: BTreeSet<String>,
}

impl Changed {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty()
            && self.places.is_empty()
            && self.buyers.is_empty()
            && self.agreed.is_empty()
            && self.progress.is_empty()
            && self.successors.is_empty()
            && self.buyer_keys.is_empty()
            && self.windows.is_empty()
            && self.purchases.is_empty()
    }
}

impl State {
    /// All nodes by key.
    pub fn nodes(&self) -> &BTreeMap<NodeId, Node> {
        &self.nodes
    }

    /// Where nodes are observed.
    pub fn places(&self) -> &BTreeMap<NodeId, Observed> {
        &self.places
    }

    /// Sets or forgets where a node is observed.
    pub fn set_place(&mut self, id: NodeId, observed: Option<Observed>) {
        self.changed.places.insert(id);
        match observed {
            Some(observed) => _ = self.places.insert(id, observed),
            None => _ = self.places.remove(&id),
        }
    }

    /// All buyers by name.
    pub fn buyers(&self) -> &BTreeMap<String, Buyer> {
        &self.buyers
    }

    /// All sessions by id.
    pub fn sessions(&self) -> &BTreeMap<String, Session> {
        &self.sessions
    }

    /// Names given up, each with the one that came after it.
    pub fn successors(&self) -> &BTreeMap<NodeId, NodeId> {
        &self.successors
    }

    /// The name `old` is given up for `new`.
    pub fn put_successor(&mut self, old: NodeId, new: NodeId) {
        self.changed.successors.insert(old);
        self.successors.insert(old, new);
    }

    /// The sessions at `node`, live or not.
    pub fn sessions_of(&self, node: NodeId) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(move |s| s.progress.node == Some(node))
    }

    /// Sets a node's row.
    pub fn put_node(&mut self, node: Node) {
        self.changed.nodes.insert(node.id);
        self.nodes.insert(node.id, node);
    }

    /// Changes a node's row, where there is one.
    pub fn change_node<T>(&mut self, id: NodeId, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let node = self.nodes.get_mut(&id)?;
        self.changed.nodes.insert(id);
        Some(change(node))
    }

    /// Forgets a node.
    pub fn drop_node(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        self.changed.nodes.insert(id);
        if self.places.contains_key(&id) {
            self.set_place(id, None);
        }
    }

    /// Sets a buyer's row.
    pub fn put_buyer(&mut self, buyer: Buyer) {
        self.changed.buyers.insert(buyer.id.clone());
        self.buyers.insert(buyer.id.clone(), buyer);
    }

    /// Removes a buyer; `false` where there was none.
    pub fn drop_buyer(&mut self, id: &str) -> bool {
        self.changed.buyers.insert(id.to_owned());
        self.buyer_keys.remove(id);
        self.buyers.remove(id).is_some()
    }

    /// The key `buyer` signs its records with.
    pub fn buyer_key(&self, buyer: &str) -> Option<NodeId> {
        self.buyer_keys.get(buyer).copied()
    }

    /// Sets it.
    pub fn put_buyer_key(&mut self, buyer: &str, key: NodeId) {
        self.changed.buyer_keys.insert(buyer.to_owned());
        self.buyer_keys.insert(buyer.to_owned(), key);
    }

    /// Windows in which buyers' records are compared, by session and start.
    pub fn windows(&self) -> &BTreeMap<(String, u64), Window> {
        &self.windows
    }

    /// One of them.
    pub fn window(&self, session: &str, start: u64) -> Option<&Window> {
        self.windows.get(&(session.to_owned(), start))
    }

    /// Those in which the two counts are apart.
    pub fn disputed(&self) -> &BTreeSet<(String, u64)> {
        &self.disputed
    }

    /// Whether both sides' counts are apart over all windows of a session that both have counted.
    pub fn is_apart(&self, session: &str) -> bool {
        let of = self.windows.range((session.to_owned(), 0)..=(session.to_owned(), u64::MAX)).map(|(_, w)| w).filter(|w| w.bundles > 0);
        let both = of.filter_map(|w| w.buyer.map(|b| (w.ingress, w.egress, b.0, b.1)));
        let sum = both.fold((0u64, 0u64, 0u64, 0u64), |s, w| {
            (s.0.saturating_add(w.0), s.1.saturating_add(w.1), s.2.saturating_add(w.2), s.3.saturating_add(w.3))
        });
        apart(sum.0, sum.2) || apart(sum.1, sum.3)
    }

    /// Unannounced purchases, by session.
    pub fn purchases(&self) -> &BTreeMap<String, Purchase> {
        &self.purchases
    }

    /// Sets a purchase.
    pub fn put_purchase(&mut self, purchase: Purchase) {
        self.changed.purchases.insert(purchase.session_id.clone());
        self.purchases.insert(purchase.session_id.clone(), purchase);
    }

    /// Changes a purchase, where there is one.
    pub fn change_purchase(&mut self, id: &str, change: impl FnOnce(&mut Purchase)) {
        if let Some(purchase) = self.purchases.get_mut(id) {
            self.changed.purchases.insert(id.to_owned());
            change(purchase);
        }
    }

    /// Forgets a purchase.
    pub fn drop_purchase(&mut self, id: &str) {
        self.purchases.remove(id);
        self.changed.purchases.insert(id.to_owned());
    }

    /// Sets a window.
    pub fn put_window(&mut self, window: Window) {
        self.changed.windows.insert((window.session_id.clone(), window.start));
        self.take_window(window);
    }

    /// Forgets a window.
    pub fn drop_window(&mut self, session: &str, start: u64) {
        let key = (session.to_owned(), start);
        self.windows.remove(&key);
        self.disputed.remove(&key);
        self.changed.windows.insert(key);
    }

    fn take_window(&mut self, window: Window) {
        let key = (window.session_id.clone(), window.start);
        if window.is_disputed() {
            self.disputed.insert(key.clone())
        } else {
            self.disputed.remove(&key)
        };
        self.windows.insert(key, window);
    }

    /// Adds a session.
    pub fn put_session(&mut self, session: Session) {
        let id = session.agreed.session_id.clone();
        self.changed.agreed.insert(id.clone());
        self.changed.progress.insert(id.clone());
        self.sessions.insert(id, session);
    }

    /// Changes what was agreed for a session.
    pub fn change_agreed(&mut self, id: &str, change: impl FnOnce(&mut Agreed)) {
        if let Some(session) = self.sessions.get_mut(id) {
            self.changed.agreed.insert(id.to_owned());
            change(&mut session.agreed);
        }
    }

    /// Changes how far a session has come.
    pub fn change_progress(&mut self, id: &str, change: impl FnOnce(&mut Progress)) {
        if let Some(session) = self.sessions.get_mut(id) {
            self.changed.progress.insert(id.to_owned());
            change(&mut session.progress);
        }
    }

    /// Forgets a session.
    pub fn drop_session(&mut self, id: &str) {
        self.sessions.remove(id);
        self.changed.agreed.insert(id.to_owned());
        self.changed.progress.insert(id.to_owned());
    }

    /// The rows changed since the last call, as one record; `None` where nothing changed.
    pub fn take_record(&mut self) -> Option<Vec<u8>> {
        if self.changed.is_empty() {
            return None;
        }
        let changed = std::mem::take(&mut self.changed);
        let mut rows = Vec::new();
        for id in changed.nodes {
            rows.push(self.nodes.get(&id).map_or(Row::NodeGone(id), |n| Row::Node(Box::new(n.clone()))));
        }
        for id in changed.places {
            rows.push(Row::Place(id, self.places.get(&id).cloned()));
        }
        for id in changed.buyers {
            rows.push(self.buyers.get(&id).cloned().map_or_else(|| Row::BuyerGone(id), Row::Buyer));
        }
        for id in &changed.agreed {
            rows.push(self.sessions.get(id).map_or_else(|| Row::SessionGone(id.clone()), |s| Row::Agreed(Box::new(s.agreed.clone()))));
        }
        for id in changed.progress {
            if let Some(session) = self.sessions.get(&id) {
                rows.push(Row::Progress(id, Box::new(session.progress.clone())));
            }
        }
        rows.extend(changed.successors.into_iter().filter_map(|old| Some(Row::Successor(old, *self.successors.get(&old)?))));
        for id in changed.buyer_keys {
            rows.extend(self.buyer_keys.get(&id).map(|key| Row::BuyerKey(id.clone(), *key)));
        }
        for key in changed.windows {
            rows.push(self.windows.get(&key).map_or_else(|| Row::WindowGone(key.0.clone(), key.1), |w| Row::Window(Box::new(w.clone()))));
        }
        for id in changed.purchases {
            rows.push(self.purchases.get(&id).map_or_else(|| Row::PurchaseGone(id.clone()), |p| Row::Purchase(Box::new(p.clone()))));
        }
        Some(record::encode(VERSION, &rows))
    }

    /// Everything, as records of one row each: what a compacted log holds.
    pub fn all_records(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut push = |rows: Vec<Row>| out.extend_from_slice(&record::encode(VERSION, &rows));
        for node in self.nodes.values() {
            push(vec![Row::Node(Box::new(node.clone()))]);
        }
        for (id, observed) in &self.places {
            push(vec![Row::Place(*id, Some(observed.clone()))]);
        }
        for (old, new) in &self.successors {
            push(vec![Row::Successor(*old, *new)]);
        }
        for buyer in self.buyers.values() {
            push(vec![Row::Buyer(buyer.clone())]);
        }
        for (id, session) in &self.sessions {
            push(vec![Row::Agreed(Box::new(session.agreed.clone())), Row::Progress(id.clone(), Box::new(session.progress.clone()))]);
        }
        for (id, key) in &self.buyer_keys {
            push(vec![Row::BuyerKey(id.clone(), *key)]);
        }
        for window in self.windows.values() {
            push(vec![Row::Window(Box::new(window.clone()))]);
        }
        for purchase in self.purchases.values() {
            push(vec![Row::Purchase(Box::new(purchase.clone()))]);
        }
        out
    }

    /// Takes in the rows of one record read back from the log.
    pub fn replay(&mut self, rows: Vec<Row>) {
        for row in rows {
            match row {
                Row::Node(node) => {
                    self.nodes.insert(node.id, *node);
                }
                Row::NodeGone(id) => {
                    self.nodes.remove(&id);
                }
                Row::Buyer(buyer) => {
                    self.buyers.insert(buyer.id.clone(), buyer);
                }
                Row::BuyerGone(id) => {
                    self.buyers.remove(&id);
                    self.buyer_keys.remove(&id);
                }
                Row::BuyerKey(id, key) => {
                    self.buyer_keys.insert(id, key);
                }
                Row::Window(window) => self.take_window(*window),
                Row::Purchase(purchase) => {
                    self.purchases.insert(purchase.session_id.clone(), *purchase);
                }
                Row::PurchaseGone(id) => {
                    self.purchases.remove(&id);
                }
                Row::WindowGone(session, start) => {
                    self.windows.remove(&(session.clone(), start));
                    self.disputed.remove(&(session, start));
                }
                Row::Agreed(agreed) => {
                    let id = agreed.session_id.clone();
                    match self.sessions.get_mut(&id) {
                        Some(session) => session.agreed = *agreed,
                        None => {
                            let progress = Progress::new(agreed.opened_at);
                            self.sessions.insert(id, Session { agreed: *agreed, progress });
                        }
                    }
                }
                Row::Progress(id, progress) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        session.progress = *progress;
                    }
                }
                Row::SessionGone(id) => {
                    self.sessions.remove(&id);
                }
                Row::Place(id, Some(observed)) => {
                    self.places.insert(id, observed);
                }
                Row::Place(id, None) => {
                    self.places.remove(&id);
                }
                Row::Successor(old, new) => {
                    self.successors.insert(old, new);
                }
            }
        }
    }
}
