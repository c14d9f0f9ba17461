//! Policies: each fault is found at its location, with a remedy; the committed policies are valid.

mod example;
mod forms;
mod overlap;
mod tour;

use std::collections::{BTreeMap, BTreeSet};

use fastgate::policy::pattern::{PathTemplate, TemplateError};
use fastgate::policy::{
    AlgorithmName, BackendsFault, CacheFault, Fault, OriginKey, Policy, PolicyDocument, PresetFault, ResourceFault,
    RespondFault,
};
use proptest::prelude::{Just, Strategy, prop};
use proptest::prop_oneof;
use serde_json::{Value, json};

use crate::offline::policy_of;
use crate::samples::{policy_document, property, sign};

const POLICY: &str = include_str!("../../policy.json");
const SCHEMA: &str = include_str!("../../policy.schema.json");

/// One change to the policy of the tests (a JSON Pointer and the new value), and the resulting fault.
fn table() -> Vec<(&'static str, Value, &'static str, Fault)> {
    let out_of_range = |value, least, most| Fault::OutOfRange { value, least, most };
    let same = |other: &str| Fault::SameRequests { other: other.to_owned() };
    let pattern = Fault::Template;
    let convertor = || TemplateError::UnknownConvertor("regex".to_owned());
    let zoo = |changes: Value| json!({ "backend": "b", "audience": "zoo", "key": origin_key(&changes) });
    let of_resource = |resource: &str| json!({ "backend": "b", "audience": resource, "resource": resource });
    let files = json!({ "backend": "b", "audience": "files", "resource": "https://edge.test/a" });
    let app_with_that_key = json!({ "backend": "b", "audience": "app-audience", "key": origin_key(&json!({})) });
    let socket = |id, path| {
        let methods = ["GET"];
        json!({ "id": id, "path": path, "methods": methods, "origin": "app", "access": "public", "websocket": true })
    };
    vec![
        ("/edge/issuer", json!("edge.test"), "$.edge.issuer", Fault::NotHttps),
        ("/edge/issuer", json!("http://edge.test"), "$.edge.issuer", Fault::NotHttps),
        ("/edge/issuer", json!("https://"), "$.edge.issuer", Fault::NotHttps),
        ("/edge/issuer", json!("https://edge.test/?x"), "$.edge.issuer", Fault::NotHttps),
        ("/edge/issuer", json!("https://u@edge.test"), "$.edge.issuer", Fault::NotHttps),
        ("/edge/issuer", json!("https://edge .test"), "$.edge.issuer", Fault::NotHttps),
        ("/edge/issuer", json!("http://localhost.evil.test"), "$.edge.issuer", Fault::NotHttps),
        ("/edge/hosts", json!([]), "$.edge.hosts", Fault::Empty),
        ("/edge/hosts/1", json!(""), "$.edge.hosts[1]", Fault::NotAHost),
        ("/edge/hosts/1", json!("https://edge.test"), "$.edge.hosts[1]", Fault::NotAHost),
        ("/edge/hosts/1", json!("edge.test:99999"), "$.edge.hosts[1]", Fault::NotAHost),
        ("/edge/hosts/1", json!("edge.test/"), "$.edge.hosts[1]", Fault::NotAHost),
        ("/edge/hosts/1", json!("*.edge.test"), "$.edge.hosts[1]", Fault::NotAHost),
        ("/edge/hosts/2", json!("[::g]"), "$.edge.hosts[2]", Fault::NotAHost),
        ("/edge/resource", json!("http://edge.test"), "$.edge.resource", Fault::NotHttps),
        ("/edge/resource", json!("https://edge.test/\"x"), "$.edge.resource", Fault::NotHttps),
        ("/edge/resource", json!("https://other.test/"), "$.edge.resource", ResourceFault::Foreign.into()),
        ("/edge/resource", json!("https://edge.test/.."), "$.edge.resource", ResourceFault::Ambiguous.into()),
        ("/edge/resource", json!("https://edge.test:0443/"), "$.edge.resource", ResourceFault::Ambiguous.into()),
        (
            "/origins/app/resource",
            json!("https://edge.test:0443/a"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        ("/edge/dpop", json!({ "max_age": 0 }), "$.edge.dpop.max_age", out_of_range(0, 1, 600)),
        ("/edge/dpop", json!({ "max_age": 601 }), "$.edge.dpop.max_age", out_of_range(601, 1, 600)),
        ("/edge/dpop", json!({ "leeway": 61 }), "$.edge.dpop.leeway", out_of_range(61, 0, 60)),
        ("/edge/identity_lifetime", json!(0), "$.edge.identity_lifetime", out_of_range(0, 1, 60)),
        ("/edge/identity_lifetime", json!(61), "$.edge.identity_lifetime", out_of_range(61, 1, 60)),
        ("/edge/max_token", json!(1023), "$.edge.max_token", out_of_range(1023, 1024, 32_768)),
        ("/edge/max_token", json!(32_769), "$.edge.max_token", out_of_range(32_769, 1024, 32_768)),
        ("/origins/app/backend", json!(""), "$.origins.app.backend", Fault::Empty),
        ("/origins/app/audience", json!(""), "$.origins.app.audience", Fault::Empty),
        (
            "/origins/zoo",
            json!({ "backend": "b", "audience": "app-audience" }),
            "$.origins.zoo.audience",
            Fault::TakenAudience { other: "app".to_owned() },
        ),
        ("/origins/app/resource", json!("edge.test/mcp"), "$.origins.app.resource", Fault::NotHttps),
        ("/origins/app/resource", json!("https://edge.test/a?b"), "$.origins.app.resource", Fault::NotHttps),
        ("/origins/app/resource", json!("https://edge.test/a#b"), "$.origins.app.resource", Fault::NotHttps),
        (
            "/origins/app/resource",
            json!("https://other.test/a"),
            "$.origins.app.resource",
            ResourceFault::Foreign.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test:1/a"),
            "$.origins.app.resource",
            ResourceFault::Foreign.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test/a/../b"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test/."),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test/a%2fb"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test//a"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test/a//"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test/{a}"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://EDGE.test/a"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        (
            "/origins/app/resource",
            json!("https://edge.test:443/a"),
            "$.origins.app.resource",
            ResourceFault::Ambiguous.into(),
        ),
        ("/origins/app/resource", json!("https://edge.test/"), "$.origins.app.resource", ResourceFault::OfEdge.into()),
        (
            "/origins",
            json!({ "app": of_resource("https://edge.test/a"), "files": files }),
            "$.origins.files.resource",
            ResourceFault::Taken { other: "app".to_owned() }.into(),
        ),
        ("/origins/zoo", zoo(json!({ "kty": "EC" })), "$.origins.zoo.key.kty", Fault::NotAnOriginKey),
        ("/origins/zoo", zoo(json!({ "crv": "Ed25519" })), "$.origins.zoo.key.crv", Fault::NotAnOriginKey),
        ("/origins/zoo", zoo(json!({ "use": "sig" })), "$.origins.zoo.key.use", Fault::NotAnOriginKey),
        ("/origins/zoo", zoo(json!({ "x": "AQAB" })), "$.origins.zoo.key.x", Fault::NotAnOriginKey),
        ("/origins/zoo", zoo(json!({ "x": "A".repeat(43) })), "$.origins.zoo.key.x", Fault::LowOrder),
        ("/origins/zoo", zoo(json!({ "kid": "zoo" })), "$.origins.zoo.key.kid", Fault::NotTheThumbprint),
        ("/origins/zoo", zoo(json!({ "d": 1 })), "$.origins.zoo.key.d", Fault::PrivateKey),
        ("/origins/zoo", zoo(json!({ "d": null })), "$.origins.zoo.key.d", Fault::PrivateKey),
        (
            "/origins",
            json!({ "app": zoo(json!({})), "files": app_with_that_key }),
            "$.origins.files.key",
            Fault::TakenKey { other: "app".to_owned() },
        ),
        ("/origins/A B", json!({ "backend": "b", "audience": "a" }), "$.origins.A B", Fault::NotAnId),
        ("/issuers/alpha/issuer", json!("ftp://alpha.test"), "$.issuers.alpha.issuer", Fault::NotHttps),
        ("/issuers/alpha/backend", json!(""), "$.issuers.alpha.backend", Fault::Empty),
        ("/issuers/alpha/audiences", json!([]), "$.issuers.alpha.audiences", Fault::Empty),
        ("/issuers/alpha/audiences", json!(["a", ""]), "$.issuers.alpha.audiences", Fault::Empty),
        ("/issuers/alpha/algorithms", json!([]), "$.issuers.alpha.algorithms", Fault::Empty),
        ("/issuers/alpha/types", json!([]), "$.issuers.alpha.types", Fault::Empty),
        ("/issuers/alpha/leeway", json!(301), "$.issuers.alpha.leeway", out_of_range(301, 0, 300)),
        (
            "/issuers/alpha/jwks_uri",
            json!("https://alpha.test/{tenant}/jwks"),
            "$.issuers.alpha.jwks_uri",
            Fault::NotHttps,
        ),
        ("/issuers/alpha/jwks_uri", json!("https://alpha.test/jwks?x"), "$.issuers.alpha.jwks_uri", Fault::NotHttps),
        ("/issuers/alpha/jwks_uri", json!("https://evil.test/jwks"), "$.issuers.alpha.jwks_uri", Fault::ForeignHost),
        ("/issuers/alpha/jwks_uri", json!("https://alpha.test:1/jwks"), "$.issuers.alpha.jwks_uri", Fault::ForeignHost),
        (
            "/issuers/beta/issuer",
            json!("https://alpha.test"),
            "$.issuers.beta.issuer",
            Fault::TakenIssuer { other: "alpha".to_owned() },
        ),
        (
            "/issuers/alpha/audiences",
            json!("none"),
            "$.issuers.alpha.audiences",
            PresetFault::ForAnyAudience {
                remedy: "list \"clients\"; or write \"keys_of_one_client\": true if the key set belongs to your client alone",
            }
            .into(),
        ),
        ("/issuers/alpha/preset", json!("entra"), "$.issuers.alpha.issuer", Fault::NoTenant),
        ("/issuers/alpha/tenants", json!(["a"]), "$.issuers.alpha.tenants", Fault::NoTenantClaim),
        (
            "/issuers/alpha/required_claims",
            json!({ "nonce": "n" }),
            "$.issuers.alpha.required_claims.nonce",
            Fault::RequiredAndRefused { claim: "nonce".to_owned() },
        ),
        ("/issuers", json!({}), "$.issuers", Fault::NoIssuer),
        ("/routes", json!([]), "$.routes", Fault::Empty),
        ("/routes/2/id", json!("Me"), "$.routes[2].id", Fault::NotAnId),
        ("/routes/2/id", json!(""), "$.routes[2].id", Fault::NotAnId),
        ("/routes/2/id", json!("x".repeat(65)), "$.routes[2].id", Fault::NotAnId),
        ("/routes/2/id", json!("pub"), "$.routes[2].id", Fault::TakenId),
        ("/routes/2/methods", json!([]), "$.routes[2].methods", Fault::Empty),
        ("/routes/2/origin", json!("nobody"), "$.routes[2].origin", Fault::UnknownOrigin),
        ("/routes/2/origin", Value::Null, "$.routes[2].origin", Fault::OriginMissing),
        ("/routes/2/regions", json!(["eu"]), "$.routes[2].regions[0]", BackendsFault::UnknownRegion.into()),
        ("/routes/2/respond", json!({ "body": "x" }), "$.routes[2].origin", RespondFault::NeedsOrigin.into()),
        ("/routes/0/scopes", json!(["a"]), "$.routes[0].scopes", Fault::RulesOnPublic),
        ("/routes/0/require_bound", json!(true), "$.routes[0].require_bound", Fault::RulesOnPublic),
        ("/routes", json!([socket("one", "/{a}"), socket("two", "/{b}")]), "$.routes[1].path", same("one")),
        ("/routes/4/websocket", json!(true), "$.routes[4].websocket", Fault::NotAHandshake),
        ("/routes/3/bearer_subprotocol", json!(true), "$.routes[3].bearer_subprotocol", Fault::NoTokenInHandshake),
        ("/routes/3/scopes", json!(["a", "b c"]), "$.routes[3].scopes[1]", Fault::NotAScope),
        ("/routes/3/scopes", json!([""]), "$.routes[3].scopes[0]", Fault::NotAScope),
        ("/routes/3/scopes", json!(["a\"b"]), "$.routes[3].scopes[0]", Fault::NotAScope),
        ("/routes/3/path", json!("/pub/{other:path}"), "$.routes[3].path", same("pub")),
        ("/routes/2/path", json!("me"), "$.routes[2].path", pattern(TemplateError::NotRooted)),
        ("/routes/2/path", json!(""), "$.routes[2].path", pattern(TemplateError::NotRooted)),
        ("/routes/2/path", json!("/a//b"), "$.routes[2].path", pattern(TemplateError::Unreachable)),
        ("/routes/2/path", json!("/{a"), "$.routes[2].path", pattern(TemplateError::MalformedParameter)),
        ("/routes/2/path", json!("/{a:regex}"), "$.routes[2].path", pattern(convertor())),
        ("/routes/2/path", json!("/{a}/{a}"), "$.routes[2].path", pattern(TemplateError::RepeatedName("a".to_owned()))),
        ("/routes/2/path", json!("/a?b"), "$.routes[2].path", pattern(TemplateError::ForbiddenCharacter)),
        ("/routes/2/path", json!("/caf%C3%A9"), "$.routes[2].path", pattern(TemplateError::PercentEncoded)),
        ("/routes/2/path", json!("/a".repeat(129)), "$.routes[2].path", pattern(TemplateError::TooManySegments(129))),
        (
            "/routes/2/path",
            json!("/a".repeat(200_000)),
            "$.routes[2].path",
            pattern(TemplateError::TooManySegments(200_000)),
        ),
        ("/routes/2/path", json!("/{a}{b}"), "$.routes[2].path", pattern(TemplateError::Ambiguous)),
        (
            "/routes/2/cache",
            json!({ "audience": "public", "ttl": 60 }),
            "$.routes[2].cache.audience",
            Fault::Cache(CacheFault::NotShared),
        ),
    ]
}

#[test]
fn each_fault_is_found_at_its_location_with_a_remedy() {
    for (pointer, value, at, fault) in table() {
        let faults = Policy::parse(changed(pointer, value.clone()).to_string().as_bytes()).unwrap_err().0;
        let [found] = faults.as_slice() else { panic!("{pointer} = {value}: {faults:?}") };
        assert_eq!((found.at.as_str(), &found.fault), (at, &fault), "{pointer} = {value}");
        assert!(found.fault.remedy().len() > 10, "{at}");
        assert!(found.to_string().starts_with(&format!("{at}: ")), "{found}");
    }
}

#[test]
fn an_unreadable_policy_is_a_fault_with_its_location() {
    for (pointer, value, at) in [
        ("/edge", json!("x"), "$.edge"),
        ("/edge/hosts", json!("edge.test"), "$.edge.hosts"),
        ("/edge/identity_lifetime", json!(-1), "$.edge.identity_lifetime"),
        ("/edge/identity_lifetime", json!("30"), "$.edge.identity_lifetime"),
        ("/edge/typo", json!(1), "$.edge.typo"),
        ("/typo", json!(1), "$.typo"),
        ("/origins/app/url", json!(1), "$.origins.app.url"),
        ("/issuers/beta/algorithms/0", json!("HS256"), "$.issuers.beta.algorithms[0]"),
        ("/issuers/alpha/audience", json!("x"), "$.issuers.alpha.audience"),
        ("/routes/2/methods/0", json!("TRACE"), "$.routes[2].methods[0]"),
        ("/routes/2/methods/0", json!("get"), "$.routes[2].methods[0]"),
        ("/routes/2/access", json!("open"), "$.routes[2].access"),
        ("/routes/2/scope", json!("x"), "$.routes[2].scope"),
        ("/routes/2/path", json!(1), "$.routes[2].path"),
    ] {
        let document = changed(pointer, value);
        let faults = Policy::parse(document.to_string().as_bytes()).unwrap_err().0;
        let [found] = faults.as_slice() else { panic!("{pointer}: {faults:?}") };
        assert!(matches!(found.fault, Fault::Unreadable(_)), "{pointer}: {found}");
        assert_eq!(found.at, at, "{pointer}: {found}");
    }
    for text in ["", "null", "[]", "{", "{}", "\u{feff}{}", &format!("{POLICY}x"), &POLICY.replace("edge", "Edge")] {
        assert!(Policy::parse(text.as_bytes()).is_err(), "{text:.40}");
    }
    assert!(Policy::parse(b"\xff").is_err());
}

/// Faults of conditions, places and limits, which the tests in `rules` cause, and of introspection, which those in
/// `opaque` cause, of tenants
/// and unusual tokens, which those in `issuers` cause, and of forwarded
/// claims, which those in `mint` cause, and of requests to models, which those in `inference` cause, and to MCP servers, which
/// those in `mcp_request` cause.
const IN_TESTS_RULES: [&str; 45] = [
    "AnyTenant",
    "CircularRule",
    "CostUnbounded",
    "CoveredIssuer",
    "CredentialsForAll",
    "Inference",
    "Mcp",
    "MixedTemplates",
    "NeedsCaller",
    "NegatedText",
    "NoKeysOfTenants",
    "NoKeysOfText",
    "NoScopes",
    "NoTenants",
    "NotAClaimName",
    "NotAFieldName",
    "NotAFieldValue",
    "NotAMediaType",
    "NotANetwork",
    "NotAPlaceCode",
    "NotAPlaceStatus",
    "NotARewrite",
    "NotASecretName",
    "NotATemplate",
    "NotATenant",
    "NotAWebOrigin",
    "NotAnAcr",
    "NotAnErlWindow",
    "NotOneTest",
    "OpaqueOfTenants",
    "Repeated",
    "ReservedField",
    "RewriteParameter",
    "SeveralIntrospections",
    "TakenClaimName",
    "TooDeep",
    "TooManyConditions",
    "TooSlowForErl",
    "UnknownGroup",
    "UnknownIssuer",
    "UnknownLimit",
    "UnknownParameter",
    "UnknownPlace",
    "UnknownRule",
    "UnnamedClaim",
];

#[test]
fn the_table_causes_every_fault() {
    let provoked: BTreeSet<_> =
        table().iter().map(|(.., fault)| variant(fault)).chain([variant_of_unreadable()]).collect();
    let elsewhere = IN_TESTS_RULES.map(str::to_owned).into();
    assert_eq!(provoked, &variants(include_str!("../../src/policy/fault/kinds.rs"), "Fault") - &elsewhere);
    let templates: BTreeSet<_> = table()
        .iter()
        .filter_map(|(.., fault)| if let Fault::Template(error) = fault { Some(variant(error)) } else { None })
        .collect();
    assert_eq!(templates, variants(include_str!("../../src/policy/pattern/error.rs"), "TemplateError"));
}

#[test]
fn all_faults_are_found_in_one_run() {
    let mut document = policy_document();
    document["edge"]["issuer"] = json!("x");
    document["issuers"]["alpha"]["leeway"] = json!(999);
    document["routes"][2]["path"] = json!("x");
    document["routes"][3]["scopes"] = json!(["a b"]);
    let faults = Policy::parse(document.to_string().as_bytes()).unwrap_err().0;
    let places: Vec<_> = faults.iter().map(|fault| fault.at.as_str()).collect();
    assert_eq!(places, ["$.edge.issuer", "$.issuers.alpha.leeway", "$.routes[2].path", "$.routes[3].scopes[0]"]);
}

#[test]
fn policies_for_local_development_are_accepted() {
    policy_of(&changed("/routes/2/path", json!("/a".repeat(128))));
    for issuer in ["http://127.0.0.1:9080", "http://localhost", "http://[::1]:9080/x", "https://a.test/tenant/v2.0"] {
        policy_of(&changed("/issuers/alpha/issuer", json!(issuer)));
    }
    policy_of(&changed("/issuers/alpha/jwks_uri", json!("https://alpha.test/keys")));
    policy_of(&changed("/routes/3/methods", json!(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])));
}

