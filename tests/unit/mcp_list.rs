//! Lists of an MCP server, of which the caller is shown what it may use: in JSON and in streams that are cut at every byte.

use fastgate::json_body::JsonBodyError;
use fastgate::mcp_list::{ListError, ListFilter, MAX_BYTES};
use fastgate::response::ResponseFields;
use serde_json::{Value, json};

use crate::mcp_request::{caller, document};
use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, Outcome, policy_of, request};

#[allow(unreachable_pub, reason = "the fuzzer has it in a public module")]
#[allow(dead_code, reason = "the fuzzer uses it all")]
#[path = "../../fuzz/targets/lists.rs"]
mod target;

use target::streamed;

const METHODS: [&str; 4] = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"];

fn gate(list: &str) -> Gate {
    Gate::new(policy_of(&document(&json!({ "list": list }))), FakeKeys::of_both())
}

fn asked(gate: &Gate, token: &str, method: &str, id: &Value) -> Outcome {
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": {} });
    gate.fakes().body = FakeBody::of(body.to_string().as_bytes());
    let request = request("POST", "/mcp").bearer(token).field("content-type", "application/json");
    gate.send(request.field("accept-encoding", "gzip"))
}

/// The filter for the response to this method with id 7, for a caller with these scopes and this role.
fn filter(list: &str, scopes: &str, role: &str, method: &str) -> ListFilter {
    asked(&gate(list), &caller(scopes, role), method, &json!(7)).grant().lists().unwrap().clone()
}

fn message(result: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{result}}}")
}

