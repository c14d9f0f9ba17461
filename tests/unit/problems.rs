//! The response for each refusal, and its code in the log.

use fastgate::time::Seconds;
use std::collections::BTreeSet;

use fastgate::authorize::AuthorizeError;
use fastgate::backend::SelectError;
use fastgate::content::ContentError;
use fastgate::identity::bearer::{CredentialsError, Scheme};
use fastgate::identity::deny_list::{DenyListError, DenyListUnavailable};
use fastgate::identity::dpop::ProofError;
use fastgate::identity::dpop::used::UsedProofsUnreachable;
use fastgate::identity::introspection::{IntrospectionError, IntrospectionUnavailable};
use fastgate::identity::token::TokenError;
use fastgate::identity::{IdentityError, KeysUnavailable};
use fastgate::inspect::InspectError;
use fastgate::mcp_list::ListError;
use fastgate::mint::MintError;
use fastgate::policy::Authentication;
use fastgate::problem::{Kind, Problem};
use fastgate::refusal::{ClosedError, OriginError, Refusal};
use fastgate::request::{CanonicalPath, RequestError};
use fastgate::respond::RespondError;
use fastgate::route::RouteError;
use serde_json::Value;

use crate::architecture::refusal_codes;
use crate::samples::fields;

const CHALLENGE: (&str, &str) = ("www-authenticate", "Bearer");
const INVALID_TOKEN: (&str, &str) = ("www-authenticate", "Bearer error=\"invalid_token\"");
const INVALID_PROOF: (&str, &str) = ("www-authenticate", "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA\"");
const NO_NONCE: (&str, &str) = ("www-authenticate", "DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA\"");
const LATER: (&str, &str) = ("retry-after", "5");

type Row = (Refusal, u16, &'static str, Option<(&'static str, &'static str)>, &'static str);

