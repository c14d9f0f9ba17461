//! Tools, media, and references to state at the provider. Rows O5 and O6 of docs/attacks.md.

use serde_json::{Value, json};

use super::{gate, usual_state, verdict};

/// The verdict on the members of a request to the model `small`.
fn of(api: &str, policy: &Value, members: &Value) -> &'static str {
    let mut body = json!({ "model": "small" });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    verdict(&gate(api, policy), body.to_string())
}

fn parts(parts: &Value) -> Value {
    json!({ "messages": [{ "role": "user", "content": parts }] })
}

#[test]
fn tools_are_refused_unless_the_policy_admits_them() {
    let chat = json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] });
    let old = json!({ "functions": [{ "name": "f" }] });
    let hosted = json!({ "tools": [{ "type": "web_search" }] });
    for api in ["openai-chat", "anthropic-messages", "openai-responses"] {
        let state = usual_state(api);
        let (none, some) = (json!({ "state": state }), json!({ "tools": true, "state": state }));
        let listed = json!({ "tools": true, "tool_types": ["web_search"], "state": state });
        assert_eq!((of(api, &none, &chat), of(api, &some, &chat)), ("tools-refused", "forwarded"), "{api}");
        assert_eq!((of(api, &some, &hosted), of(api, &listed, &hosted)), ("type-refused", "forwarded"), "{api}");
        assert_eq!(of(api, &none, &json!({ "tools": [] })), "forwarded", "{api}");
        assert_eq!(of(api, &none, &json!({ "tools": null })), "forwarded", "{api}");
        for tools in [json!({}), json!("f"), json!([["function"]]), json!([1])] {
            assert_eq!(of(api, &some, &json!({ "tools": tools })), "member-malformed", "{api} {tools}");
        }
    }
    assert_eq!(of("openai-chat", &json!({}), &old), "tools-refused");
    let of_client = json!({ "tools": [{ "name": "f", "input_schema": { "type": "object" } }] });
    assert_eq!(of("anthropic-messages", &json!({ "tools": true }), &of_client), "forwarded");
    assert_eq!(of("openai-chat", &json!({ "tools": true }), &of_client), "type-refused", "a tool has a type there");
}

#[test]
fn media_are_refused_unless_the_policy_admits_them() {
    let image = "data:image/png;base64,AA==";
    let result = |content: Value| json!([{ "type": "tool_result", "tool_use_id": "t", "content": content }]);
    let document =
        |content: Value| json!([{ "type": "document", "source": { "type": "content", "content": content } }]);
    let anthropic_image = json!({ "type": "image", "source": { "type": "base64", "data": "AA==" } });
    for (api, members, media) in [
        ("openai-chat", parts(&json!([{ "type": "image_url", "image_url": { "url": image } }])), "image"),
        ("openai-chat", parts(&json!([{ "type": "input_audio", "input_audio": {} }])), "audio"),
        ("openai-chat", parts(&json!([{ "type": "file", "file": { "file_data": "AA==" } }])), "file"),
        ("openai-chat", json!({ "modalities": ["text", "audio"] }), "audio"),
        ("openai-chat", json!({ "audio": { "voice": "v" } }), "audio"),
        ("anthropic-messages", parts(&json!([anthropic_image])), "image"),
        ("anthropic-messages", parts(&result(json!([anthropic_image]))), "image"),
        (
            "openai-responses",
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_image", "image_url": image }] }] }),
            "image",
        ),
        (
            "openai-responses",
            json!({ "input": [{ "type": "function_call_output", "output": [{ "type": "input_image" }] }] }),
            "image",
        ),
        (
            "openai-responses",
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_file", "file_data": "AA==" }] }] }),
            "file",
        ),
    ] {
        let state = json!({ "state": usual_state(api) });
        let admitted = json!({ "state": usual_state(api), "media": [media] });
        assert_eq!(
            (of(api, &state, &members), of(api, &admitted, &members)),
            ("media-refused", "forwarded"),
            "{members}"
        );
    }
    let nested = parts(&document(json!([anthropic_image])));
    assert_eq!(of("anthropic-messages", &json!({ "media": ["file"] }), &nested), "media-refused");
    assert_eq!(of("anthropic-messages", &json!({ "media": ["file", "image"] }), &nested), "forwarded");
}

