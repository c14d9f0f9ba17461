//! Conditional requests and ranges (RFC 9110 §13, §14), evaluated for a response that may be sent.

pub(crate) mod http_date;

use crate::headers::Headers;

/// The fields of a 304: those of RFC 9110 §15.4.5, and those that describe how the cache handled the request.
const OF_NOT_MODIFIED: [&str; 10] = [
    "age",
    "cache-control",
    "cache-status",
    "cdn-cache-control",
    "content-location",
    "date",
    "etag",
    "expires",
    "last-modified",
    "vary",
];

/// The conditions of a request. `If-Match` and `If-Unmodified-Since` do not apply to caches (RFC 9111 §4.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    none_match: Vec<Vec<u8>>,
    modified_since: Option<Vec<u8>>,
    range: Option<Vec<u8>>,
    if_range: Option<Vec<u8>>,
}

/// The part of the content that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// None.
    Nothing,
    /// The bytes from `first` to `last`, both included.
    Range {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
}

/// What the conditions of a request leave of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// The status.
    pub status: u16,
    /// The fields.
    pub fields: Headers,
    /// The part of the content that is sent.
    pub part: Part,
    /// The length of what is sent in bytes, if it is known. In a response to HEAD it is the length of what GET would send.
    pub length: Option<u64>,
}

impl Conditions {
    /// The conditions among the fields of a request. A range with more than one `If-Range` is ignored, because it could be
    /// one of other content.
    #[must_use]
    pub fn of(headers: &Headers) -> Self {
        let single = |name: &str| {
            let mut values = headers.all(name);
            values.next().filter(|_| values.next().is_none()).map(<[u8]>::to_vec)
        };
        Self {
            none_match: headers.all("if-none-match").map(<[u8]>::to_vec).collect(),
            modified_since: single("if-modified-since"),
            range: single("range").filter(|_| headers.all("if-range").count() <= 1),
            if_range: single("if-range"),
        }
    }

    /// These conditions without the range.
    #[must_use]
    pub fn without_range(&self) -> Self {
        Self { range: None, if_range: None, ..self.clone() }
    }

    /// What these conditions leave of a response with this status and these fields, whose whole content has `length` bytes:
    /// the response itself, a part of it (206), only its fields (304, or in response to HEAD), or 416.
    #[must_use]
    pub fn reduce(&self, status: u16, mut fields: Headers, length: Option<u64>, is_head: bool) -> Reduced {
        if self.are_met_by_client(status, &fields) {
            return Reduced { status: 304, fields: of_not_modified(&fields), part: Part::Nothing, length: None };
        }
        if is_head {
            return Reduced { status, fields, part: Part::Nothing, length };
        }
        match self.part(status, &fields, length) {
            Ok(Part::Range { first, last }) => {
                fields.append("content-range", format!("bytes {first}-{last}/{}", length.unwrap_or_default()));
                let length = Some((last - first).saturating_add(1));
                Reduced { status: 206, fields, part: Part::Range { first, last }, length }
            }
            Ok(part) => Reduced { status, fields, part, length },
            Err(()) => {
                let mut fields: Headers = fields.iter().filter(|(name, _)| *name == "cache-status").collect();
                fields.append("content-range", format!("bytes */{}", length.unwrap_or_default()));
                Reduced { status: 416, fields, part: Part::Nothing, length: Some(0) }
            }
        }
    }

    /// Whether the client has this response already (RFC 9110 §13.2.2).
    fn are_met_by_client(&self, status: u16, fields: &Headers) -> bool {
        if status != 200 {
            return false;
        }
        if !self.none_match.is_empty() {
            let tag = fields.all("etag").next();
            return self.none_match.iter().any(|tags| {
                tags.trim_ascii() == b"*"
                    || tag.is_some_and(|tag| entity_tags(tags).any(|each| is_weak_match(each, tag)))
            });
        }
        let modified = fields.all("last-modified").next().or_else(|| fields.all("date").next());
        let dates = self.modified_since.as_deref().and_then(http_date::parse).zip(modified.and_then(http_date::parse));
        dates.is_some_and(|(since, modified)| modified <= since)
    }

    /// The part of a content of `length` bytes that the request asks for; `Err` if it asks for one that does not exist.
    /// Several ranges, and those in other units, are answered with the whole content (RFC 9110 §14.2).
    fn part(&self, status: u16, fields: &Headers, length: Option<u64>) -> Result<Part, ()> {
        let Some((range, length)) = self.range.as_deref().zip(length).filter(|_| status == 200) else {
            return Ok(Part::Whole);
        };
        if self.if_range.as_deref().is_some_and(|validator| !is_strong_match(validator, fields)) {
            return Ok(Part::Whole);
        }
        let Some(range) = std::str::from_utf8(range).ok().and_then(Bounds::read) else { return Ok(Part::Whole) };
        let last = length.checked_sub(1).ok_or(())?;
        match range {
            Bounds::From(first, end) if first <= last => Ok(Part::Range { first, last: end.unwrap_or(last).min(last) }),
            Bounds::Last(count) if count > 0 => Ok(Part::Range { first: length.saturating_sub(count), last }),
            Bounds::From(..) | Bounds::Last(_) => Err(()),
        }
    }
}