/// Refusal, status, problem type, extra field, code in the log.
fn table() -> Vec<Row> {
    let ambiguity = CanonicalPath::parse(b"//").unwrap_err();
    let secret = || "s3cret".to_owned();
    let missing = vec!["a".to_owned()];
    let required = vec!["a".to_owned(), "b:c".to_owned()];
    let mut table = vec![
        (RequestError::HostMalformed.into(), 400, "bad-request", None, "host-malformed"),
        (RequestError::HostUnknown.into(), 421, "misdirected-request", None, "host-unknown"),
        (RequestError::TargetTooLong { bytes: 9 }.into(), 414, "uri-too-long", None, "target-too-long"),
        (RequestError::TooManyFields { count: 9 }.into(), 431, "header-fields-too-large", None, "too-many-fields"),
        (
            RequestError::TooManyConnectionNames.into(),
            431,
            "header-fields-too-large",
            None,
            "too-many-connection-names",
        ),
        (RequestError::TooManySubprotocols.into(), 431, "header-fields-too-large", None, "too-many-subprotocols"),
        (
            RequestError::BearerSubprotocol.into(),
            400,
            "bad-request",
            Some(("www-authenticate", "Bearer error=\"invalid_request\"")),
            "subprotocol-malformed",
        ),
        (RequestError::TargetMalformed.into(), 400, "bad-request", None, "target-malformed"),
        (RequestError::PathAmbiguous(ambiguity).into(), 400, "bad-request", None, "path-ambiguous"),
        (RouteError::NoRoute.into(), 404, "not-found", None, "no-route"),
        (RespondError::NoFile { name: String::new() }.into(), 404, "not-found", None, "file-missing"),
        (
            RespondError::Unreadable { name: String::new(), cause: String::new() }.into(),
            503,
            "unavailable",
            Some(("retry-after", "5")),
            "file-unreadable",
        ),
        (
            RouteError::MethodNotAllowed { allowed: vec!["GET", "PUT"] }.into(),
            405,
            "method-not-allowed",
            Some(("allow", "GET, PUT")),
            "method-not-allowed",
        ),
        (identity(CredentialsError::Missing), 401, "authentication-required", Some(CHALLENGE), "credentials-missing"),
        (
            identity(CredentialsError::OtherScheme),
            401,
            "authentication-required",
            Some(CHALLENGE),
            "credentials-other-scheme",
        ),
        (
            identity(CredentialsError::Repeated { count: 2 }),
            400,
            "bad-request",
            Some(("www-authenticate", "Bearer error=\"invalid_request\"")),
            "credentials-repeated",
        ),
        (identity(CredentialsError::Malformed), 401, "invalid-token", Some(INVALID_TOKEN), "credentials-malformed"),
        (
            identity(UsedProofsUnreachable("the cache is gone".to_owned())),
            503,
            "unavailable",
            Some(LATER),
            "used-proofs-unreachable",
        ),
        (
            AuthorizeError::Unbound.into(),
            401,
            "bound-token-required",
            Some(("www-authenticate", "DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\"")),
            "token-unbound",
        ),
        (
            identity(KeysUnavailable { issuer: "alpha".into(), cause: secret() }),
            503,
            "unavailable",
            Some(LATER),
            "keys-unavailable",
        ),
        (identity(DenyListError::Revoked { claim: "jti" }), 401, "invalid-token", Some(INVALID_TOKEN), "token-revoked"),
        (
            identity(DenyListError::Unavailable(DenyListUnavailable { cause: secret() })),
            503,
            "unavailable",
            Some(LATER),
            "deny-list-unavailable",
        ),
        // Not counted as an invalid token: another token of its issuer would not be shorter.
        (identity(TokenError::TooLong { bytes: 9, most: 8 }), 431, "header-fields-too-large", None, "token-too-long"),
        (identity(IntrospectionError::Inactive), 401, "invalid-token", Some(INVALID_TOKEN), "token-inactive"),
        (
            identity(IntrospectionError::Unavailable(IntrospectionUnavailable {
                issuer: "alpha".into(),
                cause: secret(),
            })),
            503,
            "unavailable",
            Some(LATER),
            "introspection-unavailable",
        ),
        (AuthorizeError::Unidentified.into(), 401, "authentication-required", Some(CHALLENGE), "unidentified"),
        (
            AuthorizeError::InsufficientScope { required, missing }.into(),
            403,
            "insufficient-scope",
            Some(("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"a b:c\"")),
            "insufficient-scope",
        ),
        (
            AuthorizeError::AuthenticationInsufficient(Authentication::default()).into(),
            401,
            "insufficient-user-authentication",
            Some(("www-authenticate", "Bearer error=\"insufficient_user_authentication\"")),
            "authentication-insufficient",
        ),
        (InspectError::NoHandshake.into(), 426, "upgrade-required", Some(("upgrade", "websocket")), "no-handshake"),
        (ContentError::TooLong { most: 9 }.into(), 413, "content-too-large", None, "body-grew-too-long"),
        (ContentError::TooSlow.into(), 408, "request-timeout", None, "body-too-slow"),
        (ContentError::Unreadable.into(), 400, "bad-request", None, "body-unreadable"),
        (MintError::ClaimNotForwardable { claim: "c".into() }.into(), 403, "forbidden", None, "claim-not-forwardable"),
        (
            MintError::IdentityTooLong { bytes: 9, part: "x".into(), of_part: 8 }.into(),
            431,
            "header-fields-too-large",
            None,
            "identity-too-long",
        ),
        (MintError::HeadTooLong { bytes: 9 }.into(), 431, "header-fields-too-large", None, "head-too-long"),
        (MintError::SigningFailed.into(), 503, "unavailable", Some(LATER), "signing-failed"),
        (MintError::NoExchangeKey { audience: "a".into() }.into(), 503, "unavailable", Some(LATER), "no-exchange-key"),
        (ClosedError::Policy(secret()).into(), 503, "unavailable", Some(LATER), "policy-unusable"),
        (ClosedError::SigningKeys(secret()).into(), 503, "unavailable", Some(LATER), "signing-keys-unusable"),
        (ClosedError::KillSwitch(secret()).into(), 503, "unavailable", Some(LATER), "switch-unreadable"),
        (ClosedError::Randomness.into(), 503, "unavailable", Some(LATER), "no-randomness"),
        (OriginError::Unreachable(secret()).into(), 502, "bad-gateway", None, "origin-unreachable"),
        (OriginError::OverTime(5).into(), 504, "gateway-timeout", None, "origin-over-time"),
        (OriginError::TooSlow(secret()).into(), 504, "gateway-timeout", None, "origin-too-slow"),
        (OriginError::Unavailable(secret()).into(), 503, "unavailable", Some(LATER), "origin-unavailable"),
        (OriginError::NoBackend(secret()).into(), 503, "unavailable", Some(LATER), "origin-backends-failed"),
        (SelectError::NoRegion.into(), 503, "unavailable", Some(LATER), "no-region"),
        (SelectError::OtherRegion { region: secret() }.into(), 503, "unavailable", Some(LATER), "other-region"),
        (OriginError::UnexpectedStatus(101).into(), 502, "bad-gateway", None, "origin-unexpected-status"),
        (OriginError::List(ListError::TooLong).into(), 502, "bad-gateway", None, "origin-list-unfiltered"),
    ];
    let bad_token = |(error, code): (TokenError, _)| (identity(error), 401, "invalid-token", Some(INVALID_TOKEN), code);
    table.extend(bad_tokens().map(bad_token));
    let bad_proof = |(error, code): (ProofError, _)| (identity(error), 401, "invalid-proof", Some(INVALID_PROOF), code);
    table.extend(bad_proofs().map(bad_proof));
    table.push((identity(ProofError::Nonce), 401, "proof-nonce-required", Some(NO_NONCE), "proof-nonce"));
    table
}

