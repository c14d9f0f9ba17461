//! Wasmtime as Viceroy uses it, with one difference: compiled guests are kept on disk once [`keep_compiled_in`] has
//! named a folder.
//!
//! Viceroy compiles its guest whenever an `ExecuteCtx` is built, which costs about three seconds of CPU time, and no
//! setting of its own reaches Wasmtime's cache. Cargo gives it this crate in place of Wasmtime: see `[patch.crates-io]`
//! in Cargo.toml. The key of the cache is Wasmtime's: a digest of the guest, the compiler's settings and its version.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::OnceLock;

pub use real::*;

static CACHE: OnceLock<Cache> = OnceLock::new();

/// Keeps compiled guests in this folder, which is created if necessary. Only the first call of a process counts.
///
/// # Errors
/// The path is not absolute, or the folder cannot be created.
pub fn keep_compiled_in(folder: &Path) -> Result<()> {
    if CACHE.get().is_none() {
        let mut config = CacheConfig::new();
        config.with_directory(folder);
        // Guests are loaded far more often than compiled: compress them quickly, and never again after many loads.
        config.with_baseline_compression_level(1);
        config.with_optimized_compression_usage_counter_threshold(u64::MAX);
        let _ = CACHE.set(Cache::new(config)?);
    }
    Ok(())
}

/// Wasmtime's configuration, with the cache from the start.
#[derive(Clone, Debug)]
pub struct Config(real::Config);

impl Config {
    /// Wasmtime's defaults, and the cache of [`keep_compiled_in`].
    #[must_use]
    pub fn new() -> Self {
        let mut config = real::Config::new();
        config.cache(CACHE.get().cloned());
        Self(config)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Config {
    type Target = real::Config;

    fn deref(&self) -> &real::Config {
        &self.0
    }
}

impl DerefMut for Config {
    fn deref_mut(&mut self) -> &mut real::Config {
        &mut self.0
    }
}
