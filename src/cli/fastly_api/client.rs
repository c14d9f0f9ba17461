//! Access to the API with a token, and what went wrong.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastgate::secret::Secret;
use serde_json::Value;
use ureq::http::Method;

use super::super::printer;
use super::agent::{self, Answer, Request};
use super::reached::Reached;

/// The API's address, unless `FASTLY_API_ENDPOINT` names another one.
const ENDPOINT: &str = "https://api.fastly.com";
/// The environment variable with the API token, which is never printed.
const TOKEN: &str = "FASTLY_API_TOKEN";

/// The most characters of a message of the API.
const MAX_MESSAGE: usize = 300;

/// What went wrong with a request to the API.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum ApiError {
    /// The condition of a conditional write does not hold (412): somebody else wrote the item in between.
    Lost,
    /// Everything else, with what to do next.
    Failed(String),
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => formatter.write_str("somebody else wrote it in between (412); run the command again"),
            Self::Failed(message) => formatter.write_str(message),
        }
    }
}

/// Access to the API with a token.
#[derive(Clone)]
pub(in super::super) struct Api {
    agent: ureq::Agent,
    endpoint: String,
    token: Secret<String>,
    reached: Reached,
}

impl Api {
    /// Whether the environment has a token.
    pub(in super::super) fn has_token() -> bool {
        variable(TOKEN).is_some()
    }

    /// Reads the token and the address of the API from the environment, with the names that the Fastly CLI knows.
    ///
    /// # Errors
    /// A message if there is no token, or if the address is not https (http is accepted on this machine) or has a user name.
    pub(in super::super) fn from_environment() -> Result<Self, String> {
        let token = variable(TOKEN).ok_or_else(|| {
            format!("{TOKEN} is not set: create an API token in the Fastly console (scope \"global\") and export it")
        })?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{TOKEN}: has a character that no token has; copy the token again"));
        }
        let endpoint = variable("FASTLY_API_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if endpoint.contains(['?', '#']) {
            return Err("FASTLY_API_ENDPOINT: has a query or a fragment: write https://HOST".to_owned());
        }
        let agent = agent::agent(&endpoint, false)
            .map_err(|fault| format!("FASTLY_API_ENDPOINT: {fault}, because the token is sent there"))?;
        Ok(Self { agent, endpoint, token: Secret::new(token), reached: Reached::default() })
    }

    /// Sends a request and returns the answer if it is a success. `subject` says for errors what the request is about.
    pub(super) fn send(&self, request: &Request<'_>, subject: &str) -> Result<Answer, ApiError> {
        self.accepted(self.attempt(request, subject)?, subject)
    }

    /// The answer to a request; `None` if there is no such thing (404).
    pub(super) fn send_or_absent(&self, request: &Request<'_>, subject: &str) -> Result<Option<Answer>, ApiError> {
        let answer = self.attempt(request, subject)?;
        if answer.status == 404 { Ok(None) } else { self.accepted(answer, subject).map(Some) }
    }

    pub(super) fn attempt(&self, request: &Request<'_>, subject: &str) -> Result<Answer, ApiError> {
        let (mut failures, mut begin) = (0, None);
        loop {
            let sent = agent::send(&self.agent, &self.endpoint, self.token.expose(), request).map_err(|error| {
                let fault = shown(&agent::explained(&error), self.token.expose());
                ApiError::Failed(format!("{subject}: {} {fault}", self.endpoint))
            });
            let reason = match &sent {
                Ok(answer) if answer.status != 429 && answer.status < 500 => {
                    self.reached.answered(answer);
                    return sent;
                }
                Ok(answer) => format!("{subject}: Fastly answered {}", answer.status),
                Err(error) => error.to_string(),
            };
            failures += 1;
            let elapsed = begin.get_or_insert_with(instant).elapsed();
            let Some(pause) = self.reached.pause(failures, elapsed) else { return sent };
            printer::line(format_args!("{reason}; the request is repeated in {} s", pause.as_secs()));
            sleep(pause);
        }
    }

    /// The answer if it is a success.
    pub(super) fn accepted(&self, answer: Answer, subject: &str) -> Result<Answer, ApiError> {
        match answer.status {
            200..=299 => Ok(answer),
            412 => Err(ApiError::Lost),
            status => Err(ApiError::Failed(explained(status, &answer.body, subject, self.token.expose()))),
        }
    }

    /// From now on, repeat a request for ten minutes if the API fails, once it has answered any.
    pub(in super::super) fn be_patient(&self) {
        self.reached.be_patient();
    }

    /// The time after which no further part of a list is asked for.
    pub(super) fn time_of_lists(&self) -> Duration {
        self.reached.time_of_lists()
    }

    /// The time at the last answer, by the clock of the API, in Unix seconds; `None` if the answer did not name it.
    pub(in super::super) fn date(&self) -> Option<u64> {
        self.reached.date()
    }

    /// Sends JSON, and reads JSON.
    pub(super) fn post(&self, path: &str, body: &[u8], subject: &str) -> Result<Value, ApiError> {
        let request = Request { body, ..Request::new(Method::POST, path) };
        json(&self.send(&request, subject)?, subject)
    }

    /// Reads JSON.
    pub(super) fn read(&self, path: &str, subject: &str) -> Result<Value, ApiError> {
        json(&self.send(&Request::reading(path), subject)?, subject)
    }
}