/// A refusal of the step *identify*.
fn identity(error: impl Into<IdentityError>) -> Refusal {
    Refusal::from(error.into())
}

fn bad_proofs() -> impl Iterator<Item = (ProofError, &'static str)> {
    [
        (ProofError::Missing, "proof-missing"),
        (ProofError::Repeated { count: 2 }, "proof-repeated"),
        (ProofError::Unbound, "proof-unbound"),
        (ProofError::TooLong, "proof-too-long"),
        (ProofError::Malformed, "proof-malformed"),
        (ProofError::Extension { member: "crit" }, "proof-extension"),
        (ProofError::Type, "proof-type"),
        (ProofError::Algorithm, "proof-algorithm"),
        (ProofError::Key, "proof-key"),
        (ProofError::Claim { claim: "jti" }, "proof-claim"),
        (ProofError::Method, "proof-method"),
        (ProofError::Url, "proof-url"),
        (ProofError::TooOld { age: Seconds::new(61) }, "proof-too-old"),
        (ProofError::TooEarly { ahead: Seconds::new(11) }, "proof-too-early"),
        (ProofError::Token, "proof-token"),
        (ProofError::OtherKey, "proof-other-key"),
        (ProofError::Signature, "proof-signature"),
        (ProofError::Replayed, "proof-replayed"),
    ]
    .into_iter()
}

fn bad_tokens() -> impl Iterator<Item = (TokenError, &'static str)> {
    [
        (TokenError::Malformed, "token-malformed"),
        (TokenError::Extension { member: "crit" }, "token-extension"),
        (TokenError::Algorithm, "token-algorithm"),
        (TokenError::Type, "token-type"),
        (TokenError::Missing { claim: "exp" }, "token-claim-missing"),
        (TokenError::ClaimMalformed { claim: "exp" }, "token-claim-malformed"),
        (TokenError::UnknownIssuer, "token-unknown-issuer"),
        (TokenError::Audience, "token-audience"),
        (TokenError::Expired { by: Seconds::new(7) }, "token-expired"),
        (TokenError::NotYetValid { claim: "nbf" }, "token-not-yet-valid"),
        (TokenError::TooOld { age: Seconds::new(7) }, "token-too-old"),
        (TokenError::LivesTooLong { lifetime: Seconds::new(7) }, "token-lives-too-long"),
        (TokenError::Required { claim: "token_use".to_owned() }, "token-claim-required"),
        (TokenError::OtherKind { claim: "nonce".to_owned() }, "token-other-kind"),
        (TokenError::Client, "token-client"),
        (TokenError::Tenant, "token-tenant"),
        (TokenError::Bound, "token-bound"),
        (TokenError::UnknownKey, "token-unknown-key"),
        (TokenError::AmbiguousKey, "token-ambiguous-key"),
        (TokenError::Signature, "token-signature"),
    ]
    .into_iter()
}

