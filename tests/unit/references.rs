//! References in documents and comments exist: targets of the Makefile, files of the tree, constants and types in the
//! files that are named for them.

use std::collections::BTreeMap;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn references_in_documents_and_comments_exist() {
    let found: Vec<_> = texts().iter().flat_map(|(file, text)| faults(file, text)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_wrong_reference_is_noticed() {
    for (text, complaint) in [
        ("by `make nothing`", "there is no target"),
        ("see `src/nowhere.rs`", "there is no file"),
        ("see `docs/nowhere.md`", "there is no file"),
        ("`NOTHING` in `src/mint.rs`", "does not declare NOTHING"),
        ("`src/mint.rs` (`EdgeClaims`)", "does not declare EdgeClaims"),
    ] {
        assert!(faults("x.md", text).join(" ").contains(complaint), "{text}: {:?}", faults("x.md", text));
    }
    for text in [
        "by `make test`",
        "`FASTGATE_WRITE_DOCS=1 make edge-tests`",
        "`src/mint.rs`, `docs/*.md`, `tests/data/contract/`",
        "`rctx.iss` in `docs/concepts/identity-header.md` (`iss`)",
        "`MAX_IDENTITY_BYTES` in `src/mint.rs`; `Minter` and `x`",
        "`src/mint/claims.rs` (`EdgeClaims`), `origin/src/fastgate/claims.py` (`EdgeClaims`)",
    ] {
        assert_eq!(faults("x.md", text), [""; 0], "{text}");
    }
}

/// The references of one text that do not exist.
fn faults(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let pieces: Vec<_> = text.split('`').collect();
    for at in (1..pieces.len()).step_by(2) {
        let (code, neighbours) = (pieces[at], (pieces.get(at - 1), pieces.get(at + 1)));
        let target = code.split_once("make ").filter(|(before, _)| before.is_empty() || before.ends_with(' '));
        if let Some(target) = target.and_then(|(_, rest)| rest.split_whitespace().next())
            && !read("Makefile").lines().any(|line| line.starts_with(&format!("{target}:")))
        {
            found.push(format!("{name}: there is no target {target}"));
        }
        if !is_file(code) {
            continue;
        }
        if !Path::new(ROOT).join(code).exists() {
            found.push(format!("{name}: there is no file {code}"));
            continue;
        }
        if !Path::new(code).extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            continue;
        }
        let before = neighbours.0.filter(|between| **between == " in ").and_then(|_| pieces.get(at.wrapping_sub(2)));
        let behind = neighbours.1.filter(|between| **between == " (").and_then(|_| pieces.get(at + 2));
        let undeclared = before.into_iter().chain(behind).filter(|word| !declares(&read(code), word));
        found.extend(undeclared.map(|word| format!("{name}: {code} does not declare {word}")));
    }
    found
}

/// A path in the tree, and no pattern.
fn is_file(code: &str) -> bool {
    let folders = ["src/", "tests/", "docs/", "dev/", "origin/"];
    let plain = code.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    plain && folders.iter().any(|folder| code.starts_with(folder)) && Path::new(code).extension().is_some()
}

fn declares(source: &str, name: &str) -> bool {
    let keywords = ["const ", "struct ", "enum ", "trait ", "fn ", "class ", "def "];
    let ends = |rest: &str| !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let declared = |keyword: &&str| source.split(&format!("{keyword}{name}")).skip(1).any(ends);
    keywords.iter().any(declared) || source.lines().any(|line| line.starts_with(&format!("{name} = ")))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap()
}

/// The documents, and the comments of the sources, by path.
fn texts() -> BTreeMap<String, String> {
    fn collect(folder: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            let extension = Path::new(&name).extension().and_then(|extension| extension.to_str()).map(str::to_owned);
            match extension.as_deref() {
                _ if entry.path().is_dir() && !name.contains("node_modules") => collect(&name, found),
                Some("md") => drop(found.insert(name.clone(), read(&name))),
                Some("rs") if !name.ends_with("unit/references.rs") && !name.ends_with("unit/attacks.rs") => {
                    drop(found.insert(name.clone(), comments(&read(&name))));
                }
                _ => {}
            }
        }
    }
    let mut found: BTreeMap<_, _> = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "origin/README.md"]
        .map(|name| (name.to_owned(), read(name)))
        .into();
    for folder in ["src", "tests", "docs", "dev"] {
        collect(folder, &mut found);
    }
    assert!(found.len() > 150, "{}", found.len());
    found
}

/// The comments that have lines of their own.
fn comments(source: &str) -> String {
    let comments = source.lines().map(str::trim).filter(|line| line.starts_with("//"));
    comments.map(|line| line.trim_start_matches(['/', '!', ' '])).collect::<Vec<_>>().join(" ")
}
