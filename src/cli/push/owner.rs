//! Whose policy the store has. `fastly compute publish` gives every service of an account that wants a store of one name the
//! same store, and the edge of each reads its policy there: a push for one of them would replace the policy of the others.

use fastgate::store_keys::{POLICY_KEY, SHADOW_KEY};
use serde_json::Value;

use super::super::failure::Failure;
use super::super::fastly_api::KvStore;
use super::live::Live;

/// Refuses to write `text` if what the store has is not of the same edge, which is that of the same `edge.issuer`. A
/// shadow policy is compared with the live one, too. A policy that cannot be read may be of any edge.
pub(in super::super) fn same_edge(live: &Live, store: &KvStore, text: &[u8]) -> Result<(), Failure> {
    let new = issuer(text).unwrap_or_default();
    let policy = if live.key() == SHADOW_KEY { store.item(POLICY_KEY)?.map(|item| item.value) } else { None };
    let formers = [(live.name(), live.text()), ("policy", policy.as_deref())];
    for (name, former) in formers.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        let place = store.place();
        let what = match issuer(former) {
            Some(former) if former == new => continue,
            Some(former) => {
                format!(
                    "the {name} of {place} has the issuer \"{former}\" ($.edge.issuer), and the new one has \"{new}\": the store \
                     may belong to another service"
                )
            }
            None => format!(
                "the {name} of {place} has no $.edge.issuer that can be read, so it may be of another service than \"{new}\""
            ),
        };
        return Err(Failure::Refused(format!(
            "refused: {what}; nothing was written: give each service stores of its own, or add --change-issuer if the policy in \
             this store is to be replaced"
        )));
    }
    Ok(())
}

/// The `edge.issuer` of a policy, if it can be read.
pub(in super::super) fn issuer(text: &[u8]) -> Option<String> {
    let policy: Value = serde_json::from_slice(text).ok()?;
    Some(policy.pointer("/edge/issuer")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::issuer;

    #[test]
    fn an_issuer_is_read_or_not_known() {
        assert_eq!(issuer(br#"{"edge": {"issuer": "https://a"}}"#).as_deref(), Some("https://a"));
        for text in ["", "{", "{}", "[]", r#"{"edge": {"issuer": null}}"#, "\u{feff}{}"] {
            assert_eq!(issuer(text.as_bytes()), None, "{text}");
        }
    }
}
