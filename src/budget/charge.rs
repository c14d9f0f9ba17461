//! What a request may have cost, and how that is settled.

use crate::content_form::ContentForm;
use crate::inference::Admission;
use crate::policy::budgets::Unit;
use crate::policy::{Price, Settle, Spending};
use crate::throttle::{Counter, CounterUnreachable, Reservation};
use crate::usage::{Observed, Usage};

/// Tokens of a request and of its responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Those of the input.
    pub input: u64,
    /// Those of the output.
    pub output: u64,
}

/// What is known of the cost of a request after its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The response says what it cost.
    Usage(Tokens),
    /// The client went away: so much of the output was delivered. The input counts as estimated.
    Delivered(u64),
    /// Likewise, after the response had said what it cost until then. The input counts at least as estimated, because what
    /// a response says before its end need not be all.
    Partly {
        /// What it said.
        said: Tokens,
        /// So much of the output was delivered.
        delivered: u64,
    },
    /// The request was not sent, or never reached the origin.
    Nothing,
    /// It is not known: the reservation stands.
    Unknown,
}

impl Spent {
    /// What was found in a response of this form.
    #[must_use]
    pub fn observed(observed: Observed, form: ContentForm) -> Self {
        let Observed { usage, delivered, complete } = observed;
        match (usage, form) {
            (Some(Usage { input, output }), ContentForm::EventStream) if !complete => {
                Self::Partly { said: Tokens { input, output }, delivered }
            }
            (Some(Usage { input, output }), _) => Self::Usage(Tokens { input, output }),
            (None, ContentForm::EventStream) if !complete => Self::Delivered(delivered),
            // The origin made all of it.
            (None, _) => Self::Unknown,
        }
    }

    /// The word for the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Delivered(_) | Self::Partly { .. } => "delivered",
            Self::Nothing => "nothing",
            Self::Unknown => "estimate",
        }
    }
}

/// What must be settled after a response: the reservations of the request, and how what it cost is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    reservations: Vec<Reservation>,
    basis: Basis,
}

/// By what a request costs something.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Basis {
    /// By the tokens of a model.
    Model { estimate: Tokens, price: Option<Price>, settle: Settle },
    /// By what it uses: the reservations are what that costs.
    Use,
}

impl Charge {
    /// A charge without reservations, for a request that uses tools, resources or prompts.
    pub(super) const fn of_use() -> Self {
        Self { reservations: Vec::new(), basis: Basis::Use }
    }

    /// A charge without reservations, for a request to a model.
    pub(super) fn of_model(admission: &Admission, spending: &Spending) -> Self {
        let estimate = Tokens {
            input: admission.input_bytes.div_ceil(spending.input_bytes_per_token.max(1)),
            output: admission.max_output_tokens.unwrap_or(0),
        };
        let price = spending.prices.get(&admission.model).copied();
        let basis = Basis::Model { estimate, price, settle: spending.settle };
        Self { reservations: Vec::new(), basis }
    }

    pub(super) fn add(&mut self, reservation: Reservation) {
        self.reservations.push(reservation);
    }

    /// How many units of this kind the request to a model can cost.
    pub(super) fn estimated(&self, unit: Unit) -> u64 {
        self.estimate().map_or(0, |estimate| self.units(estimate, unit))
    }

    /// What is known from the status of a response that is not observed.
    ///
    /// Models are not run for requests that they refuse, or while they are overloaded (503, and 529 of Anthropic); whether one
    /// was run before another error is not known. A tool that ran can respond with most of these, because servers make 400
    /// and 404 of errors that it raises: only a server that is overloaded has not run it.
    #[must_use]
    pub const fn by_status(&self, status: u16) -> Spent {
        match (&self.basis, status) {
            (Basis::Use, 429 | 503) => Spent::Nothing,
            (Basis::Use, _) | (Basis::Model { .. }, 408 | 499) => Spent::Unknown,
            (Basis::Model { .. }, 400..500 | 503 | 529) => Spent::Nothing,
            (Basis::Model { .. }, _) => Spent::Unknown,
        }
    }

    /// Whether it counts anything: what a use costs is known by what is reserved alone.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        matches!(self.basis, Basis::Model { .. }) || !self.reservations.is_empty()
    }

    /// The reservations.
    #[must_use]
    pub fn reservations(&self) -> &[Reservation] {
        &self.reservations
    }

    /// The tokens that the request can cost; `None` if it is for no model.
    #[must_use]
    pub const fn estimate(&self) -> Option<Tokens> {
        match self.basis {
            Basis::Model { estimate, .. } => Some(estimate),
            Basis::Use => None,
        }
    }

    /// The price of the model, if it has one.
    #[must_use]
    pub const fn price(&self) -> Option<Price> {
        match self.basis {
            Basis::Model { price, .. } => price,
            Basis::Use => None,
        }
    }

    /// What budgets count in the end. With [`Settle::Usage`] the response must be read.
    #[must_use]
    pub const fn settle_by(&self) -> Settle {
        match self.basis {
            Basis::Model { settle, .. } => settle,
            Basis::Use => Settle::Estimate,
        }
    }

    /// Replaces each reservation by what the request cost. Returns the budgets whose reservations stand because their counts
    /// cannot be changed, and why. Call it once.
    pub fn settle(&self, spent: Spent, counter: &mut dyn Counter) -> Vec<String> {
        let Some(tokens) = self.tokens(spent) else { return Vec::new() };
        let settle = |reservation: &Reservation| {
            let actual = if spent == Spent::Nothing { 0 } else { self.units(tokens, reservation.budget().unit) };
            let CounterUnreachable(cause) = counter.settle(reservation, actual).err()?;
            Some(format!("{}: {cause}", reservation.budget().name))
        };
        self.reservations.iter().filter_map(settle).collect()
    }

    /// The tokens that count; `None` if the reservations stand.
    pub(super) fn tokens(&self, spent: Spent) -> Option<Tokens> {
        let Tokens { input, output: most } = self.estimate().unwrap_or_default();
        match (self.settle_by(), spent) {
            (_, Spent::Nothing) => Some(Tokens::default()),
            (Settle::Estimate, _) | (Settle::Usage, Spent::Unknown) => None,
            (Settle::Usage, Spent::Usage(tokens)) => Some(tokens),
            (Settle::Usage, Spent::Delivered(output)) => Some(Tokens { input, output: output.min(most) }),
            (Settle::Usage, Spent::Partly { said, delivered }) => {
                Some(Tokens { input: said.input.max(input), output: said.output.max(delivered.min(most)) })
            }
        }
    }

    /// A model without a price has no budget of money: the policy sees to that.
    fn units(&self, Tokens { input, output }: Tokens, unit: Unit) -> u64 {
        match unit {
            Unit::Tokens => input.saturating_add(output),
            Unit::Micros => self.price().map_or(u64::MAX, |price| price.of(input, output)),
        }
    }
}
