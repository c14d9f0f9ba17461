//! Lists in answers of the API, whole or in pages. What is no list is an error, never an empty list; and however the API
//! answers, a list ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::agent::Request;
use super::client::{self, Api, ApiError};
use super::path::encoded;

/// The most pages of one list.
const MAX_PAGES: usize = 1000;
/// Reads a list that arrives whole.
pub(super) fn listed(api: &Api, path: &str, subject: &str) -> Result<Vec<Value>, ApiError> {
    array(&api.read(path, subject)?, path, subject)
}

/// Reads a list that arrives whole; an empty one if there is no such address (404).
pub(super) fn listed_or_absent(api: &Api, path: &str, subject: &str) -> Result<Vec<Value>, ApiError> {
    match api.send_or_absent(&Request::reading(path), subject)? {
        Some(answer) => array(&client::json(&answer, subject)?, path, subject),
        None => Ok(Vec::new()),
    }
}

/// Reads a list that arrives in pages. `path` has a query.
pub(super) fn pages(api: &Api, path: &str, subject: &str) -> Result<Vec<Value>, ApiError> {
    collected(path, subject, api.time_of_lists(), |path| api.read(path, subject))
}

/// The same; an empty list if there is no such address (404).
pub(super) fn pages_or_absent(api: &Api, path: &str, subject: &str) -> Result<Vec<Value>, ApiError> {
    collected(path, subject, api.time_of_lists(), |page| {
        match api.send_or_absent(&Request::reading(page), subject)? {
            Some(answer) => client::json(&answer, subject),
            None if page == path => Ok(json!({ "data": [] })),
            None => Err(endless(path, subject, "names a page that does not exist")),
        }
    })
}

/// `longest` is the time after which no further page is asked for.
#[expect(clippy::disallowed_methods, reason = "this tool uses the machine's clock")]
fn collected(
    path: &str,
    subject: &str,
    longest: Duration,
    read: impl Fn(&str) -> Result<Value, ApiError>,
) -> Result<Vec<Value>, ApiError> {
    let (mut list, mut cursors, started) = (Vec::new(), BTreeSet::new(), Instant::now());
    let mut next = path.to_owned();
    for _ in 0..MAX_PAGES {
        let page = read(&next)?;
        list.extend(array(page.get("data").unwrap_or(&Value::Null), path, subject)?);
        let cursor = match page.pointer("/meta/next_cursor") {
            None | Some(Value::Null) => return Ok(list),
            Some(Value::String(cursor)) if cursor.is_empty() => return Ok(list),
            Some(Value::String(cursor)) => cursor.clone(),
            Some(_) => return Err(endless(path, subject, "names its next page by something else than a text")),
        };
        next = format!("{path}&cursor={}", encoded(&cursor));
        if !cursors.insert(cursor) {
            return Err(endless(path, subject, "names a page twice"));
        }
        if started.elapsed() > longest {
            return Err(endless(path, subject, &format!("has not ended after {} seconds", longest.as_secs())));
        }
    }
    Err(endless(path, subject, &format!("has more than {MAX_PAGES} pages")))
}

fn array(value: &Value, path: &str, subject: &str) -> Result<Vec<Value>, ApiError> {
    value.as_array().cloned().ok_or_else(|| {
        ApiError::Failed(format!("{subject}: the answer of Fastly's API to {} is no list", address(path)))
    })
}

fn endless(path: &str, subject: &str, why: &str) -> ApiError {
    ApiError::Failed(format!(
        "{subject}: the list of Fastly's API at {} {why}, so it is not used: try again, and see https://www.fastlystatus.com",
        address(path)
    ))
}

/// A path without its query.
fn address(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::thread::sleep;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{MAX_PAGES, collected};

    const LONGEST: Duration = Duration::from_secs(40);

    #[test]
    fn pages_are_joined_until_the_last() {
        let read = |path: &str| {
            let is_last = path.contains("&cursor=a%2Fb");
            Ok(json!({ "data": [path], "meta": if is_last { json!({}) } else { json!({ "next_cursor": "a/b" }) } }))
        };
        assert_eq!(collected("/x?y", "s", LONGEST, read), Ok(vec![json!("/x?y"), json!("/x?y&cursor=a%2Fb")]));
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for page in [json!({}), json!({ "data": null }), json!({ "data": {} }), json!([]), Value::Null, json!("x")] {
            let fault = collected("/x?y", "s", LONGEST, |_| Ok(page.clone())).unwrap_err().to_string();
            assert_eq!(fault, "s: the answer of Fastly's API to /x is no list");
        }
    }

    #[test]
    fn a_list_ends() {
        let asked = Cell::new(0);
        let endless = |cursor: fn(usize) -> Value| {
            asked.set(0);
            let read = |_: &str| {
                asked.set(asked.get() + 1);
                Ok(json!({ "data": [], "meta": { "next_cursor": cursor(asked.get()) } }))
            };
            (collected("/x?y", "s", LONGEST, read).unwrap_err().to_string(), asked.get())
        };
        let (fault, count) = endless(|count| json!(count.to_string()));
        assert!(fault.contains("more than") && count == MAX_PAGES, "{fault}");
        let (fault, count) = endless(|count| json!((count % 2).to_string()));
        assert!(fault.contains("twice") && count == 3, "{fault}");
        let (fault, count) = endless(|_| json!(5));
        assert!(fault.contains("text") && count == 1, "{fault}");
    }

    #[test]
    fn a_slow_page_ends_only_a_list_that_has_less_time() {
        let slow = |path: &str| {
            sleep(Duration::from_millis(20));
            let next = if path.contains("&cursor=") { Value::Null } else { json!("2") };
            Ok(json!({ "data": [1], "meta": { "next_cursor": next } }))
        };
        assert_eq!(collected("/x?y", "s", LONGEST, slow), Ok(vec![json!(1), json!(1)]));
        let fault = collected("/x?y", "s", Duration::from_millis(10), slow).unwrap_err().to_string();
        assert!(fault.contains("has not ended"), "{fault}");
    }
}
