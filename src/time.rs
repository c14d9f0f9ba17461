//! Moments and lengths of time, in whole seconds. A moment is always an argument, never read from a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z (RFC 7519 §2, `NumericDate`, whole seconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct UnixTime(u64);

/// A length of time, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct Seconds(u64);

impl Seconds {
    /// This many seconds.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// How many seconds these are.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl From<u64> for Seconds {
    fn from(seconds: u64) -> Self {
        Self(seconds)
    }
}

impl From<Seconds> for u64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl UnixTime {
    /// The moment `seconds` after the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// The moment `length` later; saturates instead of wrapping.
    #[must_use]
    pub fn plus(self, length: impl Into<Seconds>) -> Self {
        Self(self.0.saturating_add(length.into().as_u64()))
    }

    /// How many seconds lie between `earlier` and this moment; 0 when `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::UnixTime;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(UnixTime::from_seconds(u64::MAX).plus(1).seconds(), u64::MAX);
        assert_eq!(UnixTime::from_seconds(1).since(UnixTime::from_seconds(5)), 0);
    }
}
