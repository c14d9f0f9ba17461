//! Step *throttle*: is the request within the route's limits? Input: what [`inspect`](crate::inspect) passed, and a
//! [`Counter`]. Output: [`Cleared`], which rewriting and minting require. `throttle/key.rs` decides what a request is
//! counted by and what it costs; [`Window`] decides whether an exact count admits it; `ports/counter.rs` stores the counts
//! of a POP and makes that decision atomic. Edge Rate Limiting decides by itself.

mod budget_window;
mod counter;
mod key;
mod quota;
mod window;

pub use budget_window::{BudgetWindow, Held, Requested, Reservation};
pub use counter::{Counter, CounterUnreachable, Taken};
pub use key::KeyParts;
pub use quota::{Quota, Remaining, ratelimit_fields};
pub use window::Window;

use crate::authorize::Permit;
use crate::client::Client;
use crate::identity::Caller;
use crate::inspect::Inspected;
use crate::policy::Route;
use crate::policy::limits::{Limit, Unreachable};
use crate::request::Target;
use crate::time::UnixTime;

/// A permit for a request that has the accepted form and is within every limit. Only [`clear`] makes one.
#[derive(Debug)]
pub struct Cleared<'policy>(Permit<'policy>);

impl<'policy> Cleared<'policy> {
    /// The route that may be used.
    #[must_use]
    pub const fn route(&self) -> &'policy Route {
        self.0.route()
    }

    /// The caller who may use it.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        self.0.caller()
    }
}

/// Why a limit refuses a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThrottleError {
    /// The limit is used up.
    #[error("limit \"{}\" is used up", .quota.limit)]
    Exceeded {
        /// The caller's quota.
        quota: Quota,
    },
    /// Too many requests wait for this count at once.
    #[error("too many requests wait for the count of limit \"{limit}\"")]
    QueueFull {
        /// The name of the limit.
        limit: String,
    },
    /// The counter cannot be reached, and the limit refuses requests then.
    #[error("the counter of limit \"{limit}\" cannot be read: {cause}")]
    Unreachable {
        /// The name of the limit.
        limit: String,
        /// The cause, for the log.
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

/// The outcome of one limit that lets a request pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was counted.
    Counted(Quota),
    /// The counter cannot be reached, and the limit lets requests pass then.
    Uncounted {
        /// The cause, for the log.
        cause: String,
    },
}

/// Counts a request against every limit of its route, in order. A limit in shadow refuses no request. `report` is
/// called with each limit and its outcome; that is how refusals in shadow are recorded.
///
/// # Errors
/// The [`ThrottleError`] of the first limit that is not in shadow and refuses the request.
pub fn clear<'policy>(
    inspected: Inspected<'policy>,
    target: &Target,
    client: &Client,
    counter: &mut dyn Counter,
    now: UnixTime,
    report: &mut dyn FnMut(&Limit, Result<Outcome, ThrottleError>),
) -> Result<Cleared<'policy>, ThrottleError> {
    let permit = inspected.into_permit();
    let route = permit.route();
    let parts = KeyParts {
        route: route.id.as_str(),
        caller: permit.caller(),
        client: client.address,
        headers: target.headers(),
    };
    for limit in &route.limits {
        count(limit, &parts, counter, now, report)?;
    }
    Ok(Cleared(permit))
}

/// Counts a request against one limit, which refuses no request in shadow. `report` is called as by [`clear`].
///
/// # Errors
/// The [`ThrottleError`] of a limit that is not in shadow and refuses the request.
pub fn count(
    limit: &Limit,
    parts: &KeyParts<'_>,
    counter: &mut dyn Counter,
    now: UnixTime,
    report: &mut dyn FnMut(&Limit, Result<Outcome, ThrottleError>),
) -> Result<(), ThrottleError> {
    match throttle(limit, parts, counter, now) {
        Err(error) if !limit.shadow => Err(error),
        outcome => {
            report(limit, outcome);
            Ok(())
        }
    }
}

/// Counts the request, whether the limit is in shadow or not.
///
/// # Errors
/// A [`ThrottleError`] if the limit is used up, or if it cannot be counted and refuses requests then.
fn throttle(
    limit: &Limit,
    parts: &KeyParts<'_>,
    counter: &mut dyn Counter,
    now: UnixTime,
) -> Result<Outcome, ThrottleError> {
    match counter.take(limit, &parts.key(limit), parts.cost(limit), now) {
        Ok(Taken { queue_full: true, .. }) => Err(ThrottleError::QueueFull { limit: limit.name.clone() }),
        Ok(taken) => {
            let quota = Quota::new(limit, taken.remaining);
            if taken.admitted { Ok(Outcome::Counted(quota)) } else { Err(ThrottleError::Exceeded { quota }) }
        }
        Err(CounterUnreachable(cause)) => match limit.unreachable {
            Unreachable::Open => Ok(Outcome::Uncounted { cause }),
            Unreachable::Closed => Err(ThrottleError::Unreachable { limit: limit.name.clone(), cause }),
        },
    }
}
