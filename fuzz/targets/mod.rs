//! The fuzz targets. Each takes any bytes and panics if an invariant does not hold. The fuzzer runs them (`make fuzz`),
//! and so do the tests, with the committed corpus (`tests/fuzz`).

mod bodies;
mod credentials;
mod documents;
#[allow(dead_code, reason = "the tests of the library use them all")]
#[path = "../../tests/support/fakes.rs"]
mod fakes;
mod lists;
mod requests;
mod signed;
mod usage;

/// The name of a target, which is also the name of its corpus, and the target.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 12] = [
    ("path", requests::path),
    ("request_head", requests::request_head),
    ("recorded", requests::recorded),
    ("token", credentials::token),
    ("proof", credentials::proof),
    ("introspection", credentials::introspection),
    ("key_set", documents::key_set),
    ("policy", documents::policy),
    ("key_record", documents::key_record),
    ("json_body", bodies::json_body),
    ("usage", usage::usage),
    ("mcp_list", lists::mcp_list),
];

/// The target of this name.
#[allow(dead_code, reason = "the tests run all of them")]
pub fn find(name: &str) -> Option<fn(&[u8])> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// The names of all targets.
#[allow(dead_code, reason = "the tests run all of them")]
pub fn names() -> Vec<&'static str> {
    TARGETS.iter().map(|(name, _)| *name).collect()
}
