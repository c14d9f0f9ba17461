//! Step *rewrite*: gives the request the form that the origin receives. Input: [`Cleared`] and the canonical request.
//! Output: an [`OriginTarget`], whose path and fields are signed and forwarded.

use crate::headers::Headers;
use crate::policy::Captures;
use crate::request::{Ambiguity, CanonicalPath, Target};
use crate::throttle::Cleared;

/// The path at the origin could be read in more than one way.
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

/// A request with the path and the header fields that the origin receives. Only [`rewrite`] makes one.
#[derive(Debug)]
pub struct OriginTarget {
    received: Target,
    path: Option<CanonicalPath>,
    headers: Headers,
}

impl OriginTarget {
    /// The request as it was received and authorized; its path and its fields are not what the origin receives.
    #[must_use]
    pub const fn received(&self) -> &Target {
        &self.received
    }

    /// The canonical path at the origin.
    #[must_use]
    pub const fn path(&self) -> &CanonicalPath {
        match &self.path {
            Some(path) => path,
            None => self.received.path(),
        }
    }

    /// The client's header fields after the edits of the route.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}

/// Applies the route's rewrite and its edits of the request's fields.
///
/// # Errors
/// A [`RewriteError`] if the values of the parameters make no canonical path in the template of the origin.
pub fn rewrite(cleared: &Cleared<'_>, target: Target, captures: &Captures) -> Result<OriginTarget, RewriteError> {
    let route = cleared.route();
    let headers = route.request_fields.apply(target.headers());
    let path = match &route.origin_template {
        Some(template) => {
            let filled = template.fill(captures).ok_or(Ambiguity::NotRooted)?;
            Some(CanonicalPath::of_decoded(&filled)?)
        }
        None => None,
    };
    Ok(OriginTarget { received: target, path, headers })
}
