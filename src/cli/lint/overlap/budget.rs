//! A bound on the work of one comparison of templates.

/// How many steps the comparison of a whole policy may take: some seconds of one processor. Ordinary policies with
/// thousands of routes take fewer.
const STEPS: u64 = 5_000_000;

/// The steps that are left for comparing routes.
pub(in crate::cli::lint) struct Budget(u64);

/// Comparing the routes of this policy would take too long.
#[derive(Debug)]
pub(in crate::cli::lint) struct BudgetExceeded;

impl Budget {
    pub(in crate::cli::lint) const fn new() -> Self {
        Self(STEPS)
    }

    pub(in crate::cli::lint) const fn spend(&mut self, steps: usize) -> Result<(), BudgetExceeded> {
        match self.0.checked_sub(steps as u64) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(BudgetExceeded),
        }
    }
}
