//! `rules`: conditions on callers. Input: a [`ConditionDocument`]. Output: a [`Condition`], which step
//! [`authorize`](crate::authorize) evaluates.

mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::claim_path::{ClaimName, ClaimPath, Scalar};
use super::fault::{Fault, Faults};
use super::names::is_scope;
use super::pattern::PathTemplate;
use crate::json_form::objects;

objects!(ClaimTestDocument);

/// A condition on a caller: an object with exactly one of these members. Written out with its rules, it may be 64
/// levels deep and consist of 4096 conditions.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConditionDocument {
    /// All of these conditions hold; at least one.
    All(Vec<Self>),
    /// At least one of these conditions holds.
    Any(Vec<Self>),
    /// This condition does not hold. A test of a claim that the token lacks does not hold.
    Not(Box<Self>),
    /// The condition of this name in `rules` holds.
    Rule(String),
    /// The token has this scope.
    Scope(String),
    /// The token has this role, in the claims that `claims.roles` of its issuer names.
    Role(String),
    /// The token has this group, in the claims that `claims.groups` of its issuer names.
    Group(String),
    /// A claim of the token has a certain value.
    Claim(ClaimTestDocument),
}

/// A test of one claim: its name, and exactly one of the other members. A claim of another type counts as absent.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct ClaimTestDocument {
    /// The name of the claim. A list leads into nested objects: `["realm_access", "roles"]`.
    pub name: ClaimName,
    /// The claim is exactly this value.
    #[serde(default)]
    pub equals: Option<Scalar>,
    /// The claim is exactly one of these values; at least one.
    #[serde(default, rename = "in")]
    pub one_of: Option<Vec<Scalar>>,
    /// The claim is a list with exactly this value as a member, or is this value itself.
    #[serde(default)]
    pub contains: Option<Scalar>,
    /// The claim equals the decoded value of this parameter of the route's path. A parameter with the convertor `int`,
    /// `float` or `uuid` is compared by value, however path and claim spell it (`7`, `007`, and for numbers the JSON
    /// number); any other is compared as text, byte for byte. Under `not` the parameter needs a convertor other than
    /// `path`: `{order_id:int}`, or `{order_id:str}` if the application takes the text as it is.
    #[serde(default)]
    pub equals_path: Option<String>,
    /// The claim is a list with the value of this path parameter as a member, or is that value itself. It is compared
    /// as in `equals_path`.
    #[serde(default)]
    pub contains_path: Option<String>,
}

/// A condition on a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All of these conditions hold.
    All(Vec<Self>),
    /// At least one of these conditions holds.
    Any(Vec<Self>),
    /// This condition does not hold.
    Not(Box<Self>),
    /// The condition with this name in `rules` holds.
    Rule(String, Arc<Self>),
    /// The token has this scope.
    Scope(String),
    /// The token has this role.
    Role(String),
    /// The token has this group.
    Group(String),
    /// A claim has a value.
    Claim(ClaimPath, Expected),
}

/// The expected value of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this value.
    Equals(Value),
    /// Exactly one of these values.
    OneOf(Vec<Value>),
    /// A list with this element, or this value.
    Contains(Value),
    /// The value of this path parameter.
    EqualsPath(String),
    /// A list with the value of this path parameter, or that value.
    ContainsPath(String),
}

/// The greatest depth of a condition, with the rules that it names written out. Evaluating and dropping a condition
/// takes one stack frame for each level.
pub const MAX_DEPTH: usize = 64;
/// The greatest number of conditions in one, with the rules that it names written out at each place.
pub const MAX_CONDITIONS: usize = 4096;

/// The named conditions of a policy while it is read.
pub(super) struct Rules<'document> {
    documents: &'document BTreeMap<String, ConditionDocument>,
    read: BTreeMap<String, (Arc<Condition>, Extent)>,
    /// The rules that are being read, from the outermost to the innermost.
    open: Vec<String>,
    /// The number of nested conditions that are being read.
    level: usize,
}

/// The size of a condition, with the rules that it names written out.
#[derive(Clone, Copy)]
struct Extent {
    depth: usize,
    size: usize,
}

