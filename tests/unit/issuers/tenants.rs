//! One entry for the issuers of several tenants: `{tenant}` in `issuer`.

use fastgate::identity::Identity;
use fastgate::identity::deny_list::{Entry, RevocationClaim, RevocationKey};
use fastgate::identity::keys::KeySet;
use fastgate::identity::signature_cache::{SignatureCache, VerifiedSignature};
use fastgate::identity::token::{TokenError, UnverifiedToken};
use fastgate::policy::Policy;
use fastgate::secret::Secret;
use fastgate::time::{Seconds, UnixTime};
use jwt_simple::prelude::ES256KeyPair;
use serde_json::{Value, json};

use super::{KEY, claims, faults, merged, policy, shown_to, signed};
use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, NOW, get};

const A: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const B: &str = "bbbbcccc-0000-dddd-1111-eeee2222ffff";

/// An issuer with the preset of Entra, of these tenants.
fn entra(tenants: &Value) -> Value {
    json!({ "preset": "entra", "issuer": "https://login.microsoftonline.com/{tenant}/v2.0", "tenants": tenants })
}

/// An issuer without a preset, whose tenants are in the claim `org`.
fn plain(parts: &Value) -> Value {
    let parts_of_all = json!({
        "issuer": "https://idp.test/t/{tenant}", "claims": { "tenant": "org" }, "tenants": "any",
        "jwks_uri": "https://idp.test/keys", "types": ["JWT"]
    });
    merged(&parts_of_all, parts)
}

