//! A token in the list of subprotocols that an opening handshake offers (RFC 6455 §4.1): pages cannot set
//! `Authorization` there, and URLs are logged. The list has `bearer`, then the token, then the subprotocols of the
//! page. Input: the fields of the handshake. Output: the credentials as `Authorization` would carry them, and the
//! fields without them. The token is not verified here, but a list that names `bearer` in any other way is refused,
//! because it may have a token in it, which would be forwarded.

use super::error::{MAX_SUBPROTOCOLS, RequestError};
use crate::headers::Headers;
use crate::secret::Secret;

/// The field in which a client offers subprotocols.
const OFFERED: &str = "sec-websocket-protocol";
/// The subprotocol that the token follows. The client expects it to be chosen if no other subprotocol is.
const BEARER: &[u8] = b"bearer";

/// Credentials as `Authorization` would carry them, and the fields without them.
type Extracted = (Secret<Vec<u8>>, Headers);

/// The credentials in the subprotocols of `headers`, and the fields without them: the other subprotocols, if any, stay
/// offered. `None` if `bearer` is not offered.
///
/// # Errors
/// [`RequestError::TooManySubprotocols`] for more than [`MAX_SUBPROTOCOLS`]. [`RequestError::BearerSubprotocol`] if
/// `bearer` is not named exactly once, in lower case (subprotocols are case-sensitive, RFC 6455 §4.2.2), with a token
/// directly after it, or if the list has another token.
pub(super) fn take(headers: &Headers) -> Result<Option<Extracted>, RequestError> {
    let elements = headers.all(OFFERED).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let offered: Vec<&[u8]> = elements.take(MAX_SUBPROTOCOLS + 1).collect();
    if offered.len() > MAX_SUBPROTOCOLS {
        return Err(RequestError::TooManySubprotocols);
    }
    let offered: Vec<&[u8]> = offered.into_iter().filter(|name| !name.is_empty()).collect();
    let mut parts = offered.splitn(2, |name| *name == BEARER);
    let before = parts.next().unwrap_or_default();
    let (token, after) = match parts.next() {
        None if before.iter().any(|name| names_bearer(name)) => return Err(RequestError::BearerSubprotocol),
        None => return Ok(None),
        Some([token, after @ ..]) if !token.eq_ignore_ascii_case(BEARER) => (*token, after),
        Some(_) => return Err(RequestError::BearerSubprotocol),
    };
    // The token is never forwarded, even if the client repeats it elsewhere in the list.
    let rest: Vec<&[u8]> = before.iter().chain(after).copied().filter(|name| *name != token).collect();
    if rest.iter().any(|name| names_bearer(name) || is_signed_token(name)) {
        return Err(RequestError::BearerSubprotocol);
    }
    let mut remaining: Headers = headers.iter().filter(|(name, _)| *name != OFFERED).collect();
    if !rest.is_empty() {
        remaining.append(OFFERED, rest.join(&b", "[..]));
    }
    Ok(Some((Secret::new([b"Bearer ", token].concat()), remaining)))
}

/// Whether `name` has the word `bearer` in it, in any case: `Bearer`, `bearer=…`, `access.bearer.…`.
fn names_bearer(name: &[u8]) -> bool {
    name.split(|byte| !byte.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case(BEARER))
}

/// Whether `name` has the form of a compact JWS (RFC 7515 §7.1): three parts, the first of which is base64url of a text
/// that begins with a brace.
fn is_signed_token(name: &[u8]) -> bool {
    let begins = matches!(name, [b'e', b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_', ..]);
    begins && name.split(|byte| *byte == b'.').count() == 3
}

#[cfg(test)]
mod tests {
    use super::{MAX_SUBPROTOCOLS, take};
    use crate::headers::Headers;
    use crate::request::RequestError;

    /// The credentials, and the values of the field that is left.
    fn taken(fields: &[&str]) -> Result<Option<(String, Vec<String>)>, RequestError> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: Headers = fields.iter().map(|value| ("sec-websocket-protocol", *value)).collect();
        let taken = take(&headers)?;
        Ok(taken.map(|(credentials, rest)| {
            (text(credentials.expose()), rest.all("sec-websocket-protocol").map(text).collect())
        }))
    }

    #[test]
    fn the_token_after_bearer_is_taken_and_the_rest_is_left() {
        for (fields, credentials, rest) in [
            (&["bearer, a.b.c"][..], "Bearer a.b.c", &[][..]),
            (&["bearer,a.b.c,chat"], "Bearer a.b.c", &["chat"]),
            (&["graphql-ws, bearer, a.b.c, chat"], "Bearer a.b.c", &["graphql-ws, chat"]),
            (&["bearer", "a.b.c", " chat ,, "], "Bearer a.b.c", &["chat"]),
            (&["a.b.c, bearer, a.b.c, chat, a.b.c"], "Bearer a.b.c", &["chat"]),
            (&["bearer, eyJh.b.c, eyJh.b, bearers, e.b.c"], "Bearer eyJh.b.c", &["eyJh.b, bearers, e.b.c"]),
        ] {
            let rest = rest.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(taken(fields), Ok(Some((credentials.to_owned(), rest))), "{fields:?}");
        }
        for fields in [&["chat"][..], &["a.b.c, bearers"], &[]] {
            assert_eq!(taken(fields), Ok(None), "{fields:?}");
        }
    }

    #[test]
    fn a_list_that_names_bearer_in_any_other_way_is_refused() {
        for fields in [
            &["bearer"][..],
            &["chat, bearer, "],
            &["Bearer, a.b.c"],
            &["BEARER, a.b.c, chat"],
            &["a.b.c, bearer"],
            &["a.b.c, Bearer, chat"],
            &["eyJh.b.c, bearer, chat"],
            &["bearer, chat, eyJh.b.c"],
            &["bearer, bearer"],
            &["bearer, Bearer, a.b.c"],
            &["bearer, a.b.c, bearer, a.b.c"],
            &["bearer, a.b.c", "Bearer, a.b.c"],
            &["bearer a.b.c"],
            &["bearer=a.b.c"],
            &["base64url.bearer.authorization.k8s.io.YS5iLmM, base64.binary.k8s.io"],
        ] {
            assert_eq!(taken(fields), Err(RequestError::BearerSubprotocol), "{fields:?}");
        }
    }

    #[test]
    fn so_many_subprotocols_are_offered_and_no_more() {
        let rest = |names: usize| "b,".repeat(names);
        let most = format!("bearer,x,{}c", rest(MAX_SUBPROTOCOLS - 3));
        assert!(taken(&[&most]).is_ok_and(|taken| taken.is_some()));
        for fields in [
            &[&*format!("b,{most}")][..],
            &["bearer,x", &rest(MAX_SUBPROTOCOLS - 2)],
            &["b"; MAX_SUBPROTOCOLS + 1],
            &[&",".repeat(MAX_SUBPROTOCOLS)],
            &[&*("bearer,x,".repeat(3611) + &rest(16_250))],
        ] {
            assert_eq!(taken(fields), Err(RequestError::TooManySubprotocols));
        }
    }
}
