//! Sessions of MCP servers (revisions before 2026-07-28). The edge gives clients the id of a session with a MAC over the id, the
//! caller and the route, and accepts no other id, so that nobody can use the session of another caller. Nothing is stored:
//! every POP derives the same keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::digest::{expand, extract, hmac, hmac_matches, sha256_of_parts};
use crate::headers::Headers;
use crate::secret::Secret;

/// The field with the id (lower case).
pub const SESSION_ID: &str = "mcp-session-id";
/// The longest id of a server, in bytes.
pub const MAX_SESSION_ID_BYTES: usize = 1024;

/// Separates the keys of sessions from other keys derived from the same secrets (RFC 5869 §3.2).
const PURPOSE: &[u8] = b"fastgate mcp session";
/// The length of a MAC in bytes: 128 bits of HMAC with SHA-256 (RFC 2104 §5).
const MAC_BYTES: usize = 16;
/// The length of a MAC in base64url without padding.
const MAC_TEXT_BYTES: usize = 22;
/// Stands between the id and its MAC. Base64url has no such character, so the last one in the field is the separator.
const SEPARATOR: u8 = b'.';

/// Why a request does not belong to a session of its caller. The text is for the log, and never has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// There are several ids.
    #[error("the request has more than one Mcp-Session-Id")]
    Repeated,
    /// The id is longer than any that the edge gives.
    #[error("Mcp-Session-Id is longer than any that this edge gives")]
    TooLong,
    /// It is not an id with a MAC.
    #[error("Mcp-Session-Id has no MAC of an edge")]
    Malformed,
    /// The MAC is not the one of this id, caller and route under any key of the edge.
    #[error("Mcp-Session-Id is of another caller, route or edge, of a key that was removed, or altered")]
    Foreign,
}

/// The keys of one edge.
#[derive(Debug, Default)]
pub struct SessionKeys(Vec<Secret<[u8; 32]>>);

impl SessionKeys {
    /// Keys derived from these secrets (HKDF with SHA-256). Ids get MACs with the first, and MACs by any of them are accepted,
    /// so that a session outlasts a rotation as long as its key is listed.
    #[must_use]
    pub fn derived_from<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let derive = |secret: S| Secret::new(expand(&extract(secret.as_ref()), &[PURPOSE]));
        Self(secrets.into_iter().map(derive).collect())
    }

    /// The seal for the sessions of this caller, an issuer and a subject or nobody known, on this route.
    #[must_use]
    pub fn seal(&self, caller: Option<[&str; 2]>, route: &str) -> SessionSeal {
        // Lists of different lengths are different: no issuer and subject are like nobody.
        let owner = match caller {
            Some([issuer, subject]) => sha256_of_parts(&[route, issuer, subject]),
            None => sha256_of_parts(&[route]),
        };
        let derive = |key: &Secret<[u8; 32]>| Secret::new(hmac(key.expose(), &[&owner]));
        SessionSeal(self.0.iter().map(derive).collect())
    }
}

/// Adds and checks the MACs of the sessions of one caller on one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSeal(Vec<Secret<[u8; 32]>>);

impl SessionSeal {
    /// The id for the client; `None` if the server may not have such an id.
    fn close(&self, id: &[u8]) -> Option<Vec<u8>> {
        let key = self.0.first()?;
        let is_id = (1..=MAX_SESSION_ID_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
        let mac = hmac(key.expose(), &[id]);
        let mac = URL_SAFE_NO_PAD.encode(mac.get(..MAC_BYTES)?);
        is_id.then(|| [id, &[SEPARATOR], mac.as_bytes()].concat())
    }

    /// The id of the server that these fields of a request have, without its MAC; `None` if they have none.
    ///
    /// # Errors
    /// A [`SessionError`] unless the one id is of a session of this caller on this route.
    pub fn open(&self, headers: &Headers) -> Result<Option<Vec<u8>>, SessionError> {
        let mut values = headers.all(SESSION_ID);
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => value,
            (Some(_), Some(_)) => return Err(SessionError::Repeated),
        };
        if value.len() > MAX_SESSION_ID_BYTES + 1 + MAC_TEXT_BYTES {
            return Err(SessionError::TooLong);
        }
        let at = value.iter().rposition(|byte| *byte == SEPARATOR).ok_or(SessionError::Malformed)?;
        let (id, text) = value.split_at(at);
        let mac = text.get(1..).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let mac = mac.filter(|mac| mac.len() == MAC_BYTES).ok_or(SessionError::Malformed)?;
        if self.0.iter().any(|key| hmac_matches(key.expose(), &[id], &mac)) {
            Ok(Some(id.to_vec()))
        } else {
            Err(SessionError::Foreign)
        }
    }
}

