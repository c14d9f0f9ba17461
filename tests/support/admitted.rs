//! A route without places, as the steps before identification return it.

use std::net::IpAddr;

use fastgate::availability::{self, KillSwitch};
use fastgate::client::Client;
use fastgate::cors;
use fastgate::place::{self, AclAction, AclUnavailable, Acls, Admitted};
use fastgate::policy::Route;
use fastgate::request::Target;

struct NoAcls;

impl Acls for NoAcls {
    fn action(&mut self, _: &str, _: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Err(AclUnavailable)
    }
}

/// The route, admitted. Fails for one that is closed or names places.
pub(crate) fn admitted<'policy>(route: &'policy Route, target: &Target) -> Admitted<'policy> {
    let checked = cors::check_origin(route, target).unwrap();
    let available = availability::check(checked, &KillSwitch::default()).unwrap();
    place::admit(available, &Client::default(), &mut NoAcls, &mut |_, _| ()).unwrap()
}
