//! `Cache-Status` (RFC 9211). The key is not printed: it identifies an audience.

/// Why a request was forwarded, or that it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handled {
    /// A stored response was sent, which is fresh for so many seconds.
    Hit { time_to_live: i64 },
    /// It was forwarded.
    Forwarded {
        reason: &'static str,
        /// The status of the origin's response.
        status: Option<u16>,
        stored: bool,
    },
}

impl Handled {
    /// The member of the field.
    pub(super) fn member(self) -> String {
        match self {
            Self::Hit { time_to_live } => format!("fastgate; hit; ttl={time_to_live}"),
            Self::Forwarded { reason, status, stored } => {
                let status = status.map(|status| format!("; fwd-status={status}")).unwrap_or_default();
                let stored = if stored { "; stored" } else { "" };
                format!("fastgate; fwd={reason}{status}{stored}")
            }
        }
    }
}
