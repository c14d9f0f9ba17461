//! `fastgate purge`, run as a program.

use std::process::{Command, Output};

use fastgate::caching::Generations;
use serde_json::Value;

fn purge(arguments: &[&str]) -> Output {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"));
    tool.arg("purge").args(arguments).env_remove("FASTLY_API_TOKEN").output().unwrap()
}

#[test]
fn it_prints_a_record_with_the_next_generation_of_the_origin() {
    let path = std::env::temp_dir().join(format!("fastgate-purge-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"app":3,"other":7}"#).unwrap();
    let printed = |arguments: &[&str]| {
        let output = purge(arguments);
        assert!(output.status.success(), "{output:?}");
        let entry: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(entry["key"], "purge");
        let record = entry["value"].as_str().unwrap().to_owned();
        assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("--value '{record}'")));
        assert!(Generations::parse(record.as_bytes()).is_some());
        record
    };
    assert_eq!(printed(&["--audience", "app", "--record", path.to_str().unwrap()]), r#"{"app":4,"other":7}"#);
    assert_eq!(printed(&["--audience", "app"]), r#"{"app":1}"#);
    for record in ["[]", "{\"app\":\"3\"}", ""] {
        std::fs::write(&path, record).unwrap();
        let output = purge(&["--audience", "app", "--record", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{record}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("not a record of purges"));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(purge(&["--audience", "app", "--record", path.to_str().unwrap()]).status.code(), Some(2));
    assert_eq!(purge(&["--audience", ""]).status.code(), Some(2));
}
