//! The keys under which a file may be stored: as it is, or compressed in a coding that the client accepts.

use super::media_type;
use crate::policy::respond::is_file_name;
use crate::request::Target;
use crate::store_keys::file_key;

/// A content coding (RFC 9110 §8.4.1, RFC 7932).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// The coding as `Content-Encoding` names it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }
}

/// The keys of one file, the smallest form first.
pub(super) struct Candidates {
    keys: Vec<String>,
    codings: Vec<Option<Coding>>,
    vary: bool,
}

impl Candidates {
    /// The keys for a request; `None` if no file has this name.
    pub(super) fn of(name: &str, target: &Target) -> Option<Self> {
        if !is_file_name(name) {
            return None;
        }
        let vary = media_type::is_compressible(name);
        let accepted = [Coding::Brotli, Coding::Gzip].into_iter().filter(|coding| vary && accepts(target, *coding));
        let codings: Vec<_> = accepted.map(Some).chain([None]).collect();
        let stored = |coding: &Option<Coding>| match coding {
            Some(coding) => file_key(&format!("{name}.{}", coding.extension())),
            None => file_key(name),
        };
        Some(Self { keys: codings.iter().map(stored).collect(), codings, vary })
    }

    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The coding of the file under the key with this number.
    pub(super) fn coding(&self, number: usize) -> Option<Coding> {
        self.codings.get(number).copied().flatten()
    }

    /// Whether the response depends on `Accept-Encoding`.
    pub(super) const fn vary(&self) -> bool {
        self.vary
    }
}

/// Whether the last segment of `name` has an extension.
pub(super) fn has_extension(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|segment| segment.contains('.'))
}

/// Whether the client accepts the coding (RFC 9110 §12.5.3): by its name, or by `*`. Without the field only the file as it
/// is stored is sent.
fn accepts(target: &Target, coding: Coding) -> bool {
    let values = target.headers().all("accept-encoding").filter_map(|value| std::str::from_utf8(value).ok());
    let mut any = false;
    for member in values.flat_map(|value| value.split(',')) {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        // A weight of zero has no digit other than 0.
        let is_refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.bytes().all(|byte| matches!(byte, b'0' | b'.')))
        });
        if name.eq_ignore_ascii_case(coding.as_str()) {
            return !is_refused;
        }
        any |= name == "*" && !is_refused;
    }
    any
}
