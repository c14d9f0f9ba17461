//! Example texts: no template of the policy names them or has a specific parameter for them.

use std::collections::BTreeSet;

use fastgate::policy::pattern::{Convertor, Parameter, PathTemplate, Segment};

/// How many different prefixes and suffixes of parameters are considered.
const MOST_SURROUNDINGS: usize = 200;

/// The values of parameters in example paths.
#[derive(Clone, Debug)]
pub(in crate::cli::lint) struct Examples {
    /// For any text.
    pub(in crate::cli::lint) any: String,
    /// For an `int` or a `float`.
    pub(in crate::cli::lint) digits: String,
    /// For a `uuid`.
    pub(in crate::cli::lint) uuid: String,
}

impl Examples {
    /// Texts that no template treats specially: `{name}` matches any text, but `e{name}` is made for texts like
    /// `example`.
    pub(in crate::cli::lint) fn unlike<'policy>(templates: impl Iterator<Item = &'policy PathTemplate>) -> Self {
        let mut named = Named::default();
        for segment in templates.flat_map(PathTemplate::segments) {
            match segment {
                Segment::Literal(text) => drop(named.literals.insert(text)),
                Segment::Parameter(parameter) if named.parameters.len() < MOST_SURROUNDINGS => named.add(parameter),
                Segment::Parameter(_) | Segment::Rest(_) => {}
            }
        }
        let words = ["example", "sample", "something", "anything", "whatever"].map(str::to_owned);
        let letters = || 'a'..='z';
        let more_words = letters().flat_map(|first| letters().map(move |last| format!("{first}0{last}")));
        let numbers = (4711..9999).step_by(37).chain((2..10).rev()).map(|number: u32| number.to_string());
        let hex_digits = || "0f123456789abcde".chars();
        let uuids = hex_digits().flat_map(|first| {
            hex_digits().skip(1).map(move |last| format!("{first}1234567-89ab-cdef-0123-456789abcde{last}"))
        });
        let (str, float, uuid) =
            (&[Convertor::Str][..], &[Convertor::Int, Convertor::Float][..], &[Convertor::Uuid][..]);
        Self {
            any: named.unlike(words.into_iter().chain(more_words), str),
            digits: named.unlike(numbers, float),
            uuid: named.unlike(uuids, uuid),
        }
    }
}

/// The texts and parameters in templates.
#[derive(Default)]
struct Named<'policy> {
    literals: BTreeSet<&'policy str>,
    /// One parameter of each form.
    parameters: Vec<&'policy Parameter>,
}

impl<'policy> Named<'policy> {
    fn add(&mut self, parameter: &'policy Parameter) {
        let alike = |known: &&Parameter| {
            (&known.prefix, &known.suffix, known.convertor)
                == (&parameter.prefix, &parameter.suffix, parameter.convertor)
        };
        if !self.parameters.iter().any(alike) {
            self.parameters.push(parameter);
        }
    }

    /// The first text that no template names, even with the prefixes and suffixes of these parameters; if there is
    /// none, the first text.
    fn unlike(&self, mut texts: impl Iterator<Item = String>, filling: &[Convertor]) -> String {
        let first = texts.next().unwrap_or_default();
        let fills = |parameter: &&&Parameter| filling.contains(&parameter.convertor);
        let surroundings: BTreeSet<(&str, &str)> = std::iter::once(("", ""))
            .chain(self.parameters.iter().filter(fills).map(|one| (one.prefix.as_str(), one.suffix.as_str())))
            .collect();
        let is_free = |text: &String| {
            surroundings.iter().all(|(prefix, suffix)| {
                let whole = format!("{prefix}{text}{suffix}");
                let is_made_for_it = |other: &&Parameter| {
                    let around = prefix.starts_with(&other.prefix) && suffix.ends_with(&other.suffix);
                    !around && other.capture(&whole).is_some()
                };
                !self.literals.contains(whole.as_str()) && !self.parameters.iter().any(is_made_for_it)
            })
        };
        std::iter::once(first.clone()).chain(texts).find(is_free).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use fastgate::policy::pattern::PathTemplate;

    use super::Examples;

    #[test]
    fn an_example_is_what_no_template_is_made_for() {
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        for (templates, any, digits) in [
            (vec!["/{x}/{y:int}"], "example", "4711"),
            (vec!["/a/e{x}"], "sample", "4711"),
            (vec!["/a/e{x}", "/{x}e", "/something", "/an{x:int}"], "anything", "4711"),
            (vec!["/v{x}", "/ve{x}", "/vs{y}.csv"], "sample", "4711"),
            (vec!["/v{x}", "/vexample"], "sample", "4711"),
            (vec!["/v{x:int}", "/v4{y}", "/4711"], "example", "5007"),
        ] {
            let templates: Vec<_> = templates.into_iter().filter_map(|text| PathTemplate::parse(text).ok()).collect();
            let found = Examples::unlike(templates.iter());
            assert_eq!((found.any.as_str(), found.digits.as_str()), (any, digits), "{templates:?}");
            assert_eq!(found.uuid, uuid);
        }
        let Ok(literal) = PathTemplate::parse(&format!("/{uuid}")) else { panic!() };
        assert_ne!(Examples::unlike([&literal].into_iter()).uuid, uuid);
    }
}
