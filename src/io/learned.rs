//! What servers were found not to take, kept beside the settings: the next start need not be refused again.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use super::files::{self, FOR_OWNER};
use super::private;
use crate::domain::dialect::Dialect;
use crate::domain::environment::ApiAddress;

/// The file's name.
pub const FILE: &str = "learned.json";
/// The format that is written and read.
const VERSION: u32 = 1;
/// A larger file is not read.
const MAX_BYTES: u64 = 4 << 20;
/// The newest are kept.
const MAX_ENTRIES: usize = 1_000;
/// Servers are updated: after this many days each is asked anew.
const MAX_AGE_DAYS: i64 = 30;

/// The part of the file that speaks of one API.
#[derive(Debug, Clone)]
pub struct LearnedStore {
    path: PathBuf,
    /// Where its chat completions are; an [`ApiAddress`] holds no secret.
    api: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    learned: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    api: String,
    model: String,
    at: Timestamp,
    #[serde(flatten)]
    dialect: Dialect,
}

impl LearnedStore {
    /// Beside this settings file, for the API at `address`.
    pub fn beside(settings: &Path, address: &ApiAddress) -> Self {
        Self {
            path: settings.with_file_name(FILE),
            api: address.chat(),
        }
    }

    /// Each model with what its server did not take within the last 30 days; none where the file cannot be read.
    pub fn load(&self) -> Vec<(String, Dialect)> {
        let entries = self.read().unwrap_or_default().into_iter();
        entries
            .filter(|entry| entry.api == self.api)
            .map(|entry| (entry.model, entry.dialect))
            .collect()
    }

    /// Keeps what one model's server does not take, or forgets it where that is nothing.
    ///
    /// # Errors
    /// When the file cannot be written, or a newer Batida wrote it: then it stays as it is.
    pub fn keep(&self, model: &str, dialect: Dialect) -> std::io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        private::make_private_dir(dir)?;
        let _alone = files::alone_in(dir);
        let mut learned = self
            .read()
            .ok_or_else(|| std::io::Error::other("a newer Batida wrote it"))?;
        learned.retain(|entry| (entry.api.as_str(), entry.model.as_str()) != (&*self.api, model));
        if !dialect.is_usual() {
            let (api, model) = (self.api.clone(), model.to_owned());
            learned.push(Entry {
                api,
                model,
                at: Timestamp::now(),
                dialect,
            });
        }
        learned.drain(..learned.len().saturating_sub(MAX_ENTRIES));
        let text = serde_json::to_vec_pretty(&Content {
            version: VERSION,
            learned,
        })?;
        files::write(&self.path, FOR_OWNER, &text)
    }

    /// `None` for a file of a newer version. One that cannot be read holds nothing that a refusal would not teach again.
    fn read(&self) -> Option<Vec<Entry>> {
        let Ok(bytes) = files::read_now(&self.path, MAX_BYTES) else {
            return Some(Vec::new());
        };
        let version = |bytes: &[u8]| {
            let any: serde_json::Value = serde_json::from_slice(bytes).ok()?;
            any.get("version")?.as_u64()
        };
        if version(&bytes).is_some_and(|version| version > u64::from(VERSION)) {
            return None;
        }
        let Ok(Content { mut learned, .. }) = serde_json::from_slice(&bytes) else {
            return Some(Vec::new());
        };
        let oldest = Timestamp::now()
            .checked_sub((MAX_AGE_DAYS * 24).hours())
            .unwrap_or(Timestamp::MIN);
        learned.retain(|entry| entry.at >= oldest && entry.model.len() <= 1_000);
        Some(learned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path, api: &str) -> LearnedStore {
        LearnedStore::beside(
            &dir.join("settings.toml"),
            &ApiAddress::parse(api).expect("an address"),
        )
    }

    const NO_OPTIONS: Dialect = Dialect {
        no_stream_options: true,
        max_completion_tokens: false,
        no_ignore_eos: false,
    };

    #[test]
    fn each_api_keeps_its_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let (here, there) = (
            store(dir.path(), "https://a.example.com/v1"),
            store(dir.path(), "b.example.com"),
        );
        here.keep("m", NO_OPTIONS).expect("written");
        assert_eq!(
            (here.load(), there.load()),
            (vec![("m".to_owned(), NO_OPTIONS)], Vec::new())
        );
        here.keep("m", Dialect::default()).expect("written");
        assert_eq!(here.load(), Vec::new(), "forgotten");
    }

    #[test]
    fn what_is_old_is_asked_anew_and_a_newer_file_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, store) = (
            dir.path().join(FILE),
            store(dir.path(), "https://a.example.com/v1"),
        );
        let entry = |at: &str| {
            format!(
                r#"{{"version":1,"learned":[{{"api":"https://a.example.com/v1/chat/completions","model":"m","at":"{at}","no_stream_options":true}}]}}"#
            )
        };
        std::fs::write(&path, entry("2026-01-01T00:00:00Z")).expect("written");
        assert_eq!(store.load(), Vec::new());
        std::fs::write(&path, entry("2999-01-01T00:00:00Z")).expect("written");
        assert_eq!(store.load().len(), 1);
        for newer in [r#"{"version":2,"taught":[]}"#, r#"{"version":9}"#] {
            std::fs::write(&path, newer).expect("written");
            assert!(store.load().is_empty() && store.keep("m", NO_OPTIONS).is_err());
            assert_eq!(std::fs::read_to_string(&path).expect("there"), newer);
        }
        std::fs::write(&path, "not json").expect("written");
        store.keep("m", NO_OPTIONS).expect("written");
        assert_eq!(store.load(), [("m".to_owned(), NO_OPTIONS)]);
    }
}