/// Whether the client wants a response with another entity tag than that in `fields` only (`If-Match`, RFC 9110 §13.1.1).
/// The sender of a representation decides this, before all other conditions; a cache does not.
#[must_use]
pub fn is_precondition_failed(headers: &Headers, fields: &Headers) -> bool {
    let tag = fields.all("etag").next().filter(|tag| !tag.starts_with(b"W/"));
    let matches = |tags: &[u8]| {
        tags.trim_ascii() == b"*" || tag.is_some_and(|tag| entity_tags(tags).any(|each| each == tag.trim_ascii()))
    };
    headers.all("if-match").next().is_some() && !headers.all("if-match").any(matches)
}

/// One range of bytes (RFC 9110 §14.1.2).
enum Bounds {
    From(u64, Option<u64>),
    Last(u64),
}

impl Bounds {
    fn read(text: &str) -> Option<Self> {
        let (unit, range) = text.split_once('=')?;
        let (first, last) = range.trim().split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes"))?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        match (first, last) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(|first| Self::From(first, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }
}

/// The fields of a 304 for this response.
fn of_not_modified(fields: &Headers) -> Headers {
    fields.iter().filter(|(name, _)| OF_NOT_MODIFIED.contains(name)).collect()
}

/// The entity tags in a list (RFC 9110 §8.8.3). A comma may be part of one.
fn entity_tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    list.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
}

/// The weak comparison (RFC 9110 §8.8.3.2).
fn is_weak_match(one: &[u8], other: &[u8]) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    opaque(one.trim_ascii()) == opaque(other.trim_ascii())
}

/// The comparison of `If-Range` (RFC 9110 §13.1.5): a strong entity tag, or the exact date of the last modification.
fn is_strong_match(validator: &[u8], fields: &Headers) -> bool {
    let is = |name: &str| fields.all(name).next().is_some_and(|value| value.trim_ascii() == validator.trim_ascii());
    if validator.contains(&b'"') { !validator.starts_with(b"W/") && is("etag") } else { is("last-modified") }
}

#[cfg(test)]
mod tests {
    use super::{Conditions, Part};
    use crate::headers::Headers;

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().copied().collect()
    }

    #[test]
    fn entity_tags_come_before_dates() {
        let stored = fields(&[("etag", "\"a,b\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        for (condition, value, is_met) in [
            ("if-none-match", "\"a,b\"", true),
            ("if-none-match", "\"x\", W/\"a,b\"", true),
            ("if-none-match", "\"a\"", false),
            ("if-none-match", "*", true),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("if-modified-since", "Sunday, 06-Nov-94 08:49:38 GMT", true),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", false),
            ("if-modified-since", "yesterday", false),
        ] {
            let conditions = Conditions::of(&fields(&[(condition, value)]));
            assert_eq!(conditions.are_met_by_client(200, &stored), is_met, "{condition}: {value}");
            assert!(!conditions.are_met_by_client(404, &stored), "another status is sent as it is");
        }
        let both = fields(&[("if-none-match", "\"x\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert!(!Conditions::of(&both).are_met_by_client(200, &stored));
    }

    #[test]
    fn a_range_is_within_the_content() {
        let stored = fields(&[("etag", "\"1\"")]);
        let whole = Ok(Part::Whole);
        let range = |first, last| Ok(Part::Range { first, last });
        for (value, expected) in [
            ("bytes=0-4", range(0, 4)),
            ("bytes=0-99", range(0, 9)),
            ("bytes=9-", range(9, 9)),
            ("bytes=-3", range(7, 9)),
            ("bytes=-99", range(0, 9)),
            ("Bytes = 1-2", range(1, 2)),
            ("bytes=10-", Err(())),
            ("bytes=-0", Err(())),
            ("bytes=4-1", whole),
            ("bytes=0-1,3-4", whole),
            ("bytes=+1-2", whole),
            ("bytes=1", whole),
            ("pages=1-2", whole),
            ("bytes=99999999999999999999-", whole),
        ] {
            let conditions = Conditions::of(&fields(&[("range", value)]));
            assert_eq!(conditions.part(200, &stored, Some(10)), expected, "{value}");
            assert_eq!(conditions.part(200, &stored, None), whole, "{value}: the length is unknown");
        }
        let twice = fields(&[("range", "bytes=0-1"), ("range", "bytes=2-3")]);
        assert_eq!(Conditions::of(&twice).part(200, &stored, Some(10)), whole);
        for (validator, expected) in
            [("\"1\"", range(0, 1)), ("W/\"1\"", whole), ("\"2\"", whole), ("Sun, 06 Nov 1994 08:49:37 GMT", whole)]
        {
            let conditions = Conditions::of(&fields(&[("range", "bytes=0-1"), ("if-range", validator)]));
            assert_eq!(conditions.part(200, &stored, Some(10)), expected, "{validator}");
        }
        let validators = [("range", "bytes=0-1"), ("if-range", "\"1\""), ("if-range", "\"2\"")];
        assert_eq!(Conditions::of(&fields(&validators)).part(200, &stored, Some(10)), whole, "which of them?");
    }
}
