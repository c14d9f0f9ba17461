//! URIs of resources, and URI templates of level 1 (RFC 6570 §1.2): `{name}` stands for one or more characters without `/`,
//! as in MCP servers. All other characters are compared as they are.

/// The longest URI in bytes. It goes into the signed header.
const MAX_BYTES: usize = 2048;

/// A URI, or a template of URIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UriTemplate {
    text: String,
    /// The parts between `/`: in each, the texts around its variables.
    parts: Vec<Vec<String>>,
    /// The same texts [decoded], as some servers compare them.
    decoded: Vec<Vec<Vec<u8>>>,
}

impl UriTemplate {
    /// Reads a URI or template; `None` if it is none, or if two variables are next to each other.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if !is_plain(text) {
            return None;
        }
        let parts: Vec<Vec<String>> = text.split('/').map(part).collect::<Option<_>>()?;
        let decoded = parts.iter().map(|texts| texts.iter().map(|text| decoded(text)).collect()).collect();
        Some(Self { text: text.to_owned(), parts, decoded })
    }

    /// As the policy writes it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches a URI.
    pub(super) fn matches(&self, uri: &str) -> bool {
        fits(&self.parts, uri.as_bytes(), 1)
    }

    /// Whether some server could find it for one of these [readings](readings) of a URI: variables may be empty there, and its
    /// own text is read like the URI.
    pub(super) fn could_match(&self, readings: &[Vec<u8>]) -> bool {
        readings.iter().any(|uri| fits(&self.decoded, uri, 0))
    }

    /// Whether it is a URI, without variables.
    pub(super) fn is_exact(&self) -> bool {
        self.parts.iter().all(|texts| texts.len() == 1)
    }
}

/// Whether a URI has one to [`MAX_BYTES`] visible ASCII characters, without quotation marks and backslashes.
pub(super) fn is_plain(uri: &str) -> bool {
    let is_visible = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    (1..=MAX_BYTES).contains(&uri.len()) && uri.bytes().all(is_visible)
}

/// The texts around the variables of a part.
fn part(text: &str) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_apart = texts.is_empty() || !before.is_empty();
        if !is_name || !is_apart || before.contains('}') {
            return None;
        }
        texts.push(before.to_owned());
        rest = behind;
    }
    texts.push(rest.to_owned());
    (!rest.contains('}')).then_some(texts)
}

/// Whether a URI has these parts, if variables have at least so many characters.
fn fits<T: AsRef<[u8]>>(parts: &[Vec<T>], uri: &[u8], shortest: usize) -> bool {
    let mut found = uri.split(|byte| *byte == b'/');
    parts.iter().all(|texts| found.next().is_some_and(|part| part_matches(texts, part, shortest)))
        && found.next().is_none()
}

/// Whether a part of a URI consists of these texts, with at shortest so many characters between each two. It is linear: each
/// text between two variables is found where it comes first.
fn part_matches<T: AsRef<[u8]>>(texts: &[T], part: &[u8], shortest: usize) -> bool {
    let Some(([first, between @ ..], last)) = texts.split_last().map(|(last, others)| (others, last)) else {
        return matches!(texts, [only] if only.as_ref() == part);
    };
    let Some(mut rest) = part.strip_prefix(first.as_ref()).and_then(|rest| rest.strip_suffix(last.as_ref())) else {
        return false;
    };
    for text in between.iter().map(AsRef::as_ref) {
        let tail = rest.get(shortest..).unwrap_or_default();
        let place = tail.windows(text.len().max(1)).position(|window| window == text);
        let Some(behind) = place.and_then(|place| tail.get(place.saturating_add(text.len())..)) else { return false };
        rest = behind;
    }
    shortest == 0 || !(rest.is_empty() || matches!(part, b"." | b".."))
}

/// The ways in which a server could read a URI: with or without its fragment and its query, with percent-encoded characters
/// decoded or not, and in lower case.
pub(super) fn readings(uri: &str) -> Vec<Vec<u8>> {
    let without_fragment = uri.split('#').next().unwrap_or_default();
    let path = without_fragment.split('?').next().unwrap_or_default();
    let mut readings: Vec<Vec<u8>> = [uri, without_fragment, path]
        .into_iter()
        .flat_map(|text| [text.as_bytes().to_ascii_lowercase(), decoded(text)])
        .collect();
    readings.sort_unstable();
    readings.dedup();
    readings
}

/// A text in lower case, with percent-encoded characters decoded.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let mut rest = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high << 4 | low));
                rest = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    decoded.make_ascii_lowercase();
    decoded
}

#[cfg(test)]
mod tests {
    use super::UriTemplate;

    #[test]
    fn which_uris_a_template_matches() {
        for (template, matched, others) in [
            ("config://app", &["config://app"][..], &["config://app/", "config://ap", "Config://app", ""][..]),
            (
                "orders://{id}",
                &["orders://7", "orders://a.b", "orders://%2F"],
                &["orders://", "orders://7/x", "orders:///7", "orders://..", "xorders://7"],
            ),
            ("a://{x}/b/{y}", &["a://1/b/2"], &["a://1/b/", "a:///b/2", "a://1/c/2", "a://1/b/2/3"]),
            (
                "a://{x}-{y}.txt",
                &["a://1-2.txt", "a://1-2-3.txt", "a://--.-.txt"],
                &["a://-2.txt", "a://1-.txt", "a://12.txt", "a://1-2"],
            ),
            ("a://{x}aa{y}", &["a://1aa2", "a://aaaa", "a://aaaaa"], &["a://aaa", "a://aa2", "a://1aa"]),
        ] {
            let template = UriTemplate::parse(template).expect("valid");
            for uri in matched {
                assert!(template.matches(uri), "{uri} in {}", template.as_str());
            }
            for uri in others {
                assert!(!template.matches(uri), "{uri} in {}", template.as_str());
            }
        }
    }

    #[test]
    fn what_is_no_template() {
        for text in [
            "",
            "a://{",
            "a://}",
            "a://{}",
            "a://{x}{y}",
            "a://{+x}",
            "a://{x*}",
            "a://{?q}",
            "a://{x/y}",
            "a://{x}}",
            "a b",
            "ä://x",
            "a://\"",
            "a://\\",
        ] {
            assert_eq!(UriTemplate::parse(text), None, "{text}");
        }
    }
}