/// What becomes of the id in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEdit {
    /// It gets a MAC, if it is the only one and well formed. Otherwise it is removed.
    Seal(SessionSeal),
    /// It is removed: the client uses a revision without sessions.
    Remove,
}

impl SessionEdit {
    /// The fields of a response of the server, edited.
    #[must_use]
    pub fn apply(&self, headers: &Headers) -> Headers {
        let mut edited: Headers = headers.iter().filter(|(name, _)| *name != SESSION_ID).collect();
        let mut ids = headers.all(SESSION_ID);
        if let (Self::Seal(seal), Some(id), None) = (self, ids.next(), ids.next())
            && let Some(closed) = seal.close(id)
        {
            edited.append(SESSION_ID, closed);
        }
        edited
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SESSION_ID_BYTES, SESSION_ID, SessionEdit, SessionError, SessionKeys, SessionSeal};
    use crate::headers::Headers;

    const ALICE: Option<[&str; 2]> = Some(["https://idp.test", "alice"]);

    fn keys(secrets: &[&str]) -> SessionKeys {
        SessionKeys::derived_from(secrets)
    }

    fn seal() -> SessionSeal {
        keys(&["old"]).seal(ALICE, "tools")
    }

    fn fields(values: &[&[u8]]) -> Headers {
        values.iter().map(|value| (SESSION_ID, *value)).collect()
    }

    fn opened(seal: &SessionSeal, value: &[u8]) -> Result<Option<Vec<u8>>, SessionError> {
        seal.open(&fields(&[value]))
    }

    #[test]
    fn an_id_comes_back_as_the_server_gave_it() {
        for id in ["1868a90c", "a.b.c", ".", "!~\"=,;", &"x".repeat(MAX_SESSION_ID_BYTES)] {
            let closed = seal().close(id.as_bytes()).unwrap();
            assert!(closed.iter().all(u8::is_ascii_graphic));
            assert_eq!(opened(&seal(), &closed), Ok(Some(id.as_bytes().to_vec())));
        }
        assert_eq!(seal().open(&Headers::default()), Ok(None));
    }

    #[test]
    fn a_session_is_of_one_caller_on_one_route() {
        let closed = seal().close(b"s-1").unwrap();
        for (caller, route) in [
            (Some(["https://idp.test", "bob"]), "tools"),
            (Some(["https://idp.test", "Alice"]), "tools"),
            (Some(["https://idp.other", "alice"]), "tools"),
            (Some(["https://idp.testa", "lice"]), "tools"),
            (None, "tools"),
            (ALICE, "tool"),
        ] {
            let other = keys(&["old"]).seal(caller, route);
            assert_eq!(opened(&other, &closed), Err(SessionError::Foreign), "{caller:?} {route}");
            assert_eq!(opened(&seal(), &other.close(b"s-1").unwrap()), Err(SessionError::Foreign));
        }
        let nobody = [keys(&["old"]).seal(None, "tools"), keys(&["old"]).seal(Some(["", ""]), "tools")];
        assert_ne!(nobody[0], nobody[1]);
        assert_eq!(format!("{:?}", seal()), "SessionSeal([[redacted]])");
    }