fn passed(filter: &ListFilter, body: &str) -> Result<String, ListError> {
    filter.document(body.as_bytes().to_vec()).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// The names of the tools, resources, templates and prompts of the server that this caller is shown.
fn shown(list: &str, scopes: &str, role: &str) -> [Vec<String>; 4] {
    let server: [(&str, &str, &[&str]); 4] = [
        ("tools", "name", &["ping", "get_order", "cancel_order", "export", "secret", "Ping", "ping\0"]),
        (
            "resources",
            "uri",
            &[
                "config://app",
                "orders://7",
                "orders://secret",
                "orders://7.pdf",
                "orders://SECRET",
                "orders://%73ecret",
                "x://y",
                "",
            ],
        ),
        ("resourceTemplates", "uriTemplate", &["orders://{id}", "orders://{id}.pdf", "orders://{x}", "x://{y}"]),
        ("prompts", "name", &["summary", "audit", "ping"]),
    ];
    let mut all = METHODS.iter().zip(server).map(|(method, (member, key, names))| {
        let elements: Vec<Value> = names.iter().map(|name| json!({ key: name })).collect();
        let passed = passed(&filter(list, scopes, role, method), &message(&json!({ member: elements }).to_string()));
        let passed: Value = serde_json::from_str(&passed.unwrap()).unwrap();
        let names = passed["result"][member].as_array().unwrap().iter();
        names.map(|element| element[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    std::array::from_fn(|_| all.next().unwrap())
}

#[test]
fn callers_are_shown_what_they_may_use() {
    let of = |list, scopes, role| shown(list, scopes, role).map(|names| names.join(" "));
    assert_eq!(of("usable", "mcp", "user"), ["ping export", "config://app", "", "summary"]);
    assert_eq!(
        of("usable", "mcp orders:read", "user"),
        ["ping get_order export", "config://app orders://7", "orders://{id}", "summary"]
    );
    assert_eq!(
        of("usable", "mcp orders:read orders:write orders:print", "admin"),
        [
            "ping get_order cancel_order export",
            "config://app orders://7 orders://secret orders://7.pdf",
            "orders://{id} orders://{id}.pdf",
            "summary audit"
        ]
    );
    // Scopes can be asked for; conditions stay unmet.
    assert_eq!(
        of("all", "mcp", "user"),
        [
            "ping get_order export",
            "config://app orders://7 orders://7.pdf",
            "orders://{id} orders://{id}.pdf",
            "summary"
        ]
    );
    assert_eq!(of("all", "mcp", "admin")[0], "ping get_order cancel_order export");
}

#[test]
fn every_other_byte_is_as_it_came() {
    let filter = filter("usable", "mcp", "user", "tools/list");
    let list = "[ {\"description\":\"caf\\u00e9 ]},\",\n \"name\" : \"p\\u0069ng\",\"n\":1.50e0} ,\r\n{\"name\":\"secret\"},{\"name\":\"export\"}\t]";
    let text = format!(
        " {} ",
        message(&format!("{{ \"nextCursor\":\"\", \"tools\" :{list},\"x\":[{{\"name\":\"secret\"}}]}}"))
    );
    assert_eq!(
        passed(&filter, &text).unwrap(),
        text.replace("{\"name\":\"secret\"},{\"name\":\"export\"}", "{\"name\":\"export\"}").replacen(" ,\r\n", ",", 1)
    );
    let usable = message("{\"tools\":[ {\"name\":\"ping\"} ]}");
    for text in [usable.as_str(), &message("{\"tools\": [ ]}"), &message("{\"resultType\":\"input_required\"}")] {
        assert_eq!(passed(&filter, text).unwrap(), text);
    }
    let error = "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,\"message\":\"no such cursor\"}}";
    assert_eq!(passed(&filter, error).unwrap(), error);
}

#[test]
fn a_list_is_kept_by_no_cache_for_others() {
    let filter = filter("usable", "mcp", "user", "tools/list");
    for (members, expected) in [
        ("\"ttlMs\":5 ,\"cacheScope\": \"public\"", "\"ttlMs\":5 ,\"cacheScope\": \"private\""),
        ("\"cacheScope\":null", "\"cacheScope\":\"private\""),
        ("\"cacheScope\":\"private\",\"ttlMs\":0", "\"cacheScope\":\"private\",\"ttlMs\":0"),
        ("\"ttlMs\" : 60000", "\"ttlMs\" : 60000,\"cacheScope\":\"private\""),
    ] {
        for (came, stays) in [("[]", "[]"), ("[{\"name\":\"secret\"}]", "[]")] {
            let result = |members: &str, list: &str| message(&format!("{{{members},\"tools\":{list}}}"));
            assert_eq!(passed(&filter, &result(members, came)).unwrap(), result(expected, stays));
        }
    }
    let fields = ListFilter::fields(ResponseFields::default());
    let came = [("etag", "x"), ("cache-control", "public, max-age=60"), ("content-digest", "x"), ("x-a", "b")];
    let sent = fields.apply_to_origin(&came.into_iter().collect());
    let sent: Vec<_> = sent.iter().collect();
    assert_eq!(sent, [("x-a", &b"b"[..]), ("cache-control", b"private, no-store")]);
}

#[test]
fn elements_without_a_single_name_are_dropped() {
    let filter = filter("usable", "mcp", "user", "tools/list");
    let elements = "{\"name\":1},{\"name\":null},{},1,\"ping\",null,[\"ping\"],{\"Name\":\"ping\"},{\"name\":\"ping\",\"Name\":\"secret\"},{\"name\":\"ping\",\"name\\u0000x\":\"secret\"},{\"name\":\"export\"}";
    let expected = message("{\"tools\":[{\"name\":\"export\"}]}");
    assert_eq!(passed(&filter, &message(&format!("{{\"tools\":[{elements}]}}"))).unwrap(), expected);
}

#[test]
fn what_cannot_be_filtered_does_not_pass() {
    let filter = filter("usable", "mcp", "user", "tools/list");
    let malformed = |what| ListError::Malformed(what);
    let lists = "a result whose lists are lists";
    let object = "a response whose result is an object";
    let tools = "{\"tools\":[{\"name\":\"secret\"}]}";
    let deep = format!("{{\"tools\":[{{\"name\":\"ping\",\"x\":{}{}}}]}}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, expected) in [
        (message(tools).replace(":7,", ":8,"), ListError::OtherId),
        (message(tools).replace(":7,", ":\"7\","), ListError::OtherId),
        (message(tools).replace("\"id\":7,", ""), ListError::OtherId),
        (message(tools).replace(":7,", ":null,"), ListError::OtherId),
        (message(tools).replace(":7,", ":7.0,"), ListError::OtherId),
        (message("{\"tools\":null}"), malformed(lists)),
        (message("{\"tools\":{\"name\":\"secret\"}}"), malformed(lists)),
        (message("{\"Tools\":[{\"name\":\"secret\"}]}"), malformed(lists)),
        (message("{\"tools\\u0000\":[{\"name\":\"secret\"}]}"), malformed(lists)),
        (message("[{\"name\":\"secret\"}]"), malformed(object)),
        (message("null"), malformed(object)),
        (message(tools).replace("\"result\"", "\"Result\""), malformed(object)),
        (message(tools).replace("\"id\"", "\"error\":{},\"id\""), malformed(object)),
        (message(tools).replace("\"id\"", "\"method\":\"ping\",\"id\""), malformed(object)),
        ("{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}".to_owned(), malformed("a response")),
        (format!("[{}]", message(tools)), ListError::Body(JsonBodyError::NotAnObject)),
        (String::new(), ListError::Body(JsonBodyError::NotAnObject)),
        (
            message("{\"tools\":[],\"tools\":[{\"name\":\"secret\"}]}"),
            ListError::Body(JsonBodyError::Repeated("tools".into())),
        ),
        (message(&deep), ListError::Body(JsonBodyError::TooDeep)),
        (message(&format!("{{\"tools\":[{}]}}", " ".repeat(MAX_BYTES))), ListError::TooLong),
    ] {
        assert_eq!(passed(&filter, &body), Err(expected), "{}", &body[..body.len().min(200)]);
    }
    // The lists of another request.
    let others = message(
        "{\"tools\":[{\"name\":\"ping\"}],\"prompts\":[{\"name\":\"summary\"}],\"resources\":[{\"uri\":\"config://app\"}]}",
    );
    assert_eq!(
        passed(&filter, &others).unwrap(),
        message("{\"tools\":[{\"name\":\"ping\"}],\"prompts\":[],\"resources\":[]}")
    );
}

#[test]
fn requests_for_lists_and_streams_are_filtered_and_ask_for_no_encoding() {
    let gate = gate("usable");
    let token = caller("mcp", "user");
    for (method, is_filtered) in METHODS.map(|method| (method, true)).into_iter().chain([
        ("initialize", false),
        ("server/discover", false),
        ("ping", false),
    ]) {
        let outcome = asked(&gate, &token, method, &json!("a"));
        assert_eq!(outcome.grant().lists().is_some(), is_filtered, "{method}");
        assert_eq!(outcome.sent("accept-encoding"), [if is_filtered { "identity" } else { "gzip" }], "{method}");
    }
    for (method, is_filtered) in [("GET", true), ("DELETE", false)] {
        gate.fakes().body = FakeBody::of(b"");
        let outcome = gate.send(request(method, "/mcp").bearer(&token).field("accept-encoding", "br"));
        assert_eq!(outcome.grant().lists().is_some(), is_filtered, "{method}");
        assert_eq!(outcome.sent("accept-encoding"), [if is_filtered { "identity" } else { "br" }], "{method}");
    }
    for id in [json!("a"), json!(-3), json!(0)] {
        let outcome = asked(&gate, &token, "tools/list", &id);
        let body = message("{\"tools\":[]}").replace(":7,", &format!(":{id},"));
        assert_eq!(passed(outcome.grant().lists().unwrap(), &body), Ok(body));
    }
}

/// The filter for a stream that the client opens.
fn of_stream() -> ListFilter {
    let gate = gate("usable");
    gate.fakes().body = FakeBody::of(b"");
    gate.send(request("GET", "/mcp").bearer(&caller("mcp", "user"))).grant().lists().unwrap().clone()
}

/// Filters a stream in two pieces that are cut at each byte, and in pieces of one byte.
fn in_pieces(filter: &ListFilter, stream: &str) -> Result<String, ListError> {
    let bytes = stream.as_bytes();
    let whole = streamed(filter, &[bytes]);
    for place in 0..=bytes.len() {
        let (before, after) = bytes.split_at(place);
        assert_eq!(streamed(filter, &[before, &[], after]), whole, "cut at {place}: {stream}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(streamed(filter, &single), whole, "{stream}");
    whole.1.map(|()| String::from_utf8(whole.0).unwrap())
}

#[test]
fn a_stream_is_filtered_however_it_is_cut_and_its_lines_end() {
    let tools = |names: &[&str]| {
        let elements: Vec<String> = names.iter().map(|name| format!("{{\"name\":\"{name}\"}}")).collect();
        message(&format!("{{\"tools\":[{}]}}", elements.join(",")))
    };
    let before = ": alive\n\nid: 1\ndata:\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
    let stream =
        |names: &[&str]| format!("{before}event: message\nid: 2\ndata: {}\nretry: 5\n\n: end\n\n", tools(names));
    let (came, passes) = (stream(&["secret", "ping", "cancel_order"]), stream(&["ping"]));
    let several = "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"tools\":[\ndata: {\"name\":\"secret\"},\ndata:{\"name\":\"ping\"}\ndata: ]}}\n\n";
    let joined =
        "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"tools\":[\ndata: {\"name\":\"ping\"}\ndata: ]}}\n\n";
    for filter in [filter("usable", "mcp", "user", "tools/list"), of_stream()] {
        for feed in ["\n", "\r", "\r\n"] {
            for (came, passes) in [(came.as_str(), passes.as_str()), (several, joined), (&passes, &passes)] {
                let (came, passes) = (came.replace('\n', feed), passes.replace('\n', feed));
                assert_eq!(in_pieces(&filter, &came).as_ref(), Ok(&passes));
                let marked = |stream: &str| format!("\u{feff}{stream}");
                assert_eq!(in_pieces(&filter, &marked(&came)), Ok(marked(&passes)));
            }
            // Without the last blank line, and without the last end of a line.
            let (came, passes) =
                (format!("data: {}{feed}", tools(&["secret", "ping"])), format!("data: {}{feed}", tools(&["ping"])));
            assert_eq!(in_pieces(&filter, &came).as_ref(), Ok(&passes));
            let unended = |stream: &str| stream.strip_suffix(feed).unwrap().to_owned();
            assert_eq!(in_pieces(&filter, &unended(&came)), Ok(unended(&passes)));
        }
    }
}

#[test]
fn a_stream_ends_before_an_event_that_cannot_be_filtered() {
    let filter = filter("usable", "mcp", "user", "tools/list");
    let first = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
    let tools = message("{\"tools\":[{\"name\":\"secret\"}]}");
    for data in [
        tools.replace(":7,", ":8,"),
        tools.replace("\"tools\"", "\"Tools\""),
        tools.replace("]}}", "]}"),
        format!("[{tools}]"),
        format!("{tools}{tools}"),
        "/messages".to_owned(),
    ] {
        for feed in ["\n", "\r\n", "\r"] {
            let stream = format!("{first}event: x\ndata: {data}\n\n{first}").replace('\n', feed);
            assert!(in_pieces(&filter, &stream).is_err(), "{stream}");
            let (passed, _) = streamed(&filter, &[stream.as_bytes()]);
            assert_eq!(String::from_utf8(passed).unwrap().trim_end(), first.replace('\n', feed).trim_end());
        }
    }
    let long = format!("{first}data: {}", "a".repeat(MAX_BYTES));
    let (passed, ended) = streamed(&filter, &[long.as_bytes()]);
    assert_eq!((passed.as_slice(), ended), (first.as_bytes(), Err(ListError::TooLong)));
}

#[test]
fn a_stream_that_the_client_opens_may_have_any_list() {
    let filter = of_stream();
    for (result, expected) in [
        ("{\"tools\":[{\"name\":\"secret\"},{\"name\":\"ping\"}]}", "{\"tools\":[{\"name\":\"ping\"}]}"),
        ("{\"prompts\":[{\"name\":\"audit\"},{\"name\":\"summary\"}]}", "{\"prompts\":[{\"name\":\"summary\"}]}"),
        ("{\"resources\":[{\"uri\":\"orders://7\"}]}", "{\"resources\":[]}"),
        ("{\"resourceTemplates\":[{\"uriTemplate\":\"orders://{id}\"}]}", "{\"resourceTemplates\":[]}"),
        (
            "{\"content\":[{\"type\":\"text\",\"text\":\"secret\"}],\"ttlMs\":5}",
            "{\"content\":[{\"type\":\"text\",\"text\":\"secret\"}],\"ttlMs\":5}",
        ),
        (
            "{\"capabilities\":{\"tools\":{\"listChanged\":true}}}",
            "{\"capabilities\":{\"tools\":{\"listChanged\":true}}}",
        ),
    ] {
        for id in ["7", "\"x\"", "99"] {
            let event = |result: &str| format!("data: {}\n\n", message(result).replace(":7,", &format!(":{id},")));
            assert_eq!(in_pieces(&filter, &event(result)), Ok(event(expected)));
        }
    }
}

#[test]
fn the_fuzz_target_holds_for_its_seeds() {
    for names in [&["b", "a"][..], &["a"], &[]] {
        let elements: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        let body = message(&json!({ "tools": elements, "ttlMs": 1 }).to_string());
        target::mcp_list(format!("\u{3}{body}").as_bytes());
        target::mcp_list(format!("\u{3}data: {body}\n\n").as_bytes());
    }
}

/// What filtering a list of 500 tools costs, which `make bench` measures in the guest: `cargo test --release -- --ignored`.
#[test]
#[ignore = "it measures"]
fn time_of_a_long_list() {
    let tool = |number: usize| {
        json!({
            "name": if number.is_multiple_of(2) { "ping".to_owned() } else { format!("tool_{number}") },
            "description": "Return the state of an order, with its items and where it is now. ".repeat(2),
            "inputSchema": { "type": "object", "properties": { "order_id": { "type": "integer", "title": "Order Id" }, "detail": { "type": "boolean", "default": false } }, "required": ["order_id"] },
            "annotations": { "readOnlyHint": true }
        })
    };
    let tools: Vec<Value> = (0..500).map(tool).collect();
    let body = message(&json!({ "tools": tools }).to_string());
    let filter = filter("usable", "mcp", "user", "tools/list");
    let started = std::time::Instant::now();
    for _ in 0..100 {
        std::hint::black_box(filter.document(body.clone().into_bytes()).unwrap());
    }
    eprintln!("{} bytes: {:?} each", body.len(), started.elapsed() / 100);
}
