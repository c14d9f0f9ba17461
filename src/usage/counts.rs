//! The counts of tokens of each API, by its names. A count that is negative, fractional or text is an error.

use serde::Deserialize;

use super::found::{MAX_TOKENS, Usage};

/// The usage, if these numbers can be.
pub(super) fn believed(input: u64, output: u64) -> Option<Usage> {
    (input <= MAX_TOKENS && output <= MAX_TOKENS).then_some(Usage { input, output })
}

/// The output, if `total` is the sum of all tokens. Some providers count those of reasoning in it alone (xAI, and Gemini's
/// API in the form of OpenAI's). A total that is less than the sum says nothing.
pub(super) fn with_total(input: u64, output: u64, total: Option<u64>) -> u64 {
    total.map_or(output, |total| output.max(total.saturating_sub(input)))
}

#[derive(Deserialize)]
#[allow(clippy::struct_field_names, reason = "they are those of the API")]
pub(super) struct ChatUsage {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) total_tokens: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct EmbeddingsUsage {
    pub(super) prompt_tokens: u64,
}

#[derive(Deserialize)]
#[allow(clippy::struct_field_names, reason = "they are those of the API")]
pub(super) struct ResponsesUsage {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) total_tokens: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[allow(clippy::struct_field_names, reason = "they are those of the API")]
pub(super) struct MessagesUsage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    /// What each run of a model cost, with those that the other counts do not have, such as compactions.
    iterations: Option<Vec<Iteration>>,
}

/// One run of a model.
#[derive(Clone, Debug, Deserialize)]
struct Iteration {
    #[serde(rename = "type")]
    kind: String,
    input_tokens: u64,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: u64,
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
            iterations: self.iterations,
        }
    }

    /// The sum. The counts of all messages are those of the runs that write the message, or more. Those of other runs are
    /// not among them (platform.claude.com/docs/en/build-with-claude/compaction).
    pub(super) fn read(self) -> Option<Usage> {
        let input = of_input(self.input_tokens?, self.cache_creation_input_tokens, self.cache_read_input_tokens)?;
        let mut messages = (0_u64, 0_u64);
        let mut others = (0_u64, 0_u64);
        for run in self.iterations.unwrap_or_default() {
            let writes_message = matches!(run.kind.as_str(), "message" | "fallback_message");
            let sum = if writes_message { &mut messages } else { &mut others };
            let input = of_input(run.input_tokens, run.cache_creation_input_tokens, run.cache_read_input_tokens)?;
            *sum = (sum.0.checked_add(input)?, sum.1.checked_add(run.output_tokens)?);
        }
        let input = input.max(messages.0).checked_add(others.0)?;
        let output = self.output_tokens?.max(messages.1).checked_add(others.1)?;
        believed(input, output)
    }
}

/// The tokens of the input: others than those of the cache, those that it stored and those that it had.
fn of_input(others: u64, stored: Option<u64>, had: Option<u64>) -> Option<u64> {
    others.checked_add(stored.unwrap_or(0))?.checked_add(had.unwrap_or(0))
}
