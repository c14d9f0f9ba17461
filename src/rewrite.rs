//! *Rewrite*: the request as the origin knows it. In goes the canonical request, out comes the canonical request that is
//! signed and forwarded.

use crate::policy::{Captures, Route};
use crate::request::{Ambiguity, CanonicalPath, Target};

/// The path that the origin would be asked for could be read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rewritten path is ambiguous: {0}")]
pub struct RewriteError(#[from] pub Ambiguity);

impl RewriteError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "rewrite-ambiguous"
    }
}

/// Gives a request the path and the fields that the origin is to see.
///
/// # Errors
/// A [`RewriteError`] where parameters that are fine where they stand make no canonical path where they are put.
pub fn rewrite(route: &Route, target: Target, captures: &Captures) -> Result<Target, RewriteError> {
    let headers = route.request_fields.apply(target.headers());
    let path = match &route.origin_template {
        Some(template) => {
            let filled = template.fill(captures).ok_or(Ambiguity::NotRooted)?;
            CanonicalPath::of_decoded(&filled)?
        }
        None => target.path().clone(),
    };
    Ok(target.rewritten(path, headers))
}
