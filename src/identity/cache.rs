//! A bounded cache in the memory of one sandbox. Each value has its own expiry, and the least recently used one is
//! dropped first. The memory is bounded, however many distinct tokens arrive.

use std::hash::Hash;

use lru::LruCache;

use crate::time::UnixTime;

/// At most `CAPACITY` values, each with its key and expiry.
pub struct Lru<K, V, const CAPACITY: usize>(LruCache<K, (UnixTime, V)>);

impl<K: Hash + Eq, V, const CAPACITY: usize> Default for Lru<K, V, CAPACITY> {
    fn default() -> Self {
        // It grows with what it keeps: a new sandbox need not allocate and clear room for `CAPACITY` values.
        Self(LruCache::unbounded())
    }
}

impl<K: Hash + Eq, V, const CAPACITY: usize> Lru<K, V, CAPACITY> {
    /// The value under `key`; `None` if there is none, or if it has expired at `now`.
    pub fn recall(&mut self, key: &K, now: UnixTime) -> Option<&V> {
        self.0.get(key).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    /// Keeps `value` under `key` until the moment `until`, which is not included.
    pub fn keep(&mut self, key: K, value: V, until: UnixTime) {
        self.0.put(key, (until, value));
        if self.0.len() > CAPACITY {
            self.0.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lru;
    use crate::time::{Seconds, UnixTime};

    #[test]
    fn a_value_is_used_until_it_expires() {
        let (mut cache, now) = (Lru::<u64, &str, 4096>::default(), UnixTime::from_seconds(100));
        assert_eq!(cache.recall(&1, now), None);
        cache.keep(1, "one", now.plus(Seconds::new(30)));
        assert_eq!(cache.recall(&1, now.plus(Seconds::new(29))), Some(&"one"));
        assert_eq!(cache.recall(&2, now), None);
        assert_eq!(cache.recall(&1, now.plus(Seconds::new(30))), None);
    }

    #[test]
    fn the_number_of_values_is_bounded_and_used_ones_stay() {
        let (mut cache, now) = (Lru::<usize, (), 100>::default(), UnixTime::from_seconds(100));
        for number in 0..300 {
            cache.keep(number, (), now.plus(Seconds::new(30)));
            assert!(cache.recall(&0, now).is_some(), "a value in use is not dropped");
        }
        assert_eq!(cache.0.len(), 100);
        assert_eq!(cache.recall(&1, now), None);
    }
}
