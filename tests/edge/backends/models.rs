//! Requests to models, of which each backend has its own. Row O18 of `docs/attacks.md`.

use serde_json::json;

use super::{Does, Gate, region};

#[test]
fn each_model_runs_at_its_backend_in_the_region_of_the_caller() {
    let gate = Gate::start(&json!({
        "backends": {
            "eu_small": { "region": "eu", "models": ["small"] }, "eu_large": { "region": "eu", "models": ["large"] },
            "us_all": { "region": "us", "models": ["small", "large"] }
        },
        "regions": { "eu": {}, "us": {} },
        "selection": { "region_by": [{ "by": "tenant", "regions": { "acme": "eu", "globex": "us" } }] }
    }));
    let ask = |tenant: &str, body: &str| {
        let fields = format!("content-type: application/json\r\nauthorization: Bearer {}\r\n", gate.token(tenant));
        gate.send("POST /v1/chat/completions", &fields, body)
    };
    let body = |model: &str| {
        format!("{{ \"messages\": [{{\"role\":\"user\",\"content\":\"caf\u{e9}\"}}], \"model\": \"{model}\" }}")
    };
    for (tenant, model, at_origin, backend, in_region) in [
        ("acme", "small", "small", "eu_small", "eu"),
        ("acme", "large", "vendor/large-2026", "eu_large", "eu"),
        ("globex", "small", "small", "us_all", "us"),
        ("globex", "large", "vendor/large-2026", "us_all", "us"),
    ] {
        let reply = ask(tenant, &body(model));
        assert_eq!((reply.status, reply.text().as_str()), (200, backend), "{tenant} {model}");
        let arrived = gate.seen(backend);
        let arrived = arrived.last().unwrap();
        assert_eq!(String::from_utf8(arrived.body.clone()).unwrap(), body(at_origin));
        assert_eq!(region(arrived), in_region);
        let log = gate.log_of(&reply);
        assert_eq!((&log["backend"], &log["model"]), (&json!(backend), &json!(model)));
    }
    // Its only backend fails, again and again: no other model runs in its place, and no other region.
    gate.tell("eu_large", Does::Close);
    let counts = ["eu_small", "us_all"].map(|name| gate.count(name));
    for _ in 0..8 {
        assert!([502, 503].contains(&ask("acme", &body("large")).status));
    }
    assert_eq!(["eu_small", "us_all"].map(|name| gate.count(name)), counts);
    assert_eq!(ask("acme", &body("small")).text(), "eu_small");
}