pub(super) fn json(answer: &Answer, subject: &str) -> Result<Value, ApiError> {
    serde_json::from_slice(&answer.body)
        .map_err(|_| ApiError::Failed(format!("{subject}: the answer of Fastly's API is not JSON")))
}

#[expect(clippy::disallowed_methods, reason = "this tool uses the machine's clock")]
fn instant() -> Instant {
    Instant::now()
}

/// A variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// An error of the API: its status, Fastly's message, and what to do next.
fn explained(status: u16, body: &[u8], subject: &str, token: &str) -> String {
    let message = message(body).map(|text| format!(" \"{}\"", shown(&text, token))).unwrap_or_default();
    let next = match status {
        300..=399 => {
            "this address leads elsewhere and is not followed: write that of the API in FASTLY_API_ENDPOINT, or unset it"
        }
        401 => "FASTLY_API_TOKEN is not valid or has expired: create another API token in the Fastly console",
        403 => {
            "the token may not do this: it needs the scope \"global\" (\"global:read\" to read only) and access to the \
             service, and its user the role engineer or superuser"
        }
        404 => "check the id, and that the token belongs to the account that owns it",
        413 => "a value of a KV store has at most 25 MB",
        429 => "too many requests: try again in a minute",
        500..=599 => "Fastly's API failed: try again, and see https://www.fastlystatus.com",
        _ if message.is_empty() => "it does not say why: try again, and see https://www.fastlystatus.com",
        _ => "correct what the message names",
    };
    format!("{subject}: Fastly answered {status}{message}; {next}")
}

/// A text from elsewhere as errors repeat it: without the token, and not too long.
fn shown(text: &str, token: &str) -> String {
    let text = text.replace(token, "[token]");
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text,
    }
}

/// The message of an error: `msg` and `detail`, or `title`.
fn message(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let texts: Vec<&str> =
        ["msg", "title", "detail"].into_iter().filter_map(|name| document.get(name)?.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::{MAX_MESSAGE, explained, message, shown};

    #[test]
    fn an_error_has_the_status_fastlys_message_and_what_to_do_next() {
        let body = br#"{"msg": "Record not found", "detail": "Cannot find service 'S'"}"#;
        let text = explained(404, body, "service S", "secret");
        assert!(text.starts_with("service S: Fastly answered 404 \"Record not found: Cannot find service 'S'\"; "));
        assert!(explained(403, b"", "x", "secret").contains("role engineer"));
        assert!(explained(401, b"<html>", "x", "secret").contains("FASTLY_API_TOKEN"));
        assert!(explained(302, b"", "x", "secret").contains("FASTLY_API_ENDPOINT"));
        assert!(!explained(418, b"", "x", "secret").contains("what the message names"));
        assert!(explained(400, body, "x", "secret").contains("what the message names"));
        assert_eq!(message(b"[]"), None);
        assert_eq!(message(br#"{"title": "Item not found", "status": 404}"#).as_deref(), Some("Item not found"));
    }
    #[test]
    fn a_message_is_short_and_has_no_token() {
        assert_eq!(shown("a secret and a secret", "secret"), "a [token] and a [token]");
        assert_eq!(shown(&"ü".repeat(MAX_MESSAGE), "secret"), "ü".repeat(MAX_MESSAGE));
        assert_eq!(shown(&"ü".repeat(MAX_MESSAGE + 1), "secret"), format!("{}…", "ü".repeat(MAX_MESSAGE)));
        let cut = format!("{}secret", "x".repeat(MAX_MESSAGE - 3));
        assert!(!shown(&cut, "secret").contains("sec"));
    }
}
