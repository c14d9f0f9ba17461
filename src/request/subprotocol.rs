//! A token in the list of subprotocols that an opening handshake offers (RFC 6455 §4.1): pages cannot set `Authorization`
//! there, and what stands in a URL is logged. The field carries `bearer`, the token behind it, and what the page offers
//! besides. In go the fields of the handshake, out come the credentials as `Authorization` would carry them and the fields
//! without them. The token is not judged here.

use crate::headers::Headers;
use crate::secret::Secret;

/// The field in which a client offers subprotocols.
const OFFERED: &str = "sec-websocket-protocol";
/// The subprotocol behind which the token stands, and which the client expects to be chosen where no other is.
const BEARER: &[u8] = b"bearer";

/// The credentials in the subprotocols of `headers`, one entry for each `bearer`, and the other fields, in which one
/// offers the rest of the subprotocols, where there are any; nothing where no `bearer` is offered. Several entries, and
/// one behind which nothing stands, are credentials that [`bearer::single`](crate::identity::bearer::single) refuses.
pub(super) fn take(headers: &Headers) -> Option<(Vec<Secret<Vec<u8>>>, Headers)> {
    let mut credentials = Vec::new();
    let mut rest: Vec<&[u8]> = Vec::new();
    let fields = headers.all(OFFERED).flat_map(|value| value.split(|byte| *byte == b','));
    let mut offered = fields.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    while let Some(name) = offered.next() {
        if name == BEARER {
            let token = offered.next().unwrap_or_default();
            credentials.push(Secret::new([b"Bearer ", token].concat()));
        } else {
            rest.push(name);
        }
    }
    if credentials.is_empty() {
        return None;
    }
    // A token stays here, wherever else in the list a client writes it.
    rest.retain(|name| !credentials.iter().any(|secret| secret.expose().strip_prefix(b"Bearer ") == Some(*name)));
    let mut kept: Headers = headers.iter().filter(|(name, _)| *name != OFFERED).collect();
    if !rest.is_empty() {
        kept.append(OFFERED, rest.join(&b", "[..]));
    }
    Some((credentials, kept))
}

#[cfg(test)]
mod tests {
    use super::take;
    use crate::headers::Headers;

    type Taken = (Vec<String>, Vec<String>);

    /// The credentials, and the values of the field that is left.
    fn taken(fields: &[&str]) -> Option<Taken> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: Headers = fields.iter().map(|value| ("sec-websocket-protocol", *value)).collect();
        let (credentials, rest) = take(&headers)?;
        let credentials = credentials.iter().map(|secret| text(secret.expose())).collect();
        Some((credentials, rest.all("sec-websocket-protocol").map(text).collect()))
    }

    #[test]
    fn the_token_behind_bearer_is_taken_and_the_rest_is_left() {
        let of = |credentials: &[&str], rest: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            Some((owned(credentials), owned(rest)))
        };
        for (fields, expected) in [
            (&["bearer, a.b.c"][..], of(&["Bearer a.b.c"], &[])),
            (&["bearer,a.b.c,chat"], of(&["Bearer a.b.c"], &["chat"])),
            (&["graphql-ws, bearer, a.b.c, chat"], of(&["Bearer a.b.c"], &["graphql-ws, chat"])),
            (&["bearer", "a.b.c", " chat ,, "], of(&["Bearer a.b.c"], &["chat"])),
            (&["a.b.c, bearer, a.b.c, chat, a.b.c"], of(&["Bearer a.b.c"], &["chat"])),
            (&["bearer"], of(&["Bearer "], &[])),
            (&["bearer, a, bearer, b"], of(&["Bearer a", "Bearer b"], &[])),
            (&["bearer, bearer"], of(&["Bearer bearer"], &[])),
            (&["Bearer, a"], None),
            (&["chat"], None),
            (&[], None),
        ] {
            assert_eq!(taken(fields), expected, "{fields:?}");
        }
    }
}
