//! The end of a request that was sent to a backend.

use crate::backend::Outcome;
use crate::mint::Grant;

/// A request that was sent to a backend, and how that ended.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'request> {
    /// The request.
    pub grant: &'request Grant,
    /// Its outcome.
    pub outcome: Outcome,
    /// Whether the whole request is still there and [may be sent twice](Grant::may_resend).
    pub may_resend: bool,
}
