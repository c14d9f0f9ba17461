//! Starts a guest on Viceroy, with the backends and stores of a manifest.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use viceroy_lib::config::{FastlyConfig, UnknownImportBehavior};
use viceroy_lib::{Error, ExecuteCtx, ProfilingConfig, WasmFeatures};

/// Held while a guest is compiled or loaded: when several edges start at the same time, only one compiles.
static COMPILING: Mutex<()> = Mutex::new(());

/// Where a guest logs to.
pub(crate) type Log = Arc<Mutex<dyn Write + Send>>;

/// Sets the folder for compiled guests. Each guest is compiled once and then loaded by every edge.
///
/// # Errors
/// The folder cannot be created.
pub(crate) fn keep_compiled_in(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    Ok(wasmtime::keep_compiled_in(&std::path::absolute(folder)?)?)
}

/// Viceroy with the backends and stores of `config`, running the guest at `wasm`; what it logs goes to `log`.
///
/// # Errors
/// The file is missing or is not a guest.
pub(crate) fn start(wasm: &Path, config: &FastlyConfig, log: Log) -> Result<Arc<ExecuteCtx>, Error> {
    let _one = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
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
