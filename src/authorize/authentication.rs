//! How, and how recently, the caller signed in, compared with what a route requires (RFC 9470).

use crate::identity::Identity;
use crate::policy::Authentication;
use crate::time::UnixTime;

/// Whether `acr` and `auth_time` of the caller's token are as required. A token without the claim does not meet a
/// requirement, and neither does one whose sign-in is in the future.
pub(super) fn is_met(required: &Authentication, identity: &Identity, now: UnixTime) -> bool {
    let leeway = identity.leeway();
    let is_recent = |max_age| {
        let signed_in = identity.authenticated()?;
        Some(signed_in <= now.plus(leeway) && now <= signed_in.plus(max_age).plus(leeway))
    };
    let is_accepted = |acr| required.acr.iter().any(|accepted| accepted == acr);
    let meets_acr = required.acr.is_empty() || identity.acr().is_some_and(is_accepted);
    let meets_age = required.max_age.is_none_or(|max_age| is_recent(max_age) == Some(true));
    meets_acr && meets_age
}
