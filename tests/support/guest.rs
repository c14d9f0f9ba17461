//! The guest under test, and where compiled guests are kept.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use viceroy_lib::config::UnknownImportBehavior;
use viceroy_lib::{Error, ExecuteCtx, ProfilingConfig, WasmFeatures};

/// The file that `make guest` writes.
pub(crate) const GUEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/wasm32-wasip1/release/fastgate.wasm");

/// The folder for compiled guests.
pub(crate) const COMPILED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/compiled");

/// A guest of its own that writes to the KV store of another one: what it is sent says what, see the file.
///
/// # Errors
/// The file is missing or is not a guest.
#[allow(dead_code, reason = "of the tests alone")]
pub(crate) fn kv_writer(to: &ExecuteCtx, wat: &Path) -> Result<Arc<ExecuteCtx>, Error> {
    ExecuteCtx::build(
        wat,
        ProfilingConfig::None,
        HashSet::new(),
        UnknownImportBehavior::LinkError,
        false,
        WasmFeatures::default(),
    )?
    .with_object_stores(to.object_store().clone())
    .finish()
}
