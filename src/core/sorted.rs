//! A map for the small tables: two vectors in the order of the keys.
//!
//! For tens or hundreds of entries it is as quick as a tree, and takes less room in RAM. In flash it is a tenth of a `BTreeMap`, which
//! is compiled anew, 6 kB, for each type of value.

use std::borrow::Borrow;

/// Keys in order, each with its value. Looking up takes O(log n), inserting and removing move what stands behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sorted<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Sorted<K, V> {
        Sorted::new()
    }
}

impl<K, V> Sorted<K, V> {
    /// An empty one; it has nothing on the heap.
    pub const fn new() -> Sorted<K, V> {
        Sorted { keys: Vec::new(), values: Vec::new() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys in order.
    pub fn keys(&self) -> std::slice::Iter<'_, K> {
        self.keys.iter()
    }

    /// Values in the order of their keys.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.values.iter()
    }

    /// Values in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, V> {
        self.values.iter_mut()
    }

    /// Values alone, in the order of their keys.
    pub fn into_values(self) -> std::vec::IntoIter<V> {
        self.values.into_iter()
    }

    /// Entries in order.
    pub fn iter(&self) -> std::iter::Zip<std::slice::Iter<'_, K>, std::slice::Iter<'_, V>> {
        self.keys.iter().zip(&self.values)
    }

    /// Takes the first entry out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.is_empty()).then(|| (self.keys.remove(0), self.values.remove(0)))
    }
}

impl<K: Ord, V> Sorted<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.keys.binary_search_by(|own| own.borrow().cmp(key))
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.get(self.find(key).ok()?)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.values.get_mut(at)
    }

    /// Whether there is `key`.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Sets the value of `key`; returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.values[at], value)),
            Err(at) => {
                self.keys.insert(at, key);
                self.values.insert(at, value);
                None
            }
        }
    }

    /// Takes `key` out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.keys.remove(at);
        Some(self.values.remove(at))
    }

    /// Takes out all from `key` on.
    pub fn split_off<Q: Ord + ?Sized>(&mut self, key: &Q) -> Sorted<K, V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).unwrap_or_else(|at| at);
        Sorted { keys: self.keys.split_off(at), values: self.values.split_off(at) }
    }
}

impl<K, V> IntoIterator for Sorted<K, V> {
    type Item = (K, V);
    type IntoIter = std::iter::Zip<std::vec::IntoIter<K>, std::vec::IntoIter<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter().zip(self.values)
    }
}

impl<'a, K, V> IntoIterator for &'a Sorted<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::iter::Zip<std::slice::Iter<'a, K>, std::slice::Iter<'a, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Sorted<K, V> {
        let mut made = Sorted::new();
        for (key, value) in entries {
            made.insert(key, value);
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_what_a_tree_does(deeds in prop::collection::vec((0u8..6, 0u32..20, any::<u16>()), 0..80)) {
            let (mut ours, mut theirs) = (Sorted::new(), BTreeMap::new());
            for (deed, key, value) in deeds {
                match deed {
                    0..=2 => prop_assert_eq!(ours.insert(key, value), theirs.insert(key, value)),
                    3 => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                    4 => prop_assert_eq!(ours.pop_first(), theirs.pop_first()),
                    _ => {
                        let (later, tree) = (ours.split_off(&key), theirs.split_off(&key));
                        prop_assert!(later.iter().eq(tree.iter()));
                        if value % 2 == 0 {
                            (ours, theirs) = (later, tree);
                        }
                    }
                }
                prop_assert!(ours.iter().eq(theirs.iter()) && ours.values().eq(theirs.values()) && ours.keys().eq(theirs.keys()));
                prop_assert_eq!((ours.len(), ours.is_empty()), (theirs.len(), theirs.is_empty()));
                prop_assert_eq!((ours.get(&key), ours.contains_key(&key)), (theirs.get(&key), theirs.contains_key(&key)));
                prop_assert_eq!(ours.get_mut(&key), theirs.get_mut(&key));
            }
            prop_assert!(ours.clone().into_iter().collect::<Sorted<_, _>>().into_values().eq(theirs.into_values()));
        }
    }
}
