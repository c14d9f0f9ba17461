//! Which backend gets a request to a model: first the region, then the model, then affinity. Row O18 of
//! docs/attacks.md.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::offline::fakes::{FakeBody, SkippedBackends};
use crate::offline::{Gate, Outcome, get, request};
use crate::random::Random;
use crate::rules::{gate_of, token};

/// A policy with the routes `/v1/chat` and `/v1/responses` for the models `small` and `large`, and perhaps `/plain`.
fn policy(origin: &Value, inference: &Value, is_plain: bool) -> Value {
    let mut section = json!({ "api": "openai-chat", "models": { "small": {}, "large": {} } });
    section.as_object_mut().unwrap().extend(inference.as_object().unwrap().clone());
    let mut responses = section.clone();
    responses["api"] = json!("openai-responses");
    responses["state"] = json!(["store", "conversation"]);
    let route = |id: &str, inference: &Value| json!({ "id": id, "path": format!("/v1/{id}"), "methods": ["POST"], "access": "optional", "inference": inference });
    let mut routes = vec![route("chat", &section), route("responses", &responses)];
    if is_plain {
        routes.push(json!({ "id": "plain", "path": "/plain", "methods": ["GET"], "access": "optional" }));
    }
    let mut policy = crate::provider::policy(&json!({ "routes": routes }));
    policy["origins"]["app"] = origin.clone();
    policy["origins"]["app"]["audience"] = json!("app");
    policy["issuers"]["main"]["claims"] = json!({ "tenant": "tid" });
    policy
}

fn gate(origin: &Value, inference: &Value) -> Gate {
    gate_of(&policy(origin, inference, false))
}

/// The place of each fault, and its remedy.
fn faults(policy: &Value) -> Vec<(String, String)> {
    let found = fastgate::policy::Policy::parse(policy.to_string().as_bytes()).unwrap_err();
    found.0.iter().map(|fault| (fault.to_string(), fault.fault.remedy().to_owned())).collect()
}

fn send_to(gate: &Gate, path: &str, token: Option<&str>, body: &Value) -> Outcome {
    gate.fakes().body = FakeBody::of(body.to_string().as_bytes());
    let mut request = request("POST", path).field("content-type", "application/json");
    if let Some(token) = token {
        request = request.bearer(token);
    }
    gate.send(request)
}

fn backend(gate: &Gate, body: &Value) -> String {
    send_to(gate, "/v1/chat", None, body).grant().backend().to_owned()
}

fn said(role: &str, text: &str) -> Value {
    json!({ "role": role, "content": text })
}

fn chat(messages: &[Value]) -> Value {
    json!({ "model": "small", "messages": messages })
}

const FOUR: &str = r#"{ "backends": { "a": {}, "b": {}, "c": {}, "d": {} } }"#;

/// A gate with four backends and this affinity.
fn by(affinity: &str) -> Gate {
    gate(&serde_json::from_str(FOUR).unwrap(), &json!({ "affinity": affinity }))
}

