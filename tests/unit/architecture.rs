//! The rules of the architecture: the imports of each module, forbidden words in names, the length of files. The tests
//! read the source as text; `a_broken_rule_is_noticed` checks the check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::import_cycles::{absolute, module_path, paths};

/// The modules in the order of the pipeline: each imports only from those before it.
const MODULES: [&str; 24] = [
    "policy",
    "response",
    "request",
    "route",
    "cors",
    "availability",
    "place",
    "identity",
    "authorize",
    "inspect",
    "throttle",
    "respond",
    "rewrite",
    "content",
    "inference",
    "mcp_list",
    "mcp_request",
    "backend",
    "caching",
    "budget",
    "mint",
    "gateway",
    "ports",
    "sandbox",
];
/// The modules that every module may import, and their own imports.
const FOUNDATIONS: [(&str, &[&str]); 16] = [
    ("conditional", &["headers", "time"]),
    ("digest", &[]),
    ("content_form", &[]),
    ("event_stream", &["scan"]),
    ("headers", &[]),
    ("json_body", &["trail"]),
    ("json_form", &[]),
    ("scan", &[]),
    ("mcp_session", &["digest", "headers", "secret"]),
    ("secret", &[]),
    ("store_keys", &[]),
    ("strict_json", &[]),
    ("client", &[]),
    ("time", &[]),
    ("trail", &["identity", "policy", "request", "client", "time"]), // it records what the steps found
    ("usage", &["policy", "content_form", "event_stream", "scan"]),
];
/// The imports of the type of all errors, and of the problem that the client receives for them.
const REFUSAL: &[&str] = &[
    "authorize",
    "availability",
    "backend",
    "budget",
    "content",
    "cors",
    "identity",
    "inference",
    "inspect",
    "mcp_list",
    "mcp_request",
    "mint",
    "place",
    "request",
    "respond",
    "rewrite",
    "route",
    "throttle",
    "trail",
];
const PROBLEM: &[&str] = &[
    "authorize",
    "availability",
    "budget",
    "content",
    "cors",
    "headers",
    "identity",
    "inference",
    "inspect",
    "json_body",
    "mcp_request",
    "mint",
    "place",
    "policy",
    "refusal",
    "request",
    "respond",
    "response",
    "rewrite",
    "route",
    "throttle",
    "time",
];

/// Crates and types that only some modules may name, with all their items.
const CONFINED: [(&str, &[&str]); 8] = [
    ("fastly", &["compute"]),
    ("fastly_sys", &["compute"]),
    ("clap", &["cli", "local_edge"]),
    ("jwt_simple", &["identity/sample_token"]), // only on the host
    ("StatusCode", &["compute", "local_edge"]),
    ("SystemTime", &["compute", "cli", "conditional/http_date"]),
    ("Instant", &["compute", "cli"]),
    ("getrandom", &["compute", "mint/okp"]), // for new keys
];
const STATUS_CODES: [&str; 22] = [
    "400", "401", "403", "404", "405", "406", "408", "409", "413", "414", "415", "421", "422", "426", "429", "431",
    "500", "501", "502", "503", "504", "511",
];
/// Words without meaning, in any name.
const EMPTY_WORDS: [&str; 6] = ["manager", "handler", "helper", "util", "utils", "common"];
/// Words without meaning in a name that is declared here. Names of the platform (`run_with_context`) may contain them.
const EMPTY_NAMES: [&str; 6] = ["context", "data", "info", "process", "do", "get"];
const DECLARING: [&str; 9] = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static", "union"];
const PANICKING: [&str; 11] = [
    ".unwrap(",
    ".expect(",
    "::unwrap(",
    "::expect(",
    "panic!",
    "unreachable!",
    "todo!",
    "unimplemented!",
    "assert!",
    "assert_eq!",
    "assert_ne!",
];
/// What the tests here cannot read: a module elsewhere, comments other than `//`, raw names.
const UNREADABLE: [(&str, &str); 3] = [("#[path", "a path attribute"), ("/*", "a block comment"), ("r#", "a raw name")];
const MAX_LINES: usize = 300;