#[test]
fn the_defaults_are_the_strict_choices() {
    let document = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "app": { "backend": "b", "audience": "a" } },
        "issuers": { "alpha": { "issuer": "https://alpha.test", "backend": "b", "audiences": ["x"] } },
        "routes": [{ "id": "all", "path": "/{p:path}", "methods": ["GET"] }]
    });
    let policy = policy_of(&document);
    let issuer = policy.issuer("https://alpha.test").unwrap();
    assert_eq!(policy.edge().identity_lifetime.as_u64(), 30);
    assert_eq!((issuer.leeway.as_u64(), issuer.shape.types.as_slice()), (30, &["at+jwt".to_owned()][..]));
    assert_eq!(issuer.algorithms, [AlgorithmName::RS256, AlgorithmName::ES256]);
    let route = &policy.routes()[0];
    assert!(!route.forward_token && route.origin().unwrap().backends.all[0].name == "b");
    assert_eq!(
        route.access,
        fastgate::policy::Access::Authenticated {
            all_callers: fastgate::policy::Requirement::default(),
            by_issuer: BTreeMap::new()
        }
    );
}

#[test]
fn the_committed_policy_is_valid_by_its_reader_and_by_its_schema() {
    Policy::parse(POLICY.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    assert!(validator.is_valid(&serde_json::from_str(POLICY).unwrap()));
    assert!(validator.is_valid(&policy_document()));
    assert!(!validator.is_valid(&changed("/edge/typo", json!(1))));
    assert!(!validator.is_valid(&changed("/routes/2/methods/0", json!("TRACE"))));
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let schema = schemars::schema_for!(PolicyDocument).to_value();
    assert_eq!(SCHEMA, format!("{schema:#}\n"), "run `make schema`");
}

#[test]
fn no_json_causes_a_panic_of_the_reader() {
    let leaf = prop_oneof![
        Just(Value::Null),
        proptest::bool::ANY.prop_map(Value::from),
        proptest::num::i64::ANY.prop_map(Value::from),
        proptest::num::f64::ANY.prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..6).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    });
    let places = prop::sample::select(pointers(&policy_document(), String::new()));
    property(1_500, &(tree, places), |(tree, place)| {
        let _ = Policy::parse(tree.to_string().as_bytes());
        let mut document = policy_document();
        *document.pointer_mut(&place).unwrap() = tree;
        let _ = Policy::parse(document.to_string().as_bytes());
        Ok(())
    });
}