#[test]
fn requests_of_a_conversation_get_one_backend_and_conversations_are_spread() {
    let gate = by("conversation");
    // Longer than what counts of a message, as instructions often are.
    let instructions = "You help. ".repeat(2000);
    let mut all = BTreeSet::new();
    for number in 0..40 {
        let mut messages = vec![said("system", &instructions), said("user", &format!("question {number}"))];
        let first = backend(&gate, &chat(&messages));
        for turn in 0..3 {
            messages.extend([said("assistant", &format!("answer {turn}")), said("user", &format!("then {turn}"))]);
            let mut body = chat(&messages);
            body["temperature"] = json!(turn);
            assert_eq!(backend(&gate, &body), first);
        }
        all.insert(first);
    }
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn the_form_of_the_first_message_and_markers_of_the_provider_make_no_other_conversation() {
    let part = json!([{ "type": "text", "text": "a", "cache_control": { "type": "ephemeral", "ttl": "1h" } }]);
    let gate = by("conversation");
    let keys: BTreeSet<_> = (0..20)
        .map(|number| {
            let text = format!("question {number}");
            let mut part = part.clone();
            part[0]["text"] = json!(text);
            let mut plain = part.clone();
            plain[0].as_object_mut().unwrap().remove("cache_control");
            let same: BTreeSet<_> = [part, plain, json!(text)]
                .map(|content| backend(&gate, &chat(&[json!({ "role": "user", "content": content })])))
                .into();
            assert_eq!(same.len(), 1);
            let of = |input: Value| {
                let body = json!({ "model": "small", "input": input });
                send_to(&gate, "/v1/responses", None, &body).grant().backend().to_owned()
            };
            let (said, answer) = (said("user", &text), said("assistant", "yes"));
            assert_eq!(of(json!(text)), of(json!([said, answer, { "role": "user", "content": "go on" }])));
            same
        })
        .collect();
    assert!(keys.len() > 1);
}

#[test]
fn a_key_that_the_client_names_counts_in_place_of_the_conversation() {
    let gate = by("conversation");
    let keyed = |member: &str, number: usize, text: &str| {
        let mut body = json!({ "model": "small", "input": text });
        body[member] = json!(format!("key-{number}"));
        send_to(&gate, "/v1/responses", None, &body).grant().backend().to_owned()
    };
    for member in ["prompt_cache_key", "conversation"] {
        let of_key = |number| {
            let all: BTreeSet<_> = (0..10).map(|text| keyed(member, number, &format!("text {text}"))).collect();
            assert_eq!(all.len(), 1, "{member}");
            all
        };
        assert!((0..20).map(of_key).collect::<BTreeSet<_>>().len() > 1, "{member}");
    }
    let mut body = chat(&[said("user", "a")]);
    body["prompt_cache_key"] = Value::Null;
    assert_eq!(backend(&gate, &body), backend(&gate, &chat(&[said("user", "a")])), "null is absent");
}

#[test]
fn requests_of_a_caller_get_one_backend() {
    let gate = by("caller");
    let of = |subject: usize| {
        let token = token(json!({ "sub": format!("user-{subject}") }));
        let texts = (0..5).map(|text| chat(&[said("user", &format!("text {text}"))]));
        let all: BTreeSet<_> =
            texts.map(|body| send_to(&gate, "/v1/chat", Some(&token), &body).grant().backend().to_owned()).collect();
        assert_eq!(all.len(), 1);
        all
    };
    assert!((0..20).map(of).collect::<BTreeSet<_>>().len() > 1);
}

#[test]
fn a_backend_gets_only_requests_for_its_models() {
    let origin = json!({ "backends": { "s": { "models": ["small"] }, "l": { "models": ["large"] }, "rest": {} } });
    let gate = gate_of(&policy(&origin, &json!({ "affinity": "conversation" }), true));
    let mut found = BTreeSet::new();
    for number in 0..30 {
        for model in ["small", "large"] {
            let body = json!({ "model": model, "messages": [said("user", &number.to_string())] });
            found.insert((model, backend(&gate, &body)));
        }
        found.insert(("", gate.send(get("/plain")).grant().backend().to_owned()));
    }
    let expected = [("", "rest"), ("large", "l"), ("large", "rest"), ("small", "rest"), ("small", "s")];
    assert_eq!(found, expected.map(|(model, name)| (model, name.to_owned())).into());
    // Also if all that may serve it are skipped.
    gate.skipped.replace(["s", "rest", "l"].map(str::to_owned).to_vec());
    for _ in 0..10 {
        assert_ne!(backend(&gate, &chat(&[said("user", "a")])), "l");
    }
    assert_eq!(gate.send(get("/plain")).grant().backend(), "rest");
}

/// `eu` has only the small model; `ch` stands in for it; `us` has both.
fn regions() -> Value {
    json!({
        "backends": {
            "eu_s": { "region": "eu", "models": ["small"] }, "ch_all": { "region": "ch" },
            "ch_next": { "region": "ch", "version": "next", "models": ["large"] }, "us_all": { "region": "us" }
        },
        "regions": { "eu": { "jurisdiction": "europe", "fallback": "ch" }, "ch": { "jurisdiction": "europe" }, "us": {} },
        "selection": {
            "region_by": [
                { "by": "tenant", "regions": { "acme": "eu", "globex": "us" } }, { "by": "country", "regions": { "CH": "us" } }
            ],
            "version_by": { "header": "x-version" }
        }
    })
}

#[test]
fn the_region_comes_before_the_model_and_a_claim_before_the_place() {
    let gate = gate(&regions(), &json!({}));
    let acme = token(json!({ "tid": "acme" }));
    let sent = |token: Option<&str>, model: &str| {
        let outcome = send_to(&gate, "/v1/chat", token, &json!({ "model": model, "messages": [] }));
        let region = outcome.minted()["rctx"]["region"].as_str().unwrap().to_owned();
        (outcome.grant().backend().to_owned(), region)
    };
    let expected = |name: &str, region: &str| (name.to_owned(), region.to_owned());
    assert_eq!(sent(Some(&acme), "small"), expected("eu_s", "eu"));
    assert_eq!(sent(Some(&acme), "large"), expected("ch_all", "ch"), "never that of another jurisdiction");
    assert_eq!(sent(None, "large"), expected("us_all", "us"));
    gate.skipped.replace(["eu_s", "ch_all"].map(str::to_owned).to_vec());
    assert!(["eu", "ch"].contains(&sent(Some(&acme), "small").1.as_str()));
    assert_eq!(sent(Some(&acme), "large"), expected("ch_all", "ch"));
}

#[test]
fn a_version_is_that_of_the_first_region_with_the_model() {
    let gate = gate(&regions(), &json!({}));
    let acme = token(json!({ "tid": "acme" }));
    let sent = |model: &str| {
        let body = json!({ "model": model, "messages": [] });
        gate.fakes().body = FakeBody::of(body.to_string().as_bytes());
        let request = request("POST", "/v1/chat").field("content-type", "application/json").bearer(&acme);
        gate.send(request.field("x-version", "next")).grant().backend().to_owned()
    };
    assert_eq!((sent("large"), sent("small")), ("ch_next".to_owned(), "eu_s".to_owned()));
}

#[test]
fn a_model_without_a_backend_and_a_route_without_one_are_faults() {
    let found = |origin: &Value, is_plain| faults(&policy(origin, &json!({}), is_plain));
    let not_served = "add it to \"models\" of a backend there, or leave \"models\" out at one of them";
    let of_model =
        |route: usize, what: &str| (format!("$.routes[{route}].inference.models.large: {what}"), not_served.to_owned());
    let one = json!({ "backends": { "s": { "models": ["small"] }, "other": { "models": ["small"] } } });
    let what = "is served by no backend without \"version\"";
    assert_eq!(found(&one, false), [of_model(0, what), of_model(1, what)]);
    // The origin with one backend has no choice, but its models are checked as well.
    let one = json!({ "backends": { "s": { "models": ["small"] } } });
    assert_eq!(found(&one, false), [of_model(0, what), of_model(1, what)]);
    let none = json!({ "backends": { "s": { "models": ["small", "large"] } } });
    let plain = (
        "$.routes[2].origin: has only backends with \"models\", and this route is for no model".to_owned(),
        "name an origin for such requests, or add a backend without \"models\" and \"version\" there".to_owned(),
    );
    assert_eq!(found(&none, true), [plain]);
    // A backend that gets no requests, or only those of a version, does not count.
    for other in [json!({ "weight": 0 }), json!({ "version": "next" })] {
        let mut origin = none.clone();
        origin["backends"]["other"] = other.clone();
        if other.get("version").is_some() {
            origin["selection"] = json!({ "version_by": { "header": "x-version" } });
        }
        assert_eq!(found(&origin, true).len(), 1, "{other}");
    }
    let mut eu = regions();
    eu["backends"]["ch_all"]["models"] = json!(["small"]);
    let all = found(&eu, true);
    let of_region = |name: &str, place: &str, what: &str| {
        assert!(
            all.iter().any(|(fault, _)| *fault == format!("{place}: {what} for requests of region \"{name}\"")),
            "{all:?}"
        );
    };
    for name in ["eu", "ch"] {
        of_region(name, "$.routes[0].inference.models.large", what);
        let fault = format!(
            "$.routes[2].origin: has only backends with \"models\" for requests of region \"{name}\", and this route is for no model"
        );
        assert!(all.iter().any(|(found, _)| *found == fault), "{all:?}");
    }
    assert!(all.iter().all(|(fault, _)| !fault.contains("\"us\"")), "{all:?}");
    // Requests of these regions are refused in any case.
    let mut policy = policy(&eu, &json!({}), false);
    for route in policy["routes"].as_array_mut().unwrap() {
        route["regions"] = json!(["us"]);
    }
    crate::offline::policy_of(&policy);
}

#[test]
fn models_that_no_route_has_are_faults() {
    let unused = |origin: &Value| faults(&policy(origin, &json!({}), false));
    let remedy = "write the name that callers use, as in \"inference.models\" of a route, or leave it out".to_owned();
    let at = "$.origins.app.backends.s.models";
    let origin = json!({ "backends": { "s": { "models": ["small", "vendor/small"] }, "rest": {} } });
    assert_eq!(
        unused(&origin),
        [(format!("{at}: has \"vendor/small\", which is a model of no route with this origin"), remedy)]
    );
    let (empty, _) = unused(&json!({ "backends": { "s": { "models": [] }, "rest": {} } })).remove(0);
    assert_eq!(empty, format!("{at}: is empty"));
    let mut wrong = policy(&json!({ "backends": { "s": {} } }), &json!({ "affinity": "conversation" }), false);
    for (api, is_fault) in [("openai-embeddings", true), ("openai-chat", false)] {
        wrong["routes"][0]["inference"]["api"] = json!(api);
        let parsed = fastgate::policy::Policy::parse(wrong.to_string().as_bytes());
        assert_eq!(parsed.is_err(), is_fault, "{api}");
    }
}

/// For any policy that is accepted and any request, every backend that may get it serves its model, and is in a region of its
/// chain that the route admits; and there is one.
#[test]
fn every_backend_of_a_request_serves_its_model_within_its_regions() {
    let random = &mut Random(15);
    let (mut accepted, mut sent) = (0, 0);
    for _ in 0..600 {
        let names = ["eu", "ch", "us"];
        let mut backends = serde_json::Map::new();
        for number in 0..(3 + random.below(7)) {
            let mut backend = json!({ "region": names[number % 3], "priority": 1 + random.below(2) });
            if random.below(2) == 0 {
                backend["models"] = json!(random.pick(&[&["small"][..], &["large"], &["small", "large"]]));
            }
            if random.below(4) == 0 {
                backend["version"] = json!("next");
            }
            if random.below(8) == 0 {
                backend["weight"] = json!(0);
            }
            backends.insert(format!("b{number}"), backend);
        }
        let origin = json!({
            "backends": backends, "regions": { "eu": { "fallback": "ch" }, "ch": {}, "us": { "fallback": "eu" } },
            "selection": {
                "region_by": [{ "by": "country", "regions": { "DE": "eu", "CH": "ch" } }], "default_region": "us",
                "version_by": { "header": "x-version" }
            },
            "retries": { "limit": 3 }
        });
        let affinity = random.pick(&["conversation", "caller"]);
        let mut policy = policy(&origin, &json!({ "affinity": affinity }), random.below(2) == 0);
        let admitted = random.pick(&[&["eu", "ch", "us"][..], &["ch"], &["eu", "us"]]);
        for route in policy["routes"].as_array_mut().unwrap() {
            route["regions"] = json!(admitted);
        }
        if fastgate::policy::Policy::parse(policy.to_string().as_bytes()).is_err() {
            continue;
        }
        accepted += 1;
        let gate = gate_of(&policy);
        let is_plain = policy["routes"].as_array().unwrap().len() > 2;
        for _ in 0..10 {
            let model = random.pick(&[Some("small"), Some("large"), None]);
            if model.is_none() && !is_plain {
                continue;
            }
            let (country, chain) =
                random.pick(&[("DE", &["eu", "ch"][..]), ("CH", &["ch"]), ("US", &["us", "eu", "ch"])]);
            let skipped = backends_of(&origin).filter(|_| random.below(2) == 0).collect();
            gate.skipped.replace(skipped);
            let mut request = match model {
                Some(_) => request("POST", "/v1/chat").field("content-type", "application/json"),
                None => get("/plain"),
            };
            if let Some(model) = model {
                let body = json!({ "model": model, "messages": [said("user", &random.below(9).to_string())] });
                gate.fakes().body = FakeBody::of(body.to_string().as_bytes());
            }
            request.client.country = Some(country.to_owned());
            if random.below(2) == 0 {
                request = request.field("x-version", "next");
            }
            let outcome = gate.send(request);
            if !chain.iter().any(|region| admitted.contains(region)) {
                assert_eq!(outcome.trail.verdict, "other-region");
                continue;
            }
            let backends = &gate.gateway.policy().routes()[0].origin().unwrap().backends;
            let mut candidates = Some(outcome.grant().candidates().clone());
            while let Some(tried) = candidates {
                let backend = tried.current().expect("there is always one");
                let declared = &origin["backends"][&backend.name];
                let serves = declared["models"]
                    .as_array()
                    .map(|models| model.is_some_and(|model| models.contains(&json!(model))));
                let region = declared["region"].as_str().unwrap();
                assert!(
                    serves != Some(false) && chain.contains(&region) && admitted.contains(&region),
                    "{backend:?} {origin}"
                );
                assert_ne!(declared["weight"], 0);
                sent += 1;
                candidates = tried.after_failure(backends, &mut SkippedBackends(&gate.skipped));
            }
        }
    }
    assert!(accepted > 50 && sent > 500, "{accepted} {sent}");
}

fn backends_of(origin: &Value) -> impl Iterator<Item = String> {
    origin["backends"].as_object().unwrap().keys().cloned()
}
