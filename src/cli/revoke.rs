//! `fastgate revoke`: makes entries of the deny-list, under the keys by which the edge looks them up.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use fastgate::identity::deny_list::{Entry, RevocationClaim, RevocationKey};
use fastgate::time::{Seconds, UnixTime};
use serde_json::json;

use super::printer;
use super::shell;

/// The tokens to refuse, and for how long. TIME is seconds since 1970, or a time from now: `+90s`, `+30m`, `+8h`,
/// `+7d`, `-1h`.
#[derive(Args)]
#[command(group(ArgGroup::new("revoked").required(true).args(["jti", "sid", "sub"])))]
pub(super) struct Revocation {
    /// The `issuer` of the policy's entry, with the tenant in place of `{tenant}`.
    #[arg(long)]
    issuer: String,
    /// One token, by its `jti`.
    #[arg(long)]
    jti: Option<String>,
    /// The tokens of one session, by their `sid`.
    #[arg(long)]
    sid: Option<String>,
    /// The tokens of one subject that were issued up to and in the second of `--not-before`.
    #[arg(long)]
    sub: Option<String>,
    /// Tokens of the subject that were issued after the second of this moment stay valid; the current time by default.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["jti", "sid"], allow_hyphen_values = true)]
    not_before: Option<String>,
    /// When the entry ends: not before the tokens that it refuses expire.
    #[arg(long, value_name = "TIME", default_value = "+30d")]
    until: String,
}

/// Prints the entry, and to standard error the command that stores it.
pub(super) fn revoke(revocation: &Revocation) -> ExitCode {
    let now = UnixTime::from_seconds(std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs()));
    match entry(revocation, now) {
        Ok((key, entry)) => {
            printer::indented_json(&json!({ "key": key, "value": entry }));
            printer::error("Store it:");
            printer::error(format_args!(
                "fastly kv-store-entry create --store-id \"$STORE\" --key {} --value {}",
                shell::word(&key),
                shell::word(&entry.to_json())
            ));
            ExitCode::SUCCESS
        }
        Err(fault) => {
            printer::error(fault);
            ExitCode::from(2)
        }
    }
}

fn entry(revocation: &Revocation, now: UnixTime) -> Result<(String, Entry), String> {
    let listed = [
        (RevocationClaim::Token, &revocation.jti),
        (RevocationClaim::Session, &revocation.sid),
        (RevocationClaim::Subject, &revocation.sub),
    ];
    let named = listed.into_iter().find_map(|(kind, value)| value.as_ref().map(|value| (kind, value)));
    let (kind, value) = named.ok_or("give one of --jti, --sid and --sub")?;
    let not_before = match (&revocation.not_before, kind) {
        (_, RevocationClaim::Token | RevocationClaim::Session) => None,
        (None, RevocationClaim::Subject) => Some(now),
        (Some(text), RevocationClaim::Subject) => Some(moment(text, now)?),
    };
    if revocation.issuer.contains("{tenant}") {
        return Err("--issuer: write the tenant in place of {tenant}".to_owned());
    }
    let until = moment(&revocation.until, now)?;
    if until <= now {
        return Err(format!("--until {}: the time is past, so the entry would refuse nothing", revocation.until));
    }
    Ok((RevocationKey::new(kind, &revocation.issuer, value).store_key(), Entry { until, not_before }))
}

/// Parses a time: seconds since the epoch, or an offset from now.
fn moment(text: &str, now: UnixTime) -> Result<UnixTime, String> {
    let fault = || format!("{text}: not a time; write seconds since 1970, or a time from now like +8h, +7d or -1h");
    let offset = |text: &str| {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return None,
        };
        number.parse::<u32>().ok().map(|number| Seconds::new(u64::from(number) * seconds))
    };
    let found = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(later), _) => offset(later).map(|seconds| now.plus(seconds)),
        (_, Some(earlier)) => {
            offset(earlier).map(|seconds| UnixTime::from_seconds(now.seconds().saturating_sub(seconds.as_u64())))
        }
        _ => text.parse().ok().map(UnixTime::from_seconds),
    };
    found.ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::moment;
    use fastgate::time::UnixTime;

    #[test]
    fn a_time_is_seconds_or_a_distance_from_now() {
        let at = |text| moment(text, UnixTime::from_seconds(1_000_000)).map(UnixTime::seconds);
        for (text, seconds) in [("+90s", 1_000_090), ("+8h", 1_028_800), ("+7d", 1_604_800), ("-1h", 996_400), ("5", 5)]
        {
            assert_eq!(at(text), Ok(seconds), "{text}");
        }
        assert_eq!(at("-99999d"), Ok(0));
        for wrong in ["", "+", "-", "+h", "+8", "8h", "+8w", "+-8h", "+8.5h", "tomorrow", "2027-01-01", "+é", "é"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
