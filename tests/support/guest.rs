//! The guest on Viceroy, set up in one place for the tests and for `make demo`.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use viceroy_lib::config::{FastlyConfig, UnknownImportBehavior};
use viceroy_lib::{Error, ExecuteCtx, ProfilingConfig, WasmFeatures};

/// Where `make guest` leaves the guest.
pub(crate) const GUEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/wasm32-wasip1/release/fastgate.wasm");

/// Viceroy with the backends and stores of `config`, running the guest at `wasm`; what it logs goes to `log`.
///
/// # Errors
/// The guest is missing or is none.
pub(crate) fn viceroy(
    wasm: &Path,
    config: &FastlyConfig,
    log: Arc<Mutex<dyn Write + Send>>,
) -> Result<Arc<ExecuteCtx>, Error> {
    ExecuteCtx::build(
        wasm,
        ProfilingConfig::None,
        HashSet::new(),
        UnknownImportBehavior::LinkError,
        false,
        WasmFeatures::default(),
    )?
    .with_acls(config.acls().clone())
    .with_backends(config.backends().clone())
    .with_device_detection(config.device_detection().clone())
    .with_geolocation(config.geolocation().clone())
    .with_dictionaries(config.dictionaries().clone())
    .with_object_stores(config.object_stores().clone())
    .with_secret_stores(config.secret_stores().clone())
    .with_capture_logs(log)
    .with_log_stdout(true)
    .with_log_stderr(true)
    .finish()
}

/// A guest of its own that writes to the KV store of another one: what it is sent says what, see the file.
///
/// # Errors
/// The guest is missing or is none.
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
