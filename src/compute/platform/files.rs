//! The files in the KV store. The content of a file is streamed, unless only a part of it is sent or the store has no
//! entity tag for it.

use fastgate::conditional::Part;
use fastgate::respond::{Files, FilesError, MAX_DIGESTED, OpenFile};
use fastly::handle::BodyHandle;
use fastly::kv_store::KVStoreError;
use sha2::{Digest as _, Sha256};

use super::bounded::{self, Reader};
use super::kv;
use crate::compute::abi;

/// The most bytes that are read at once of a file that is not sent from its beginning.
const PIECE: usize = 256 * 1024;

/// The file that one request opened.
#[derive(Default)]
pub(in crate::compute) struct StoredFiles(Option<Opened>);

enum Opened {
    /// Its content, unread, and its length if the store tells it.
    Stream(BodyHandle, Option<u64>),
    /// Its content.
    Whole(Vec<u8>),
}

impl Files for StoredFiles {
    fn open(&mut self, keys: &[String]) -> Result<Option<OpenFile>, FilesError> {
        let failed = |error: &dyn std::fmt::Display| FilesError(error.to_string());
        let store = kv::open().map_err(|error| failed(&error))?;
        let pending: Vec<_> = keys.iter().map(|key| store.build_lookup().execute_async(key)).collect();
        for (number, lookup) in pending.into_iter().enumerate() {
            let mut found = match lookup.and_then(|lookup| store.pending_lookup_wait(lookup)) {
                Ok(found) => found,
                Err(KVStoreError::ItemNotFound | KVStoreError::InvalidKey) => continue,
                Err(error) => return Err(failed(&error)),
            };
            let metadata = found.metadata().map(|metadata| metadata.to_vec()).unwrap_or_default();
            let body = found.try_take_body().ok_or_else(|| failed(&"a value without a body"))?.into_handle();
            let length = abi::known_length(&body);
            self.0 = Some(Opened::Stream(body, length));
            return Ok(Some(OpenFile { number, metadata, length }));
        }
        Ok(None)
    }

    fn digest(&mut self) -> Result<([u8; 32], u64), FilesError> {
        let content = match self.0.take() {
            Some(Opened::Stream(body, length)) => {
                let content = bounded::read(body, MAX_DIGESTED, bounded::RESPONSE)
                    .map_err(|cause| FilesError(format!("it has no entity tag, and it {cause} to make one")))?;
                if length.is_some_and(|length| u64::try_from(content.len()) != Ok(length)) {
                    return Err(FilesError("it breaks off".to_owned()));
                }
                content
            }
            Some(Opened::Whole(content)) => content,
            None => Vec::new(),
        };
        let digest = (Sha256::digest(&content).into(), u64::try_from(content.len()).unwrap_or(u64::MAX));
        self.0 = Some(Opened::Whole(content));
        Ok(digest)
    }
}

impl StoredFiles {
    /// The content of the file that was opened last, or a part of it; `None` if it cannot be read.
    pub(in crate::compute) fn content(&mut self, part: Part) -> Option<BodyHandle> {
        match (part, self.0.take()) {
            (Part::Nothing, _) => Some(BodyHandle::new()),
            (Part::Whole, Some(Opened::Stream(body, _))) => Some(body),
            (Part::Whole, Some(Opened::Whole(content))) => Some(BodyHandle::from(content.as_slice())),
            (Part::Range { first, last }, Some(Opened::Whole(content))) => {
                let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
                content.get(first..=last).map(BodyHandle::from)
            }
            (Part::Range { first, last }, Some(Opened::Stream(body, length))) => {
                let to_the_end = length.is_some_and(|length| last.checked_add(1) == Some(length));
                read_range(body, first, (!to_the_end).then_some(last))
            }
            (_, None) => None,
        }
    }
}

/// The bytes from `first` to `last`, which are read, or from `first` to the end, of which only the part before is read.
fn read_range(mut body: BodyHandle, first: u64, last: Option<u64>) -> Option<BodyHandle> {
    let mut to_skip = usize::try_from(first).ok()?;
    let wanted = match last {
        Some(last) => usize::try_from(last.checked_sub(first)?).ok()?.checked_add(1)?,
        None => usize::MAX,
    };
    let mut reader = Reader::in_pieces(bounded::RESPONSE, PIECE);
    let (mut content, mut piece) = (Vec::new(), Vec::new());
    while content.len() < wanted && (last.is_some() || to_skip > 0) {
        piece.clear();
        if !reader.read(&mut body, &mut piece).ok()? {
            return None;
        }
        let rest = piece.get(to_skip..).unwrap_or_default();
        to_skip = to_skip.saturating_sub(piece.len());
        content.extend_from_slice(rest.get(..wanted - content.len()).unwrap_or(rest));
    }
    if last.is_some() {
        return Some(BodyHandle::from(content.as_slice()));
    }
    if content.is_empty() {
        return Some(body);
    }
    let mut range = BodyHandle::from(content.as_slice());
    range.append(body);
    Some(range)
}
