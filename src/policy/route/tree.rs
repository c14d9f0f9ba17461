//! The routes of a policy as a tree of path segments. The time to find a route hardly depends on how many there are.

use std::collections::BTreeMap;

use crate::policy::pattern::{Parameter, PathTemplate, Segment};

/// Route numbers (positions in the policy's list) by path. The tree is built once, when the policy is read.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct RouteTree {
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Routes whose template ends here.
    ends: Vec<usize>,
    literals: BTreeMap<String, Node>,
    /// Ordered, the most specific first.
    parameters: Vec<(Parameter, Node)>,
    rest: Option<Box<Node>>,
}

impl RouteTree {
    /// Adds the route number `route` at its template. Returns the earlier routes with this template: they match exactly
    /// the same paths.
    pub(in crate::policy) fn insert(&mut self, template: &PathTemplate, route: usize) -> &[usize] {
        let mut node = &mut self.root;
        for segment in template.segments() {
            node = node.child(segment);
        }
        node.ends.push(route);
        node.ends.split_last().map_or(&[], |(_, earlier)| earlier)
    }

    /// Calls `visit` with the routes of every template that matches, the most specific template first, until it returns
    /// true. `segments` are those of a decoded path, as [`CanonicalPath::segments`](crate::request::CanonicalPath)
    /// gives them.
    pub(in crate::policy) fn visit(&self, segments: &[&str], visit: &mut dyn FnMut(&[usize]) -> bool) {
        self.root.visit(segments, visit);
    }
}

impl Node {
    fn child(&mut self, segment: &Segment) -> &mut Self {
        match segment {
            Segment::Literal(text) => self.literals.entry(text.clone()).or_default(),
            Segment::Rest(_) => self.rest.get_or_insert_default(),
            Segment::Parameter(parameter) => {
                let place = self.parameters.binary_search_by(|(known, _)| parameter.cmp_specificity(known));
                let (Ok(index) | Err(index)) = place;
                if place.is_err() {
                    self.parameters.insert(index, (parameter.clone(), Self::default()));
                }
                #[expect(clippy::indexing_slicing, reason = "the index was just found or filled")]
                &mut self.parameters[index].1
            }
        }
    }

    /// Searches depth-first, the most specific children first. Each node is visited at most once for each place in the
    /// path at which a `path` parameter may end.
    fn visit(&self, segments: &[&str], visit: &mut dyn FnMut(&[usize]) -> bool) -> bool {
        let Some((segment, following)) = segments.split_first() else {
            return !self.ends.is_empty() && visit(&self.ends);
        };
        if self.literals.get(*segment).is_some_and(|child| child.visit(following, visit)) {
            return true;
        }
        for (parameter, child) in &self.parameters {
            if parameter.capture(segment).is_some() && child.visit(following, visit) {
                return true;
            }
        }
        let Some(rest) = &self.rest else { return false };
        // A `path` parameter matches at least one segment. The segments after it must match the end of the path.
        (0..=following.len()).any(|skipped| following.get(skipped..).is_some_and(|tail| rest.visit(tail, visit)))
    }
}
