//! What a signature costs in the guest, in microseconds: `make signature-cost`. The same file twice: compiled for
//! `wasm32-wasip1` it measures, compiled for the host it runs that on Viceroy.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement has a clock, and no caller")]

#[cfg(not(target_os = "wasi"))]
#[path = "../tests/support/guest.rs"]
mod guest;

#[cfg(not(target_os = "wasi"))]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::sync::{Arc, Mutex};
    let config = "manifest_version = 3\n".parse()?;
    let wasm = std::path::Path::new(guest::GUEST).with_file_name("examples/signature_cost.wasm");
    let context = guest::viceroy(&wasm, &config, Arc::new(Mutex::new(std::io::stdout())))?;
    Ok(context.run_main("signature_cost", &[]).await?)
}

#[cfg(target_os = "wasi")]
fn main() {
    measured::run();
}

#[cfg(target_os = "wasi")]
mod measured {
    use std::hint::black_box;
    use std::time::Instant;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use fastgate::identity::keys::Key;
    use fastgate::policy::AlgorithmName;
    use jwt_simple::prelude::*;
    use serde_json::{Value, json};

    /// The quickest of several rounds: whatever else the machine does only adds.
    fn microseconds(times: u32, mut work: impl FnMut()) -> f64 {
        let mut round = || {
            let start = Instant::now();
            (0..times).for_each(|_| work());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
        };
        (0..10).map(|_| round()).fold(f64::INFINITY, f64::min)
    }

    /// Reading the key, its first signature and every later one, next to jwt-simple's whole check of the token.
    fn row(label: &str, jwk: &Value, token: &str, jwt_simple: impl Fn(&str) -> bool) {
        let algorithm = label.split(' ').next().and_then(AlgorithmName::from_jose).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = || Key::read(black_box(jwk).as_object().unwrap()).unwrap();
        let read = microseconds(20, || drop(black_box(key())));
        let first = microseconds(10, || key().verify(algorithm, message.as_bytes(), &signature).unwrap()) - read;
        let known = key();
        let later = microseconds(20, || known.verify(algorithm, black_box(message.as_bytes()), &signature).unwrap());
        let theirs = microseconds(10, || assert!(jwt_simple(black_box(token))));
        println!("{label:12}{read:12.1}{first:12.1}{later:12.1}{theirs:12.1}");
    }

    pub(super) fn run() {
        println!("{:12}{:>12}{:>12}{:>12}{:>12}", "µs", "read key", "first", "later", "jwt-simple");
        let claims = || Claims::create(Duration::from_hours(1)).with_subject("s".repeat(500));
        macro_rules! rsa {
            ($name:expr, $bits:literal, $pair:ty) => {
                let private: Value =
                    serde_json::from_str(include_str!(concat!("../tests/signatures/keys/rsa-", $bits, ".json"))).unwrap();
                let pair = <$pair>::from_jwk(&private.to_string()).unwrap();
                let public = json!({"kty": "RSA", "n": private.get("n"), "e": "AQAB"});
                let key = pair.public_key();
                row(concat!($name, " ", $bits), &public, &pair.sign(claims()).unwrap(), |token| {
                    key.verify_token::<NoCustomClaims>(token, None).is_ok()
                });
            };
        }
        rsa!("RS256", "2048", RS256KeyPair);
        rsa!("PS256", "2048", PS256KeyPair);
        rsa!("RS384", "3072", RS384KeyPair);
        rsa!("RS512", "4096", RS512KeyPair);
        macro_rules! curve {
            ($name:expr, $pair:ty) => {
                let pair = <$pair>::generate();
                let key = pair.public_key();
                let public = serde_json::from_str(&key.to_jwk()).unwrap();
                row($name, &public, &pair.sign(claims()).unwrap(), |token| {
                    key.verify_token::<NoCustomClaims>(token, None).is_ok()
                });
            };
        }
        curve!("ES256", ES256KeyPair);
        curve!("ES384", ES384KeyPair);
        curve!("EdDSA", Ed25519KeyPair);
    }
}
