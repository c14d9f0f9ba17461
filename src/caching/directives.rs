//! `Cache-Control` of a response (RFC 9111 §5.2, RFC 5861).

use crate::headers::{Headers, is_field_name};
use crate::time::Seconds;

/// The greatest number of seconds that is told apart (RFC 9111 §1.2.2).
const MOST: u64 = 2_147_483_648;

/// The directives of a response that a cache for one audience follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive of its own")]
pub(super) struct Directives {
    pub(super) no_store: bool,
    /// `private`, also with field names: no shared cache stores the response.
    pub(super) private: bool,
    /// `no-cache`, also with field names: every use needs a validation.
    pub(super) no_cache: bool,
    /// `must-revalidate`, `proxy-revalidate` or `s-maxage`: the response is never sent when it is stale.
    pub(super) must_revalidate: bool,
    pub(super) must_understand: bool,
    /// A directive has a name that is no token (RFC 9111 §5.2), or a quote stays open.
    pub(super) malformed: bool,
    pub(super) no_store_for_cdn: bool,
    lifetime_for_cdn: Option<Seconds>,
    /// The lifetime by `s-maxage` or, without one, by `max-age`. A value that is not a number is no time at all.
    pub(super) lifetime: Option<Seconds>,
    pub(super) stale_while_revalidate: Option<Seconds>,
    pub(super) stale_if_error: Option<Seconds>,
}

impl Directives {
    /// The directives of a response. Of a repeated one the first counts (RFC 9111 §4.2.1).
    pub(super) fn of(fields: &Headers) -> Self {
        let mut found = Self::default();
        let (mut shared, mut max_age) = (None, None);
        // A field for the CDN (RFC 9213, and the Edge Architecture Specification) can forbid as well, and shorten.
        for field in ["cdn-cache-control", "surrogate-control"] {
            for (name, argument) in fields.all(field).flat_map(directives) {
                match name.to_ascii_lowercase().as_str() {
                    "no-store" | "private" => found.no_store_for_cdn = true,
                    "max-age" | "s-maxage" => {
                        found.lifetime_for_cdn = found.lifetime_for_cdn.or(Some(seconds(argument)));
                    }
                    _ => {}
                }
            }
        }
        for value in fields.all("cache-control") {
            for (name, argument) in directives(value) {
                // What was meant cannot be told, so the response is not stored.
                found.malformed |= !name.is_empty() && !is_field_name(&name);
                let seconds = || Some(seconds(argument));
                match name.to_ascii_lowercase().as_str() {
                    "no-store" => found.no_store = true,
                    "private" => found.private = true,
                    "no-cache" => found.no_cache = true,
                    "must-revalidate" | "proxy-revalidate" => found.must_revalidate = true,
                    "must-understand" => found.must_understand = true,
                    "s-maxage" => {
                        found.must_revalidate = true;
                        shared = shared.or_else(seconds);
                    }
                    "max-age" => max_age = max_age.or_else(seconds),
                    "stale-while-revalidate" => {
                        found.stale_while_revalidate = found.stale_while_revalidate.or_else(seconds);
                    }
                    "stale-if-error" => found.stale_if_error = found.stale_if_error.or_else(seconds),
                    _ => {}
                }
            }
        }
        found.lifetime = shared.or(max_age);
        if let Some(for_cdn) = found.lifetime_for_cdn {
            found.lifetime = Some(found.lifetime.map_or(for_cdn, |lifetime| lifetime.min(for_cdn)));
        }
        found
    }

    /// Whether the response must never be sent when it is stale (RFC 9111 §4.2.4).
    pub(super) const fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.no_cache
    }
}

/// The directives in a field: names, each with its argument; empty without one. A comma within quotes separates nothing.
fn directives(value: &[u8]) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let (mut name, mut argument): (String, Option<String>) = (String::new(), None);
    let (mut quoted, mut escaped) = (false, false);
    for character in value.iter().copied().map(char::from) {
        match character {
            ',' if !quoted => {
                found.push((std::mem::take(&mut name), argument.take()));
                continue;
            }
            '=' if argument.is_none() && !quoted => {
                argument = Some(String::new());
                continue;
            }
            '\\' if quoted && !escaped => {
                escaped = true;
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = false;
        argument.as_mut().unwrap_or(&mut name).push(character);
    }
    if quoted {
        // The rest cannot be told apart: a name that is no token.
        argument = None;
        name.push('"');
    }
    found.push((name, argument));
    found.into_iter().map(|(name, argument)| (name.trim().to_owned(), argument)).collect()
}

/// A number of seconds (`delta-seconds`), with or without quotes. Anything else is no time at all.
fn seconds(argument: Option<String>) -> Seconds {
    let argument = argument.unwrap_or_default();
    let text = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&argument);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Seconds::new(0);
    }
    Seconds::new(text.parse::<u64>().unwrap_or(MOST).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::Directives;
    use crate::headers::Headers;
    use crate::time::Seconds;

    fn of(values: &[&str]) -> Directives {
        Directives::of(&values.iter().map(|value| ("cache-control", *value)).collect::<Headers>())
    }

    fn lifetime(values: &[&str]) -> Option<u64> {
        of(values).lifetime.map(Seconds::as_u64)
    }

    #[test]
    fn the_lifetime_is_that_for_shared_caches() {
        for (values, expected) in [
            (&["max-age=60"][..], Some(60)),
            (&["max-age=60, s-maxage=5"], Some(5)),
            (&["s-maxage=5", "max-age=60"], Some(5)),
            (&["MAX-AGE=7"], Some(7)),
            (&["max-age=\"7\""], Some(7)),
            (&["max-age=1, max-age=9"], Some(1)),
            (&["max-age=99999999999999999999"], Some(2_147_483_648)),
            (&["max-age=-1"], Some(0)),
            (&["max-age=1.5"], Some(0)),
            (&["max-age"], Some(0)),
            (&["max-age= 1"], Some(0)),
            (&["foo=\"max-age=100\""], None),
            (&["foo=\"a, max-age=100\""], None),
            (&["foo=\"\\\", max-age=100\""], None),
            (&["public"], None),
        ] {
            assert_eq!(lifetime(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_directive_with_field_names_counts_as_one_without() {
        assert!(of(&["private=\"x-user\""]).private);
        assert!(of(&["no-cache=\"x-user\", max-age=5"]).no_cache);
        assert!(of(&["foo, no-store"]).no_store);
        assert!(!of(&["no-storex"]).no_store);
        assert!(of(&["s-maxage=5"]).forbids_stale());
        assert!(!of(&["max-age=5"]).forbids_stale());
    }
}
