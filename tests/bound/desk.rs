//! A gate at the desk with one provider, and what is needed to make its tokens and proofs, good and bad.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::client::Client;
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::headers::Headers;
use fastgate::identity::keys::KeySet;
use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastgate::identity::verdict::NoVerdicts;
use fastgate::identity::{KeySource, KeysUnavailable, Sources, Wanted};
use fastgate::mint::{Minter, SigningKeys, new_signing_keys};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Issuer, Policy};
use fastgate::request::RequestHead;
use fastgate::throttle::{Counter, CounterUnreachable, Taken};
use fastgate::time::UnixTime;
use fastgate::trail::Trail;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const METADATA: &str = "resource_metadata=\"https://edge.test/.well-known/oauth-protected-resource\"";

/// A key pair, always the same for the same number.
pub(crate) struct Pair(SigningKey);

pub(crate) const ISSUERS: u8 = 1;
pub(crate) const CLIENTS: u8 = 2;
pub(crate) const THIEFS: u8 = 3;

pub(crate) fn pair(number: u8) -> Pair {
    Pair(SigningKey::from_slice(&[number; 32]).unwrap())
}

impl Pair {
    pub(crate) fn jwk(&self) -> Value {
        let point = self.0.verifying_key().to_sec1_point(false);
        json!({ "kty": "EC", "crv": "P-256", "x": encoded(point.x().unwrap()), "y": encoded(point.y().unwrap()) })
    }

    /// RFC 7638 §3, by hand: the required members in alphabetical order, hashed.
    pub(crate) fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let [x, y] = ["x", "y"].map(|name| jwk[name].as_str().unwrap().to_owned());
        digest(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
    }

    /// A compact JWS of any two texts.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let content = format!("{}.{}", encoded(header), encoded(claims));
        let signature: Signature = self.0.sign(content.as_bytes());
        format!("{content}.{}", encoded(signature.to_bytes()))
    }
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn digest(text: &str) -> String {
    encoded(hmac_sha256::Hash::hash(text.as_bytes()))
}

/// A token of the provider, bound like this; `null` for not at all.
pub(crate) fn token(cnf: &Value) -> String {
    let mut claims = json!({
        "iss": "https://idp.test", "aud": "api", "sub": "ada", "client_id": "shop", "scope": "orders:read",
        "iat": NOW - 60, "exp": NOW + 600
    });
    if !cnf.is_null() {
        claims["cnf"] = cnf.clone();
    }
    pair(ISSUERS).sign(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "one" }).to_string(), claims.to_string())
}

/// A token that is bound to the client's key.
pub(crate) fn bound_token() -> String {
    token(&json!({ "jkt": pair(CLIENTS).thumbprint() }))
}

/// The header of the client's proofs.
pub(crate) fn header() -> Value {
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": pair(CLIENTS).jwk() })
}

/// The claims of a proof for `GET https://edge.test/me` with the bound token.
pub(crate) fn claims() -> Value {
    json!({
        "htm": "GET", "htu": "https://edge.test/me", "iat": NOW, "jti": "one", "ath": digest(&bound_token())
    })
}

/// `object` with one member set.
pub(crate) fn with(object: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut object = object.clone();
    object[name] = value.into();
    object
}

/// `object` without one member.
pub(crate) fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name);
    object
}

/// A proof by the client's key.
pub(crate) fn proof(header: &Value, claims: &Value) -> String {
    pair(CLIENTS).sign(header.to_string(), claims.to_string())
}

pub(crate) fn get(target: &str) -> RequestHead {
    request("GET", target)
}

pub(crate) fn request(method: &str, target: &str) -> RequestHead {
    RequestHead {
        method: method.to_owned(),
        target: target.as_bytes().to_vec(),
        headers: [("host", "edge.test")].into_iter().collect::<Headers>(),
        tls: true,
        certificate: None,
    }
}

/// `head` with one field more.
pub(crate) fn field(mut head: RequestHead, name: &str, value: &str) -> RequestHead {
    head.headers.append(name, value);
    head
}

/// `head` with this token and these proofs.
pub(crate) fn proven(head: RequestHead, token: &str, proofs: &[&str]) -> RequestHead {
    let head = field(head, "authorization", &format!("DPoP {token}"));
    proofs.iter().fold(head, |head, proof| field(head, "DPoP", proof))
}

/// `head` with this token, as a bearer presents it.
pub(crate) fn borne(head: RequestHead, token: &str) -> RequestHead {
    field(head, "authorization", &format!("Bearer {token}"))
}

