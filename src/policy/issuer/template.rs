//! Issuers with one `iss` for each tenant: `https://login.microsoftonline.com/{tenant}/v2.0`. Input: the spellings of
//! `iss` in the document. Output: [`Templates`], which say what `iss` the tokens of a tenant have.
//!
//! `{tenant}` is a whole segment of the path. In a host name it is refused: the keys of an issuer must be on its host,
//! and such a template has no host of its own.

use crate::policy::fault::Fault;
use crate::policy::url::is_https_url;

/// The tenant in a template.
const TENANT: &str = "{tenant}";
/// The tenant of the token in the name of the owner of a key.
pub(super) const OWNING_TENANT: &str = "{tenantid}";
/// The longest tenant, in bytes.
const MAX_TENANT_BYTES: usize = 128;

/// The spellings of an `iss` that contains the tenant; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    /// The first one is `issuer` of the policy, the others are its aliases.
    spellings: Vec<Template>,
    /// Whether tenants are GUIDs in lower case (RFC 9562 §4).
    guids: bool,
}

/// One spelling: the parts before and after the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    before: String,
    after: String,
}

impl Template {
    /// Reads a spelling of `iss`; `None` if it contains no braces.
    ///
    /// # Errors
    /// [`Fault::NotATemplate`] if it contains braces that are not one whole segment `{tenant}` of a path.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Fault> {
        if !text.contains(['{', '}']) {
            return Ok(None);
        }
        let template = text.split_once(TENANT).filter(|(before, after)| {
            let is_segment = before.ends_with('/') && (after.is_empty() || after.starts_with('/'));
            let others = before.contains(['{', '}']) || after.contains(['{', '}']);
            // The host ends before the segment: `https://host/`.
            is_segment && !others && before.matches('/').count() >= 3 && is_https_url(text)
        });
        let (before, after) = template.ok_or(Fault::NotATemplate)?;
        Ok(Some(Self { before: before.to_owned(), after: after.to_owned() }))
    }

    /// The text in place of the tenant, if `iss` has this form.
    fn tenant_in<'iss>(&self, iss: &'iss str) -> Option<&'iss str> {
        iss.strip_prefix(&self.before)?.strip_suffix(&self.after)
    }

    fn filled(&self, tenant: &str) -> String {
        format!("{}{tenant}{}", self.before, self.after)
    }

    /// Whether an `iss` may have both forms. The form of tenants is not considered.
    fn overlaps(&self, other: &Self) -> bool {
        let [own, others] = [self, other].map(|template| template.filled(TENANT));
        let (mut own, mut others) = (own.split('/'), others.split('/'));
        loop {
            match (own.next(), others.next()) {
                (None, None) => return true,
                (Some(one), Some(two)) if one == two || one == TENANT || two == TENANT => {}
                _ => return false,
            }
        }
    }
}

impl Templates {
    pub(super) const fn new(spellings: Vec<Template>, guids: bool) -> Self {
        Self { spellings, guids }
    }

    /// Whether `text` may be a tenant. Without GUIDs these are 1 to 128 of `A-Z`, `a-z`, `0-9`, `-`, `_` and `.`,
    /// except `.` and `..`: one segment of a URL, which no parser changes.
    #[must_use]
    pub fn is_tenant(&self, text: &str) -> bool {
        if self.guids {
            return is_guid(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=MAX_TENANT_BYTES).contains(&text.len()) && !matches!(text, "." | "..") && text.bytes().all(allowed)
    }

    /// Whether the tokens of `tenant` may have this `iss`, which is compared byte for byte.
    #[must_use]
    pub fn names(&self, iss: &str, tenant: &str) -> bool {
        self.is_tenant(tenant) && self.spellings.iter().any(|spelling| spelling.tenant_in(iss) == Some(tenant))
    }

    /// The tenant that `iss` contains; `None` if it has none of the forms.
    #[must_use]
    pub fn tenant_in<'iss>(&self, iss: &'iss str) -> Option<&'iss str> {
        self.spellings.iter().find_map(|spelling| spelling.tenant_in(iss).filter(|tenant| self.is_tenant(tenant)))
    }

    /// `iss` of the tokens of `tenant`, in the spelling of `issuer` of the policy.
    #[must_use]
    pub fn filled(&self, tenant: &str) -> String {
        self.spellings.first().map(|spelling| spelling.filled(tenant)).unwrap_or_default()
    }

    /// Whether one `iss` may have a form of both.
    pub(super) fn overlap(&self, other: &Self) -> bool {
        self.spellings.iter().any(|spelling| other.spellings.iter().any(|other| spelling.overlaps(other)))
    }

    /// The spellings with `tenant` in place of the tenant.
    pub(super) fn all_filled(&self, tenant: &str) -> impl Iterator<Item = String> {
        self.spellings.iter().map(move |spelling| spelling.filled(tenant))
    }
}

/// Whether `text` has the form of a GUID (RFC 9562 §4).
pub(super) fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
