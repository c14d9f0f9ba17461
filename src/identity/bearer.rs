//! Reads one token from exactly one `Authorization` header (RFC 6750 §2.1, RFC 9449 §7.1). Tokens in a query, a form or
//! a cookie are never read.

use crate::secret::Secret;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// There is no `Authorization` header.
    #[error("there is no Authorization header")]
    Missing,
    /// There are several `Authorization` headers.
    #[error("there are {count} Authorization headers")]
    Repeated {
        /// Their number.
        count: usize,
    },
    /// The scheme is neither `Bearer` nor `DPoP`. One scheme is never treated as another.
    #[error("the authorization scheme is neither Bearer nor DPoP")]
    OtherScheme,
    /// The scheme is known, but at least one space (`1*SP`) and one `b64token` do not follow it. DPoP calls the same
    /// form `token68`.
    #[error("the credentials are malformed")]
    Malformed,
}

impl CredentialsError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "credentials-missing",
            Self::Repeated { .. } => "credentials-repeated",
            Self::OtherScheme => "credentials-other-scheme",
            Self::Malformed => "credentials-malformed",
        }
    }
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// The token alone is enough (RFC 6750).
    #[default]
    Bearer,
    /// The token comes with a proof that the client holds a key (RFC 9449).
    DPoP,
}

/// Whether the client used the DPoP scheme.
#[must_use]
pub fn tries_proof(authorization: &[Secret<Vec<u8>>]) -> bool {
    authorization.iter().any(|value| split_scheme(value.expose()).0 == Some(Scheme::DPoP))
}

/// Reads the token in the only `Authorization` header, and how it is presented.
///
/// # Errors
/// A [`CredentialsError`] for no header, for several, for another scheme, and for anything but spaces and one token.
pub fn single(authorization: &[Secret<Vec<u8>>]) -> Result<(Scheme, Secret<&str>), CredentialsError> {
    let value = match authorization {
        [] => return Err(CredentialsError::Missing),
        [value] => value.expose().as_slice(),
        several => return Err(CredentialsError::Repeated { count: several.len() }),
    };
    let (Some(scheme), rest) = split_scheme(value) else { return Err(CredentialsError::OtherScheme) };
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = rest.get(spaces..).filter(|_| spaces > 0).ok_or(CredentialsError::Malformed)?;
    if !is_b64token(token) {
        return Err(CredentialsError::Malformed);
    }
    let token = std::str::from_utf8(token).map_err(|_| CredentialsError::Malformed)?;
    Ok((scheme, Secret::new(token)))
}

/// Splits a value into its scheme, if that is known, and the rest. Schemes are case-insensitive (RFC 9110 §11.1).
fn split_scheme(value: &[u8]) -> (Option<Scheme>, &[u8]) {
    let scheme_ends = value.iter().position(|byte| !is_scheme_byte(*byte)).unwrap_or(value.len());
    let (name, rest) = value.split_at_checked(scheme_ends).unwrap_or((value, b""));
    let named = |scheme: &[u8]| name.eq_ignore_ascii_case(scheme);
    let scheme = match () {
        () if named(b"bearer") => Some(Scheme::Bearer),
        () if named(b"dpop") => Some(Scheme::DPoP),
        () => None,
    };
    (scheme, rest)
}

/// `auth-scheme` is a token of RFC 9110 §5.6.2; schemes in use consist of these.
const fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// `b64token` of RFC 6750 §2.1.
fn is_b64token(token: &[u8]) -> bool {
    let body = token.iter().position(|byte| *byte == b'=').unwrap_or(token.len());
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    body > 0 && token.iter().take(body).all(allowed) && token.iter().skip(body).all(|byte| *byte == b'=')
}

#[cfg(test)]
mod tests {
    use super::{CredentialsError, Scheme, single};
    use crate::secret::Secret;

    fn token_of(values: &[&[u8]]) -> Result<(Scheme, String), CredentialsError> {
        let values: Vec<_> = values.iter().map(|value| Secret::new(value.to_vec())).collect();
        single(&values).map(|(scheme, token)| (scheme, (*token.expose()).to_owned()))
    }

    #[test]
    fn the_scheme_is_case_insensitive() {
        for (scheme, name) in
            [(Scheme::Bearer, "Bearer"), (Scheme::Bearer, "bEaReR"), (Scheme::DPoP, "DPoP"), (Scheme::DPoP, "dpop")]
        {
            assert_eq!(token_of(&[format!("{name} a.b.c").as_bytes()]), Ok((scheme, "a.b.c".to_owned())));
        }
    }

    #[test]
    fn any_number_of_spaces_may_precede_the_token() {
        for spaces in [1, 2, 3, 1000] {
            for (scheme, name) in [(Scheme::Bearer, "Bearer"), (Scheme::DPoP, "DPoP")] {
                let value = format!("{name}{}a.b.c", " ".repeat(spaces));
                assert_eq!(token_of(&[value.as_bytes()]), Ok((scheme, "a.b.c".to_owned())), "{value}");
            }
        }
    }

    #[test]
    fn only_one_token_after_spaces_is_read() {
        use CredentialsError::{Malformed, Missing, OtherScheme, Repeated};
        assert_eq!(token_of(&[]), Err(Missing));
        assert_eq!(token_of(&[b"Bearer a", b"Bearer a"]), Err(Repeated { count: 2 }));
        for malformed in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer   ",
            b"Bearer\ta",
            b"Bearer \ta",
            b"Bearer\t a",
            b"Bearer\xa0a",
            b"Bearer \xa0a",
            b"Bearer\xc2\xa0a",
            b"Bearer a b",
            b"Bearer a ",
            b"Bearer a, Bearer b",
            b"Bearer \xff\xfe",
            b"Bearer =",
            b"Bearer a=b",
            b"DPoP",
            b"DPoP a b",
        ] {
            assert_eq!(token_of(&[malformed]), Err(Malformed), "{malformed:?}");
        }
        for other in [&b"Basic dTpw"[..], b"Negotiate x", b"DPoPx a.b.c", b"\xff\xfe", b"", b"Bearerx a"] {
            assert_eq!(token_of(&[other]), Err(OtherScheme), "{other:?}");
        }
    }
}