/// The policy, and what `edge` adds to its edge.
pub(crate) fn policy(edge: &Value) -> Value {
    let mut policy = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test", "edge.test:8443", "[::1]:7676"] },
        "origins": { "app": { "backend": "origin", "audience": "app" } },
        "issuers": { "main": { "issuer": "https://idp.test", "backend": "idp", "audiences": ["api"] } },
        "groups": { "web": { "cors": { "origins": ["https://app.test"] } } },
        "routes": [
            { "id": "page", "path": "/page", "methods": ["GET"], "group": "web" },
            { "id": "me", "path": "/me", "methods": ["GET", "POST"] },
            { "id": "files", "path": "/files/{rest:path}", "methods": ["GET"] },
            { "id": "safe", "path": "/safe", "methods": ["GET"], "require_bound": true, "scopes": ["orders:read"] },
            { "id": "maybe", "path": "/maybe", "methods": ["GET"], "access": "optional" },
            { "id": "open", "path": "/open", "methods": ["GET"], "access": "public" },
            { "id": "token", "path": "/token", "methods": ["GET"], "forward_token": true }
        ]
    });
    policy["edge"].as_object_mut().unwrap().extend(edge.as_object().cloned().unwrap());
    policy
}

/// A gate, the time there, and the proofs that were used.
pub(crate) struct Desk {
    gateway: Gateway,
    pub(crate) now: Cell<u64>,
    pub(crate) used: RefCell<Used>,
}

/// Used proofs in memory, with the windows that were asked for; nothing can be told once it is broken.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) windows: BTreeMap<ProofId, u64>,
    pub(crate) broken: bool,
}

/// What became of a request.
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    pub(crate) trail: Trail,
}

impl Desk {
    pub(crate) fn new(edge: &Value) -> Self {
        Self::with_keys(edge, &new_signing_keys().0)
    }

    /// A gate with these signing keys.
    pub(crate) fn with_keys(edge: &Value, keys: &str) -> Self {
        let policy = Policy::parse(policy(edge).to_string().as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        let keys = SigningKeys::parse(keys.as_bytes()).unwrap();
        Self { gateway: Gateway::new(policy, Minter::new(keys)), now: Cell::new(NOW), used: RefCell::default() }
    }

    pub(crate) const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn send(&self, head: RequestHead) -> Outcome {
        let now = UnixTime::from_seconds(self.now.get());
        let mut trail = Trail::new(now, "id", &head.method);
        let mut environment = Environment {
            body: &mut fastgate::content::NoBody,
            now,
            clock: &|| now,
            client: &Client::default(),
            acls: &mut Nobody,
            counter: &mut Nobody,
            sources: Sources {
                keys: &mut Nobody,
                verdicts: &mut NoVerdicts,
                deny_list: &mut fastgate::identity::deny_list::NoDenyList,
                introspector: &mut fastgate::identity::introspection::NoIntrospector,
                replays: &mut *self.used.borrow_mut(),
                nonces: self.gateway.nonces(),
            },
            kill_switch: &fastgate::availability::KillSwitch::default(),
            elapsed: &|| 0,
        };
        let decision = self.gateway.decide(head, &mut environment, &mut trail);
        Outcome { decision, trail }
    }

    /// The code of the refusal, or `forwarded`.
    pub(crate) fn verdict(&self, head: RequestHead) -> &'static str {
        self.send(head).trail.verdict
    }
}

/// The verdict at a desk of its own.
pub(crate) fn verdict(head: RequestHead) -> &'static str {
    Desk::new(&json!({})).verdict(head)
}

impl Outcome {
    /// The values of one field that the origin receives.
    pub(crate) fn sent(&self, name: &str) -> Vec<String> {
        let Decision::Forward(grant) = &self.decision else { panic!("not forwarded: {:?}", self.decision) };
        grant.headers().all(name).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
    }

    /// The claims of the identity header that the origin receives.
    pub(crate) fn minted(&self) -> Value {
        let identity = self.sent("fastgate-identity").concat();
        let payload = identity.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    /// Status and challenge of the refusal.
    pub(crate) fn refused(&self) -> (u16, Option<String>) {
        let Decision::Refuse(problem) = &self.decision else { panic!("not refused: {:?}", self.decision) };
        let headers = problem.headers();
        let mut challenges = headers.all("www-authenticate").map(|value| String::from_utf8(value.to_vec()).unwrap());
        let challenge = challenges.next();
        assert_eq!(challenges.next(), None);
        (problem.status(), challenge)
    }
}

impl Replays for Used {
    fn is_first(&mut self, proof: &ProofId, window: u64) -> Result<bool, ReplaysUnreachable> {
        if self.broken {
            return Err(ReplaysUnreachable("broken".to_owned()));
        }
        Ok(self.windows.insert(*proof, window).is_none())
    }
}

struct Nobody;

impl Acls for Nobody {
    fn action(&mut self, _: &str, _: std::net::IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Err(AclUnavailable)
    }
}

impl Counter for Nobody {
    fn take(&mut self, _: &Limit, _: &str, _: u64, _: UnixTime) -> Result<Taken, CounterUnreachable> {
        Err(CounterUnreachable("nobody counts".to_owned()))
    }
}

impl KeySource for Nobody {
    fn keys(&mut self, _: &Issuer, _: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        let key = with(&pair(ISSUERS).jwk(), "kid", "one");
        Ok(Arc::new(KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()))
    }
}
