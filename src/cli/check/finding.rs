//! A fault of a policy, as `fastgate check` prints it.

/// A fault, its JSON path and its remedy.
#[derive(Clone)]
pub(in super::super) struct Finding {
    pub(in super::super) at: String,
    pub(in super::super) what: String,
    pub(in super::super) remedy: String,
}

impl Finding {
    /// The same as a hint: the policy is valid.
    pub(super) fn as_hint(&self) -> Self {
        Self { what: format!("{} (a hint, not a fault)", self.what), ..self.clone() }
    }
}