#[test]
fn every_file_keeps_the_rules_of_the_architecture() {
    let found: Vec<_> = sources().iter().flat_map(|(file, text)| violations(file, text)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_module_is_listed_and_no_other() {
    let listed = MODULES.into_iter().chain(FOUNDATIONS.map(|(name, _)| name)).chain(["refusal", "problem"]);
    let present =
        sources().into_keys().map(|file| module(&file)).filter(|module| !UNRESTRICTED.contains(&module.as_str()));
    assert_eq!(present.collect::<BTreeSet<_>>(), listed.map(str::to_owned).collect());
}

#[test]
fn a_broken_rule_is_noticed() {
    for (file, text, complaint) in [
        ("route.rs", "use crate::identity::Caller;", "names identity"),
        ("policy/route.rs", "fn f() { crate::gateway::refuse() }", "names gateway"),
        ("request.rs", "use crate::{headers, identity};", "one module a line"),
        ("trail.rs", "use crate::refusal::Refusal;", "names refusal"),
        ("headers.rs", "use crate::time::UnixTime;", "names time"),
        ("route.rs", "use super::identity::Caller;", "names identity"),
        ("policy/route.rs", "use super::super::gateway::refuse;", "names gateway"),
        ("policy/route/tree.rs", "fn f() { super::super::super::gateway::refuse() }", "names gateway"),
        ("policy/route.rs", "use {super::Policy, crate::gateway};", "names gateway"),
        ("policy/route.rs", "use crate as root; fn f() { root::gateway::refuse() }", "names the whole crate"),
        ("policy.rs", "use super::*;", "names the whole crate"),
        ("policy.rs", "#[path = \"gateway.rs\"]\nmod other;", "path attribute"),
        ("mint.rs", "fn f() {}\n#[cfg(test)]\nuse x::y;\nfn g() {}", "is not its last item"),
        ("mint.rs", "/* a \" b */ fn f() {}", "block comment"),
        ("mint.rs", "let x = Option::unwrap(y);", "::unwrap("),
        ("mint.rs", "assert!(x);", "assert!"),
        ("identity.rs", "let now = Instant::now();", "names Instant"),
        ("refusal.rs", "use crate::problem::Problem;", "names problem"),
        ("policy.rs", "use fastgate::gateway::Gateway;", "names its own crate"),
        ("gateway.rs", "use fastly::Request;", "names fastly"),
        ("cli.rs", "use fastly::Request;", "names fastly"),
        ("main.rs", "use clap::Parser;", "names clap"),
        ("gateway.rs", "jwt_simple::prelude::x()", "names jwt_simple"),
        ("identity/keys/jwk.rs", "use jwt_simple::prelude::*;", "names jwt_simple"),
        ("identity/sample_tokens.rs", "use jwt_simple::prelude::*;", "names jwt_simple"),
        ("mint/edge_key.rs", "use jwt_simple::prelude::*;", "names jwt_simple"),
        ("problem.rs", "fn f(status: http::StatusCode) {}", "names StatusCode"),
        ("time.rs", "let now = std::time::SystemTime::now();", "names SystemTime"),
        ("gateway.rs", "let status = 404;", "writes 404"),
        ("mint.rs", "struct TokenManager;", "manager"),
        ("compute/log.rs", "let request_handler = 1;", "handler"),
        ("mint.rs", "fn get_key() {}", "get"),
        ("mint.rs", "enum RequestContext {}", "context"),
        ("compute.rs", "let x = y.unwrap();", ".unwrap("),
        ("mint.rs", "panic!(\"no\")", "panic!"),
        ("mint.rs", &"\n".repeat(321), "321 lines"),
    ] {
        let found = violations(file, text);
        assert!(found.iter().any(|violation| violation.contains(complaint)), "{file}: {text:?} gave {found:?}");
    }
    for (file, text) in [
        ("route.rs", "use crate::policy::Policy; // crate::gateway decides"),
        ("route.rs", "/// See [`Gateway`](crate::gateway::Gateway); 404 is said elsewhere.\nfn find() {}"),
        ("identity/token.rs", "use super::keys::KeySet; use crate::request::Target;"),
        ("identity/sample_token.rs", "use jwt_simple::prelude::*;"),
        ("identity/sample_token/signer.rs", "use jwt_simple::prelude::*;"),
        ("problem.rs", "const NOT_FOUND: u16 = 404;"),
        ("compute/jwks.rs", "use fastly::http::StatusCode; fn f() { Serve::new().run_with_context(); }"),
        ("mint.rs", "let text = \"panic! crate::gateway 404 fastly::\"; let c = '\"'; let life: &'static str;"),
        ("mint.rs", "fn f() {}\n#[cfg(test)]\nmod tests { fn f() { x.unwrap(); } }"),
        ("mint.rs", "#[expect(dead_code)]\nfn f() { 0x404 + 4040 + self.metadata() }"),
    ] {
        assert_eq!(violations(file, text), [""; 0], "{file}: {text:?}");
    }
}

/// jwt-simple depends on a version of `rsa` with an open advisory (RUSTSEC-2023-0071) and on fifty other crates that
/// the guest does not need.
#[test]
fn the_guest_is_made_without_jwt_simple() {
    let tree = ["tree", "--locked", "--offline", "--target", "wasm32-wasip1", "-e", "normal", "--prefix", "none"];
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let output = cargo.args(tree).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("fastly") && crates.contains("p256"), "{}", String::from_utf8_lossy(&output.stderr));
    for host in ["jwt-simple", "superboring", "rsa", "clap"] {
        assert!(!crates.contains(host), "{host}");
    }
}

/// Codes that no request on Viceroy can cause.
const UNREACHABLE: [(&str, &str); 3] = [
    ("no-randomness", "the SDK ends a sandbox without randomness"),
    ("origin-too-slow", "Viceroy reports a timeout as an internal error"),
    ("origin-unavailable", "Viceroy's backends have no health and no limit of connections"),
];

#[test]
fn every_refusal_is_tested_through_the_guest() {
    let codes = refusal_codes();
    assert!(codes.len() > 80, "{codes:?}");
    let tests: String = files("tests/edge").into_values().collect();
    // A test that names a code has read it from the log line of a request.
    let untested: BTreeSet<_> = codes.into_iter().filter(|code| !tests.contains(&format!("{code}\""))).collect();
    assert_eq!(untested, UNREACHABLE.into_iter().map(|(code, _)| code.to_owned()).collect());
}

/// The code of every refusal: the string literals in the functions `code` of the source.
pub(crate) fn refusal_codes() -> BTreeSet<String> {
    let bodies_of = |text: &str| -> Vec<String> {
        let found = text.split("pub const fn code(").skip(1);
        found.filter_map(|rest| rest.split("\n    }\n").next().map(str::to_owned)).collect()
    };
    let bodies: String = sources().values().flat_map(|text| bodies_of(text)).collect();
    bodies.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Files of the programs, and the root of the library: they may import all of it.
const UNRESTRICTED: [&str; 6] = ["cli", "compute", "lib", "local_edge", "main", "tool"];

/// The faults of one file of `src/`.
fn violations(file: &str, text: &str) -> Vec<String> {
    let module = module(file);
    let code = code(text);
    let words = words(&code);
    let mut found = BTreeSet::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        found.insert(format!("has {lines} lines, {MAX_LINES} are enough"));
    }
    if !UNRESTRICTED.contains(&module.as_str()) {
        found.extend(forbidden_imports(file, &module, &code));
    }
    for (name, places) in CONFINED {
        if words.contains(&name) && !places.iter().any(|place| is_within(file, place)) {
            found.insert(format!("names {name}, which is for {places:?}"));
        }
    }
    // A place rule names the status of its refusals: 403, or 451 for legal reasons. What is stored depends on the status
    // of the origin's response.
    let exempt =
        ["policy/places.rs", "backend/retry.rs", "budget/charge.rs", "caching/freshness.rs", "caching/choice.rs"];
    if !["problem", "compute", "cli"].contains(&module.as_str()) && !exempt.contains(&file) {
        let codes = words.iter().filter(|word| STATUS_CODES.contains(word));
        found.extend(codes.map(|code| format!("writes {code}; status codes are in problem.rs")));
    }
    for (before, word) in [""].iter().chain(&words).zip(&words) {
        let parts = parts(word);
        let declared = DECLARING.contains(before);
        let empty =
            |part: &&String| EMPTY_WORDS.contains(&part.as_str()) || (declared && EMPTY_NAMES.contains(&part.as_str()));
        found.extend(parts.iter().filter(empty).map(|part| format!("says {part} in {word}")));
    }
    let unreadable = UNREADABLE.into_iter().filter(|(sign, _)| code.contains(sign));
    found.extend(unreadable.map(|(_, what)| format!("has {what}, which these tests do not read")));
    if text.split("#[cfg(test)]").nth(1).is_some_and(|tests| !is_one_module(tests)) {
        found.insert("has an item for tests that is not its last item, a module `tests`".to_owned());
    }
    let panicking = PANICKING.into_iter().filter(|panicking| code.contains(panicking));
    found.extend(panicking.map(|panicking| format!("may panic: {panicking}")));
    found.into_iter().map(|what| format!("src/{file} {what}")).collect()
}

/// Whether what follows `#[cfg(test)]` is one module in braces that ends with the file, or a declaration of one.
fn is_one_module(tests: &str) -> bool {
    let tests = tests.trim();
    let body = tests.strip_prefix("mod tests {").and_then(|body| body.strip_suffix('}'));
    tests == "mod tests;" || body.is_some_and(|body| !body.contains("\n}"))
}

/// Whether a file is this module or a part of it.
fn is_within(file: &str, module: &str) -> bool {
    file.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn forbidden_imports(file: &str, module: &str, code: &str) -> Vec<String> {
    let allowed = allowed_imports(module);
    let own = module_path(file);
    let mut found = Vec::new();
    for path in paths(code) {
        match absolute(&path, &own, |_| false).map(|path| path.first().copied()) {
            None => {} // within the module, or of another crate
            Some(None | Some("*")) => found.push("names the whole crate".to_owned()),
            Some(Some(named)) if named == module || allowed.contains(&named) => {}
            Some(Some(named)) => found.push(format!("names {named}, which it may not import")),
        }
    }
    if code.contains("crate::{") {
        found.push("imports several modules at once; one module a line".to_owned());
    }
    if words(code).contains(&"fastgate") {
        found.push("names its own crate `fastgate`".to_owned());
    }
    found
}

fn allowed_imports(module: &str) -> Vec<&str> {
    if let Some((_, below)) = FOUNDATIONS.iter().find(|(name, _)| *name == module) {
        return below.to_vec();
    }
    match module {
        "refusal" => REFUSAL.to_vec(),
        "problem" => PROBLEM.to_vec(),
        _ => {
            let mut allowed: Vec<_> = MODULES.into_iter().take_while(|name| *name != module).collect();
            allowed.extend(FOUNDATIONS.map(|(name, _)| name));
            if ["gateway", "ports", "sandbox"].contains(&module) {
                allowed.extend(["refusal", "problem"]);
            }
            allowed
        }
    }
}

/// The module that a file belongs to: `identity` for `identity.rs` and for `identity/keys.rs`.
fn module(file: &str) -> String {
    file.split(['/', '.']).next().unwrap().to_owned()
}

/// The source without comments, contents of literals and unit tests (which are at the end).
pub(crate) fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if next == '"' {
            code.push('"');
            end_of_text(rest)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if let Some(length) =
            ["'\"'", "'\\\"'", "'\\''"].iter().find_map(|quote| rest.starts_with(quote).then_some(quote.len()))
        {
            length
        } else {
            code.push(next);
            next.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// The end of the string literal at the beginning of `text`.
fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Names, keywords and numbers in order.
fn words(code: &str) -> Vec<&str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty()).collect()
}

/// `RequestId` and `request_id` are both `request`, `id`.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = '_';
    for letter in word.chars() {
        if letter == '_' || (letter.is_uppercase() && before.is_lowercase()) {
            parts.push(String::new());
        }
        if letter != '_' {
            parts.last_mut().unwrap().extend(letter.to_lowercase());
        }
        before = letter;
    }
    parts
}

/// Every file under `src/`, by its path there.
pub(crate) fn sources() -> BTreeMap<String, String> {
    files("src")
}

/// Every file of Rust under a folder, by its path there.
fn files(folder: &str) -> BTreeMap<String, String> {
    fn read(folder: &Path, within: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{within}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                read(&path, &format!("{name}/"), found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), "", &mut found);
    assert!(found.len() > 20, "{folder} was not found");
    found
}

/// The numbered list in `lib.rs` names the steps of `Step`, in the same order and by the names in the log.
#[test]
fn lib_rs_lists_the_steps_that_the_log_names() {
    let lib = sources()["lib.rs"].clone();
    let listed: Vec<_> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("//! ")?.split_once(". *"))
        .filter_map(|(number, rest)| Some((number.parse::<usize>().ok()?, rest.split('*').next()?.to_owned())))
        .collect();
    let steps: Vec<_> =
        (1..).zip(fastgate::trail::Step::ALL).map(|(number, step)| (number, step.as_str().to_owned())).collect();
    assert_eq!(listed, steps);
}

/// The diagram in the README has the steps of a request in the order of `Step`, without what comes before and after it.
#[test]
fn the_readme_draws_the_steps_in_their_order() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, edge) = readme.split_once("subgraph edge").unwrap();
    let (edge, _) = edge.split_once("    end\n").unwrap();
    let chains = edge.lines().filter(|line| line.contains(" --> "));
    let mut drawn: Vec<_> = chains.flat_map(|chain| chain.trim().split(" --> ")).collect();
    drawn.dedup(); // a chain that continues in the next line repeats the last step of the previous line
    let steps = fastgate::trail::Step::ALL.map(fastgate::trail::Step::as_str);
    let of_request: Vec<_> = steps.into_iter().filter(|step| !["configure", "forward"].contains(step)).collect();
    assert_eq!(drawn, of_request);
}
