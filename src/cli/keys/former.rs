//! Keys that were in one secret become secrets of their own. Every key keeps its id, so no app sees an unknown one.

use std::io::Read as _;
use std::path::Path;

use fastgate::mint::{KeyRecord, KeyText, SigningKeys};
use fastgate::store_keys::{SIGNING_KEYS, signing_key_secret};
use zeroize::Zeroizing;

use super::super::failure::Failure;
use super::super::fastly_api::ApiError;
use super::super::printer;
use super::known::{Ids, Witnesses, published_by};
use super::stores::Stores;

/// The keys of a file.
pub(super) struct Former {
    record: KeyRecord,
    secrets: Vec<(String, KeyText)>,
}

impl Former {
    /// Reads a private JWK Set; `-` is standard input.
    pub(super) fn of_file(path: &Path) -> Result<Self, Failure> {
        let fault = |fault: &dyn std::fmt::Display| Failure::Usage(format!("{}: {fault}", path.display()));
        let mut text = Zeroizing::new(Vec::new());
        if path == Path::new("-") {
            std::io::stdin().read_to_end(&mut text).map_err(|error| fault(&error))?;
        } else {
            std::fs::File::open(path)
                .and_then(|mut file| file.read_to_end(&mut text))
                .map_err(|error| fault(&error))?;
        }
        let keys = SigningKeys::parse(&text).and_then(SigningKeys::checked).map_err(|error| fault(&error))?;
        let (record, secrets) = keys.to_record().map_err(|error| fault(&error))?;
        Ok(Self { record, secrets })
    }

    fn ids(&self) -> Ids {
        self.record.keys().iter().map(|key| key.kid.clone()).collect()
    }

    /// Whether the record has all keys of the file.
    fn are_in(&self, record: &KeyRecord) -> bool {
        let listed: Ids = record.keys().iter().map(|key| key.kid.clone()).collect();
        self.ids().is_subset(&listed)
    }

    /// What to say if another run wrote a record with other keys while this one wrote its secrets.
    fn overtaken(&self) -> String {
        let names: Vec<_> = self.secrets.iter().map(|(kid, _)| signing_key_secret(kid)).collect();
        format!(
            "--from: another run wrote a record with other keys meanwhile, so the keys of the file were not taken over. `fastgate keys \
             status` shows the keys of the record, and `fastgate keys rotate` goes on with them, without --from. The secrets \
             of the keys of the file remain: {}",
            names.join(", ")
        )
    }

    /// Writes the secrets, then the first record, which replaces none. Nothing is done if the record has these keys already.
    /// Returns what is due if this is a dry run.
    pub(super) fn take_over(
        &self,
        stores: &Stores,
        witnesses: &Witnesses,
        dry_run: bool,
    ) -> Result<Option<String>, Failure> {
        let read = stores.read()?;
        if let Some(record) = &read.record {
            if self.are_in(record) {
                return Ok(None);
            }
            return Err(Failure::Usage(
                "--from: the service has a record with other keys; leave --from out".to_owned(),
            ));
        }
        let edge = witnesses.edge(stores)?;
        if published_by(&edge).map_err(Failure::Refused)? != self.ids() {
            return Err(Failure::Refused(format!(
                "--from: {edge} publishes other keys than this file has; name the file whose content is the secret \
                 \"{SIGNING_KEYS}\""
            )));
        }
        if dry_run {
            return Ok(Some(format!("take over {} keys of the file, each as a secret", self.secrets.len())));
        }
        for (kid, secret) in &self.secrets {
            stores.secrets.create(&signing_key_secret(kid), secret)?;
        }
        let count = self.secrets.len();
        match stores.write(&read, &self.record) {
            Ok(()) => printer::line(format_args!("took over {count} keys, each as a secret; the same key signs")),
            // Somebody else wrote a record in between, or the answer to this write was lost.
            Err(ApiError::Lost) => match stores.read()?.record {
                Some(record) if self.are_in(&record) => {
                    printer::line(format_args!("the record has the {count} keys of the file now, each as a secret"));
                }
                Some(_) => return Err(Failure::Refused(self.overtaken())),
                None => return Err(ApiError::Lost.into()),
            },
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }
}