#[test]
fn no_text_causes_a_panic_of_the_template_reader_and_all_templates_can_be_compared() {
    let piece = prop::sample::select(&["/", "{", "}", ":", "a", "int", "path", ".", "é", "{a}", "{b:path}", "\\", "?"]);
    let template = prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()));
    property(1_500, &(template.clone(), template), |(one, two)| {
        let (one, two) = (PathTemplate::parse(&one), PathTemplate::parse(&two));
        if let (Ok(one), Ok(two)) = (one, two) {
            assert_eq!(one.cmp_specificity(&two), two.cmp_specificity(&one).reverse());
        }
        Ok(())
    });
}

/// Texts, among them some with a meaning in a policy.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(&[
            "",
            "/",
            "/{a}",
            "/{a:path}",
            "https://a.test",
            "GET",
            "public",
            "edge",
            "routes",
            "[::1]",
            "é"
        ])
        .prop_map(str::to_owned),
        prop::collection::vec(proptest::char::any(), 0..6).prop_map(String::from_iter),
    ]
}

/// A JSON Pointer to everything in a document.
fn pointers(value: &Value, at: String) -> Vec<String> {
    let below: Vec<String> = match value {
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| pointers(value, format!("{at}/{name}"))).collect()
        }
        Value::Array(elements) => {
            elements.iter().enumerate().flat_map(|(index, value)| pointers(value, format!("{at}/{index}"))).collect()
        }
        _ => Vec::new(),
    };
    [at].into_iter().chain(below).collect()
}

