//! Compute ACLs, looked up by name.

use std::net::IpAddr;

use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastly::Acl;

/// The ACLs that are linked to this service.
pub(in crate::compute) struct LinkedAcls;

impl Acls for LinkedAcls {
    fn action(&mut self, acl: &str, address: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        let found = Acl::open(acl).map_err(|_| AclUnavailable)?.try_lookup(address).map_err(|_| AclUnavailable)?;
        match found {
            None => Ok(None),
            Some(entry) if entry.is_allow() => Ok(Some(AclAction::Allow)),
            Some(entry) if entry.is_block() => Ok(Some(AclAction::Block)),
            Some(_) => Err(AclUnavailable),
        }
    }
}
