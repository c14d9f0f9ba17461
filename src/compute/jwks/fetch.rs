//! One visit to an issuer: discovery, then its key set, through the declared backend. Answers are bounded in size and in
//! time, and nothing is followed anywhere.

use fastgate::identity::discovery;
use fastgate::identity::key_life::fresh_for;
use fastgate::identity::keys::{KeySet, MAX_JWKS_BYTES};
use fastgate::policy::Issuer;
use fastly::http::{StatusCode, Url};
use fastly::{Body, Request, Response};

use crate::compute::bounded;

/// A key set as the issuer gave it.
pub(super) struct Answer {
    pub(super) keys: KeySet,
    pub(super) json: Vec<u8>,
    pub(super) fresh_for: u64,
}

/// Fetches the key set of `issuer`. The error says what was wrong with which answer.
pub(super) fn key_set(issuer: &Issuer) -> Result<Answer, String> {
    let uri = match &issuer.jwks_uri {
        Some(uri) => uri.clone(),
        None => discover(issuer)?,
    };
    let mut answer = request(&uri, &issuer.backend)?;
    let field = |name: &str| answer.get_header_str(name).map(str::to_owned);
    let fresh_for = fresh_for(&issuer.key_life, field("cache-control").as_deref(), field("age").as_deref());
    let json = read_bounded(answer.take_body()).map_err(|()| too_long_or_slow(&uri))?;
    let keys = KeySet::parse(&json).map_err(|error| format!("{uri}: {error}"))?;
    Ok(Answer { keys, json, fresh_for })
}

fn discover(issuer: &Issuer) -> Result<String, String> {
    let url = discovery::document_url(issuer);
    let document = read_bounded(request(&url, &issuer.backend)?.take_body()).map_err(|()| too_long_or_slow(&url))?;
    discovery::jwks_uri(issuer, &document).map_err(|error| format!("{url}: {error}"))
}

fn request(url: &str, backend: &str) -> Result<Response, String> {
    let parsed = Url::parse(url).map_err(|_| format!("{url}: not a URL"))?;
    let asking = Request::get(parsed).with_header("accept", "application/json").with_pass(true);
    let answer = asking.send(backend).map_err(|error| format!("{url}: {}", error.root_cause()))?;
    match answer.get_status() {
        StatusCode::OK => Ok(answer),
        status => Err(format!("{url}: answered {}", status.as_u16())),
    }
}

fn too_long_or_slow(url: &str) -> String {
    format!("{url}: cannot be read to its end, is too long or too slow")
}

/// A body, if it ends in time and within the size of a key set.
pub(super) fn read_bounded(body: Body) -> Result<Vec<u8>, ()> {
    bounded::read(body, MAX_JWKS_BYTES)
}