/// The policy of the tests with one place changed or added.
fn changed(pointer: &str, value: Value) -> Value {
    let mut document = policy_document();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match parent {
        Value::Array(elements) => elements[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    document
}

fn variant(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}").split(|letter: char| !letter.is_alphanumeric()).next().unwrap().to_owned()
}

/// A good key of an origin with these members changed.
fn origin_key(changes: &Value) -> Value {
    let mut key = json!({ "kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo" });
    key.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    key
}

#[test]
fn an_origin_has_a_key_of_its_own() {
    let app = |key: Value| json!({ "backend": "b", "audience": "app-audience", "key": key });
    let zoo = |key: Value| json!({ "backend": "b", "audience": "zoo", "key": key });
    let read = |app: Value, zoo: Value| {
        let mut document = policy_document();
        document["origins"]["app"] = app;
        document["origins"]["zoo"] = zoo;
        Policy::parse(document.to_string().as_bytes()).map_err(|faults| faults.0)
    };
    let (good, other) = (origin_key(&json!({})), sign::public("app-exchange"));
    let policy = read(app(good.clone()), zoo(other.clone())).unwrap();
    let ids: Vec<_> = policy.origins().map(|origin| origin.key.as_ref().map(OriginKey::id)).collect();
    assert!(ids.contains(&None) && ids.contains(&other["kid"].as_str().map(str::to_owned)), "{ids:?}");
    let faults = read(app(good.clone()), zoo(good)).unwrap_err();
    assert_eq!(faults[0].at, "$.origins.zoo.key");
    assert_eq!((faults.len(), &faults[0].fault), (1, &Fault::TakenKey { other: "app".to_owned() }));
    for malformed in [json!(null), json!("x"), json!([]), json!({}), sign::without(&other, "x")] {
        let refused = read(app(malformed.clone()), zoo(other.clone())).is_err();
        assert_eq!(refused, !malformed.is_null(), "{malformed}");
    }
}

fn variant_of_unreadable() -> String {
    variant(&Policy::parse(b"").unwrap_err().0[0].fault)
}

/// The names of the variants of an enum, from its source.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let body = source.split_once(&format!("pub enum {name} {{\n")).unwrap().1.split_once("\n}").unwrap().0;
    body.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|letter: char| letter.is_ascii_uppercase()))
        .map(|line| line.split(|letter: char| !letter.is_alphanumeric()).next().unwrap().to_owned())
        .collect()
}

