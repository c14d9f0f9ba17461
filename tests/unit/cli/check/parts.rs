//! A policy in several files: `check --routes`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::provider;
use crate::rules::route;

/// The exit code and the output, with the directory of the files removed.
fn check_files(name: &str, files: &[(&str, &str)]) -> (Option<i32>, String) {
    let directory = std::env::temp_dir().join(format!("fastgate-parts-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|(file, _)| directory.join(file)).collect();
    for (path, (_, text)) in paths.iter().zip(files) {
        std::fs::write(path, text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"));
    command.arg("check").arg(&paths[0]);
    for path in &paths[1..] {
        command.arg("--routes").arg(path);
    }
    let output = command.output().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.code(), said.replace(&format!("{}/", Path::new(&directory).display()), ""))
}

fn routes(list: &[Value]) -> String {
    json!({ "routes": list }).to_string()
}

#[test]
fn a_repeated_member_in_a_part_is_found() {
    let base = provider::policy(&json!({ "rules": { "staff": { "role": "a" } } })).to_string();
    let added = routes(&[route("/", &json!({ "require": { "rule": "staff" } }))]);
    assert_eq!(check_files("good", &[("base", &base), ("add", &added)]).0, Some(0));
    let twice = base.replace(r#""staff":{"#, r#""staff":{"scope":"any"},"staff":{"#);
    let opened = added.replace(r#""id":"#, r#""access":"public","access":"authenticated","id":"#);
    for (files, said) in [
        ([("base", &twice), ("add", &added)], "base: the member \"staff\" occurs twice"),
        ([("base", &base), ("add", &opened)], "add: the member \"access\" occurs twice"),
    ] {
        let (code, text) = check_files("twice", &files.map(|(name, text)| (name, text.as_str())));
        assert!(code == Some(2) && text.starts_with(said), "{text}");
    }
}

#[test]
fn only_routes_are_added() {
    let base = provider::policy(&json!({})).to_string();
    let more = json!({ "routes": [route("/", &json!({}))], "issuers": { "z": 1 } }).to_string();
    let (code, text) = check_files("more", &[("base", &base), ("add", &more)]);
    assert!(code == Some(2) && text.starts_with("add: has \"issuers\""), "{text}");
}

#[test]
fn the_location_of_a_fault_is_in_its_own_file() {
    let base = provider::policy(&json!({ "routes": [route("/", &json!({ "limits": ["none"] }))] })).to_string();
    let one = routes(&[]);
    let two = routes(&[route("/a", &json!({ "id": "a" })), route("/b", &json!({ "id": "b", "limits": ["none"] }))]);
    let three = routes(&[route("/c", &json!({ "id": "c", "limits": ["none"] }))]);
    let (code, text) = check_files("places", &[("base", &base), ("one", &one), ("two", &two), ("three", &three)]);
    let places: Vec<_> = text.lines().filter(|line| line.contains('$')).collect();
    let expected = [
        "$.routes[0].limits[0] (route \"route\")",
        "two: $.routes[1].limits[0] (route \"b\")",
        "three: $.routes[0].limits[0] (route \"c\")",
    ];
    assert!(code == Some(1) && places == expected, "{text}");
    // The same for faults of shape and hints.
    let base = provider::policy(&json!({})).to_string();
    for (parts, place, code) in [
        (json!({ "acess": "public" }), "two: $.routes[0].acess (route \"route\")", 1),
        (json!({ "access": "public", "forward_token": true }), "two: $.routes[0].forward_token (route \"route\")", 0),
    ] {
        let two = routes(&[route("/b", &parts)]);
        let one = routes(&[route("/a", &json!({ "id": "a" }))]);
        let (found, text) = check_files("kinds", &[("base", &base), ("one", &one), ("two", &two)]);
        assert!(found == Some(code) && text.lines().next() == Some(place), "{text}");
    }
}