#[test]
fn each_refusal_has_one_response() {
    for (refusal, status, kind, field, code) in table() {
        let problem = Problem::from(&refusal);
        let body: Value = serde_json::from_str(&problem.body()).unwrap();
        let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        // How long a body may be is no secret.
        let more = if status == 413 { &["detail"][..] } else { &[] };
        assert_eq!(
            members,
            [more, &["status", "title", "type"]].concat(),
            "{code}: the response does not reveal the cause"
        );
        assert_eq!(body["type"], format!("urn:fastgate:problem:{kind}"), "{code}");
        assert_eq!((problem.status(), body["status"].as_u64()), (status, Some(status.into())), "{code}");
        let fixed = [("content-type", "application/problem+json"), ("cache-control", "no-store")];
        let expected: Vec<_> =
            fixed.into_iter().chain(field).map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(fields(&problem.headers()), expected, "{code}");
        assert_eq!(refusal.code(), code);
        assert!(!format!("{problem:?} {}", problem.body()).contains("s3cret"), "{code}");
    }
}

#[test]
fn every_invalid_token_gets_the_same_response() {
    let look = |refusal: &Refusal| {
        let problem = Problem::from(refusal);
        (problem.status(), fields(&problem.headers()), problem.body())
    };
    let reference = look(&identity(CredentialsError::Malformed));
    for (error, code) in bad_tokens() {
        assert_eq!(look(&identity(error)), reference, "{code}");
    }
}

#[test]
fn a_challenge_names_the_metadata_and_the_scheme_of_the_route() {
    let look = |refusal: Refusal, scheme| {
        let problem = Problem::from(&refusal).asking_for(scheme, &[], "https://edge.test/meta");
        fields(&problem.headers()).into_iter().find(|(name, _)| name == "www-authenticate").map(|(_, value)| value)
    };
    let required = vec!["a".to_owned()];
    for (refusal, scheme, expected) in [
        (identity(CredentialsError::Missing), Scheme::Bearer, "Bearer resource_metadata=\"https://edge.test/meta\""),
        (
            identity(CredentialsError::Missing),
            Scheme::DPoP,
            "DPoP algs=\"ES256 EdDSA\", resource_metadata=\"https://edge.test/meta\"",
        ),
        (
            identity(TokenError::Signature),
            Scheme::Bearer,
            "Bearer error=\"invalid_token\", resource_metadata=\"https://edge.test/meta\"",
        ),
        (
            identity(TokenError::Signature),
            Scheme::DPoP,
            "DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\", resource_metadata=\"https://edge.test/meta\"",
        ),
        (
            identity(ProofError::Replayed),
            Scheme::Bearer,
            "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA\", resource_metadata=\"https://edge.test/meta\"",
        ),
        (
            AuthorizeError::InsufficientScope { required: required.clone(), missing: required }.into(),
            Scheme::Bearer,
            "Bearer error=\"insufficient_scope\", scope=\"a\", resource_metadata=\"https://edge.test/meta\"",
        ),
    ] {
        assert_eq!(look(refusal, scheme).as_deref(), Some(expected));
    }
    assert_eq!(
        look(RouteError::NoRoute.into(), Scheme::DPoP),
        None,
        "a refusal without a required token has no challenge"
    );
}