#[test]
fn text_needs_no_permission() {
    for (api, members) in [
        (
            "openai-chat",
            json!({ "messages": [{ "role": "user", "content": "x" }, { "role": "assistant", "content": null }] }),
        ),
        ("openai-chat", parts(&json!([{ "type": "text", "text": "x" }, { "type": "refusal", "refusal": "x" }]))),
        ("openai-chat", json!({ "modalities": ["text"], "audio": null })),
        ("anthropic-messages", json!({ "system": null })),
        ("anthropic-messages", json!({ "system": "x", "messages": [{ "role": "user", "content": "x" }] })),
        ("anthropic-messages", json!({ "system": [{ "type": "text", "text": "x" }] })),
        (
            "anthropic-messages",
            parts(
                &json!([{ "type": "tool_use", "input": { "content": [{ "type": "image" }], "source": { "file_id": 1 } } }]),
            ),
        ),
        ("anthropic-messages", parts(&json!([{ "type": "search_result", "source": "https://x.test", "content": [] }]))),
        ("openai-responses", json!({ "input": "x", "store": false })),
        (
            "openai-responses",
            json!({ "store": false, "input": [{ "role": "user", "content": [{ "type": "input_text" }] }, { "type": "reasoning" }] }),
        ),
        ("openai-embeddings", json!({ "input": ["x"] })),
        ("openai-embeddings", json!({ "input": [[1, 2]], "encoding_format": "base64" })),
    ] {
        assert_eq!(of(api, &json!({}), &members), "forwarded", "{api} {members}");
    }
}

#[test]
fn what_the_api_does_not_have_is_refused() {
    for (api, members, code) in [
        ("openai-chat", parts(&json!([{ "type": "video_url" }])), "type-refused"),
        ("openai-chat", parts(&json!([{ "text": "x" }])), "type-refused"),
        ("openai-chat", parts(&json!({ "type": "text" })), "member-malformed"),
        ("openai-chat", parts(&json!([["text"]])), "member-malformed"),
        ("openai-chat", json!({ "messages": [["user", [{ "type": "image_url" }]]] }), "member-malformed"),
        ("openai-chat", json!({ "messages": { "role": "user" } }), "member-malformed"),
        ("openai-responses", json!({ "store": false, "input": [{ "type": "computer_call_output" }] }), "type-refused"),
        ("openai-responses", json!({ "store": false, "input": { "role": "user" } }), "member-malformed"),
    ] {
        assert_eq!(of(api, &json!({ "tools": true }), &members), code, "{api} {members}");
    }
}

#[test]
fn state_at_the_provider_is_refused_unless_the_policy_lists_it() {
    for (api, members, state) in [
        ("openai-chat", json!({ "store": true }), "store"),
        ("openai-responses", json!({ "input": "x" }), "store"),
        ("openai-responses", json!({ "input": "x", "store": true }), "store"),
        ("openai-responses", json!({ "store": false, "previous_response_id": "r" }), "previous_response_id"),
        ("openai-responses", json!({ "store": false, "conversation": "c" }), "conversation"),
        ("openai-responses", json!({ "store": false, "background": true }), "background"),
        ("openai-responses", json!({ "store": false, "prompt": { "id": "p" } }), "prompt"),
        (
            "openai-responses",
            json!({ "store": false, "input": [{ "type": "item_reference", "id": "i" }] }),
            "item_reference",
        ),
        ("openai-chat", json!({ "messages": [{ "role": "assistant", "audio": { "id": "a" } }] }), "item_reference"),
        ("openai-chat", parts(&json!([{ "type": "file", "file": { "file_id": "f" } }])), "files"),
        ("anthropic-messages", json!({ "container": "c" }), "files"),
        ("anthropic-messages", parts(&json!([{ "type": "container_upload", "file_id": "f" }])), "files"),
        (
            "anthropic-messages",
            parts(&json!([{ "type": "document", "source": { "type": "file", "file_id": "f" } }])),
            "files",
        ),
    ] {
        let media = json!(["image", "audio", "file"]);
        let listed = json!({ "media": media, "state": [state] });
        assert_eq!(of(api, &json!({ "media": media }), &members), "state-refused", "{members}");
        assert_eq!(of(api, &listed, &members), "forwarded", "{members}");
    }
}

#[test]
fn an_item_that_is_only_named_is_a_reference() {
    let of_items = |items: Value| json!({ "store": false, "input": items });
    for members in [
        of_items(json!([{ "id": "msg_1" }])),
        of_items(json!([{ "id": "msg_1", "type": null }])),
        of_items(json!([{ "type": "reasoning", "id": "rs_1", "summary": [] }])),
    ] {
        assert_eq!(of("openai-responses", &json!({}), &members), "state-refused", "{members}");
        assert_eq!(of("openai-responses", &json!({ "state": ["item_reference"] }), &members), "forwarded", "{members}");
    }
    let kept = of_items(json!([{ "type": "reasoning", "id": "rs_1", "encrypted_content": "x", "summary": [] }]));
    assert_eq!(of("openai-responses", &json!({}), &kept), "forwarded");
}

