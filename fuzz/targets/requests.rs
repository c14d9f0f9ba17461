//! The parts of a request that are read before identification, and lines of the log.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use fastgate::headers::{Fate, Headers, fate};
use fastgate::policy::Policy;
use fastgate::request::{CanonicalPath, RequestHead, Target, normalize};
use fastgate::route::{RouteError, find_for};
use fastgate::trail::Recorded;

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::parse(include_bytes!("requests.json")).unwrap());

/// A path has one canonical form. Its canonical form is itself, it is forwarded, and it decodes to the path that the
/// origin routes on.
pub fn path(data: &[u8]) {
    if let Ok(path) = CanonicalPath::parse(data) {
        let decoded = std::str::from_utf8(&unquoted(data)).unwrap().to_owned();
        assert_eq!(path.decoded(), decoded, "uvicorn decodes it once");
        is_canonical(&path);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(path) = CanonicalPath::of_decoded(text) {
        assert_eq!(path.decoded(), text);
        is_canonical(&path);
    }
}

fn is_canonical(path: &CanonicalPath) {
    assert_eq!(CanonicalPath::parse(path.encoded().as_bytes()).as_ref(), Ok(path));
    assert_eq!(CanonicalPath::of_decoded(path.decoded()).as_ref(), Ok(path));
    let is_sent = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
    assert!(path.encoded().bytes().all(is_sent), "{path:?}");
    assert_eq!(unquoted(path.encoded().as_bytes()), path.decoded().as_bytes());
    assert!(path.decoded().starts_with('/') && !path.decoded().contains("//"), "{path:?}");
    assert!(!path.decoded().contains(|letter: char| letter.is_control() || letter == '\\'), "{path:?}");
    assert!(path.segments().all(|segment| segment != "." && segment != ".."), "{path:?}");
    assert_eq!(path.segments().flat_map(|segment| ["/", segment]).collect::<String>(), path.decoded());
}

/// Decodes like Python's `urllib.parse.unquote_to_bytes`: a malformed escape stays unchanged.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|digits| std::str::from_utf8(digits).ok()) {
            Some(digits) if text[at] == b'%' => {
                octets.push(u8::from_str_radix(digits, 16).unwrap());
                at += 3;
            }
            _ => {
                octets.push(text[at]);
                at += 1;
            }
        }
    }
    octets
}

/// A request in canonical form is unchanged by another normalization, carries no forbidden field, and finds the same
/// route as a linear search. The first line is method, space, target; the others are fields.
pub fn request_head(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut words = first.splitn(2, |byte| *byte == b' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
    let Ok(method) = std::str::from_utf8(method) else { return };
    let mut headers = Headers::default();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if let Ok(name) = std::str::from_utf8(&line[..colon]) {
            headers.append(name, &line[colon + 1..]);
        }
    }
    let Ok(target) = normalize(head(method, target.to_vec(), headers), &POLICY.edge().hosts) else { return };
    is_canonical(target.path());
    is_settled(&target);
    routes_alike(target.path(), method);
}

fn head(method: &str, target: Vec<u8>, headers: Headers) -> RequestHead {
    RequestHead { method: method.to_owned(), target, headers, tls: true, certificate: None }
}

fn is_settled(target: &Target) {
    for (name, _) in target.headers().iter() {
        assert!(fate(name) == Fate::Pass, "{name} travels on");
        assert!(
            !["authorization", "dpop", "fastgate-identity"].contains(&name.to_ascii_lowercase().as_str()),
            "{name}"
        );
    }
    assert!(target.query().bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{target:?}");
    let query = if target.query().is_empty() { String::new() } else { format!("?{}", target.query()) };
    let again = format!("{}{query}", target.path().encoded());
    let own = target.headers().iter().map(|(name, value)| (name, value.to_vec()));
    let headers: Headers = own.chain([("host", target.host().as_bytes().to_vec())]).collect();
    if again.len() > fastgate::request::MAX_TARGET_BYTES {
        return; // canonical form may be longer than what arrived; it is measured where it arrives
    }
    let again = normalize(head(target.method(), again.into_bytes(), headers), &POLICY.edge().hosts).unwrap();
    assert_eq!((again.path(), again.query(), again.host()), (target.path(), target.query(), target.host()));
    assert_eq!(format!("{:?}", again.headers()), format!("{:?}", target.headers()));
}

/// The tree of routes finds the same route as a linear search.
fn routes_alike(path: &CanonicalPath, method: &str) {
    let segments: Vec<_> = path.segments().collect();
    let fitting: Vec<_> = POLICY.routes().iter().filter(|route| route.template.captures(&segments).is_some()).collect();
    let named = fitting.iter().filter(|route| route.methods.iter().any(|known| known.as_str() == method));
    let best = named.max_by(|one, two| one.template.cmp_specificity(&two.template));
    match find_for(&POLICY, path, method) {
        Ok(route) => assert_eq!(Some(&route.id), best.map(|best| &best.id)),
        Err(RouteError::NoRoute) => assert!(fitting.is_empty(), "{path:?}"),
        Err(RouteError::MethodNotAllowed { allowed }) => {
            assert!(best.is_none(), "{path:?}");
            let known: BTreeSet<_> =
                fitting.iter().flat_map(|route| &route.methods).map(|known| known.as_str()).collect();
            assert_eq!(allowed, known.into_iter().collect::<Vec<_>>());
        }
    }
}

/// The request of a log line is unchanged when it is written again, and routing it does not panic.
pub fn recorded(data: &[u8]) {
    let Ok(recorded) = serde_json::from_slice::<Recorded>(data) else { return };
    let written = serde_json::to_vec(&recorded).unwrap();
    assert_eq!(serde_json::from_slice::<Recorded>(&written).unwrap(), recorded);
    if let Ok(path) = CanonicalPath::parse(recorded.path.as_bytes()) {
        is_canonical(&path);
        routes_alike(&path, "GET");
    }
}
