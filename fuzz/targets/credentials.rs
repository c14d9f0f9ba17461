//! Tokens, proofs of possession, and introspection responses.

#[path = "../../tests/support/admitted.rs"]
mod admitted;

use std::sync::{Arc, LazyLock};

use fastgate::identity::dpop::Nonces;
use fastgate::identity::introspection::keep_for;
use fastgate::identity::keys::KeySet;
use fastgate::identity::signature_cache::NoSignatureCache;
use fastgate::identity::token::UnverifiedToken;
use fastgate::identity::{Caller, Identity, Seen, identify};
use fastgate::policy::Policy;
use fastgate::request::{RequestHead, normalize};
use fastgate::secret::Secret;
use fastgate::time::{Seconds, UnixTime};
use serde_json::{Value, json};

use admitted::admitted;

use super::fakes::{FakeKeys, Fakes};
use super::signed::{CLIENTS, ISSUERS, NOW, compact, encoded, given, has_signed, jwk, payload};

const ISSUER: &str = "https://idp.test";
const LEEWAY: f64 = 60.0;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let policy = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "app": { "backend": "app", "audience": "app" } },
        "issuers": { "idp": {
            "issuer": ISSUER, "backend": "idp", "audiences": ["api"], "algorithms": ["ES256"], "leeway": 60,
            "introspection": {
                "url": "https://idp.test/introspect", "backend": "idp", "client_id": "edge",
                "client_secret": "idp-secret"
            }
        } },
        "routes": [{ "id": "me", "path": "/me", "methods": ["GET"] }]
    });
    Policy::parse(policy.to_string().as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
});
static KEYS: LazyLock<Arc<KeySet>> = LazyLock::new(|| {
    let mut jwk = jwk(ISSUERS);
    jwk["kid"] = "one".into();
    Arc::new(KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap())
});
/// A thumbprint by RFC 7638 §3, without the library: the hash of the required members in alphabetical order.
static BOUND: LazyLock<String> = LazyLock::new(|| {
    let jwk = jwk(CLIENTS);
    let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
    let thumbprint = digest(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
    let claims = json!({
        "iss": ISSUER, "aud": "api", "sub": "ada", "iat": NOW - 60, "exp": NOW + 600, "cnf": { "jkt": thumbprint }
    });
    compact(ISSUERS, br#"{"alg":"ES256","typ":"at+jwt","kid":"one"}"#, claims.to_string().as_bytes())
});

fn digest(text: &str) -> String {
    encoded(hmac_sha256::Hash::hash(text.as_bytes()))
}

fn now() -> UnixTime {
    UnixTime::from_seconds(NOW)
}

/// An accepted token was signed by the issuer, has not expired, and is meant for this gate.
pub fn token(data: &[u8]) {
    let Some(compact) = given(data, ISSUERS) else { return };
    let issuer = POLICY.issuer(ISSUER).unwrap();
    let judged = || {
        let token = UnverifiedToken::parse(Secret::new(&compact))?.check(issuer, now())?;
        token.verify(&KEYS, &mut NoSignatureCache).map_err(|refused| refused.error)
    };
    let verified = judged();
    assert_eq!(verified, judged());
    if verified.is_ok() {
        assert!(has_signed(ISSUERS, &compact), "{compact}");
        let claims = payload(&compact);
        assert!(is_in_time(&claims) && claims["sub"].is_string(), "{claims}");
        assert!(is_for_this_gate(&claims["aud"]), "{claims}");
    }
}

fn is_in_time(claims: &Value) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let now = NOW as f64;
    let starts = |name: &str| claims.get(name).is_none_or(|time| time.as_f64().unwrap().floor() <= now + LEEWAY);
    claims["exp"].as_f64().unwrap().floor() + LEEWAY > now && starts("nbf") && starts("iat")
}

fn is_for_this_gate(audience: &Value) -> bool {
    audience == "api" || audience.as_array().is_some_and(|list| list.contains(&"api".into()))
}

/// An accepted proof was signed by the client's key, for this request, token and time. `"JWK"` and `"ATH"` are
/// placeholders for the client's public key and the digest of its token, so that seeds need not contain them.
pub fn proof(data: &[u8]) {
    let replaced = String::from_utf8(data.to_vec()).map(|text| {
        let text = text.replace("\"JWK\"", &jwk(CLIENTS).to_string());
        text.replace("\"ATH\"", &format!("\"{}\"", digest(&BOUND))).into_bytes()
    });
    let data = replaced.as_deref().unwrap_or(data);
    let Some(proof) = given(data, CLIENTS) else { return };
    let fields = [("authorization", format!("DPoP {}", *BOUND)), ("dpop", proof.clone())];
    if identified(&fields, None).is_some() {
        assert!(has_signed(CLIENTS, &proof), "{proof}");
        let claims = payload(&proof);
        assert_eq!((&claims["htm"], &claims["ath"]), (&"GET".into(), &digest(&BOUND).into()), "{claims}");
        let made = claims["iat"].as_f64().unwrap();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let apart = (made - NOW as f64).abs();
        assert!(apart <= 301.0 && claims["jti"].is_string(), "{claims}");
        assert!(claims["htu"].as_str().is_some_and(|url| url.to_lowercase().contains("edge.test")), "{claims}");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        // A bound token without a proof identifies no caller.
        let fields = [("authorization", format!("Bearer {}", *BOUND)), ("dpop", text.to_owned())];
        assert!(identified(&fields, None).is_none());
    }
}

/// A caller is identified only if the response says that the token is active, of this issuer, valid now and meant for
/// this gate. No response is kept longer than the window, or after `exp`.
pub fn introspection(data: &[u8]) {
    const WINDOW: Seconds = Seconds::new(120);
    let kept = keep_for(data, WINDOW, now());
    let said = serde_json::from_slice::<Value>(data).unwrap_or_default();
    if let Ok(kept) = kept {
        assert!(kept <= WINDOW && said["active"].is_boolean(), "{said}");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let until = (NOW + kept.as_u64()) as f64;
        let is_date = |time: &f64| (0.0..=253_402_300_799.0).contains(time);
        let expires = said["exp"].as_f64().filter(is_date).filter(|_| said["active"] == true);
        assert!(kept.is_zero() || expires.is_none_or(|expires| until <= expires), "kept for {kept}: {said}");
    }
    let fields = [("authorization", "Bearer opaque".to_owned())];
    if let Some(identity) = identified(&fields, Some(data)) {
        assert!(
            kept.is_ok() && said["active"] == true && is_in_time(&said) && is_for_this_gate(&said["aud"]),
            "{said}"
        );
        assert!(said.get("iss").is_none_or(|issuer| issuer == ISSUER) && identity.issuer() == ISSUER, "{said}");
        assert!(said.get("cnf").is_none_or(Value::is_null) || identity.binding().is_none(), "{said}");
    }
}

/// The caller with these fields, if the issuer gives this response for every opaque token.
fn identified(fields: &[(&str, String)], response: Option<&[u8]>) -> Option<Identity> {
    let fields = fields.iter().map(|(name, value)| (*name, value.clone().into_bytes()));
    let headers = fields.chain([("host", b"edge.test".to_vec())]).collect();
    let head = RequestHead { method: "GET".to_owned(), target: b"/me".to_vec(), headers, tls: true, certificate: None };
    let target = normalize(head, &POLICY.edge().hosts).ok()?;
    let (mut fakes, nonces) = (Fakes::with(FakeKeys::none().with_keys("idp", KEYS.clone())), Nonces::default());
    fakes.introspector.response = response.map(<[u8]>::to_vec);
    match identify(
        &POLICY,
        admitted(&POLICY.routes()[0], &target),
        &target,
        now(),
        &mut fakes.sources(&nonces),
        &mut Seen::default(),
    ) {
        Ok(Caller::Known(identity)) => Some(identity),
        Ok(Caller::Anonymous) => panic!("anonymous on a route that requires a token"),
        Err(_) => None,
    }
}