#[test]
fn what_a_type_of_tools_brings_with_it_needs_its_own_permission() {
    let hosted = |tool: Value| json!({ "store": false, "tools": [tool] });
    let items = |item: Value| json!({ "store": false, "input": [item] });
    for (members, kind, code, more) in [
        (hosted(json!({ "type": "code_interpreter", "container": "c" })), "code_interpreter", "state-refused", "files"),
        (
            hosted(json!({ "type": "code_interpreter", "container": { "type": "auto", "file_ids": ["f"] } })),
            "code_interpreter",
            "state-refused",
            "files",
        ),
        (hosted(json!({ "type": "file_search", "vector_store_ids": ["v"] })), "file_search", "state-refused", "files"),
        (
            items(json!({ "type": "image_generation_call", "id": "ig" })),
            "image_generation_call",
            "state-refused",
            "item_reference",
        ),
        (
            items(
                json!({ "type": "computer_call_output", "output": { "type": "computer_screenshot", "image_url": "x" } }),
            ),
            "computer_call_output",
            "media-refused",
            "image",
        ),
    ] {
        let policy = json!({ "tools": true, "tool_types": [kind] });
        assert_eq!(of("openai-responses", &policy, &members), code, "{members}");
        let member = if code == "state-refused" { "state" } else { "media" };
        let mut admitted = policy.clone();
        admitted[member] = json!([more]);
        assert_eq!(of("openai-responses", &admitted, &members), "forwarded", "{members}");
    }
    let harmless = hosted(json!({ "type": "code_interpreter", "container": { "type": "auto" } }));
    let policy = json!({ "tools": true, "tool_types": ["code_interpreter"] });
    assert_eq!(of("openai-responses", &policy, &harmless), "forwarded");
}

#[test]
fn messages_and_parts_have_no_members_that_only_other_servers_know() {
    let message = |more: Value| {
        let mut message = json!({ "role": "user", "content": "x" });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "messages": [message] })
    };
    let part = |more: Value| {
        let mut part = json!({ "type": "text", "text": "x" });
        part.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parts(&json!([part]))
    };
    for (members, code) in [
        (message(json!({ "Content": [{ "type": "image_url" }] })), "member-unclear"),
        (message(json!({ "tools": [{ "type": "function" }] })), "member-unknown"),
        (message(json!({ "images": ["aGk="] })), "member-unknown"),
        (part(json!({ "Type": "image_url" })), "member-unclear"),
        (part(json!({ "type\0": "image_url" })), "member-unclear"),
        (part(json!({ "uuid": "1", "image_url": "x" })), "member-unknown"),
        (part(json!({ "image_url": "x" })), "media-refused"),
        (part(json!({ "input_audio": {} })), "media-refused"),
        (part(json!({ "video_url": "x" })), "member-unknown"),
        (json!({ "tools": [{ "type": "function", "Type": "web_search" }] }), "member-unclear"),
    ] {
        assert_eq!(of("openai-chat", &json!({}), &members), code, "{members}");
    }
    let known = json!({ "extra_members": ["reasoning_content"] });
    assert_eq!(of("openai-chat", &known, &message(json!({ "reasoning_content": "x" }))), "forwarded");
}

#[test]
fn an_embedding_is_one_of_text_or_tokens() {
    for input in [json!("x"), json!(["x", "y"]), json!([1, 2]), json!([[1, 2], [3]])] {
        assert_eq!(of("openai-embeddings", &json!({}), &json!({ "input": input })), "forwarded", "{input}");
    }
    for input in [json!({ "content": [] }), json!([{ "type": "image_url" }]), json!([[{ "type": "image_url" }]])] {
        assert_eq!(of("openai-embeddings", &json!({}), &json!({ "input": input })), "member-malformed", "{input}");
    }
}

#[test]
fn parts_are_nested_a_few_times_only() {
    let result = |content: Value| json!([{ "type": "tool_result", "tool_use_id": "t", "content": content }]);
    let nested = |depth: usize| parts(&(0..depth).fold(json!("x"), |inside, _| result(inside)));
    assert_eq!(of("anthropic-messages", &json!({}), &nested(3)), "forwarded");
    assert_eq!(of("anthropic-messages", &json!({}), &nested(4)), "member-malformed");
    let found = json!([{ "type": "search_result", "source": "x", "content": [{ "type": "image", "source": {} }] }]);
    assert_eq!(of("anthropic-messages", &json!({}), &parts(&found)), "media-refused");
}
