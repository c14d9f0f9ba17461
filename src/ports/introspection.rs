//! Asks issuers about opaque tokens. Their responses are kept in the memory of this sandbox and in the POP's cache, under
//! a digest; however many ask about one token at once, a lease lets one of them ask the issuer. A shadow policy asks only
//! where it says so, and behind the response: the token of a live caller is not for every endpoint that is being tried.

use std::time::Duration;

use super::scoped::{ASKED_BEHIND_RESPONSE, Role, Scoped, Space};
use super::storage::{Leased, Outgoing, Stored};
use crate::identity::introspection::{
    IntrospectionKey, IntrospectionMemory, IntrospectionUnavailable, Introspector, MAX_RESPONSE_BYTES, authorization,
    form, keep_for,
};
use crate::policy::{Introspection, Issuer};
use crate::secret::Secret;
use crate::time::UnixTime;

/// How long a request waits for another one that asks about the same token.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long it is remembered that an issuer failed to answer about a token, in seconds.
const FAILED: u64 = 1;
/// How many questions of a shadow policy are asked behind one response.
const MAX_POSTPONED: usize = 4;

/// What is known of opaque tokens in this sandbox.
#[derive(Default)]
pub(super) struct Introspected {
    memory: IntrospectionMemory,
    /// What a shadow policy asks once the response has left.
    due: Vec<(Issuer, Introspection, Secret<String>)>,
}

impl Introspected {
    /// Asks what was postponed.
    pub(super) fn renew(&mut self, scoped: Scoped<'_>) {
        for (issuer, asked, token) in std::mem::take(&mut self.due) {
            let token = Secret::new(token.expose().as_str());
            let _ = HttpIntrospector { known: self, scoped }.answer(&issuer, &asked, &token);
        }
    }
}

/// The introspector of one request.
pub(super) struct HttpIntrospector<'request> {
    pub(super) known: &'request mut Introspected,
    pub(super) scoped: Scoped<'request>,
}

impl Introspector for HttpIntrospector<'_> {
    fn ask(
        &mut self,
        issuer: &Issuer,
        introspection: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        let answer = match self.scoped.role() {
            Role::Shadow if !introspection.ask_in_shadow => {
                Err("a shadow policy asks about tokens only where it says \"ask_in_shadow\"".to_owned())
            }
            Role::Shadow | Role::Live => self.answer(issuer, introspection, token),
        };
        answer.map_err(|cause| IntrospectionUnavailable { issuer: issuer.id.clone(), cause })
    }
}

impl HttpIntrospector<'_> {
    fn answer(&mut self, issuer: &Issuer, asked: &Introspection, token: &Secret<&str>) -> Result<Vec<u8>, String> {
        let window = issuer.verdict_window.as_u64();
        if window == 0 {
            return request(asked, token, self.scoped);
        }
        let question = IntrospectionKey::new(issuer, asked, token);
        if let Some(answer) = self.known.memory.recall(&question, self.scoped.now()) {
            return usable(answer.clone());
        }
        if !self.scoped.may_ask_issuers() {
            return self.at_hand(issuer, asked, token, question);
        }
        let lease = match self.scoped.lease(Space::Introspection, question.as_bytes(), PATIENCE, MAX_RESPONSE_BYTES) {
            Ok(Leased::Mine(lease)) => Some(lease),
            Ok(Leased::Found(found)) => match read(&found) {
                Some((until, answer)) => return self.found(question, answer, until, window),
                None => None,
            },
            Ok(Leased::TimedOut) => return Err("another request is asking, and waits too long".to_owned()),
            Err(_) => None,
        };
        let asked_at = self.scoped.now();
        let answer = request(asked, token, self.scoped);
        // An empty answer stands for a failure: the requests that wait are not to ask again, one after the other.
        let (kept, seconds) = match &answer {
            Ok(json) => (json.clone(), keep_for(json, window, asked_at).unwrap_or(FAILED).max(1)),
            Err(_) => (Vec::new(), FAILED),
        };
        let until = asked_at.plus(seconds);
        if let Some(lease) = lease {
            let note = until.seconds().to_string().into_bytes();
            let _ = lease.put(&Stored { note, value: kept.clone() }, seconds);
        }
        self.known.memory.keep(question, kept, until);
        answer
    }

    /// What is known without asking; the question is postponed where nothing is.
    fn at_hand(
        &mut self,
        issuer: &Issuer,
        asked: &Introspection,
        token: &Secret<&str>,
        question: IntrospectionKey,
    ) -> Result<Vec<u8>, String> {
        let found = self.scoped.cached(Space::Introspection, question.as_bytes(), MAX_RESPONSE_BYTES).ok().flatten();
        if let Some((until, answer)) = found.as_ref().and_then(read) {
            return self.found(question, answer, until, issuer.verdict_window.as_u64());
        }
        if self.known.due.len() < MAX_POSTPONED {
            self.known.due.push((issuer.clone(), asked.clone(), Secret::new((*token.expose()).to_owned())));
        }
        Err(ASKED_BEHIND_RESPONSE.to_owned())
    }

    /// What another request heard, kept until then, but for no longer than the window.
    fn found(
        &mut self,
        question: IntrospectionKey,
        answer: Vec<u8>,
        until: UnixTime,
        window: u64,
    ) -> Result<Vec<u8>, String> {
        self.known.memory.keep(question, answer.clone(), until.min(self.scoped.now().plus(window)));
        usable(answer)
    }
}

fn usable(answer: Vec<u8>) -> Result<Vec<u8>, String> {
    if answer.is_empty() { Err("it failed to answer a moment ago".to_owned()) } else { Ok(answer) }
}

fn read(found: &Stored) -> Option<(UnixTime, Vec<u8>)> {
    let until = std::str::from_utf8(&found.note).ok()?.parse().ok()?;
    Some((UnixTime::from_seconds(until), found.value.clone()))
}

/// One question to the issuer (RFC 7662 §2.1). Nothing is followed anywhere, and what is no answer is not one.
fn request(asked: &Introspection, token: &Secret<&str>, scoped: Scoped<'_>) -> Result<Vec<u8>, String> {
    let client = authorization(&asked.client_id, &secret(&asked.client_secret, scoped)?);
    let asking = Outgoing {
        backend: &asked.backend,
        url: &asked.url,
        form: Some((client, form(token))),
        max_bytes: MAX_RESPONSE_BYTES,
    };
    let response = scoped.ask(&asking)?;
    match keep_for(&response.body, 0, UnixTime::from_seconds(0)) {
        Ok(_) => Ok(response.body),
        Err(error) => Err(format!("{}: {error}", asked.url)),
    }
}

fn secret(name: &str, scoped: Scoped<'_>) -> Result<Secret<String>, String> {
    let found = scoped.secret(name).map_err(|error| error.to_string())?;
    let missing = || format!("the Secret Store holds no usable secret \"{name}\"");
    let found = found.ok_or_else(missing)?;
    String::from_utf8(found.expose().clone()).map(Secret::new).map_err(|_| missing())
}
