//! The guest of the local edge, with the manifest of its service: both are read again at a reload.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use viceroy_lib::ExecuteCtx;
use viceroy_lib::config::FastlyConfig;
use viceroy_lib::error::FastlyConfigError;

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
    /// A line for people, without any content of the manifest, which may be secret: one of them is missing or malformed.
    pub(crate) fn config(&self) -> Result<FastlyConfig, String> {
        let manifest = self.manifest.display();
        FastlyConfig::from_file(&self.manifest).map_err(|error| match error {
            FastlyConfigError::InvalidFastlyToml(fault) => {
                let text = std::fs::read_to_string(&self.manifest).unwrap_or_default();
                let before = fault.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                // Messages about syntax quote no value; messages of serde do.
                let quotes = |message: &str| message.contains(": ") || message.starts_with("unknown");
                let what = Some(fault.message()).filter(|message| !quotes(message));
                let what = what.unwrap_or("a value of another kind than a manifest has there");
                format!("{manifest}, line {line}: {}", what.replace('\n', " "))
            }
            FastlyConfigError::IoError { err, .. } => format!("{manifest}: {err}"),
            other => format!("{manifest}: {other}; relative paths in it begin at the current folder"),
        })
    }

    /// Reads everything and starts the guest.
    ///
    /// # Errors
    /// As for [`config`](Self::config) and [`viceroy::start`].
    pub(crate) fn start(&self, log: Log) -> Result<Arc<ExecuteCtx>, Box<dyn Error>> {
        Ok(viceroy::start(&self.wasm, &self.config()?, log)?)
    }
}
