//! The names that a policy defines and the rest of the library uses. Each kind has its own type, so that they cannot be
//! mixed up. They are created when the policy is read.

use std::borrow::Borrow;
use std::fmt;

use serde::Serialize;

/// Defines the type of one kind of names.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema), schemars(inline))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as the policy writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }

        /// Allows lookups by text in a map with these keys.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == *other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == **other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The id of an issuer: its name under `issuers`, not its `iss`.
    IssuerId
}
id! {
    /// The id of a route.
    RouteId
}
id! {
    /// An audience (`aud`, RFC 7519 §4.1.3): of the signed header for an origin, or of the tokens of an issuer.
    Audience
}
