//! Asks issuers about opaque tokens. Answers are kept in the memory of this sandbox and in the Core Cache of the POP, under
//! a digest; however many ask about one token at once, a transaction of the cache lets one of them ask the issuer.

use std::io::Write as _;
use std::time::Duration;

use fastgate::identity::introspection::{
    IntrospectionUnavailable, Introspector, MAX_ANSWER_BYTES, Memory, Question, authorization, form, keep_for,
};
use fastgate::policy::{Introspection, Issuer};
use fastgate::secret::Secret;
use fastgate::time::UnixTime;
use fastly::cache::core::{CacheError, CacheKey, Found, Transaction};
use fastly::http::{StatusCode, Url};
use fastly::{Request, SecretStore};

use super::bounded;
use super::settings::STORE;

/// How long a request waits for another one that asks about the same token.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long it is remembered that an issuer failed to answer about a token, in seconds.
const FAILED: u64 = 1;

/// The introspector of one request.
pub(super) struct IntrospectorAt<'sandbox> {
    pub(super) memory: &'sandbox mut Memory,
    pub(super) now: UnixTime,
}

impl Introspector for IntrospectorAt<'_> {
    fn ask(
        &mut self,
        issuer: &Issuer,
        introspection: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        let answer = self.answer(issuer, introspection, token);
        answer.map_err(|cause| IntrospectionUnavailable { issuer: issuer.id.clone(), cause })
    }
}

impl IntrospectorAt<'_> {
    fn answer(&mut self, issuer: &Issuer, asked: &Introspection, token: &Secret<&str>) -> Result<Vec<u8>, String> {
        let window = issuer.verdict_window;
        if window == 0 {
            return request(asked, token);
        }
        let question = Question::new(issuer, asked, token);
        if let Some(answer) = self.memory.recall(&question, self.now) {
            return usable(answer.to_vec());
        }
        let key = CacheKey::from([b"fastgate/introspection/".as_slice(), question.as_bytes()].concat());
        let turn = match Transaction::lookup(key).timeout(PATIENCE).execute() {
            Ok(turn) => turn,
            Err(CacheError::Timeout) => return Err("somebody else is asking, and waits too long".to_owned()),
            Err(_) => return request(asked, token),
        };
        if let Some((until, answer)) = turn.found().as_ref().and_then(read) {
            self.memory.keep(question, answer.clone(), until);
            return usable(answer);
        }
        let answer = request(asked, token);
        // An empty answer stands for a failure: whoever waits for this one is not to ask again, one after the other.
        let (kept, seconds) = match &answer {
            Ok(json) => (json.clone(), keep_for(json, window, self.now).unwrap_or(FAILED).max(1)),
            Err(_) => (Vec::new(), FAILED),
        };
        let until = self.now.plus(seconds);
        if turn.must_insert() {
            write(turn, until, seconds, &kept);
        }
        self.memory.keep(question, kept, until);
        answer
    }
}

fn usable(answer: Vec<u8>) -> Result<Vec<u8>, String> {
    if answer.is_empty() { Err("it failed to answer a moment ago".to_owned()) } else { Ok(answer) }
}

fn read(found: &Found) -> Option<(UnixTime, Vec<u8>)> {
    let until = std::str::from_utf8(&found.user_metadata()).ok()?.parse().ok()?;
    let answer = bounded::read(found.to_stream().ok()?, MAX_ANSWER_BYTES).ok()?;
    Some((UnixTime::from_seconds(until), answer))
}

fn write(turn: Transaction, until: UnixTime, seconds: u64, answer: &[u8]) {
    let insert = turn.insert(Duration::from_secs(seconds)).user_metadata(until.seconds().to_string().into());
    if let Ok(mut body) = insert.execute()
        && body.write_all(answer).is_ok()
    {
        let _ = body.finish();
    }
}

/// One question to the issuer (RFC 7662 §2.1). Nothing is followed anywhere, and what is no answer is not one.
fn request(asked: &Introspection, token: &Secret<&str>) -> Result<Vec<u8>, String> {
    let url = Url::parse(&asked.url).map_err(|_| format!("{}: not a URL", asked.url))?;
    let client = authorization(&asked.client_id, &secret(&asked.client_secret)?);
    let asking = Request::post(url)
        .with_header("accept", "application/json")
        .with_header("authorization", client.expose().as_str())
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_body(form(token).expose().as_str())
        .with_pass(true);
    // Only the cause is looked at: the error as a whole prints what was sent.
    let mut answer = asking.send(&asked.backend).map_err(|error| format!("{}: {}", asked.url, error.root_cause()))?;
    if answer.get_status() != StatusCode::OK {
        return Err(format!("{}: answered {}", asked.url, answer.get_status().as_u16()));
    }
    let json = bounded::read(answer.take_body(), MAX_ANSWER_BYTES)
        .map_err(|()| format!("{}: cannot be read to its end, is too long or too slow", asked.url))?;
    match keep_for(&json, 0, UnixTime::from_seconds(0)) {
        Ok(_) => Ok(json),
        Err(error) => Err(format!("{}: {error}", asked.url)),
    }
}

fn secret(name: &str) -> Result<Secret<String>, String> {
    let missing = || format!("Secret Store \"{STORE}\" holds no usable secret \"{name}\"");
    let store = SecretStore::open(STORE).map_err(|_| missing())?;
    let found = store.try_get(name).map_err(|_| missing())?.ok_or_else(missing)?;
    let text = found.try_plaintext().map_err(|_| missing())?;
    String::from_utf8(text.to_vec()).map(Secret::new).map_err(|_| missing())
}