impl Extent {
    /// The extent of [`never`].
    const NONE: Self = Self { depth: 0, size: 0 };
    const ONE: Self = Self { depth: 1, size: 1 };

    /// The extent of a condition that contains one of this extent.
    const fn wrapped(self) -> Self {
        Self { depth: self.depth.saturating_add(1), size: self.size.saturating_add(1) }
    }

    /// The extent of two conditions in one list.
    fn beside(self, other: Self) -> Self {
        Self { depth: self.depth.max(other.depth), size: self.size.saturating_add(other.size) }
    }
}

impl<'document> Rules<'document> {
    /// Reads every named condition.
    pub(super) fn read(documents: &'document BTreeMap<String, ConditionDocument>, faults: &mut Faults) -> Self {
        let mut rules = Self { documents, read: BTreeMap::new(), open: Vec::new(), level: 0 };
        for name in documents.keys() {
            rules.rule(name, &format!("$.rules.{name}"), faults);
        }
        rules
    }

    /// Reads the condition at `at`. A condition that is too deep or too long is a fault.
    pub(super) fn condition(&mut self, document: &ConditionDocument, at: &str, faults: &mut Faults) -> Condition {
        self.bounded(document, at, faults).0
    }

    fn bounded(&mut self, document: &ConditionDocument, at: &str, faults: &mut Faults) -> (Condition, Extent) {
        let (condition, extent) = self.nested(document, at, faults);
        let Extent { depth, size } = extent;
        faults.add_if(depth > MAX_DEPTH, at, Fault::TooDeep { most: MAX_DEPTH });
        faults.add_if(size > MAX_CONDITIONS, at, Fault::TooManyConditions { size, most: MAX_CONDITIONS });
        // Otherwise each outer condition would repeat the fault, and dropping a refused one could overflow the stack.
        if depth > MAX_DEPTH || size > MAX_CONDITIONS { (never(), Extent::NONE) } else { (condition, extent) }
    }

    fn nested(&mut self, document: &ConditionDocument, at: &str, faults: &mut Faults) -> (Condition, Extent) {
        if self.level >= MAX_DEPTH {
            faults.add(at, Fault::TooDeep { most: MAX_DEPTH });
            return (never(), Extent::NONE);
        }
        self.level += 1;
        let read = self.one(document, at, faults);
        self.level -= 1;
        read
    }

    fn one(&mut self, document: &ConditionDocument, at: &str, faults: &mut Faults) -> (Condition, Extent) {
        let condition = match document {
            ConditionDocument::All(list) => {
                let (list, extent) = self.list(list, &format!("{at}.all"), faults);
                return (Condition::All(list), extent);
            }
            ConditionDocument::Any(list) => {
                let (list, extent) = self.list(list, &format!("{at}.any"), faults);
                return (Condition::Any(list), extent);
            }
            ConditionDocument::Not(inner) => {
                let (inner, extent) = self.nested(inner, &format!("{at}.not"), faults);
                return (Condition::Not(Box::new(inner)), extent.wrapped());
            }
            ConditionDocument::Rule(name) => {
                let (rule, extent) = self.rule(name, &format!("{at}.rule"), faults);
                return (Condition::Rule(name.clone(), rule), extent.wrapped());
            }
            ConditionDocument::Scope(scope) => {
                faults.add_if(!is_scope(scope), format_args!("{at}.scope"), Fault::NotAScope);
                Condition::Scope(scope.clone())
            }
            ConditionDocument::Role(role) => {
                faults.add_if(role.is_empty(), format_args!("{at}.role"), Fault::Empty);
                Condition::Role(role.clone())
            }
            ConditionDocument::Group(group) => {
                faults.add_if(group.is_empty(), format_args!("{at}.group"), Fault::Empty);
                Condition::Group(group.clone())
            }
            ConditionDocument::Claim(test) => claim(test, &format!("{at}.claim"), faults),
        };
        (condition, Extent::ONE)
    }

