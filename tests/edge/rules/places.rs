//! Places: countries, networks, ACLs, with client addresses from several countries.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::json;

use super::gate::{Gate, Setting, get, minted};

const BERLIN: &str = "198.51.100.10";
const SAN_FRANCISCO: &str = "198.51.100.20";
const TOKYO: &str = "2001:db8:81::1";
const NOWHERE: &str = "203.0.113.99";

/// A geolocation table; `region`, connection and proxy differ.
pub(crate) fn world() -> String {
    let mut toml = "[local_server.geolocation]\nformat = \"inline-toml\"\nuse_default_loopback = false\n".to_owned();
    for (address, country, continent, region, asn, connection, proxy) in [
        (BERLIN, "DE", "EU", "BE", 64500, "wired", "?"),
        (SAN_FRANCISCO, "US", "NA", "CA", 64501, "mobile", "hosting"),
        (TOKYO, "JP", "AS", "13", 64502, "wifi", "?"),
    ] {
        writeln!(
            toml,
            "[local_server.geolocation.addresses.\"{address}\"]\nas_name = \"n\"\nas_number = {asn}\narea_code = 0\n\
             city = \"c\"\nconn_speed = \"cable\"\nconn_type = \"{connection}\"\ncontinent = \"{continent}\"\n\
             country_code = \"{country}\"\ncountry_code3 = \"XXX\"\ncountry_name = \"n\"\nlatitude = 0.0\n\
             longitude = 0.0\nmetro_code = 0\npostal_code = \"0\"\nproxy_description = \"?\"\nproxy_type = \"{proxy}\"\n\
             region = \"{region}\"\nutc_offset = 0"
        )
        .unwrap();
    }
    toml
}

/// The gate of all these tests.
static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let public = |id: &str, place: &str| json!({ "id": id, "path": format!("/{id}"), "methods": ["GET"], "access": "public", "from": [place] });
    let parts = json!({
        "places": {
            "europe": { "allow": [{ "continent": ["EU"] }, { "network": ["203.0.113.0/28"] }] },
            "sanctions": { "deny": [{ "country": ["JP"] }], "status": 451 },
            "people": { "deny": [{ "proxy": ["hosting"] }, { "asn": [64999] }], "unknown_passes": ["proxy", "asn"] },
            "california": { "allow": [{ "subdivision": ["US-CA"] }] },
            "office": { "allow": [{ "acl": ["office"] }], "deny": [{ "acl": ["banned"] }] },
            "missing": { "allow": [{ "acl": ["nowhere"] }] },
            "shadowed": { "allow": [{ "country": ["DE"] }], "shadow": true }
        },
        "routes": [
            public("europe", "europe"), public("sanctions", "sanctions"), public("people", "people"),
            public("california", "california"), public("office", "office"), public("missing", "missing"),
            public("shadowed", "shadowed")
        ]
    });
    let folder = std::env::temp_dir().join(format!("fastgate-acls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let acl = |name: &str, entries: serde_json::Value| {
        let path = folder.join(format!("{name}.json"));
        std::fs::write(&path, json!({ "entries": entries }).to_string()).unwrap();
        format!("{name} = {:?}\n", path.display().to_string())
    };
    let acls = acl(
        "office",
        json!([
            { "op": "create", "prefix": "192.0.2.0/24", "action": "ALLOW" },
            { "op": "create", "prefix": "192.0.2.13/32", "action": "BLOCK" }
        ]),
    ) + &acl("banned", json!([{ "op": "create", "prefix": "192.0.2.66/32", "action": "BLOCK" }]));
    Gate::with(&parts, &Setting { manifest: format!("{}\n[local_server.acls]\n{acls}", world()), ..Setting::default() })
});

#[test]
fn admission_depends_on_where_the_platform_locates_the_client() {
    let gate = &*GATE;
    let passes = |client: &str, path: &str| {
        let response = gate.send_from(client.parse().unwrap(), get(path));
        assert_eq!(response.status, 200, "{client} {path}");
    };
    let refused = |client: &str, path: &str, status: u16, code: &str| {
        let kind = if status == 451 { "unavailable-for-legal-reasons" } else { "place-refused" };
        assert_eq!(gate.refusal(client, get(path)), (status, kind.into(), code.into()), "{client} {path}");
    };
    passes(BERLIN, "/europe");
    passes("::ffff:198.51.100.10", "/europe");
    passes("203.0.113.5", "/europe");
    passes("::ffff:203.0.113.5", "/europe");
    refused(SAN_FRANCISCO, "/europe", 403, "place-not-allowed");
    refused(TOKYO, "/europe", 403, "place-not-allowed");
    refused(NOWHERE, "/europe", 403, "place-unknown");

    passes(BERLIN, "/sanctions");
    refused(TOKYO, "/sanctions", 451, "place-denied");
    refused(NOWHERE, "/sanctions", 451, "place-unknown");

    passes(BERLIN, "/people");
    passes(NOWHERE, "/people");
    refused(SAN_FRANCISCO, "/people", 403, "place-denied");

    passes(SAN_FRANCISCO, "/california");
    refused(BERLIN, "/california", 403, "place-not-allowed");

    passes("192.0.2.1", "/office");
    passes("::ffff:192.0.2.1", "/office");
    refused("192.0.2.13", "/office", 403, "place-not-allowed");
    refused("192.0.2.66", "/office", 403, "place-denied");
    refused(BERLIN, "/office", 403, "place-not-allowed");
    refused(BERLIN, "/missing", 403, "place-unknown");
}

#[test]
fn no_header_changes_the_location_of_a_client() {
    let gate = &*GATE;
    for name in ["x-forwarded-for", "fastly-client-ip", "x-real-ip", "true-client-ip", "forwarded", "cf-connecting-ip"]
    {
        let mut request = get("/europe");
        request.headers_mut().insert(name, BERLIN.parse().unwrap());
        assert_eq!(gate.refusal(TOKYO, request).2, "place-not-allowed", "{name}");
    }
}

#[test]
fn the_facts_that_a_place_tests_are_in_the_identity_header() {
    let gate = &*GATE;
    let seen = [(BERLIN, "/europe"), (BERLIN, "/people"), (SAN_FRANCISCO, "/california")].map(|(client, path)| {
        let response = gate.send_from(client.parse().unwrap(), get(path));
        minted(&gate.arrival(&response).unwrap())["rctx"].clone()
    });
    assert_eq!(
        seen,
        [
            json!({ "country": "DE", "continent": "EU" }),
            json!({ "country": "DE", "asn": 64500 }),
            json!({ "country": "US", "subdivision": "US-CA" })
        ]
    );
}

#[test]
fn a_place_in_shadow_is_evaluated_and_logged_and_refuses_no_client() {
    let gate = &*GATE;
    for (client, shadow) in [
        (BERLIN, json!(null)),
        (TOKYO, json!(["would-refuse place-not-allowed"])),
        (NOWHERE, json!(["would-refuse place-unknown"])),
    ] {
        let response = gate.send_from(client.parse().unwrap(), get("/shadowed"));
        let line = gate.line(&response);
        assert_eq!((response.status, &line["verdict"], &line["shadow"]), (200, &json!("forwarded"), &shadow));
    }
}
