//! The remedy for each kind of [`Fault`].

use super::kinds::Fault;
use crate::policy::pattern::TemplateError;

const NEW_ORIGIN_KEY: &str = "make a new key with `fastgate origin-key new`, write its public half here and keep \
                              the other one to the application";
const PUBLIC_ORIGIN_KEY: &str = "write the public JWK that `fastgate origin-key new` prints: { \"kty\": \"OKP\", \
                                 \"crv\": \"X25519\", \"x\": \"…\" }";

impl Fault {
    /// The remedy, for the author of the policy.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "see policy.schema.json for the fields and their types",
            Self::Repeated(_) => "write it once: it is unclear which of the two is meant",
            Self::Empty => "name at least one",
            Self::OutOfRange { .. } => "write a number in that range",
            Self::NotHttps => "write \"https://host/path\"; \"http://\" only for 127.0.0.1, [::1] and localhost",
            Self::NoKeysOfText => {
                "write \"https://host/path\" as in \"iss\" of the tokens; if that is not a URL, add \"jwks_uri\": \"https://…\""
            }
            Self::ForeignHost => "write a URL on the host of \"issuer\"",
            Self::NotAHost => {
                "write \"api.example.com\", or \"api.example.com:8443\" for another port, without \"https://\" or path"
            }
            Self::NotAnId => "write something like \"auth0\" or \"read-orders\"",
            Self::Template(TemplateError::PercentEncoded) => {
                "write the characters themselves: \"/café\", \"/annual report\""
            }
            Self::Template(_) => "write it as in FastAPI: \"/orders/{order_id}\", \"/files/{path:path}\"",
            Self::SameRequests { .. } => "remove one of the two, or give them different methods",
            Self::TakenId => "give each entry its own id",
            Self::TakenIssuer { .. } => {
                "merge the two entries: one issuer, several audiences; of two templates, leave one"
            }
            Self::TakenAudience { .. } => {
                "give each application an audience of its own, or make the two one origin with one backend"
            }
            Self::Resource(fault) => fault.remedy(),
            Self::Preset(fault) => fault.remedy(),
            Self::Backends(fault) => fault.remedy(),
            Self::PrivateKey => NEW_ORIGIN_KEY,
            Self::NotAnOriginKey => PUBLIC_ORIGIN_KEY,
            Self::LowOrder => "make a new key with `fastgate origin-key new`",
            Self::NotTheThumbprint => "leave \"kid\" out, or write the RFC 7638 thumbprint",
            Self::TakenKey { .. } => "make a key for each application with `fastgate origin-key new`",
            Self::NoTenant => {
                "write \"https://login.microsoftonline.com/<tenant id>/v2.0\"; for several tenants \
                 \"https://login.microsoftonline.com/{tenant}/v2.0\" and \"tenants\""
            }
            Self::NotATemplate => {
                "write \"https://login.example.com/{tenant}\", or one entry for each tenant if the host contains it"
            }
            Self::MixedTemplates => "write {tenant} in every spelling, or make two entries",
            Self::NoTenants => {
                "write \"tenants\": [\"<tenant>\", …], or \"any\" to accept tokens of every tenant of the provider"
            }
            Self::AnyTenant => "leave it out, or write {tenant} in place of the tenant in \"issuer\"",
            Self::NotATenant { .. } => {
                "write it as the tokens do: with the preset \"entra\" a GUID in lower case, or else 1 to 128 of A-Z, a-z, \
                 0-9, -, _ and ."
            }
            Self::NoKeysOfTenants => "write the URL of the keys of all tenants, on the host of \"issuer\"",
            Self::OpaqueOfTenants => "make an entry of its own for the issuer of opaque tokens",
            Self::CoveredIssuer { .. } => {
                "remove this entry, or list tenants without this one in \"tenants\" of the other"
            }
            Self::NoTenantClaim => "add \"claims\": { \"tenant\": \"<claim>\" }",
            Self::RequiredAndRefused { .. } => {
                "take it out of \"required_claims\" or write \"refused_claims\" without it"
            }
            Self::UnknownOrigin => "write a name from \"origins\"",
            Self::OriginMissing => "add \"origin\": \"<name>\"",
            Self::RulesOnPublic => "remove it, or write \"access\": \"authenticated\"",
            Self::UnknownRule => "write a name from \"rules\"",
            Self::TooDeep { .. } => "name fewer rules within rules: write shorter chains, or the condition itself",
            Self::TooManyConditions { .. } => {
                "name each rule once where it is enough, and test a claim with \"in\" in place of many conditions"
            }
            Self::CircularRule => "write the condition out in one of the two rules",
            Self::NotOneTest => "write one of \"equals\", \"in\", \"contains\", \"equals_path\", \"contains_path\"",
            Self::UnknownPlace => "write a name from \"places\"",
            Self::NotAPlaceStatus => "write 403, or 451 for legal reasons",
            Self::NotAPlaceCode(_) => "write a country as \"DE\" and a subdivision as \"US-CA\", in upper case",
            Self::NotANetwork(_) => "write \"198.51.100.0/24\" or \"2001:db8::/32\", with no bit set after the prefix",
            Self::UnknownLimit => "write a name from \"limits\"",
            Self::NotAHandshake => {
                "write \"methods\": [\"GET\"], no \"sign_body\", and another route for other requests of this path"
            }
            Self::NoTokenInHandshake => {
                "remove it, or write \"websocket\": true and an \"access\" other than \"public\""
            }
            Self::NeedsCaller => "count by \"network\", \"route\" or both, and take no cost from a claim",
            Self::CostUnbounded => "write both, or neither",
            Self::NotAFieldName => "write something like \"x-batch-size\"",
            Self::NotAnErlWindow => "write 1, 10 or 60, or use the counter \"exact\"",
            Self::TooSlowForErl => "write a \"count\" of at least \"window\", or use the counter \"exact\"",
            Self::UnknownGroup => "write a name from \"groups\"",
            Self::ReservedField { .. } => "name a field that belongs to the application",
            Self::NotAFieldValue => "write printable ASCII without spaces at the ends",
            Self::NotAMediaType => {
                "write \"application/json\", or \"image/*\" for all of a kind; leave the list out to accept any"
            }
            Self::NotARewrite => {
                "write \"template\", or \"strip_prefix\" with whole segments of \"path\" and \"add_prefix\" as \"/v2\""
            }
            Self::RewriteParameter { .. } => "use parameters of \"path\", with their convertors or none",
            Self::NotAWebOrigin => {
                "write \"https://app.example.com\" as browsers send it, in lower case and without a slash at the end; or \
                 [\"*\"] alone"
            }
            Self::CredentialsForAll => "name the origins, or leave credentials out",
            Self::UnknownIssuer => "write an id from \"issuers\"",
            Self::UnknownParameter { .. } => "name a parameter of the route's \"path\"",
            Self::NegatedText { .. } => {
                "write its convertor in \"path\", and in the application's: {order_id:int}, :uuid or :float; {order_id:str} \
                 if the application uses the text unchanged"
            }
            Self::NotAScope => "write one scope in each string: [\"orders:read\", \"orders:write\"]",
            Self::NoScopes => {
                "name the claim that holds them in \"claims.scopes\" of the issuer, or require a role or a claim"
            }
            Self::NotASecretName => "write the name of a secret in the Secret Store, of A-Z, a-z, 0-9, -, _ and .",
            Self::SeveralIntrospections { .. } => "keep it at one of the two issuers",
            Self::NotAnAcr => "write one value in each string: [\"urn:example:mfa\", \"phr\"]",
            Self::UnnamedClaim => "add \"as\": \"org_id\", the name by which the application reads it",
            Self::NotAClaimName => "write \"as\": \"org_id\", the name by which the application reads the claim",
            Self::TakenClaimName { .. } => {
                "give one of them another name with \"as\"; lists of edge, issuer, group and route add up"
            }
            Self::Cache(fault) => fault.remedy(),
            Self::Respond(fault) => fault.remedy(),
            Self::Inference(fault) => fault.remedy(),
            Self::Mcp(fault) => fault.remedy(),
            Self::NoIssuer => "add the provider whose tokens the edge must accept",
        }
    }
}
