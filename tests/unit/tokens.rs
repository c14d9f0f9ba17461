//! Sections B, C and D of `docs/attacks.md`: tokens through `identify`. There is one valid token; each row changes one
//! part of it.

mod claims;
mod key_sets;
mod keys;
mod structure;

use fastgate::identity::dpop::Nonces;
use fastgate::identity::token::TokenError;
use fastgate::identity::{Caller, Identity, IdentityError, Seen, identify};
use fastgate::policy::Policy;

use crate::offline::admitted::admitted;
use crate::offline::fakes::{FakeKeys, Fakes};
use crate::offline::get;
use crate::samples::sign::good;
use crate::samples::{now, policy};

/// The result of a row: the caller, or the error.
fn verdict(token: &str) -> Result<Identity, TokenError> {
    verdict_with(&policy(), FakeKeys::of_both(), token)
}

fn verdict_with(policy: &Policy, keys: FakeKeys, token: &str) -> Result<Identity, TokenError> {
    let route = policy.routes().iter().find(|route| route.id == "me").unwrap();
    let target = get("/me").bearer(token).normalized().unwrap();
    let (mut fakes, nonces) = (Fakes::with(keys), Nonces::default());
    match identify(policy, admitted(route, &target), &target, now(), &mut fakes.sources(&nonces), &mut Seen::default())
    {
        Ok(Caller::Known(identity)) => Ok(identity),
        Ok(Caller::Anonymous) => panic!("anonymous on a route that requires a token"),
        Err(IdentityError::Token(error)) => Err(error),
        // A token that is not valid after `Bearer` gets the same response as any invalid token.
        Err(IdentityError::Credentials(_)) => Err(TokenError::Malformed),
        Err(error) => panic!("{error}"),
    }
}

/// The rows: the change, and the token.
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
