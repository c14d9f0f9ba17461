//! The values of one thing over time.

/// An interval: its beginning and its end.
pub(crate) type Time = (u64, u64);

/// Successive values. A value holds at the earliest from the beginning of the change to it, and at the latest until the
/// end of the change to the next value.
pub(crate) struct Timeline<T>(Vec<(Time, T)>);

impl<T> Timeline<T> {
    pub(crate) fn new(now: u64, value: T) -> Self {
        Self(vec![((now, now), value)])
    }

    pub(crate) fn set(&mut self, at: Time, value: T) {
        self.0.push((at, value));
    }

    pub(crate) fn last(&self) -> &T {
        &self.0[self.0.len() - 1].1
    }

    fn end(&self, index: usize) -> u64 {
        self.0.get(index + 1).map_or(u64::MAX, |next| next.0.1)
    }

    /// Every value that may have held in an interval.
    pub(crate) fn during(&self, (from, until): Time) -> impl Iterator<Item = &T> {
        let overlaps = move |index: usize, begin: u64| begin <= until && self.end(index) > from;
        self.0.iter().enumerate().filter(move |(index, (at, _))| overlaps(*index, at.0)).map(|(_, (_, value))| value)
    }

    /// The latest end of the last value of this kind; `None` if it still holds or never held.
    pub(crate) fn last_end(&self, is_one: impl Fn(&T) -> bool) -> Option<u64> {
        let last = self.0.iter().rposition(|(_, value)| is_one(value))?;
        Some(self.end(last)).filter(|end| *end != u64::MAX)
    }

    /// The beginnings of the values of this kind that hold now, or that were the last before others.
    pub(crate) fn since(&self, is_one: impl Fn(&T) -> bool) -> Option<u64> {
        let last = self.0.iter().rposition(|(_, value)| is_one(value))?;
        let before = self.0[..last].iter().rposition(|(_, value)| !is_one(value));
        Some(self.0[before.map_or(0, |index| index + 1)].0.0)
    }
}
