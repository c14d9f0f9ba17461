//! The protected routes that may share a path with a public one, found without comparing every pair.

use std::collections::BTreeMap;

use fastgate::policy::Route;
use fastgate::policy::pattern::{PathTemplate, Segment};

use super::hint::open;
use super::overlap::{Budget, BudgetExceeded};

/// Protected routes by the segments of their templates.
#[derive(Default)]
pub(super) struct Candidates<'policy> {
    root: Node<'policy>,
    routes: &'policy [Route],
}

#[derive(Default)]
struct Node<'policy> {
    /// The numbers of the routes whose template ends here.
    ends: Vec<usize>,
    literals: BTreeMap<&'policy str, Self>,
    /// All parameters share one node: an application may read a value that a convertor does not match as the same
    /// value.
    parameter: Option<Box<Self>>,
    rest: Option<Box<Self>>,
}

impl<'policy> Candidates<'policy> {
    /// Those of `routes` that are protected.
    pub(super) fn of(routes: &'policy [Route]) -> Self {
        let mut root = Node::default();
        for (number, route) in routes.iter().enumerate().filter(|(_, route)| !open(route)) {
            let mut node = &mut root;
            for segment in route.template.segments() {
                node = match segment {
                    Segment::Literal(text) => node.literals.entry(text).or_default(),
                    Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                    Segment::Rest(_) => node.rest.get_or_insert_default(),
                };
            }
            node.ends.push(number);
        }
        Self { root, routes }
    }

    /// All routes that may share a path with `template`, and possibly others, in the order of the policy.
    pub(super) fn near(
        &self,
        template: &PathTemplate,
        budget: &mut Budget,
    ) -> Result<Vec<&'policy Route>, BudgetExceeded> {
        let mut numbers = Vec::new();
        self.root.near(template.segments(), &mut numbers, budget)?;
        numbers.sort_unstable();
        Ok(numbers.into_iter().filter_map(|number| self.routes.get(number)).collect())
    }
}

impl Node<'_> {
    fn near(&self, segments: &[Segment], numbers: &mut Vec<usize>, budget: &mut Budget) -> Result<(), BudgetExceeded> {
        budget.spend(1)?;
        // A `path` parameter may end at any segment.
        if let Some(rest) = &self.rest {
            rest.all(numbers, budget)?;
        }
        let Some((segment, following)) = segments.split_first() else {
            numbers.extend(&self.ends);
            return Ok(());
        };
        match segment {
            Segment::Rest(_) => {
                numbers.extend(&self.ends);
                for child in self.literals.values().chain(self.parameter.as_deref()) {
                    child.all(numbers, budget)?;
                }
                return Ok(());
            }
            Segment::Literal(text) => {
                if let Some(child) = self.literals.get(text.as_str()) {
                    child.near(following, numbers, budget)?;
                }
            }
            Segment::Parameter(parameter) => {
                budget.spend(self.literals.len())?;
                for (_, child) in self.literals.iter().filter(|(text, _)| parameter.capture(text).is_some()) {
                    child.near(following, numbers, budget)?;
                }
            }
        }
        self.parameter.as_ref().map_or(Ok(()), |child| child.near(following, numbers, budget))
    }

    fn all(&self, numbers: &mut Vec<usize>, budget: &mut Budget) -> Result<(), BudgetExceeded> {
        budget.spend(1)?;
        numbers.extend(&self.ends);
        for child in self.literals.values().chain(self.parameter.as_deref()).chain(self.rest.as_deref()) {
            child.all(numbers, budget)?;
        }
        Ok(())
    }
}
