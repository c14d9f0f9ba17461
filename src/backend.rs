//! Step *select*: which backend of the origin receives a request. Input: the evidence of authorization, the client, and the
//! request. Output: first an [`Assignment`], which depends on nothing but those and the policy; then [`Candidates`], the
//! backends in the order in which they are tried, without those that the POP skips at present.
//!
//! The same code decides at the edge and in the command-line tool; only what is known of the health of backends differs.

mod assignment;
mod candidates;
mod error;
mod health;
mod rendezvous;
mod retry;

pub use assignment::{Assignment, Subject, region_choice};
pub use candidates::Candidates;
pub use error::SelectError;
pub use health::{Health, HealthRecord};
pub use rendezvous::cost;
pub use retry::{Outcome, may_resend};
