//! Checks `cache` of a route against the rest of the route: what is stored must not depend on anything else.

use super::{Access, MethodName, Route};
use crate::policy::cache::CacheRule;
use crate::policy::cache::fault::CacheFault;
use crate::policy::fault::{Fault, Faults};
use crate::policy::issuer::Issuer;
use crate::time::Seconds;

/// Adds the faults of `rule` at `at`. `shared` is the member of the document.
pub(super) fn check(rule: &CacheRule, route: &Route, shared: bool, issuers: &[&Issuer], at: &str, faults: &mut Faults) {
    let mut add_if = |is_wrong: bool, member: &str, fault: CacheFault| {
        faults.add_if(is_wrong, format_args!("{at}{member}"), Fault::Cache(fault));
    };
    let is_for_models = route.inference.is_some();
    let has_none = !route.methods.contains(&MethodName::Get) && !is_for_models;
    add_if(has_none || route.websocket, "", CacheFault::NoGet);
    let is_repeatable = route.inference.as_ref().is_none_or(|inference| inference.api.is_repeatable());
    add_if(!is_repeatable, "", CacheFault::NoneRepeatable);
    let renews = rule.stale_while_revalidate > Seconds::new(0);
    add_if(is_for_models && renews, ".stale_while_revalidate", CacheFault::RenewsModels);
    add_if(route.forward_token, "", CacheFault::ForwardsToken);
    // A body that is part of the key may be signed.
    add_if(route.sign_body && !is_for_models, "", CacheFault::SignsBody);
    let is_public = route.access == Access::Public;
    add_if(is_public && !rule.audience.is_empty(), ".audience", CacheFault::NoCallers);
    let is_for_all = rule.audience.is_empty() && !is_public;
    add_if(is_for_all && !shared, ".audience", CacheFault::NotShared);
    add_if(shared && !is_for_all, ".shared", CacheFault::NothingToShare);
    for fact in &rule.audience {
        let lacks = |issuer: &&&Issuer| route.access.accepts(issuer.id.as_str()) && !fact.is_known_of(issuer);
        if let Some(issuer) = issuers.iter().find(lacks).filter(|_| !is_public) {
            add_if(true, ".audience", CacheFault::UnknownOfIssuer { issuer: issuer.id.to_string() });
        }
    }
}
