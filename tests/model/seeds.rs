//! The sequences to run: those that failed once, and new ones. `FASTGATE_MODEL_SEED` names the only one to run.

/// The seeds to run: those of `kept`, one on each line, and `count` more.
pub(crate) fn seeds(kept: &str, first: u64, count: u64) -> Vec<u64> {
    if let Ok(seed) = std::env::var("FASTGATE_MODEL_SEED") {
        return vec![seed.parse().expect("FASTGATE_MODEL_SEED is not a number")];
    }
    let lines = kept.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let kept: Vec<u64> = lines.filter(|line| !line.is_empty()).map(|line| line.parse().unwrap()).collect();
    kept.into_iter().chain(first..first + count).collect()
}
