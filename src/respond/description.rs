//! What the store knows about a file: the metadata of its key, JSON with `content_type` and `etag`. Members that no
//! response can have are ignored.

use serde::Deserialize;

use crate::policy::respond::is_content_type;

/// The metadata of a file.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct Description {
    /// Its media type.
    pub(super) content_type: Option<String>,
    /// Its entity tag, with its quotes.
    pub(super) etag: Option<String>,
}

impl Description {
    pub(super) fn read(metadata: &[u8]) -> Self {
        let Self { content_type, etag } = serde_json::from_slice(metadata).unwrap_or_default();
        Self {
            content_type: content_type.filter(|text| is_content_type(text)),
            etag: etag.filter(|tag| is_entity_tag(tag)),
        }
    }
}

/// Whether `text` is an entity tag (RFC 9110 §8.8.3).
fn is_entity_tag(text: &str) -> bool {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    opaque.is_some_and(|opaque| opaque.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'))
}

#[cfg(test)]
mod tests {
    use super::Description;

    #[test]
    fn only_members_that_a_response_can_have_are_used() {
        let read = |text: &str| {
            let Description { content_type, etag } = Description::read(text.as_bytes());
            (content_type.unwrap_or_default(), etag.unwrap_or_default())
        };
        let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
        assert_eq!(read(r#"{"content_type":"text/css","etag":"\"1\"","size":7}"#), pair("text/css", "\"1\""));
        assert_eq!(read(r#"{"content_type":"text/css\r\nx: y","etag":"1"}"#), pair("", ""));
        assert_eq!(read(r#"{"content_type":"css","etag":"W/\"1\""}"#), pair("", "W/\"1\""));
        for other in ["", "7", "[]", r#"{"etag":7}"#, "{"] {
            assert_eq!(read(other), pair("", ""), "{other}");
        }
    }
}
