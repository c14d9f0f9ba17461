//! Counts the hostcalls of guests: the calls by which a guest uses the platform. Viceroy opens a span of `tracing` for
//! each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The numbers of hostcalls since the last [`take`], by `module::function`.
static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// Begins to count the hostcalls of all guests of this process.
///
/// # Errors
/// Something in this process has claimed `tracing` already.
pub(crate) fn count() -> Result<(), Box<dyn std::error::Error>> {
    Ok(tracing::subscriber::set_global_default(Counter)?)
}

/// Returns the numbers of hostcalls, by `module::function`, and begins again at zero.
pub(crate) fn take() -> BTreeMap<String, u64> {
    std::mem::take(&mut *COUNTS.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Counter;

impl Subscriber for Counter {
    /// The spans that `wiggle` opens around the implementation of each hostcall have this name.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "wiggle abi"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut name = Name::default();
        span.record(&mut name);
        let name = format!("{}::{}", name.module, name.function);
        *COUNTS.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields of such a span.
#[derive(Default)]
struct Name {
    module: String,
    function: String,
}

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "module" => value.clone_into(&mut self.module),
            "function" => value.clone_into(&mut self.function),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
