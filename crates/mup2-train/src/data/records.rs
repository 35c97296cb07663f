//! What was found out about a folder of images when it was opened before, so that opening it again
//! does not decode every image again.
//!
//! A record is a small JSON file named by a hash of everything that its content depends on. All may
//! be deleted at any time.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::verified::hexadecimal;
use crate::error::{Error, Result};
use crate::publish::write_atomically;

/// Part of every key: raised when decoding gives other pixels or when a record's fields change.
const VERSION: &str = concat!("mup2 record 1 ", env!("CARGO_PKG_VERSION"));

/// The records of one directory.
#[derive(Debug)]
pub(super) struct Records {
    /// `None` remembers nothing.
    directory: Option<PathBuf>,
    /// What went wrong with records, for the user: no dataset fails for that.
    pub notes: Vec<String>,
}

impl Records {
    /// The records in `directory`, which need not exist; or none.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            notes: Vec::new(),
        }
    }

    /// The record of `kind` for `key`, made by `make` if there is none.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get_or_make<T: Serialize + DeserializeOwned>(
        &mut self,
        kind: &str,
        key: &[u8],
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let Some(directory) = self.directory.clone() else {
            return make();
        };
        let mut hash = Sha256::new();
        // The processor's family decides which code of the decoders runs.
        for part in [VERSION, std::env::consts::ARCH, kind] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(key);
        let name = hexadecimal(&hash.finalize());
        let path = directory.join(format!("{kind}-{}.json", &name[..32]));
        match std::fs::read(&path) {
            Ok(text) => match serde_json::from_slice(&text) {
                Ok(record) => return Ok(record),
                Err(error) => {
                    let advice = "it is made anew";
                    let damaged = Error::corrupt(&path, error.to_string(), advice);
                    self.notes.push(damaged.to_string());
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => self.notes.push(Error::io("read", &path)(error).to_string()),
        }
        let record = make()?;
        let written = serde_json::to_vec(&record)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::create_dir_all(&directory).map(|()| text))
            .map_err(Error::io("write", &path))
            .and_then(|text| write_atomically(&path, &text));
        if let Err(error) = written {
            self.notes.push(format!(
                "{error}; the images will be decoded again when they are opened again"
            ));
        }
        Ok(record)
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
