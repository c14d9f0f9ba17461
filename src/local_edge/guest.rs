//! The guest of the local edge, with the manifest of its service: both are read again at a reload.

use std::path::PathBuf;
use std::sync::Arc;

use viceroy_lib::config::FastlyConfig;
use viceroy_lib::{Error, ExecuteCtx};

use crate::viceroy::{self, Log};

/// A guest and the manifest of its service.
pub(crate) struct Guest {
    /// The guest's file.
    pub(crate) wasm: PathBuf,
    /// The manifest's file.
    pub(crate) manifest: PathBuf,
}

impl Guest {
    /// Reads the manifest and the files that it names.
    ///
    /// # Errors
    /// One of them is missing or malformed.
    pub(crate) fn config(&self) -> Result<FastlyConfig, Error> {
        Ok(FastlyConfig::from_file(&self.manifest)?)
    }

    /// Reads everything and starts the guest.
    ///
    /// # Errors
    /// As for [`config`](Self::config) and [`viceroy::start`].
    pub(crate) fn start(&self, log: Log) -> Result<Arc<ExecuteCtx>, Error> {
        viceroy::start(&self.wasm, &self.config()?, log)
    }
}
