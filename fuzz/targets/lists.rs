//! Responses of MCP servers, from which the edge removes what a caller may not use.

use std::sync::{Arc, LazyLock};

use fastgate::mcp_list::{ListError, ListFilter, ListStream};
use fastgate::policy::{Mcp, Policy};
use serde_json::{Value, json};

/// The lists and the members that name an element.
const LISTS: [(&str, &str); 4] =
    [("tools", "name"), ("resources", "uri"), ("resourceTemplates", "uriTemplate"), ("prompts", "name")];

static MCP: LazyLock<Arc<Mcp>> = LazyLock::new(|| {
    let entry = || json!({ "scopes": ["a"] });
    let policy = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "app": { "backend": "app", "audience": "app" } },
        "issuers": { "main": { "issuer": "https://idp.test", "backend": "idp", "audiences": ["api"] } },
        "routes": [{
            "id": "tools", "path": "/mcp", "methods": ["GET", "POST"], "origin": "app",
            "mcp": {
                "tools": { "a": {}, "b": entry() }, "prompts": { "a": {}, "b": entry() },
                "resources": { "a://{x}": {}, "a://b": entry() }
            }
        }]
    });
    let policy = Policy::parse(policy.to_string().as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    policy.routes().iter().find_map(|route| route.mcp.clone()).unwrap()
});

/// The filter for a caller without scopes.
pub fn filter() -> ListFilter {
    ListFilter::of_stream(&MCP, &|entry| entry.scopes.is_empty())
}

/// What passes of a stream in these pieces.
pub fn streamed(filter: &ListFilter, pieces: &[&[u8]]) -> (Vec<u8>, Result<(), ListError>) {
    let mut stream = ListStream::new(filter.clone());
    let mut output = Vec::new();
    for piece in pieces {
        if let Err(error) = stream.pass(piece, &mut output) {
            return (output, Err(error));
        }
    }
    let ended = stream.end(&mut output);
    (output, ended)
}

/// The first byte chooses the length of pieces of a stream; the rest is the response, as a document and as a stream. What passes
/// does not depend on the pieces. A document that passes is the one that came, without elements that the caller is not shown.
pub fn mcp_list(data: &[u8]) {
    let [piece, response @ ..] = data else { return };
    let (passed, ended) = streamed(&filter(), &[response]);
    for length in [1, usize::from(*piece).max(2)] {
        let pieces: Vec<_> = response.chunks(length).collect();
        assert_eq!(streamed(&filter(), &pieces), (passed.clone(), ended.clone()), "in pieces of {length}");
    }
    if ended.is_ok() {
        // What passed once passes again, as it is.
        assert_eq!(streamed(&filter(), &[&passed]), (passed, Ok(())));
    }
    let Ok(document) = filter().document(response.to_vec()) else { return };
    assert!(document.len() <= response.len() + 32);
    let (mut found, mut came): (Value, Value) =
        (serde_json::from_slice(&document).unwrap(), serde_json::from_slice(response).unwrap());
    let mut has_list = false;
    for (list, key) in LISTS {
        let mut came = taken(&mut came, list).into_iter();
        for element in taken(&mut found, list) {
            has_list = true;
            assert!(came.any(|other| other == element), "{element} did not come, or in another order");
            let name = element[key].as_str().unwrap();
            let is_shown = match list {
                "tools" | "prompts" => name == "a",
                "resources" => name.starts_with("a://") && !name.eq_ignore_ascii_case("a://b"),
                _ => name == "a://{x}",
            };
            assert!(is_shown, "{list} shows {element}");
        }
    }
    if has_list {
        let scope = found["result"].get("cacheScope").cloned();
        assert!(scope == Some(json!("private")) || (scope.is_none() && found["result"].get("ttlMs").is_none()));
    }
    for message in [&mut found, &mut came] {
        message.get_mut("result").and_then(Value::as_object_mut).and_then(|result| result.remove("cacheScope"));
    }
    assert_eq!(found, came);
}

/// Takes the elements of a list out of a message.
fn taken(message: &mut Value, list: &str) -> Vec<Value> {
    match message.get_mut("result").and_then(|result| result.get_mut(list)).map(Value::take) {
        Some(Value::Array(elements)) => elements,
        _ => Vec::new(),
    }
}
