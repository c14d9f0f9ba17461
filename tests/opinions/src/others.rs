//! The verifiers: Fastgate, `jsonwebtoken` and PyJWT, configured to accept the same tokens. The other two let the
//! application choose the key of a token: it is the published key that `kid` names, or without `kid` the only one for
//! `alg`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr as _;

use fastgate::identity::keys::KeySet;
use fastgate::identity::signature_cache::NoSignatureCache;
use fastgate::identity::token::{TokenError, UnverifiedToken};
use fastgate::policy::Policy;
use fastgate::secret::Secret;
use fastgate::time::UnixTime;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value, json};

use crate::keys::published;
use crate::tokens::{AUDIENCE, ISSUER, LEEWAY, Token, token};

/// The verifiers that are compared with Fastgate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Other {
    JsonWebToken,
    PyJwt,
}

/// The verdicts of all three on a token; the others only say whether it is valid.
pub(crate) struct Opinions {
    pub(crate) token: Token,
    pub(crate) ours: Result<(), TokenError>,
    pub(crate) theirs: [(Other, bool); 2],
}

/// Tokens 0 to `count`, judged, on all processors.
pub(crate) fn judged(count: u64) -> Vec<Opinions> {
    let parts = u64::try_from(std::thread::available_parallelism().map_or(1, usize::from)).unwrap();
    let part = |first: u64| (first..count).step_by(usize::try_from(parts).unwrap());
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..parts).map(|first| scope.spawn(move || judge(part(first)))).collect();
        running.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

fn judge(numbers: impl Iterator<Item = u64>) -> Vec<Opinions> {
    let (gate, crate_) = (Gate::new(), JsonWebToken::new());
    let judged: Vec<_> = numbers.map(|number| crate_.judge(number)).collect();
    let py_jwt = py_jwt(judged.iter().map(|(token, _)| token));
    assert_eq!(py_jwt.len(), judged.len());
    let opinions = judged.into_iter().zip(py_jwt).map(|((token, accepts), accepts_too)| {
        let ours = gate.judge(&token);
        Opinions { token, ours, theirs: [(Other::JsonWebToken, accepts), (Other::PyJwt, accepts_too)] }
    });
    opinions.collect()
}

/// Fastgate.
struct Gate {
    policy: Policy,
    keys: KeySet,
}

impl Gate {
    fn new() -> Self {
        let policy = json!({
            "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
            "origins": { "app": { "backend": "app", "audience": "app" } },
            "issuers": { "idp": {
                "issuer": ISSUER, "backend": "idp", "audiences": [AUDIENCE], "leeway": LEEWAY,
                "algorithms": ["ES256", "EdDSA", "RS256"],
            } },
            "routes": [{ "id": "root", "path": "/", "methods": ["GET"] }],
        });
        let policy = Policy::parse(policy.to_string().as_bytes()).unwrap();
        let keys = KeySet::parse(json!({ "keys": published() }).to_string().as_bytes()).unwrap();
        Self { policy, keys }
    }

    fn judge(&self, token: &Token) -> Result<(), TokenError> {
        let now = UnixTime::from_seconds(token.now);
        let token = UnverifiedToken::parse(Secret::new(&token.compact))?;
        let issuer = self.policy.issuer(token.issuer()).ok_or(TokenError::UnknownIssuer)?;
        let token = token.check(issuer, now)?;
        token.verify(&self.keys, &mut NoSignatureCache).map(drop).map_err(|refused| refused.error)
    }
}

/// The crate.
struct JsonWebToken {
    keys: Vec<(Jwk, Algorithm)>,
}

impl JsonWebToken {
    fn new() -> Self {
        let set: JwkSet = serde_json::from_value(json!({ "keys": published() })).unwrap();
        let with_algorithm = |key: Jwk| {
            let algorithm = key.common.key_algorithm.unwrap().to_string();
            (key, Algorithm::from_str(&algorithm).unwrap())
        };
        Self { keys: set.keys.into_iter().map(with_algorithm).collect() }
    }

    /// Makes a token for the present and judges it. The crate reads the clock itself: if a second has ended meanwhile,
    /// both steps are repeated, so that all three judge at the same time.
    fn judge(&self, number: u64) -> (Token, bool) {
        loop {
            let now = seconds();
            let token = token(number, now);
            let accepts = self.accepts(&token.compact);
            if seconds() == now {
                return (token, accepts);
            }
        }
    }

    fn accepts(&self, compact: &str) -> bool {
        let Ok(header) = decode_header(compact) else { return false };
        let mut fitting = self.keys.iter().filter(|(key, algorithm)| match &header.kid {
            Some(kid) => key.common.key_id.as_ref() == Some(kid),
            None => *algorithm == header.alg,
        });
        let (Some((key, algorithm)), None) = (fitting.next(), fitting.next()) else { return false };
        let mut validation = Validation::new(*algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        decode::<Map<String, Value>>(compact, &DecodingKey::from_jwk(key).unwrap(), &validation).is_ok()
    }
}

fn seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Whether PyJWT accepts each token.
fn py_jwt<'tokens>(tokens: impl Iterator<Item = &'tokens Token>) -> Vec<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make test`", python.display());
    let mut child = Command::new(python)
        .arg(root.join("tests/opinions/pyjwt_verdicts.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = json!({ "keys": published(), "audience": AUDIENCE, "issuer": ISSUER, "leeway": LEEWAY });
    let line = |token: &Token| json!({ "now": token.now, "token": token.compact }).to_string();
    let lines: Vec<_> = std::iter::once(told.to_string()).chain(tokens.map(line)).collect();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.join("\n").as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "pyjwt_verdicts.py failed");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "accepted").collect()
}
