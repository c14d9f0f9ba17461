//! *Throttle*: not more often than that. In goes a limit, what it counts by and a [`Counter`]; out comes how the caller
//! stands, or a refusal. What is counted and how is here, pure; where the number is kept is the counter's affair.

mod key;
mod standing;
mod window;

pub use key::Asker;
pub use standing::{Standing, announce};
pub use window::Window;

use crate::policy::limits::{Limit, Unreachable};
use crate::time::UnixTime;

/// Keeps counts.
pub trait Counter {
    /// Takes `cost` of what `limit` admits under `key`, if that much is left.
    ///
    /// # Errors
    /// [`CounterUnreachable`] where the count cannot be had.
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable>;
}

/// What a counter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether the cost was taken.
    pub admitted: bool,
    /// How much is left and in how many seconds the window ends; nothing where the counter only estimates.
    pub left: Option<(u64, u64)>,
    /// Whether the request waited for its turn at the count in vain: it was not counted, and is one too many.
    pub queue_full: bool,
}

/// A counter cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterUnreachable(pub String);

/// Why a request is one too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThrottleError {
    /// The limit is used up.
    #[error("limit \"{}\" is used up", .standing.limit)]
    Exceeded {
        /// How the caller stands.
        standing: Standing,
    },
    /// So many requests ask for this count at once that this one's turn did not come.
    #[error("too many requests wait for the count of limit \"{limit}\"")]
    QueueFull {
        /// The name of the limit.
        limit: String,
    },
    /// The counter cannot be asked, and the limit is closed then.
    #[error("the counter of limit \"{limit}\" cannot be asked: {cause}")]
    Unreachable {
        /// The name of the limit.
        limit: String,
        /// What went wrong, for the log.
        cause: String,
    },
}

impl ThrottleError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exceeded { .. } => "limit-exceeded",
            Self::QueueFull { .. } => "limit-queue-full",
            Self::Unreachable { .. } => "counter-unreachable",
        }
    }
}

/// What becomes of a request that is not one too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was counted.
    Counted(Standing),
    /// The counter cannot be asked, and the limit is open then.
    Uncounted {
        /// What went wrong, for the log.
        cause: String,
    },
}

/// Keeps one limit.
///
/// # Errors
/// A [`ThrottleError`] where the limit is used up, or cannot be kept and is closed then.
pub fn throttle(
    limit: &Limit,
    asker: &Asker<'_>,
    counter: &mut dyn Counter,
    now: UnixTime,
) -> Result<Kept, ThrottleError> {
    match counter.take(limit, &asker.key(limit), asker.cost(limit), now) {
        Ok(Taken { queue_full: true, .. }) => Err(ThrottleError::QueueFull { limit: limit.name.clone() }),
        Ok(taken) => {
            let standing = Standing::new(limit, taken.left);
            if taken.admitted { Ok(Kept::Counted(standing)) } else { Err(ThrottleError::Exceeded { standing }) }
        }
        Err(CounterUnreachable(cause)) => match limit.unreachable {
            Unreachable::Open => Ok(Kept::Uncounted { cause }),
            Unreachable::Closed => Err(ThrottleError::Unreachable { limit: limit.name.clone(), cause }),
        },
    }
}