    fn list(&mut self, list: &[ConditionDocument], at: &str, faults: &mut Faults) -> (Vec<Condition>, Extent) {
        faults.add_if(list.is_empty(), at, Fault::Empty);
        let mut inside = Extent::NONE;
        let mut read = Vec::with_capacity(list.len());
        for (index, document) in list.iter().enumerate() {
            let (condition, extent) = self.nested(document, &format!("{at}[{index}]"), faults);
            inside = inside.beside(extent);
            read.push(condition);
        }
        (read, inside.wrapped())
    }

    fn rule(&mut self, name: &str, at: &str, faults: &mut Faults) -> (Arc<Condition>, Extent) {
        if let Some((known, extent)) = self.read.get(name) {
            return (Arc::clone(known), *extent);
        }
        let Some(document) = self.documents.get(name) else {
            faults.add(at, Fault::UnknownRule);
            return (Arc::new(never()), Extent::NONE);
        };
        if self.open.iter().any(|open| open == name) {
            faults.add(at, Fault::CircularRule);
            return (Arc::new(never()), Extent::NONE);
        }
        self.open.push(name.to_owned());
        let (condition, extent) = self.bounded(document, &format!("$.rules.{name}"), faults);
        self.open.pop();
        let condition = Arc::new(condition);
        self.read.insert(name.to_owned(), (Arc::clone(&condition), extent));
        (condition, extent)
    }
}

/// Replaces a condition that cannot be read. It never holds; the fault prevents the policy from being used.
const fn never() -> Condition {
    Condition::Any(Vec::new())
}

fn claim(test: &ClaimTestDocument, at: &str, faults: &mut Faults) -> Condition {
    let path = ClaimPath::read(test.name.clone(), &format!("{at}.name"), faults);
    let expectations = [
        test.equals.as_ref().map(|value| Expected::Equals(value.to_json())),
        test.one_of.as_ref().map(|values| Expected::OneOf(values.iter().map(Scalar::to_json).collect())),
        test.contains.as_ref().map(|value| Expected::Contains(value.to_json())),
        test.equals_path.clone().map(Expected::EqualsPath),
        test.contains_path.clone().map(Expected::ContainsPath),
    ];
    // An empty list contains no value, so every value would pass under `not`.
    let no_values = test.one_of.as_ref().is_some_and(Vec::is_empty);
    faults.add_if(no_values, format_args!("{at}.in"), Fault::Empty);
    let mut expectations = expectations.into_iter().flatten();
    let (first, second) = (expectations.next(), expectations.next());
    faults.add_if(first.is_none() || second.is_some(), at, Fault::NotOneTest);
    Condition::Claim(path, first.unwrap_or(Expected::OneOf(Vec::new())))
}

impl Condition {
    /// Adds a fault for each test that names a path parameter that `template` lacks, and for each negated test of text
    /// that the application might convert.
    pub(super) fn check_parameters(&self, template: &PathTemplate, at: &str, faults: &mut Faults) {
        self.check_parameters_under(false, template, at, faults);
    }

    /// `negated`: whether the condition is inside an odd number of `not`.
    fn check_parameters_under(&self, negated: bool, template: &PathTemplate, at: &str, faults: &mut Faults) {
        match self {
            Self::All(list) | Self::Any(list) => {
                for condition in list {
                    condition.check_parameters_under(negated, template, at, faults);
                }
            }
            Self::Not(inner) => inner.check_parameters_under(!negated, template, at, faults),
            Self::Rule(_, inner) => inner.check_parameters_under(negated, template, at, faults),
            Self::Claim(_, Expected::EqualsPath(name) | Expected::ContainsPath(name)) => {
                let known = template.parameters().any(|parameter| parameter == name);
                faults.add_if(!known, at, Fault::UnknownParameter { name: name.clone() });
                // The application may read `7`, `07` and `+7` as one number, so unequal texts may be equal values.
                let ambiguous = negated && template.leaves_type_open(name);
                faults.add_if(ambiguous, at, Fault::NegatedText { name: name.clone() });
            }
            Self::Claim(..) | Self::Scope(_) | Self::Role(_) | Self::Group(_) => {}
        }
    }
}
