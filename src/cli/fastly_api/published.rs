//! What an edge or an app publishes to anybody. The API token is never sent there.

use std::time::Duration;

use ureq::http::header;

use super::agent;

/// The time for a request and its answer.
const WHOLE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MAX_ANSWER: u64 = 65_536;
/// The field in which an app names the keys that it knows.
const KEYS: &str = "Fastgate-Keys";

/// The answer of an edge or an app.
pub(in super::super) struct PublishedAnswer {
    pub(in super::super) status: u16,
    /// The field `Fastgate-Keys`, if there is one.
    pub(in super::super) keys: Option<String>,
    pub(in super::super) body: Vec<u8>,
}

/// Whether [`published`] can read this URL at all.
///
/// # Errors
/// A message that says what to write.
pub(in super::super) fn check_url(url: &str, plain: bool) -> Result<(), String> {
    agent::transport(url, plain).map(|_| ())
}

/// Reads a URL without the token. `plain` says whether http is accepted from other machines, too.
///
/// # Errors
/// A message if there is no answer.
pub(in super::super) fn published(url: &str, plain: bool) -> Result<PublishedAnswer, String> {
    let agent = agent::agent(url, plain)?;
    let request =
        agent.get(url).header(header::ACCEPT_ENCODING, "identity").config().timeout_global(Some(WHOLE)).build();
    let answer = request.call().map_err(|error| format!("{url} cannot be reached: {error}"))?;
    let (head, body) = answer.into_parts();
    let keys = head.headers.get(KEYS).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = body.into_with_config().limit(MAX_ANSWER).read_to_vec().map_err(|error| format!("{url}: {error}"))?;
    Ok(PublishedAnswer { status: head.status.as_u16(), keys, body })
}
