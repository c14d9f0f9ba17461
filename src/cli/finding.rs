//! A fault of a policy, as `fastgate check` prints it.

/// A fault, its JSON path and its remedy.
#[derive(Clone)]
pub(super) struct Finding {
    pub(super) at: String,
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Finding {
    /// The same as a hint: the policy is valid.
    pub(super) fn as_hint(&self) -> Self {
        Self { what: format!("{} (a hint, not a fault)", self.what), ..self.clone() }
    }
}