/// Codes of conditions, places and limits, which the tests in `rules` and `tests/edge/rules` cause, and of requests to
/// models, which those in `inference` and `budgets` cause, and to MCP servers, which those in `mcp_request` cause.
const IN_TESTS_RULES: [&str; 49] = [
    "body-not-json",
    "body-not-object",
    "body-not-utf8",
    "body-too-deep",
    "body-too-long",
    "budget-exceeded",
    "budget-queue-full",
    "budget-too-small",
    "budget-unreachable",
    "condition-unmet",
    "content-type",
    "cors-refused",
    "counter-unreachable",
    "header-missing",
    "inference-not-json",
    "issuer-not-accepted",
    "limit-exceeded",
    "limit-queue-full",
    "maintenance",
    "mcp-batch",
    "mcp-header-mismatch",
    "mcp-malformed",
    "mcp-method-unknown",
    "mcp-not-json",
    "mcp-parameters",
    "mcp-scope-missing",
    "mcp-session-unknown",
    "mcp-subject-unknown",
    "mcp-unexpected-body",
    "mcp-unidentified",
    "mcp-version-unknown",
    "media-refused",
    "member-malformed",
    "member-repeated",
    "member-unclear",
    "member-unknown",
    "model-refused",
    "place-denied",
    "place-not-allowed",
    "place-unknown",
    "query-too-long",
    "rewrite-ambiguous",
    "state-refused",
    "stream-refused",
    "switched-off",
    "token-limit-missing",
    "too-much-asked",
    "tools-refused",
    "type-refused",
];

#[test]
fn the_table_has_every_code_and_each_is_unique_and_in_kebab_case() {
    let written = refusal_codes();
    let codes: Vec<_> = table().iter().map(|(refusal, ..)| refusal.code()).collect();
    let unique: BTreeSet<_> = codes.iter().copied().collect();
    assert_eq!(unique.len(), codes.len(), "a code has one meaning");
    let elsewhere = BTreeSet::from(IN_TESTS_RULES);
    assert!(unique.is_disjoint(&elsewhere));
    let listed: BTreeSet<_> = (&unique | &elsewhere).into_iter().map(str::to_owned).collect();
    assert_eq!(listed, written, "the table above and the source have different codes");
    for code in codes {
        let kebab = code.split('-').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
        assert!(kebab, "{code}");
    }
}

#[test]
fn one_problem_type_has_one_status_and_one_title() {
    let mut looks = BTreeSet::new();
    for (refusal, ..) in table() {
        looks.insert(Problem::from(&refusal).body());
    }
    let types: BTreeSet<_> =
        looks.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["type"].to_string()).collect();
    assert_eq!(looks.len(), types.len());
}

#[test]
fn the_list_of_problem_types_is_complete() {
    let listed: BTreeSet<_> = Kind::ALL.map(Kind::slug).into();
    assert_eq!(listed.len(), Kind::ALL.len(), "each is listed once");
    let schema = schemars::schema_for!(Kind).to_value();
    let variants =
        schema["oneOf"].as_array().unwrap().iter().map(|variant| variant["const"].as_str().unwrap().to_owned());
    let named: BTreeSet<_> = Kind::ALL.map(|kind| format!("{kind:?}")).into();
    assert_eq!(variants.collect::<BTreeSet<_>>(), named);
    assert!(table().into_iter().all(|(_, _, kind, ..)| listed.contains(kind)));
}

#[test]
fn the_reference_lists_every_problem_type() {
    let reference = include_str!("../../docs/reference/problems.md");
    for kind in Kind::ALL {
        let row = format!("| {} | `{}` | ", kind.status(), kind.slug());
        assert!(reference.contains(&row), "{row}");
    }
}

#[test]
fn the_log_has_the_cause_that_the_response_omits() {
    for (refusal, _, _, _, code) in table() {
        let cause = refusal.to_string();
        assert!(!cause.is_empty() && cause.chars().all(|letter| !letter.is_control()), "{code}: {cause}");
    }
    let cause = |refusal: Refusal| refusal.to_string();
    assert_eq!(cause(identity(TokenError::Expired { by: Seconds::new(7) })), "the token expired 7 seconds ago");
    assert!(cause(ClosedError::Policy("$.routes[3].path: is empty".to_owned()).into()).contains("$.routes[3].path"));
}
