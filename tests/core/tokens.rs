//! Sections B, C and D of `docs/attacks.md`: tokens against `identify`. One good token; each row changes one thing
//! about it.

mod claims;
mod key_sets;
mod keys;
mod structure;

use fastgate::identity::deny_list::NoDenyList;
use fastgate::identity::dpop::Nonces;
use fastgate::identity::introspection::NoIntrospector;
use fastgate::identity::token::TokenError;
use fastgate::identity::verdict::NoVerdicts;
use fastgate::identity::{Caller, Identity, IdentityError, Seen, Sources, identify};
use fastgate::policy::Policy;

use crate::support::admitted::admitted;
use crate::support::sign::good;
use crate::support::{Keys, Nobody, get, now, policy};

/// What a row comes to: the caller, or why there is none.
fn verdict(token: &str) -> Result<Identity, TokenError> {
    verdict_with(&policy(), Keys::of_both(), token)
}

fn verdict_with(policy: &Policy, mut keys: Keys, token: &str) -> Result<Identity, TokenError> {
    let route = policy.routes().iter().find(|route| route.id == "me").unwrap();
    let target = get("/me").bearer(token).normalized().unwrap();
    let mut sources = Sources {
        keys: &mut keys,
        verdicts: &mut NoVerdicts,
        deny_list: &mut NoDenyList,
        introspector: &mut NoIntrospector,
        replays: &mut Nobody,
        nonces: &Nonces::default(),
    };
    match identify(policy, admitted(route, &target), &target, now(), &mut sources, &mut Seen::default()) {
        Ok(Caller::Known(identity)) => Ok(identity),
        Ok(Caller::Anonymous) => panic!("anonymous on a route that wants a token"),
        Err(IdentityError::Token(error)) => Err(error),
        // A token that cannot stand behind `Bearer` looks, from outside, like any bad token.
        Err(IdentityError::Credentials(_)) => Err(TokenError::Malformed),
        Err(error) => panic!("{error}"),
    }
}

/// Each row: what was changed, and the token.
fn all_are(expected: &TokenError, rows: impl IntoIterator<Item = (impl std::fmt::Display, String)>) {
    for (what, token) in rows {
        assert_eq!(verdict(&token).as_ref(), Err(expected), "{what}: {token:.200}");
    }
}

#[test]
fn the_token_that_all_rows_change_is_good() {
    let identity = verdict(&good()).unwrap();
    assert_eq!((identity.subject(), identity.issuer(), identity.issuer_id()), ("ada", "https://alpha.test", "alpha"));
    assert_eq!(identity.client_id(), Some("shop"));
    assert_eq!(identity.scopes(), ["orders:read", "orders:all", "admin"]);
}