    #[test]
    fn an_altered_id_is_refused() {
        let closed = seal().close(b"s-1.x").unwrap();
        for at in 0..closed.len() {
            for bit in 0..8 {
                let mut altered = closed.clone();
                altered[at] ^= 1 << bit;
                assert!(opened(&seal(), &altered).is_err(), "byte {at}, bit {bit}");
            }
            assert!(opened(&seal(), &closed[..at]).is_err(), "the first {at} bytes");
            assert!(opened(&seal(), &closed[at + 1..]).is_err(), "without {at} bytes");
        }
        for (value, error) in [
            (&b""[..], SessionError::Malformed),
            (b"s-1", SessionError::Malformed),
            (b"s-1.", SessionError::Malformed),
            (b"s-1.AAAA", SessionError::Malformed),
            (b"s-1.AAAAAAAAAAAAAAAAAAAAAA==", SessionError::Malformed),
            (b"s-1.AAAAAAAAAAAAAAAAAAAAAB", SessionError::Malformed),
            (b"s-1.AAAAAAAAAAAAAAAAAAAAAA", SessionError::Foreign),
            (&[b'x'; 1024 + 1 + 22], SessionError::Malformed),
            (&[b'x'; 1024 + 1 + 22 + 1], SessionError::TooLong),
        ] {
            assert_eq!(opened(&seal(), value), Err(error), "{}", String::from_utf8_lossy(value));
        }
        assert_eq!(seal().open(&fields(&[&closed, &closed])), Err(SessionError::Repeated));
        assert!(opened(&seal(), &[&closed[..], b", ", &closed].concat()).is_err());
    }

    #[test]
    fn a_session_outlasts_a_rotation_as_long_as_its_key_is_listed() {
        let closed = seal().close(b"s-1").unwrap();
        for secrets in [&["old", "next"][..], &["new", "old"], &["new", "newer", "old"]] {
            let rotated = keys(secrets).seal(ALICE, "tools");
            assert_eq!(opened(&rotated, &closed), Ok(Some(b"s-1".to_vec())), "{secrets:?}");
        }
        assert_eq!(opened(&keys(&["new"]).seal(ALICE, "tools"), &closed), Err(SessionError::Foreign));
        assert_eq!(opened(&keys(&[]).seal(ALICE, "tools"), &closed), Err(SessionError::Foreign));
        // An id that was given while only some POPs had the next key is known to all that list it.
        let given = keys(&["new", "old"]).seal(ALICE, "tools").close(b"s-1").unwrap();
        assert_eq!(opened(&keys(&["old", "new"]).seal(ALICE, "tools"), &given), Ok(Some(b"s-1".to_vec())));
    }

    #[test]
    fn responses_have_a_closed_id_or_none() {
        let edited = |edit: &SessionEdit, ids: &[&[u8]]| -> Vec<Vec<u8>> {
            let mut headers = fields(ids);
            headers.append("content-type", "text/plain");
            let edited = edit.apply(&headers);
            assert_eq!(edited.all("content-type").count(), 1);
            edited.all(SESSION_ID).map(<[u8]>::to_vec).collect()
        };
        let edit = SessionEdit::Seal(seal());
        assert_eq!(edited(&edit, &[b"s-1"]), [seal().close(b"s-1").unwrap()]);
        let long = [b'x'; MAX_SESSION_ID_BYTES + 1];
        let faulty: [&[&[u8]]; 8] =
            [&[], &[b""], &[b"a b"], &[b"a\tb"], &[b"caf\xc3\xa9"], &[b"\x7f"], &[b"s-1", b"s-1"], &[&long]];
        for ids in faulty {
            assert!(edited(&edit, ids).is_empty(), "{ids:?}");
        }
        assert!(edited(&SessionEdit::Remove, &[b"s-1"]).is_empty());
        let without_key = SessionEdit::Seal(keys(&[]).seal(ALICE, "tools"));
        assert!(edited(&without_key, &[b"s-1"]).is_empty());
    }
}
