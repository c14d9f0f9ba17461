//! The form of the content of a response that the edge reads. Input: `Content-Encoding` and `Content-Type`. Output: a
//! [`ContentForm`].

/// The form of content that the edge can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentForm {
    /// One JSON document, `application/json`.
    Json,
    /// Server-sent events, `text/event-stream`.
    EventStream,
}

/// Clients could read the content in a form that the edge cannot: it is encoded, or has several media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnclearForm;

impl ContentForm {
    /// The form of content with these values of the two fields; `None` if it is another one.
    ///
    /// # Errors
    /// [`UnclearForm`] if one of the media types has such a form, and clients may read the content in another one.
    pub fn of(encodings: &[Vec<u8>], media_types: &[Vec<u8>]) -> Result<Option<Self>, UnclearForm> {
        let is_encoded = encodings.iter().any(|value| !matches!(value.trim_ascii(), b"" | b"identity"));
        let single = if let [value] = media_types { Self::of_media_type(value).filter(|_| !is_encoded) } else { None };
        let is_clear = single.is_some() || !media_types.iter().any(|value| has_name(value));
        if is_clear { Ok(single) } else { Err(UnclearForm) }
    }

    fn of_media_type(value: &[u8]) -> Option<Self> {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let known = NAMES.iter().zip([Self::Json, Self::EventStream]);
        known.into_iter().find(|(name, _)| media_type.eq_ignore_ascii_case(name.as_bytes())).map(|(_, form)| form)
    }
}

/// The media types.
const NAMES: [&str; 2] = ["application/json", "text/event-stream"];

/// Whether the name of a media type is anywhere in a value: some clients look no closer.
fn has_name(value: &[u8]) -> bool {
    let value = value.to_ascii_lowercase();
    NAMES.iter().any(|name| value.windows(name.len()).any(|part| part == name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{ContentForm, UnclearForm};

    #[test]
    fn only_a_single_form_without_encoding_is_clear() {
        let of = |encodings: &[&str], types: &[&str]| {
            let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
            ContentForm::of(&bytes(encodings), &bytes(types))
        };
        for encodings in [&[][..], &["identity"], &[""]] {
            assert_eq!(of(encodings, &["Application/JSON ; charset=utf-8"]), Ok(Some(ContentForm::Json)));
            assert_eq!(of(encodings, &["text/event-stream"]), Ok(Some(ContentForm::EventStream)));
        }
        for types in [&[][..], &["text/html"], &["application/problem+json"], &["text/html", "text/plain"]] {
            assert_eq!(of(&["gzip"], types), Ok(None), "{types:?}");
        }
        for (encodings, types) in [
            (&["gzip"][..], &["application/json"][..]),
            (&["identity", "gzip"], &["application/json"]),
            (&[], &["application/json", "application/json"]),
            (&[], &["text/html", "application/json"]),
            (&[], &["text/plain, Application/JSON"]),
            (&[], &["application/jsonl"]),
            (&[], &["text/event-streams"]),
        ] {
            assert_eq!(of(encodings, types), Err(UnclearForm), "{encodings:?} {types:?}");
        }
    }
}