fn iss(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// The caller with a token of Entra, whose key names `owner`.
fn caller(parts: &Value, changes: &Value, owner: &Value) -> Result<Identity, TokenError> {
    let token = merged(&claims(&json!({ "iss": iss(A), "tid": A, "azp": "web" })), changes);
    shown_to(&policy(parts).unwrap(), &json!({ "typ": "JWT" }), &token, NOW, &json!([{ "issuer": owner }]))
}

fn common() -> Value {
    json!(iss("{tenantid}"))
}

#[test]
fn the_caller_is_of_the_concrete_issuer_and_the_tenant() {
    for tenants in [json!([A, B]), json!("any")] {
        for tenant in [A, B] {
            let token = json!({ "iss": iss(tenant), "tid": tenant });
            for owner in [common(), json!(iss(tenant)), json!(format!("https://sts.windows.net/{tenant}/"))] {
                let identity = caller(&entra(&tenants), &token, &owner).unwrap();
                let found = (identity.issuer(), identity.issuer_id(), identity.tenant());
                assert_eq!(found, (iss(tenant).as_str(), "idp", Some(tenant)), "{tenants} {owner}");
            }
        }
    }
}

#[test]
fn another_tenant_is_refused() {
    let other = json!({ "iss": iss(B), "tid": B });
    assert_eq!(caller(&entra(&json!([A])), &other, &common()).unwrap_err(), TokenError::Tenant);
    for tid in [
        json!(B),
        json!(null),
        json!(1),
        json!([A]),
        json!({ "a": A }),
        json!(""),
        json!(A.to_ascii_uppercase()),
        json!(format!("{A}/v2.0")),
        json!(format!("{A}\0")),
        json!(format!(" {A}")),
        json!("{tenant}"),
        json!("{tenantid}"),
        json!("common"),
    ] {
        for tenants in [json!([A, B]), json!("any")] {
            let found = caller(&entra(&tenants), &json!({ "tid": tid }), &common());
            assert_eq!(found.unwrap_err(), TokenError::Tenant, "iss of one tenant, tid {tid}");
        }
    }
}

#[test]
fn iss_and_the_tenant_are_compared_byte_for_byte() {
    for (iss, tid) in [
        (iss(&A.to_ascii_uppercase()), A.to_ascii_uppercase()),
        (iss("{tenant}"), A.to_owned()),
        (iss("{tenant}"), "{tenant}".to_owned()),
        (iss("{tenantid}"), A.to_owned()),
        (iss("common"), "common".to_owned()),
        (iss(""), A.to_owned()),
        (iss(&format!("{A}/{A}")), format!("{A}/{A}")),
        (iss(&format!("{A}/../{B}")), A.to_owned()),
        (iss(&format!("{A}\0")), format!("{A}\0")),
        (iss(A).replace("https", "HTTPS"), A.to_owned()),
        (iss(A).replace("login", "Login"), A.to_owned()),
        (iss(A).replace("v2.0", "V2.0"), A.to_owned()),
        (format!("{}/", iss(A)), A.to_owned()),
        (format!("https://sts.windows.net/{A}/"), A.to_owned()),
        (format!("https://evil.test/{A}/v2.0"), A.to_owned()),
    ] {
        let found = caller(&entra(&json!("any")), &json!({ "iss": iss, "tid": tid }), &common());
        assert_eq!(found.unwrap_err(), TokenError::UnknownIssuer, "{iss}");
    }
}

#[test]
fn an_alias_with_the_tenant_names_the_same_issuer() {
    let parts = merged(&entra(&json!("any")), &json!({ "issuer_aliases": ["https://sts.windows.net/{tenant}/"] }));
    let old = json!({ "iss": format!("https://sts.windows.net/{A}/") });
    assert_eq!(caller(&parts, &old, &common()).unwrap().issuer(), iss(A));
    let mixed = json!({ "iss": format!("https://sts.windows.net/{B}/") });
    assert_eq!(caller(&parts, &mixed, &common()).unwrap_err(), TokenError::Tenant);
}

#[test]
fn a_key_of_one_tenant_verifies_no_token_of_another() {
    let parts = entra(&json!([A, B]));
    for owner in [
        json!(iss(B)),
        json!(format!("https://sts.windows.net/{B}/")),
        json!(iss("{tenant}")),
        json!(iss("common")),
        json!(iss(&A.to_ascii_uppercase())),
        json!(iss("")),
        json!("https://evil.test/{tenantid}/v2.0"),
        json!([iss(A)]),
        json!(1),
        json!(null),
    ] {
        assert_eq!(caller(&parts, &json!({}), &owner).unwrap_err(), TokenError::UnknownKey, "{owner}");
    }
}

#[test]
fn a_key_of_another_tenant_is_not_fetched_again() {
    let parts = entra(&json!([A, B]));
    let policy = || policy(&parts).unwrap();
    let key: Value = serde_json::from_str(&KEY.public_key().to_jwk()).unwrap();
    let token = |tenant: &str| {
        let claims = claims(&json!({ "iss": iss(tenant), "tid": tenant, "azp": "web", "iat": NOW }));
        signed(&json!({ "typ": "JWT" }), &claims)
    };
    let of = |tenant: &str| merged(&key, &json!({ "issuer": iss(tenant) }));
    let renamed = merged(&of(B), &json!({ "kid": "other" }));
    for (tenant, listed, verdict, requests) in [
        (B, json!([of(B)]), "forwarded", 1),
        (A, json!([of(B)]), "token-unknown-key", 1),
        (A, json!([of(B), of(A)]), "forwarded", 1),
        (A, json!([renamed]), "keys-unavailable", 2),
    ] {
        // A later set cannot be fetched, and the token is as young as the keys.
        let keys = FakeKeys::none().with("idp", &listed).cut_off().fetched_at(NOW);
        let gate = Gate::new(policy(), keys);
        assert_eq!(gate.verdict(get("/me").bearer(&token(tenant))), verdict, "{tenant} {listed}");
        assert_eq!(gate.fakes().keys.requested.len(), requests, "{tenant} {listed}");
    }
}

#[test]
fn a_subject_is_revoked_at_its_own_tenant_alone() {
    let parts = merged(&entra(&json!([A, B])), &json!({ "deny_list": true }));
    let key = merged(&serde_json::from_str(&KEY.public_key().to_jwk()).unwrap(), &json!({ "issuer": common() }));
    let gate = Gate::new(policy(&parts).unwrap(), FakeKeys::none().with("idp", &json!([key])));
    let verdict = |tenant: &str| {
        let claims = claims(&json!({ "iss": iss(tenant), "tid": tenant, "azp": "web", "iat": NOW }));
        gate.verdict(get("/me").bearer(&signed(&json!({ "typ": "JWT" }), &claims)))
    };
    assert_eq!([verdict(A), verdict(B)], ["forwarded"; 2]);
    let denied = RevocationKey::new(RevocationClaim::Subject, &iss(A), "ada").store_key();
    let entry = Entry { until: UnixTime::from_seconds(NOW + 60), not_before: None }.to_json();
    gate.fakes().deny_list.entries.insert(denied, entry);
    assert_eq!([verdict(A), verdict(B)], ["token-revoked", "forwarded"]);
}

/// A memory in which every signature was verified before.
struct AllVerified;

impl SignatureCache for AllVerified {
    fn holds(&mut self, _: &VerifiedSignature) -> bool {
        true
    }

    fn remember(&mut self, _: &VerifiedSignature, _: Seconds) {}
}

#[test]
fn a_remembered_signature_does_not_replace_the_check_of_the_key() {
    let policy = policy(&entra(&json!("any"))).unwrap();
    let [of_a, of_b] = [A, B].map(|tenant| {
        let parts = json!({ "iss": iss(tenant), "tid": tenant, "azp": "web" });
        signed(&json!({ "typ": "JWT" }), &claims(&parts))
    });
    let key: Value = serde_json::from_str(&KEY.public_key().to_jwk()).unwrap();
    let other: Value =
        serde_json::from_str(&ES256KeyPair::generate().with_key_id("other").public_key().to_jwk()).unwrap();
    let listed =
        json!({ "keys": [merged(&key, &json!({ "issuer": iss(A) })), merged(&other, &json!({ "issuer": iss(B) }))] });
    let keys = KeySet::parse(listed.to_string().as_bytes()).unwrap();
    let verdict = |token: &str| {
        let token = UnverifiedToken::parse(Secret::new(token)).unwrap();
        let issuer = policy.issuer(token.issuer()).unwrap();
        let checked = token.check(issuer, UnixTime::from_seconds(NOW)).unwrap();
        checked.verify(&keys, &mut AllVerified).map(drop).map_err(|refused| refused.error)
    };
    assert_eq!(verdict(&of_a), Ok(()));
    assert_eq!(verdict(&of_b), Err(TokenError::UnknownKey));
}

#[test]
fn without_a_preset_a_tenant_is_one_safe_segment() {
    let read = |tenant: &str| {
        let token = claims(&json!({ "iss": format!("https://idp.test/t/{tenant}"), "org": tenant }));
        shown_to(&policy(&plain(&json!({}))).unwrap(), &json!({ "typ": "JWT" }), &token, NOW, &json!([{}]))
    };
    for tenant in ["acme", "Acme-1_x.y", "...", "a", &"a".repeat(128)] {
        assert_eq!(read(tenant).unwrap().issuer(), format!("https://idp.test/t/{tenant}"));
    }
    for tenant in ["", ".", "..", "a/b", "a b", "a%2fb", "é", "a?b", "a#b", "{tenant}", &"a".repeat(129)] {
        assert_eq!(read(tenant).unwrap_err(), TokenError::UnknownIssuer, "{tenant}");
    }
}

#[test]
fn every_fault_of_a_template_has_its_place() {
    let braces = "has braces that are not one whole segment {tenant} of the path of an https URL";
    for (parts, at, fault) in [
        (json!({ "tenants": null }), "tenants", "is missing, and \"issuer\" has {tenant}"),
        (json!({ "tenants": [] }), "tenants", "is empty"),
        (json!({ "tenants": ["a/b"] }), "tenants", "lists \"a/b\", which cannot replace {tenant} in \"issuer\""),
        (json!({ "claims": {} }), "tenants", "restricts tenants, and no claim is known to name the tenant"),
        (
            json!({ "jwks_uri": null }),
            "jwks_uri",
            "is missing, and no discovery document belongs to all tenants of \"issuer\"",
        ),
        (json!({ "jwks_uri": "https://other.test/keys" }), "jwks_uri", "is not on the issuer's host"),
        (
            json!({ "issuer_aliases": ["https://idp.test/acme"] }),
            "issuer_aliases",
            "has spellings with and without {tenant}",
        ),
        (
            json!({ "introspection": { "url": "https://idp.test/i", "backend": "b", "client_id": "c", "client_secret": "s" } }),
            "introspection",
            "is at an issuer with {tenant}, and an opaque token does not name its tenant",
        ),
    ] {
        assert_eq!(faults(&plain(&parts)), [format!("$.issuers.idp.{at}: {fault}")], "{parts}");
    }
    for issuer in [
        "https://{tenant}.idp.test",
        "https://{tenant}/x",
        "https://{tenant}",
        "https://idp.test/{tenant}/{tenant}",
        "https://idp.test/t-{tenant}",
        "https://idp.test/{tenant}.x",
        "https://idp.test/{tenantid}",
        "https://idp.test/{x}/{tenant}",
        "https://idp.test/{tenant",
    ] {
        let found = faults(&plain(&json!({ "issuer": issuer, "jwks_uri": null })));
        assert!(found.contains(&format!("$.issuers.idp.issuer: {braces}")), "{issuer}: {found:?}");
    }
    assert_eq!(
        faults(&json!({ "tenants": "any", "claims": { "tenant": "t" } })),
        ["$.issuers.idp.tenants: is \"any\", and \"issuer\" has no {tenant}"]
    );
    assert_eq!(
        faults(&entra(&json!([A.to_ascii_uppercase()]))),
        [format!(
            "$.issuers.idp.tenants: lists \"{}\", which cannot replace {{tenant}} in \"issuer\"",
            A.to_ascii_uppercase()
        )]
    );
}

/// The faults of a policy with these two issuers.
fn faults_of_two(one: &Value, two: &Value) -> Vec<String> {
    let others = json!({ "backend": "b", "audiences": ["a"] });
    let document = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "api": { "backend": "origin", "audience": "api" } },
        "issuers": { "one": merged(&others, one), "two": merged(&others, two) },
        "routes": [{ "id": "me", "path": "/me", "methods": ["GET"] }]
    });
    let found = Policy::parse(document.to_string().as_bytes()).err();
    found.map(|found| found.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn no_iss_belongs_to_two_issuers() {
    let acme = json!({ "issuer": "https://idp.test/t/acme" });
    let covered = "issuer: is also the issuer of a tenant of";
    assert_eq!(faults_of_two(&acme, &plain(&json!({}))), [format!("$.issuers.one.{covered} \"two\"")]);
    assert_eq!(faults_of_two(&plain(&json!({})), &acme), [format!("$.issuers.two.{covered} \"one\"")]);
    assert_eq!(faults_of_two(&acme, &plain(&json!({ "tenants": ["globex"] }))), [""; 0], "another tenant is listed");
    assert_eq!(faults_of_two(&json!({ "issuer": "https://idp.test/t" }), &plain(&json!({}))), [""; 0]);
    for other in ["https://idp.test/t/{tenant}", "https://idp.test/{tenant}/acme"] {
        let found = faults_of_two(&plain(&json!({ "tenants": ["x"] })), &plain(&json!({ "issuer": other })));
        assert_eq!(found, ["$.issuers.two.issuer: is the issuer of \"one\", too"], "{other}");
    }
    for other in ["https://idp.test/u/{tenant}", "https://idp.test/t/{tenant}/x"] {
        assert_eq!(faults_of_two(&plain(&json!({})), &plain(&json!({ "issuer": other }))), [""; 0], "{other}");
    }
}

#[test]
fn entra_knows_the_keys_of_all_tenants() {
    let keys = |issuer: &str| {
        let parts = merged(&entra(&json!("any")), &json!({ "issuer": issuer }));
        policy(&parts).unwrap().issuers().next().unwrap().jwks_uri.clone()
    };
    let common = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
    for issuer in ["https://login.microsoftonline.com/{tenant}/v2.0", "https://sts.windows.net/{tenant}/"] {
        assert_eq!(keys(issuer).as_deref(), Some(common));
    }
    let elsewhere =
        merged(&entra(&json!("any")), &json!({ "issuer": "https://login.microsoftonline.us/{tenant}/v2.0" }));
    assert_eq!(faults(&elsewhere).len(), 1);
}
