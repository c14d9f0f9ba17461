//! What is found in a response.

/// The greatest number of tokens that is believed.
pub const MAX_TOKENS: u64 = 1_000_000_000;

/// The tokens of a request and its response, as the provider counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The tokens of the input, with those that the provider's cache had or stored.
    pub input: u64,
    /// The tokens of the output.
    pub output: u64,
}

/// What was found in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What the provider said. `None` if it said nothing, or something that cannot be.
    pub usage: Option<Usage>,
    /// An estimate of the output tokens that were passed on, for a response that was cut off. It is too high rather than too
    /// low, because a token is at least one byte: of a JSON document all bytes count, and of each event of a stream the texts
    /// in its members `delta`, in UTF-8, at least one. What is around them does not count. An event with output and without
    /// `delta`, and one that is too long to be read, counts as a whole.
    pub delivered: u64,
    /// Whether the response came to its end.
    pub complete: bool,
}
