//! Counts the hostcalls of guests: the calls by which a guest uses the platform. Viceroy opens a span of `tracing` for
//! each, and says by an event how much memory a sandbox had at its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The numbers of hostcalls since the last [`take`], by `module::function`.
static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// The linear memory of the sandbox that ended last, in bytes; 0 before the first has ended.
static MEMORY: AtomicU64 = AtomicU64::new(0);

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

/// Returns the linear memory of the sandbox that ended last, in bytes, as Viceroy rounds it (to tenths of a mebibyte).
pub(crate) fn memory() -> Option<u64> {
    Some(MEMORY.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
}

struct Counter;

impl Subscriber for Counter {
    /// The spans that `wiggle` opens around the implementation of each hostcall have this name. The end of a sandbox is
    /// an event of the module that runs it.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() { metadata.name() == "wiggle abi" } else { metadata.target() == "viceroy_lib::execute" }
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

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        if let Some(bytes) = memory_in(&message.0) {
            MEMORY.store(bytes, Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The bytes in Viceroy's message `request completed using 4.5 MiB of WebAssembly heap`.
fn memory_in(message: &str) -> Option<u64> {
    let (_, size) = message.split_once(" completed using ")?;
    let (number, unit) = size.strip_suffix(" of WebAssembly heap")?.split_once(' ')?;
    let (whole, tenth) = number.split_once('.')?;
    let tenths = whole.parse::<u64>().ok()? * 10 + tenth.parse::<u64>().ok()?;
    match unit {
        "MiB" => Some(tenths * 1024 * 1024 / 10),
        "KiB" => Some(tenths * 1024 / 10),
        _ => None,
    }
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
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
