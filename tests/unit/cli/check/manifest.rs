//! `fastgate check --manifest`: the backends that the policy names, compared with `fastly.toml`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::provider;
use crate::rules::route;

/// A folder with a policy and, if given, a manifest.
fn folder(name: &str, manifest: Option<&str>) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fastgate-manifest-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut policy = provider::policy(&json!({ "routes": [route("/a", &json!({ "access": "public" }))] }));
    policy["origins"]["app"] = json!({ "audience": "app", "backends": { "eu": {}, "us": {} } });
    std::fs::write(folder.join("policy.json"), policy.to_string()).unwrap();
    if let Some(text) = manifest {
        std::fs::write(folder.join("fastly.toml"), text).unwrap();
    }
    folder
}

fn check(folder: &PathBuf, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"));
    let output = command.current_dir(folder).args(["check", "policy.json"]).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

const BOTH: &str = "[setup.backends.eu]\n[setup.backends.idp]\n[local_server.backends.eu]\n[local_server.backends.us]\n\
                    [local_server.backends.idp]\n";

#[test]
fn a_backend_that_the_manifest_does_not_declare_is_named_with_its_place() {
    let folder = folder("both", Some(BOTH));
    let expected = "$.origins.app.backends.us\n    names the backend \"us\", which [setup.backends] of the manifest does not have\n    \
                    → add [setup.backends.us] to the manifest, or name one of its backends\n";
    let (code, text) = check(&folder, &["--manifest", "fastly.toml"]);
    assert_eq!(
        (code, text.contains(expected), text.matches("names the backend").count()),
        (Some(1), true, 1),
        "{text}"
    );
    // Found beside the policy, it is only a hint: backends can be declared elsewhere.
    let (code, text) = check(&folder, &[]);
    assert_eq!((code, text.contains("does not have (a hint, not a fault)")), (Some(0), true), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_a_manifest_or_without_backends_in_it_nothing_is_compared() {
    for (name, manifest) in [("none", None), ("bare", Some("name = \"x\"\n[setup]\n"))] {
        let folder = folder(name, manifest);
        let (code, text) = check(&folder, &[]);
        assert_eq!((code, text.contains("names the backend")), (Some(0), false), "{text}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_an_error() {
    let folder = folder("broken", Some("[setup"));
    let (code, text) = check(&folder, &["--manifest", "fastly.toml"]);
    assert_eq!((code, text.contains("fastly.toml: "), text.contains(NOT_COMPARED)), (Some(2), true, false), "{text}");
    assert_eq!(check(&folder, &["--manifest", "other.toml"]).0, Some(2));
    for (text, expected) in
        [("[setup]\nbackends = []\n", "setup.backends is not a table"), ("name = \"x\"\n", "declares no backends")]
    {
        std::fs::write(folder.join("other.toml"), text).unwrap();
        let (code, printed) = check(&folder, &["--manifest", "other.toml"]);
        assert_eq!((code, printed.contains(expected)), (Some(2), true), "{printed}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// What the hint says.
const NOT_COMPARED: &str =
    "cannot be read, so the backends of the policy are not compared with it (a hint, not a fault)";

#[test]
fn a_manifest_beside_the_policy_that_cannot_be_read_hides_no_finding() {
    for (name, manifest) in [("beside", "[setup"), ("beside-list", "[setup]\nbackends = []\n")] {
        let folder = folder(name, Some(manifest));
        let (code, text) = check(&folder, &[]);
        let is_hint = text.contains("fastly.toml: ") && text.contains(NOT_COMPARED) && text.contains("--manifest FILE");
        assert_eq!((code, is_hint, text.ends_with("policy.json: valid\n")), (Some(0), true, true), "{text}");
        let policy = folder.join("policy.json");
        std::fs::write(&policy, std::fs::read_to_string(&policy).unwrap().replacen("\"access\"", "\"acess\"", 1))
            .unwrap();
        let (code, text) = check(&folder, &[]);
        let has_both = text.contains(".acess (route") && text.contains(NOT_COMPARED);
        assert_eq!((code, has_both, text.contains("1 fault")), (Some(1), true, true), "{text}");
        // One that was asked for is an error, in addition to the faults of the policy.
        let (code, text) = check(&folder, &["--manifest", "fastly.toml"]);
        assert_eq!(
            (code, text.contains(".acess (route"), text.contains("fastly.toml: ")),
            (Some(2), true, true),
            "{text}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
