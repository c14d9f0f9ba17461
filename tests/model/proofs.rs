//! Proofs of possession over time: the outcome in a shadow policy, and used proofs after a change of the policy.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use fastgate::caching::NoResponses;
use fastgate::client::Client;
use fastgate::content::NoBody;
use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use fastgate::mint::new_signing_keys;
use fastgate::ports::storage::Clock as _;
use fastgate::request::RequestHead;
use fastgate::sandbox::{ReceivedRequest, Sandbox};
use fastgate::store_keys::{POLICY_KEY, SHADOW_KEY};
use fastgate::trail::Trail;
use serde_json::{Value, json};

use crate::run::NoAcls;
use crate::shared::policy::policy;
use crate::shared::steps::{SIMULATED, first_plan};
use crate::shared::tokens::{claims, kid};
use crate::world::{BEGIN, World};

/// The key pair that the first provider publishes in the beginning.
const PROVIDERS: [u8; 32] = [1; 32];
/// The key pair of the caller.
const CALLERS: [u8; 32] = [99; 32];

fn sign(seed: [u8; 32], header: &Value, claims: &Value) -> String {
    let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = KeyPair::from_seed(Seed::new(seed)).sk.sign(&input, None);
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(*signature))
}

fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(text.as_bytes()))
}

/// A caller with a bound token, and the sandbox that it calls.
struct Caller {
    world: World,
    sandbox: Sandbox,
    token: String,
    key: Value,
}

/// The outcome of a request.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    verdict: &'static str,
    shadow: Option<String>,
    nonce: Option<String>,
}

impl Caller {
    fn new() -> Self {
        let world = World::new(&new_signing_keys().0);
        let x = URL_SAFE_NO_PAD.encode(*KeyPair::from_seed(Seed::new(CALLERS)).pk);
        let mut claims = claims(&world.names.iss(0), 0, BEGIN);
        claims["cnf"] = json!({ "jkt": digest(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)) });
        let token = sign(PROVIDERS, &json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid(1) }), &claims);
        Self { world, sandbox: Sandbox::default(), token, key: json!({ "kty": "OKP", "crv": "Ed25519", "x": x }) }
    }

    /// Puts a policy with these requirements for proofs into the KV store.
    fn put(&self, key: &str, dpop: &Value) {
        let text = policy(&[(&self.world.names, 0, first_plan(&SIMULATED))], key == SHADOW_KEY);
        let mut policy: Value = serde_json::from_str(&text).unwrap();
        policy["edge"]["dpop"] = dpop.clone();
        self.world.put_value(key, policy.to_string());
    }

    fn proof(&self, jti: &str, nonce: Option<&str>) -> String {
        let htu = format!("https://edge.test/{}/me", self.world.names.lane);
        let mut claims = json!({ "jti": jti, "htm": "GET", "htu": htu, "iat": self.now(), "ath": digest(&self.token) });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        sign(CALLERS, &json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": self.key }), &claims)
    }

    fn now(&self) -> u64 {
        self.world.now.get() / 1000
    }

    fn wait(&self, seconds: u64) {
        self.world.now.set(self.world.now.get() + seconds * 1000);
    }

    fn send(&mut self, proof: &str) -> Response {
        let authorization = format!("DPoP {}", self.token);
        let headers: Headers =
            [("host", "edge.test"), ("authorization", &authorization), ("dpop", proof)].into_iter().collect();
        let head = RequestHead {
            method: "GET".to_owned(),
            target: format!("/{}/me", self.world.names.lane).into_bytes(),
            headers,
            tls: true,
            certificate: None,
        };
        let mut trail = Trail::new(self.world.now(), "0123456789abcdef0123456789abcdef", "GET");
        let arrived = ReceivedRequest {
            head,
            client: Client { address: Some([192, 0, 2, 7].into()), ..Client::default() },
            anonymizers: &|| None,
            responses: &mut NoResponses,
            files: &mut fastgate::respond::AssumedFiles,
            body: &mut NoBody,
            acls: &mut NoAcls,
            elapsed: &|| 0,
            uptime: Duration::from_secs(self.now() - BEGIN),
        };
        let decision = self.sandbox.decide(arrived, &self.world.platform(), &mut trail).unwrap();
        let uptime = Duration::from_secs(self.now() - BEGIN);
        self.sandbox.renew(&self.world.platform(), uptime);
        let headers = match &decision {
            Decision::Forward(grant) => grant.response().apply(&Headers::default()),
            Decision::Refuse(problem) => problem.headers(),
            other => panic!("{other:?}"),
        };
        let nonce = headers.all("dpop-nonce").next().map(|value| String::from_utf8(value.to_vec()).unwrap());
        Response { verdict: trail.verdict, shadow: trail.shadow_policy, nonce }
    }
}

#[test]
fn a_shadow_policy_accepts_the_nonces_of_the_live_one() {
    let mut caller = Caller::new();
    caller.put(POLICY_KEY, &json!({ "nonce": true }));
    let refused = caller.send(&caller.proof("alone", None));
    caller.put(SHADOW_KEY, &json!({ "nonce": true }));
    caller.wait(11);
    caller.send(&caller.proof("first", refused.nonce.as_deref())); // after the response the shadow policy fetches its keys
    let nonce = refused.nonce.clone().unwrap();
    let passed = caller.send(&caller.proof("second", Some(&nonce)));
    assert_eq!((passed.verdict, passed.shadow.as_deref()), ("forwarded", Some("would-forward")));
    let without = caller.send(&caller.proof("third", None));
    assert_eq!((without.verdict, without.shadow.as_deref()), ("proof-nonce", Some("would-refuse proof-nonce")));
    assert_eq!(without.nonce, refused.nonce, "clients get the nonce of the live policy only");

    // A live policy that requires no nonce gives none, whatever the shadow policy requires.
    caller.put(POLICY_KEY, &json!({}));
    caller.wait(11);
    let shadowed = caller.send(&caller.proof("fourth", None));
    let expected = Some("would-refuse proof-nonce".to_owned());
    assert_eq!(shadowed, Response { verdict: "forwarded", shadow: expected, nonce: None });
}

#[test]
fn a_used_proof_stays_used_when_a_new_policy_accepts_older_proofs() {
    let mut caller = Caller::new();
    caller.put(POLICY_KEY, &json!({ "max_age": 5, "leeway": 0 }));
    let proof = caller.proof("only", None);
    assert_eq!([caller.send(&proof).verdict, caller.send(&proof).verdict], ["forwarded", "proof-replayed"]);
    caller.put(POLICY_KEY, &json!({ "max_age": 600, "leeway": 60 }));
    for seconds in [11, 289, 300] {
        caller.wait(seconds);
        assert_eq!(caller.send(&proof).verdict, "proof-replayed", "after {} s", caller.now() - BEGIN);
    }
    caller.wait(1);
    assert_eq!(caller.send(&proof).verdict, "proof-too-old");
}
