//! Measures how the list of an MCP server is filtered for a caller that may use every other tool of it.

use std::hint::black_box;

use fastgate::mcp_list::ListFilter;
use fastgate::policy::Policy;
use serde_json::{Value, json};

use crate::microseconds;

/// The tools of the server.
const TOOLS: usize = 500;

fn name(number: usize) -> String {
    format!("tool_{number}")
}

/// The filter for a caller that is shown the tools with an even number.
fn filter() -> ListFilter {
    let tools: serde_json::Map<_, _> = (0..TOOLS).step_by(2).map(|number| (name(number), json!({}))).collect();
    let route = json!({
        "id": "tools", "path": "/mcp", "methods": ["POST"], "access": "public", "mcp": { "tools": tools },
    });
    let origins = json!({ "app": { "backend": "app", "audience": "app" } });
    let edge = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"] });
    let policy = json!({ "edge": edge, "origins": origins, "routes": [route] }).to_string();
    let policy = Policy::parse(policy.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    let mcp = policy.routes()[0].mcp.as_ref().unwrap();
    ListFilter::of_request(mcp, "tools/list", Some(&json!(7)), &|_| true).unwrap()
}

/// The response with all tools.
fn response() -> Vec<u8> {
    let schema = json!({
        "type": "object",
        "properties": {
            "order_id": { "type": "integer", "title": "Order Id" }, "detail": { "type": "boolean", "default": false },
        },
        "required": ["order_id"],
    });
    let tool = |number: usize| {
        json!({
            "name": name(number),
            "description": "Return the state of an order, with its items and where it is now. ".repeat(2),
            "inputSchema": schema,
            "annotations": { "readOnlyHint": true },
        })
    };
    let tools: Vec<Value> = (0..TOOLS).map(tool).collect();
    json!({ "jsonrpc": "2.0", "id": 7, "result": { "tools": tools } }).to_string().into_bytes()
}

/// Prints a row with the time for the whole list.
pub(crate) fn run() {
    let (filter, response) = (filter(), response());
    let filtered = filter.document(response.clone()).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&filtered).unwrap()["result"]["tools"].as_array().unwrap().len(),
        TOOLS / 2
    );
    let took = microseconds(20, || drop(black_box(filter.document(black_box(&response).clone()).unwrap())));
    println!("{:12}{:>12}{:>12}", "µs", "filtered", "KiB");
    println!("{:12}{took:12.0}{:12.0}", format!("{TOOLS} tools"), response.len() as f64 / 1024.0);
}
