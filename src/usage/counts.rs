//! The counts of tokens of each API, by its names. A count that is negative, fractional or text is an error.

use serde::Deserialize;

use super::found::{MAX_TOKENS, Usage};

/// The usage, if these numbers can be.
pub(super) fn believed(input: u64, output: u64) -> Option<Usage> {
    (input <= MAX_TOKENS && output <= MAX_TOKENS).then_some(Usage { input, output })
}

#[derive(Deserialize)]
pub(super) struct ChatUsage {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

#[derive(Deserialize)]
pub(super) struct EmbeddingsUsage {
    pub(super) prompt_tokens: u64,
}

#[derive(Deserialize)]
pub(super) struct ResponsesUsage {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[allow(clippy::struct_field_names, reason = "they are those of the API")]
pub(super) struct MessagesUsage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl MessagesUsage {
    /// With the input of the first event, where that is greater or the only one: the counts only grow.
    pub(super) fn with(self, first: Option<&Self>) -> Self {
        let input = |of: fn(&Self) -> Option<u64>| of(&self).max(first.and_then(of));
        Self {
            input_tokens: input(|usage| usage.input_tokens),
            cache_creation_input_tokens: input(|usage| usage.cache_creation_input_tokens),
            cache_read_input_tokens: input(|usage| usage.cache_read_input_tokens),
            output_tokens: self.output_tokens,
        }
    }

    pub(super) fn read(self) -> Option<Usage> {
        let (input, output) = (self.input_tokens?, self.output_tokens?);
        let (stored, had) = (self.cache_creation_input_tokens, self.cache_read_input_tokens);
        let input = input.checked_add(stored.unwrap_or(0))?.checked_add(had.unwrap_or(0))?;
        believed(input, output)
    }
}
