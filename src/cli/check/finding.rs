//! A fault of a policy, as `fastgate check` prints it.

/// A fault, its JSON path and its remedy.
#[derive(Clone)]
pub(super) struct Finding {
    pub(super) at: String,
    pub(super) what: String,
    pub(super) remedy: String,
}
