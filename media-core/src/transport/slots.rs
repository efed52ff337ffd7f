//! Keeps values under dense keys that are not reused soon.

use std::collections::VecDeque;

use crate::units::TransportKey;

/// A key is the place (low bits) and how often the place was given away before (high bits), so that
/// a key kept too long finds nothing. The oldest free place is taken first: one key returns after
/// at least 4096 others.
const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

/// Where in a dense table something about a transport may be kept; another transport may have had the place before.
pub(crate) fn place(key: TransportKey) -> usize {
    (key.0 & INDEX_MASK) as usize
}

#[derive(Debug)]
pub(super) struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: VecDeque<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    key: TransportKey,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), free: VecDeque::new() }
    }

    pub(super) fn insert(&mut self, value: T) -> TransportKey {
        let free = self.free.pop_front().and_then(|index| self.entries.get_mut(index as usize));
        if let Some(entry) = free {
            entry.key = TransportKey(entry.key.0.wrapping_add(1 << INDEX_BITS));
            entry.value = Some(value);
            return entry.key;
        }
        let index = u32::try_from(self.entries.len()).ok().filter(|index| *index <= INDEX_MASK);
        let key = TransportKey(index.expect("a shard has memory for less than a million transports"));
        self.entries.push(Entry { key, value: Some(value) });
        key
    }

    pub(super) fn remove(&mut self, key: TransportKey) -> Option<T> {
        let index = key.0 & INDEX_MASK;
        let entry = self.entries.get_mut(index as usize).filter(|entry| entry.key == key)?;
        let value = entry.value.take()?;
        self.free.push_back(index);
        Some(value)
    }

    pub(super) fn get(&self, key: TransportKey) -> Option<&T> {
        let entry = self.entries.get(place(key))?;
        entry.value.as_ref().filter(|_| entry.key == key)
    }

    pub(super) fn get_mut(&mut self, key: TransportKey) -> Option<&mut T> {
        let entry = self.entries.get_mut(place(key))?;
        entry.value.as_mut().filter(|_| entry.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_finds_nothing() {
        let mut slots = Slots::new();
        let (a, b) = (slots.insert("a"), slots.insert("b"));
        assert_eq!(slots.remove(a), Some("a"));
        assert_eq!(slots.remove(a), None);
        let c = slots.insert("c");
        assert_ne!(a, c);
        assert_eq!((slots.get(a), slots.get(b), slots.get(c)), (None, Some(&"b"), Some(&"c")));
        assert_eq!(slots.get_mut(a), None);
        assert_eq!(slots.remove(TransportKey(12_345)), None);
    }
}
