//! The files that a policy names in `respond`: each must be in the store before the policy is in force.

use std::collections::BTreeSet;

use fastgate::store_keys::file_key;
use serde_json::Value;

use super::super::fastly_api::ApiError;
use super::super::finding::Finding;

/// A fault for each file or folder that a route of the policy names and that has no key. `keys` lists the keys of all files; it
/// is called if the policy names any.
pub(super) fn missing(
    text: &[u8],
    keys: impl FnOnce() -> Result<BTreeSet<String>, ApiError>,
) -> Result<Vec<Finding>, ApiError> {
    let policy: Value = serde_json::from_slice(text).unwrap_or_default();
    let named = named(&policy);
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let keys = keys()?;
    let lacks =
        |named: &&Named| if named.is_folder() { !has_folder(&keys, &named.key) } else { !keys.contains(&named.key) };
    Ok(named.iter().filter(lacks).map(Named::finding).collect())
}

/// A file, or a folder with a slash at its end, and the member that names it.
struct Named {
    at: String,
    key: String,
}

impl Named {
    fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }

    fn finding(&self) -> Finding {
        let (what, key) =
            if self.is_folder() { ("no file whose key begins with", &self.key) } else { ("no file", &self.key) };
        let remedy = "push it with the policy: fastgate push --assets DIR, where DIR has the folders that the names have after \
                      \"files/\"; or correct the name";
        Finding {
            at: self.at.clone(),
            what: format!("the KV store has {what} \"{key}\", and it is not among those to be uploaded"),
            remedy: remedy.to_owned(),
        }
    }
}

fn named(policy: &Value) -> Vec<Named> {
    let mut named = Vec::new();
    for (number, route) in policy.get("routes").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let id = route.get("id").and_then(Value::as_str).unwrap_or_default();
        let text = |member: &str| route.pointer(&format!("/respond/{member}")).and_then(Value::as_str);
        let mut add = |member: &str, name: &str| {
            let at = format!("$.routes[{number}].respond.{member} (route \"{id}\")");
            named.push(Named { at, key: file_key(name) });
        };
        if let Some(file) = text("file") {
            add("file", file);
        }
        if let Some(folder) = text("files") {
            add("files", folder);
            if let Some(fallback) = text("fallback") {
                add("fallback", &format!("{folder}{fallback}"));
            }
        }
    }
    named
}

fn has_folder(keys: &BTreeSet<String>, folder: &str) -> bool {
    keys.range(folder.to_owned()..).next().is_some_and(|key| key.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::missing;

    #[test]
    fn files_and_folders_without_a_key_are_faults_with_their_routes() {
        let policy = json!({ "routes": [
            { "id": "text", "respond": { "body": "x" } },
            { "id": "robots", "respond": { "file": "robots.txt" } },
            { "id": "app", "respond": { "files": "app/", "fallback": "index.html" } },
        ] })
        .to_string();
        let faults = |keys: &[&str]| {
            let keys = keys.iter().map(|&key| key.to_owned()).collect();
            let faults = missing(policy.as_bytes(), || Ok(keys)).unwrap();
            faults.into_iter().map(|found| found.at).collect::<Vec<_>>()
        };
        assert_eq!(faults(&["files/robots.txt", "files/app/index.html"]), [""; 0]);
        assert_eq!(faults(&["files/app/index.html"]), ["$.routes[1].respond.file (route \"robots\")"]);
        assert_eq!(faults(&["files/robots.txt", "files/app/x"]), ["$.routes[2].respond.fallback (route \"app\")"]);
        assert_eq!(faults(&["files/app", "files/app.js", "files/robots.txt.br"]).len(), 3);
        let unasked = missing(b"{\"routes\": []}", || Err(super::ApiError::Lost));
        assert_eq!(unasked.map(|faults| faults.len()), Ok(0));
    }
}
