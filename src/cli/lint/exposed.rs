//! Public routes that get requests which a protected route seems to be meant for. The edge's router decides which route
//! a path that both match gets: if it is a third one, neither exposes it.

use fastgate::policy::pattern::{Convertor, Parameter, PathTemplate, Segment};
use fastgate::policy::{MethodName, Policy, Route};
use fastgate::request::CanonicalPath;
use fastgate::route::{find_for, websocket};

use super::candidates::Candidates;
use super::hint::{Lint, admitted_callers, open};
use super::overlap::{Budget, BudgetExceeded, Examples, covers, shared_paths};

const GOES_FIRST: &str = "the public route goes first, since its path is the more specific: give it a path of its own, \
                          or make sure that the application never assigns such values";
const ADD_METHODS: &str = "add these methods to the protected route, or give the public route a path of its own";
const PROTECT: &str = "take these methods out of the public route, or give it a path of its own";
const CONVERT: &str = "give the public route a path of its own, or let the application convert by its path";

/// The methods and paths that a public route exposes on paths of a protected route.
struct Exposed {
    what: String,
    remedy: &'static str,
}

/// One hint for each public route that exposes paths of protected routes, with one of them as an example.
pub(super) fn exposed(policy: &Policy) -> Vec<Lint> {
    let mut budget = Budget::new();
    let mut lints = Vec::new();
    let examples = Examples::unlike(policy.routes().iter().map(|route| &route.template));
    let protected = Candidates::of(policy.routes());
    for (number, public) in policy.routes().iter().enumerate().filter(|(_, route)| open(route)) {
        let at = format!("$.routes[{number}]");
        let Ok(found) = Comparison { policy, public, examples: &examples, budget: &mut budget }.with_all(&protected)
        else {
            lints.push(Lint {
                at,
                what: "and the public routes after it were not compared with every protected route: this policy has \
                       too many routes and parameters for that"
                    .to_owned(),
                remedy: "check important paths with `fastgate explain`, or write templates with fewer parameters",
            });
            break;
        };
        let Some((example, more)) = found else { continue };
        let more = match more {
            0 => String::new(),
            1 => " (and opens paths of 1 more protected route)".to_owned(),
            more => format!(" (and opens paths of {more} more protected routes)"),
        };
        lints.push(Lint { at, what: format!("{}{more}", example.what), remedy: example.remedy });
    }
    lints
}

struct Comparison<'run> {
    policy: &'run Policy,
    public: &'run Route,
    /// The values of parameters in example paths.
    examples: &'run Examples,
    budget: &'run mut Budget,
}

