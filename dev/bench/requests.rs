//! The requests that are measured. They are signed before the measurement, which does not include signing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

/// The issuer of the tokens. No server is at this URL: its keys are seeded.
pub(crate) const ISSUER: &str = "https://idp.bench.example";

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To the guest that only forwards.
    PassThrough,
    /// A public route.
    Public,
    /// The same, for an origin with a key.
    PublicMac,
    /// A token that was seen before.
    Warm,
    /// The same, for an origin with a key.
    WarmMac,
    /// An RS256 token that was not seen before.
    ColdRs256,
    /// An ES256 token that was not seen before.
    ColdEs256,
    /// The same, for an origin with a backend in each of two regions.
    Regional,
    /// A token that was seen before, and a stored response.
    Stored,
    /// The same for a response that is not stored yet.
    Missing,
    /// The same for a stored response that the origin has to validate.
    Validated,
    /// A text that is not a token.
    Garbage,
    /// An expired token.
    Expired,
    /// A token for another audience.
    OtherAudience,
}

impl Kind {
    /// A request on the same way that is not new: what is sent before the measurement.
    pub(crate) const fn repeated(self) -> Self {
        match self {
            Self::ColdRs256 | Self::ColdEs256 => Self::Warm,
            Self::Missing => Self::Stored,
            other => other,
        }
    }

    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Garbage | Self::Expired | Self::OtherAudience => "401",
            _ => "200",
        }
    }
}

/// Keys and the tokens that they signed.
pub(crate) struct Requests {
    rsa: Vec<String>,
    ec: Vec<String>,
    expired: String,
    other_audience: String,
    jwks: Value,
}

impl Requests {
    /// Signs as many tokens of each kind as will be sent.
    pub(crate) fn prepare(count: usize) -> Self {
        eprintln!("signing {count} tokens with RSA and as many with ECDSA …");
        let rsa = RS256KeyPair::generate(2048).unwrap().with_key_id("rsa");
        let ec = ES256KeyPair::generate().with_key_id("ec");
        let header = HeaderOptions { content_type: None, signature_type: Some("at+jwt".to_owned()) };
        let claims = |number: usize| {
            Claims::with_custom_claims(json!({ "client_id": "bench", "scope": "read write" }), Duration::from_hours(1))
                .with_issuer(ISSUER)
                .with_audience("https://api.bench.example")
                .with_subject("user-1")
                .with_jwt_id(number)
        };
        let mut expired = claims(0);
        expired.expires_at = Some(UnixTimeStamp::from_secs(1));
        expired.issued_at = Some(UnixTimeStamp::from_secs(0));
        expired.invalid_before = None;
        let other_audience = claims(0).with_audience("https://other.example");
        let key = |jwk: &str| serde_json::from_str::<Value>(jwk).unwrap();
        Self {
            jwks: json!({ "keys": [key(&rsa.public_key().to_jwk()), key(&ec.public_key().to_jwk())] }),
            expired: rsa.sign_with_options(expired, &header).unwrap(),
            other_audience: rsa.sign_with_options(other_audience, &header).unwrap(),
            ec: (0..=count).map(|number| ec.sign_with_options(claims(number), &header).unwrap()).collect(),
            rsa: (0..=count).map(|number| rsa.sign_with_options(claims(number), &header).unwrap()).collect(),
        }
    }

    /// The public keys.
    pub(crate) fn jwks(&self) -> String {
        self.jwks.to_string()
    }

    /// A request for a stream of a model, to this route of [`models`](crate::models).
    pub(crate) fn chat(&self, route: &str) -> Vec<u8> {
        let token = self.rsa.last().unwrap();
        let messages = json!([
            { "role": "system", "content": "You are an assistant. ".repeat(20) },
            { "role": "user", "content": "What does a gate cost? ".repeat(20) },
        ]);
        let body = json!({ "model": "small", "messages": messages, "max_tokens": 200, "stream": true }).to_string();
        format!(
            "POST /{route}/chat/completions HTTP/1.1\r\nhost: api.bench.example\r\nauthorization: Bearer {token}\r\n\
             accept: text/event-stream\r\ncontent-type: application/json\r\nuser-agent: bench/1\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// `count` requests of a kind, from number `first` on.
    pub(crate) fn of(&self, kind: Kind, first: usize, count: usize) -> Vec<Vec<u8>> {
        let garbage = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("{}"), "A".repeat(600), "B".repeat(342));
        let path = match kind {
            Kind::Public => "/open/orders/7",
            Kind::PublicMac => "/shared/open/orders/7",
            Kind::WarmMac => "/shared/orders/7",
            Kind::Regional => "/regional/orders/7",
            Kind::Stored | Kind::Missing => "/stored/orders/",
            Kind::Validated => "/validated/orders/7",
            _ => "/orders/7",
        };
        let request = |number: usize| {
            let order = match kind {
                Kind::Stored => "0".to_owned(),
                Kind::Missing => (number + 1).to_string(),
                _ => String::new(),
            };
            let token = match kind {
                Kind::PassThrough | Kind::Public | Kind::PublicMac | Kind::Warm | Kind::WarmMac | Kind::Regional => {
                    self.rsa.last().unwrap()
                }
                Kind::Stored | Kind::Missing | Kind::Validated => self.rsa.last().unwrap(),
                Kind::ColdRs256 => &self.rsa[number],
                Kind::ColdEs256 => &self.ec[number],
                Kind::Garbage => &garbage,
                Kind::Expired => &self.expired,
                Kind::OtherAudience => &self.other_audience,
            };
            format!("GET {path}{order} HTTP/1.1\r\nhost: api.bench.example\r\nauthorization: Bearer {token}\r\naccept: application/json\r\nuser-agent: bench/1\r\n\r\n").into_bytes()
        };
        (first..first + count).map(request).collect()
    }
}