#[test]
fn two_entries_of_the_same_name_are_a_fault() {
    let issuer = r#"{"issuer":"https://a.example","backend":"a","audiences":["a"]}"#;
    let policy = format!(
        r#"{{"edge":{{"issuer":"https://e.example","hosts":["e.example"]}},"origins":{{"o":{{"backend":"o","audience":"o"}}}},
        "issuers":{{"idp":{issuer},"idp":{issuer}}},"routes":[{{"id":"r","path":"/","methods":["GET"]}}]}}"#
    );
    assert!(
        Policy::parse(policy.replacen("\"idp\"", "\"other\"", 1).replacen("a.example", "b.example", 1).as_bytes())
            .is_ok()
    );
    let faults = Policy::parse(policy.as_bytes()).unwrap_err().to_string();
    assert!(faults.contains("twice"), "{faults}");
}

/// A policy is logged with its fault, and a secret may be in the wrong place.
#[test]
fn no_fault_repeats_a_value() {
    let secret = "5ecr3t-\u{e9}\"-, expected";
    for pointer in [
        "/origins/app",
        "/origins/app/key",
        "/origins/app/backend",
        "/edge",
        "/edge/identity_lifetime",
        "/edge/forward",
        "/issuers/alpha/algorithms",
        "/issuers/alpha/tokens",
        "/issuers/alpha/leeway",
        "/routes",
        "/routes/2/methods",
        "/routes/2/methods/0",
        "/routes/2/access",
        "/routes/2/websocket",
        "/limits",
    ] {
        for value in [json!(secret), json!([secret]), json!({ "x": secret }), json!([[secret]])] {
            if let Err(faults) = Policy::parse(changed(pointer, value.clone()).to_string().as_bytes()) {
                assert!(!faults.to_string().contains("5ecr3t"), "{pointer} {value}: {faults}");
            }
        }
    }
}