impl Comparison<'_> {
    /// The first protected route whose paths are exposed as written, or else in another spelling, and how many more
    /// there are.
    fn with_all(mut self, protected: &Candidates<'_>) -> Result<Option<(Exposed, usize)>, BudgetExceeded> {
        let (mut as_written, mut respelled, mut count) = (None, None, 0_usize);
        for protected in protected.near(&self.public.template, self.budget)? {
            self.budget.spend(1)?;
            if let Some(found) = self.on_shared_paths(protected)? {
                as_written.get_or_insert(found);
                count += 1;
            } else if let Some(found) = self.in_another_spelling(protected)? {
                respelled.get_or_insert(found);
                count += 1;
            }
        }
        Ok(as_written.or(respelled).map(|example| (example, count.saturating_sub(1))))
    }

    /// The exposed methods on paths that both match.
    fn on_shared_paths(&mut self, protected: &Route) -> Result<Option<Exposed>, BudgetExceeded> {
        let public = self.public;
        let methods: Vec<_> = public.methods.iter().filter(|method| is_meant(public, protected, **method)).collect();
        // A protected route for all paths is the default for paths without another route.
        let is_default = matches!(protected.template.segments(), [Segment::Rest(_)]);
        if methods.is_empty() || is_default || is_named_exception(public, protected) {
            return Ok(None);
        }
        for path in shared_paths(public.template.segments(), protected.template.segments(), self.examples, self.budget)?
        {
            let reached = self.reached(&path, &methods)?;
            if !reached.is_empty() {
                let order = public.template.cmp_specificity(&protected.template);
                let remedy = match (public.websocket || protected.websocket, order) {
                    (_, std::cmp::Ordering::Greater) => GOES_FIRST,
                    (false, std::cmp::Ordering::Less) => ADD_METHODS,
                    _ => PROTECT,
                };
                let what = format!(
                    "lets {} use {} on paths of the protected route \"{}\", as on \"{path}\"",
                    admitted_callers(public),
                    reached.join(", "),
                    protected.id
                );
                return Ok(Some(Exposed { what, remedy }));
            }
        }
        Ok(None)
    }

    /// The exposed methods if a convertor of the protected route does not match a spelling that an application may read
    /// as a value of that convertor.
    fn in_another_spelling(&mut self, protected: &Route) -> Result<Option<Exposed>, BudgetExceeded> {
        let public = self.public;
        // Another hint reports that such a route takes every path.
        if public.websocket != protected.websocket || matches!(public.template.segments(), [Segment::Rest(_)]) {
            return Ok(None);
        }
        let methods: Vec<_> = public.methods.iter().filter(|method| protected.methods.contains(method)).collect();
        if methods.is_empty() {
            return Ok(None);
        }
        let mut segments = protected.template.segments().to_vec();
        for (index, segment) in protected.template.segments().iter().enumerate() {
            let Segment::Parameter(parameter) = segment else { continue };
            for shown in others(parameter) {
                self.budget.spend(1)?;
                let Some(place) = segments.get_mut(index) else { continue };
                *place = Segment::Literal(shown.clone());
                for path in shared_paths(&segments, public.template.segments(), self.examples, self.budget)? {
                    let reached = self.reached(&path, &methods)?;
                    if !reached.is_empty() {
                        let what = format!(
                            "lets {} use {} where the path has \"{shown}\", which the protected route \"{}\" does \
                             not match and an application may read as the same value",
                            admitted_callers(public),
                            reached.join(", "),
                            protected.id
                        );
                        return Ok(Some(Exposed { what, remedy: CONVERT }));
                    }
                }
            }
            if let Some(place) = segments.get_mut(index) {
                *place = segment.clone();
            }
        }
        Ok(None)
    }

    /// The methods with which a request for this path gets to the public route.
    fn reached(&mut self, path: &str, methods: &[&MethodName]) -> Result<Vec<&'static str>, BudgetExceeded> {
        let Ok(path) = CanonicalPath::of_decoded(path) else { return Ok(Vec::new()) };
        let mut reached = Vec::new();
        for method in methods {
            // The router matches a `path` parameter with every length that is left.
            self.budget.spend(path.segments().count().pow(2))?;
            let (route, name) = if self.public.websocket {
                (websocket(self.policy, &path), "WebSockets")
            } else {
                (find_for(self.policy, &path, method.as_str()).ok(), method.as_str())
            };
            if route.is_some_and(|route| std::ptr::eq(route, self.public)) {
                reached.push(name);
            }
        }
        Ok(reached)
    }
}

/// Whether the protected route seems to be meant for this method of the public route: it has the method as well, or the
/// method changes something. Reading what only authenticated callers may change is the purpose of a public route.
fn is_meant(public: &Route, protected: &Route, method: MethodName) -> bool {
    let same_kind = public.websocket == protected.websocket;
    let has = |method| protected.methods.contains(&method);
    let kept = same_kind && (has(method) || (method == MethodName::Head && has(MethodName::Get)));
    let safe = matches!(method, MethodName::Get | MethodName::Head | MethodName::Options);
    kept || public.websocket && !same_kind || !safe
}

/// Whether the public route is a deliberate exception: the protected route matches all its paths, and the public one
/// has more literal text. A narrower convertor alone is not an exception: every `{id}` may be an `{id:uuid}`.
fn is_named_exception(public: &Route, protected: &Route) -> bool {
    covers(&protected.template, &public.template) && literal_text(&public.template) > literal_text(&protected.template)
}

/// How much literal text a template has: how many literal segments, and how many letters around parameters.
fn literal_text(template: &PathTemplate) -> (usize, usize) {
    template.segments().iter().fold((0, 0), |(literals, letters), segment| match segment {
        Segment::Literal(_) => (literals + 1, letters),
        Segment::Parameter(Parameter { prefix, suffix, .. }) => (literals, letters + prefix.len() + suffix.len()),
        Segment::Rest(_) => (literals, letters),
    })
}

/// Texts that Python reads as a value of the parameter's convertor, and that the convertor does not match.
fn others(parameter: &Parameter) -> Vec<String> {
    let texts: &[&str] = match parameter.convertor {
        Convertor::Int => &["+7", "7.0"],
        Convertor::Float => &["+7", "7e0"],
        Convertor::Uuid => &["urn:uuid:00000000-0000-0000-0000-000000000000"],
        Convertor::Str => &[],
    };
    texts.iter().map(|text| format!("{}{text}{}", parameter.prefix, parameter.suffix)).collect()
}
