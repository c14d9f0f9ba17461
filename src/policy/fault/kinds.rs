//! Every kind of fault that a policy can have. `remedies.rs` has the remedies.

use crate::policy::cache::fault::CacheFault;
use crate::policy::inference::fault::InferenceFault;
use crate::policy::issuer::fault::PresetFault;
use crate::policy::mcp::fault::McpFault;
use crate::policy::origin::backends::fault::BackendsFault;
use crate::policy::origin::resource::fault::ResourceFault;
use crate::policy::pattern::TemplateError;
use crate::policy::respond::fault::RespondFault;

/// One kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not JSON, an unknown member, or a value of the wrong type.
    #[error("{0}")]
    Unreadable(String),
    /// A member is in one object twice.
    #[error("{0}")]
    Repeated(String),
    /// A list or string that must not be empty is empty.
    #[error("is empty")]
    Empty,
    /// A number outside its range.
    #[error("is {value}, outside {least} to {most}")]
    OutOfRange {
        /// The number.
        value: u64,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// Not an absolute `https` URL without query and fragment; plain `http` is accepted for this machine only.
    #[error("is not an https URL")]
    NotHttps,
    /// `issuer` is not a URL, and `jwks_uri` is missing.
    #[error("is not an https URL, and \"jwks_uri\" is missing")]
    NoKeysOfText,
    /// `jwks_uri` is neither on the issuer's host nor on the host where the preset's provider publishes keys.
    #[error("is not on the issuer's host")]
    ForeignHost,
    /// Not a host name without scheme and path.
    #[error("is not a bare host name")]
    NotAHost,
    /// An id with characters that are not allowed in keys of stores.
    #[error("is not made of a-z, 0-9, - and _")]
    NotAnId,
    /// The path is not a template.
    #[error("is not a path template: {0}")]
    Template(#[from] TemplateError),
    /// Two routes match the same method and paths.
    #[error("matches the same requests as route \"{other}\"")]
    SameRequests {
        /// The id of the earlier one.
        other: String,
    },
    /// An earlier entry has the same id.
    #[error("is the id of an earlier entry")]
    TakenId,
    /// Two providers have the same `issuer`.
    #[error("is the issuer of \"{other}\", too")]
    TakenIssuer {
        /// The id of the earlier one.
        other: String,
    },
    /// Two origins have the same `audience`: each accepts headers that are signed for the other.
    #[error("is the audience of \"{other}\", too")]
    TakenAudience {
        /// The name of the earlier one.
        other: String,
    },
    /// A fault of `resource` at an origin.
    #[error(transparent)]
    Resource(#[from] ResourceFault),
    /// A fault of an issuer that depends on its preset.
    #[error(transparent)]
    Preset(#[from] PresetFault),
    /// A fault of several backends.
    #[error(transparent)]
    Backends(#[from] BackendsFault),
    /// The key of an origin has a private half.
    #[error("is the private half of the key, and everybody who can read this policy knows it now")]
    PrivateKey,
    /// The key of an origin is of another type, curve or use, or is not 32 octets in canonical base64url below 2^255 - 19.
    #[error("is not that of a public X25519 key")]
    NotAnOriginKey,
    /// The key of an origin has the same shared secret, zero, with every key.
    #[error("is a point of low order, with which no secret can be shared")]
    LowOrder,
    /// The `kid` of an origin's key is another.
    #[error("is not the thumbprint of the key")]
    NotTheThumbprint,
    /// Two origins have the same key: each could forge the headers of the other.
    #[error("is the key of \"{other}\", too")]
    TakenKey {
        /// The name of the earlier one.
        other: String,
    },
    /// The provider has an issuer for each tenant, and this URL names no tenant.
    #[error("names no tenant")]
    NoTenant,
    /// Tenants are restricted, and no claim is known to name the tenant.
    #[error("restricts tenants, and no claim is known to name the tenant")]
    NoTenantClaim,
    /// Braces in `issuer` that are not one `{tenant}` as a whole segment of the path of an https URL.
    #[error("has braces that are not one whole segment {{tenant}} of the path of an https URL")]
    NotATemplate,
    /// Some spellings of `iss` contain `{tenant}`, others do not.
    #[error("has spellings with and without {{tenant}}")]
    MixedTemplates,
    /// `issuer` has `{tenant}`, and `tenants` is missing.
    #[error("is missing, and \"issuer\" has {{tenant}}")]
    NoTenants,
    /// `tenants` is `"any"`, and `issuer` has no `{tenant}`.
    #[error("is \"any\", and \"issuer\" has no {{tenant}}")]
    AnyTenant,
    /// A tenant that `iss` cannot contain.
    #[error("lists \"{tenant}\", which cannot replace {{tenant}} in \"issuer\"")]
    NotATenant {
        /// The tenant.
        tenant: String,
    },
    /// `issuer` has `{tenant}`, and the keys of its tenants are not known.
    #[error("is missing, and no discovery document belongs to all tenants of \"issuer\"")]
    NoKeysOfTenants,
    /// An issuer of several tenants has an introspection endpoint.
    #[error("is at an issuer with {{tenant}}, and an opaque token does not name its tenant")]
    OpaqueOfTenants,
    /// An accepted tenant of another entry has this `iss`.
    #[error("is also the issuer of a tenant of \"{other}\"")]
    CoveredIssuer {
        /// The id of the entry with `{tenant}`.
        other: String,
    },
    /// A claim is required and refused.
    #[error("accepts no token: the claim \"{claim}\" is both required and refused")]
    RequiredAndRefused {
        /// The claim.
        claim: String,
    },
    /// No origin has this name.
    #[error("names no origin")]
    UnknownOrigin,
    /// There are several origins and the route names none.
    #[error("is missing, and there is more than one origin")]
    OriginMissing,
    /// A route that needs no token has rules for callers.
    #[error("is on a route that requires no token")]
    RulesOnPublic,
    /// No rule has this name.
    #[error("names no rule")]
    UnknownRule,
    /// A condition, with the rules that it names written out, is nested too deep.
    #[error("is more than {most} conditions deep, rules written out")]
    TooDeep {
        /// The most that is read.
        most: usize,
    },
    /// A condition, with the rules that it names written out, is too long: every request would have to evaluate it.
    #[error("is {size} conditions long, rules written out; {most} are accepted")]
    TooManyConditions {
        /// Its number of conditions.
        size: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// A rule refers to itself, directly or through others.
    #[error("refers to the rule that contains it")]
    CircularRule,
    /// A claim test has no expected value, or more than one.
    #[error("is not exactly one test")]
    NotOneTest,
    /// No place has this name.
    #[error("names no place")]
    UnknownPlace,
    /// Neither 403 nor 451.
    #[error("is neither 403 nor 451")]
    NotAPlaceStatus,
    /// Not a code of ISO 3166.
    #[error("\"{0}\" is not a code of a country or a subdivision")]
    NotAPlaceCode(String),
    /// Not a network.
    #[error("\"{0}\" is not a network")]
    NotANetwork(String),
    /// No limit has this name.
    #[error("names no limit")]
    UnknownLimit,
    /// The limit needs the caller, who is not identified yet.
    #[error("counts by facts that are not known yet")]
    NeedsCaller,
    /// A WebSocket with other methods, or with a body.
    #[error("is a WebSocket, which begins with a GET without a body")]
    NotAHandshake,
    /// `bearer_subprotocol` on a route that is not a WebSocket, or is public.
    #[error("is on a route that is not a WebSocket or reads no tokens")]
    NoTokenInHandshake,
    /// `cost_from` without `max_cost`, or `max_cost` without `cost_from`.
    #[error("belongs to \"cost_from\", and one of the two is missing")]
    CostUnbounded,
    /// Not the name of a header field.
    #[error("is not the name of a header field")]
    NotAFieldName,
    /// Edge Rate Limiting has no such window.
    #[error("is not a window of Edge Rate Limiting")]
    NotAnErlWindow,
    /// Edge Rate Limiting cannot count less than one unit a second.
    #[error("is less than one a second, which Edge Rate Limiting cannot count")]
    TooSlowForErl,
    /// No group has this name.
    #[error("names no group")]
    UnknownGroup,
    /// Only the edge may set the field, it contains credentials, or it belongs to one connection.
    #[error("names \"{name}\", which the edge keeps to itself")]
    ReservedField {
        /// The field.
        name: String,
    },
    /// Not the value of a header field.
    #[error("is not a value of a header field")]
    NotAFieldValue,
    /// Not a media type.
    #[error("is not a media type")]
    NotAMediaType,
    /// Neither prefixes nor a template, or prefixes that the path does not have.
    #[error("does not define the rewritten path")]
    NotARewrite,
    /// The template has a parameter that the route's path cannot fill.
    #[error("has the parameter \"{name}\", which the route's path does not have in this form")]
    RewriteParameter {
        /// The parameter.
        name: String,
    },
    /// Not the origin of a web page.
    #[error("is not the origin of a web page")]
    NotAWebOrigin,
    /// Credentials for every origin.
    #[error("is used with \"*\", which browsers refuse")]
    CredentialsForAll,
    /// No issuer has this id.
    #[error("names no issuer")]
    UnknownIssuer,
    /// The route's path has no such parameter.
    #[error("names the path parameter \"{name}\", which the route's path does not have")]
    UnknownParameter {
        /// The parameter.
        name: String,
    },
    /// A test under `not` compares a path parameter as text, and the application may read several texts as one value.
    #[error("compares the path parameter \"{name}\" as text under \"not\": another spelling of the same value passes")]
    NegatedText {
        /// The parameter.
        name: String,
    },
    /// Not a scope token of RFC 6749 §3.3.
    #[error("is not a scope: it is empty or holds a space, a quote or a backslash")]
    NotAScope,
    /// Scopes are required of tokens that cannot have any.
    #[error("requires scopes, and no token that is accepted here can have any")]
    NoScopes,
    /// Not the name of a secret.
    #[error("is not the name of a secret")]
    NotASecretName,
    /// Two issuers have an introspection endpoint.
    #[error("is at \"{other}\", too, and an opaque token does not name its issuer")]
    SeveralIntrospections {
        /// The id of the other one.
        other: String,
    },
    /// Not a value that `acr_values` can list (RFC 9470 §3).
    #[error("is not a value of acr: it is empty or holds a space, a quote or a backslash")]
    NotAnAcr,
    /// A nested claim is forwarded without a name for the application.
    #[error("is missing: a claim in nested objects has no name of its own")]
    UnnamedClaim,
    /// The name of a forwarded claim is empty, too long, or has control characters.
    #[error("is not a name of 1 to 64 bytes without control characters")]
    NotAClaimName,
    /// One name for two forwarded claims of one route.
    #[error("gives the name \"{name}\" to two claims of one route")]
    TakenClaimName {
        /// The name.
        name: String,
    },
    /// A fault of `cache`.
    #[error(transparent)]
    Cache(#[from] CacheFault),
    /// A fault of `respond`.
    #[error(transparent)]
    Respond(#[from] RespondFault),
    /// A fault of `inference`.
    #[error(transparent)]
    Inference(#[from] InferenceFault),
    /// A fault of `mcp`.
    #[error(transparent)]
    Mcp(#[from] McpFault),
    /// A route needs tokens, and there is no issuer.
    #[error("has no issuer, and a route requires a token")]
    NoIssuer,
}
