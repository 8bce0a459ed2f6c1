//! Prompts, drafts, panes, forms, presets and votes: a kind, an environment and a name lead to a text, mostly JSON.
//!
//! A text that this version cannot read stays where it is, until the user replaces it.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Store, Trouble, Writing};
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange};
use crate::domain::workspace::{PairVotes, Workspace, WorkspaceChange};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Kind {
    /// The prompt library, as it is exported. One without an environment and a name; one that could not be read and was
    /// replaced has a name.
    Prompts,
    /// The attachments of a draft; its name is an id.
    Draft,
    /// How the Playground was left.
    Playground,
    /// The form of the Benchmark page.
    Plan,
    /// A preset.
    Preset,
    /// A preset of the Playground, without an environment.
    ChatPreset,
    /// Where the window's parts stand. One without an environment and a name.
    Layout,
    /// The votes on a pair of models; its name is both.
    Votes,
    /// A file of an earlier version whose values are here, and which is not removed yet; its value is a hash.
    MovedFile,
}

impl Kind {
    /// Its name in people's files.
    const fn name(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Draft => "draft",
            Self::Playground => "playground",
            Self::Plan => "plan",
            Self::Preset => "preset",
            Self::ChatPreset => "chat preset",
            Self::Layout => "layout",
            Self::Votes => "votes",
            Self::MovedFile => "moved file",
        }
    }
}

/// The attachments of a draft, as they are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDraft {
    /// Whose draft it is.
    pub env: EnvId,
    /// See [`WorkspaceChange::Draft`].
    pub id: String,
    /// `None` where they cannot be read.
    pub attached: Option<Vec<Attachment>>,
}

/// The environment of what belongs to all of them.
const NONE: EnvId = EnvId(String::new());

/// A value with its environment and its name.
type Row = (EnvId, String, String);

impl Store {
    /// What a window starts with.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn workspace(&self) -> Result<Workspace, Failure> {
        self.asked(workspace(&self.conn))
    }

    /// The prompt library.
    ///
    /// # Errors
    /// When the file cannot be read, or its prompts are of a newer version.
    pub fn prompts(&self) -> Result<Library, Failure> {
        let text = self.asked(value(&self.conn, Kind::Prompts, "", ""))?;
        let read = text.map_or(Ok(Library::default()), |text| Library::read(&text));
        read.map_err(|why| {
            let advice = format!(
                "It stays in {}. A prompt that you add begins a new library",
                self.path.display()
            );
            Failure::new("The prompt library could not be read", advice).with_details(why.why())
        })
    }

    /// The attachments of all drafts, of all windows, in the order in which they were kept.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn drafts(&self) -> Result<Vec<StoredDraft>, Failure> {
        let rows = self.asked(values(&self.conn, Kind::Draft))?;
        let draft = |(env, id, text): Row| StoredDraft {
            env,
            id,
            attached: serde_json::from_str(&text).ok(),
        };
        Ok(rows.into_iter().map(draft).collect())
    }

    /// Keeps all of these changes or none. Gives how many prompts were added.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn keep_workspace(&self, changes: &[WorkspaceChange]) -> Result<usize, Failure> {
        let added = self.write_synced(|tx| changes.iter().map(|change| tx.keep(change)).sum())?;
        let draft = |change: &WorkspaceChange| matches!(change, WorkspaceChange::Draft { .. });
        if changes.iter().any(draft) {
            // Attachments may be large. What is kept is kept; the room is used again otherwise.
            let _ = self.vacuum();
        }
        Ok(added)
    }

    /// As [`Store::write`]; what was written outlives a loss of power, too.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub(in crate::io) fn write_synced<T>(
        &self,
        work: impl FnOnce(&Writing<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Failure> {
        let sync = |how: &str| self.conn.pragma_update(None, "synchronous", how);
        self.asked(sync("FULL"))?;
        let outcome = self.write(work);
        // If that fails, later writes are only slower.
        let _ = sync("NORMAL");
        outcome
    }
}

impl Writing<'_> {
    fn keep(&self, change: &WorkspaceChange) -> Result<usize, Trouble> {
        match change {
            WorkspaceChange::Playground { env, form } => {
                self.set(Kind::Playground, env, "", form.as_ref())?;
            }
            WorkspaceChange::Plan { env, plan } => self.set(Kind::Plan, env, "", Some(plan))?,
            WorkspaceChange::Preset { env, name, plan } => {
                self.set(Kind::Preset, env, name, plan.as_ref())?;
            }
            WorkspaceChange::ChatPreset { name, preset } => {
                self.set(Kind::ChatPreset, &NONE, name, preset.as_deref())?;
            }
            WorkspaceChange::Layout(layout) => {
                self.set(Kind::Layout, &NONE, "", Some(layout))?;
            }
            WorkspaceChange::Votes(votes) => self.add_votes(votes)?,
            WorkspaceChange::Draft {
                env,
                id,
                replaces,
                attached,
            } => {
                for old in replaces {
                    self.remove(Kind::Draft, env, old)?;
                }
                let some = Some(attached).filter(|attached| !attached.is_empty());
                self.set(Kind::Draft, env, id, some)?;
            }
            WorkspaceChange::Prompts(change) => return self.change_prompts(change.clone()),
            WorkspaceChange::Forget { env } => {
                let sql = "DELETE FROM workspace WHERE env = ?1 AND env <> ''";
                self.0.execute(sql, [&env.0])?;
            }
            WorkspaceChange::Restore(workspace) => self.restore(workspace)?,
        }
        Ok(0)
    }

    fn restore(&self, workspace: &Workspace) -> Result<(), Trouble> {
        for (env, form) in &workspace.playgrounds {
            self.set_if_absent(Kind::Playground, env, "", form)?;
        }
        for (env, forms) in &workspace.benches {
            if let Some(plan) = &forms.last {
                self.set_if_absent(Kind::Plan, env, "", plan)?;
            }
            for (name, plan) in &forms.presets {
                self.set_if_absent(Kind::Preset, env, name, plan)?;
            }
        }
        for (name, preset) in &workspace.chat_presets {
            self.set_if_absent(Kind::ChatPreset, &NONE, name, preset)?;
        }
        self.set_if_absent(Kind::Layout, &NONE, "", &workspace.layout)?;
        for votes in &workspace.votes {
            let pair = pair_of(votes)?;
            self.set_if_absent(Kind::Votes, &NONE, &pair, votes)?;
        }
        Ok(())
    }

    /// Gives how many prompts were added.
    pub(in crate::io) fn change_prompts(&self, change: LibraryChange) -> Result<usize, Trouble> {
        let old = value(self.0, Kind::Prompts, "", "")?.unwrap_or_default();
        let mut library = match Library::read(&old) {
            Ok(library) => library,
            Err(_) => {
                let free: i64 =
                    self.0
                        .query_row("SELECT max(rowid) FROM workspace", [], |row| row.get(0))?;
                self.put(Kind::Prompts, &NONE, &format!("unread {free}"), &old)?;
                Library::default()
            }
        };
        let added = library.change(change);
        self.put(Kind::Prompts, &NONE, "", &library.write())?;
        Ok(added)
    }

    /// Adds these votes to those on the same pair.
    pub(in crate::io) fn add_votes(&self, votes: &PairVotes) -> Result<(), Trouble> {
        let pair = pair_of(votes)?;
        let old = value(self.0, Kind::Votes, "", &pair)?;
        let mut all: Vec<PairVotes> = old.as_deref().and_then(read).into_iter().collect();
        votes.add_to(&mut all);
        self.set(Kind::Votes, &NONE, &pair, all.last())
    }

    fn set_if_absent<T: Serialize>(
        &self,
        kind: Kind,
        env: &EnvId,
        name: &str,
        value: &T,
    ) -> Result<(), Trouble> {
        match self.value(kind, env, name)? {
            Some(_) => Ok(()),
            None => self.set(kind, env, name, Some(value)),
        }
    }

    /// Sets a value, or removes it.
    fn set<T: Serialize>(
        &self,
        kind: Kind,
        env: &EnvId,
        name: &str,
        value: Option<&T>,
    ) -> Result<(), Trouble> {
        match value {
            Some(value) => self.put(kind, env, name, &serde_json::to_string(value)?),
            None => self.remove(kind, env, name),
        }
    }

    /// Sets a value.
    pub(in crate::io) fn put(
        &self,
        kind: Kind,
        env: &EnvId,
        name: &str,
        text: &str,
    ) -> Result<(), Trouble> {
        // The place in the order stays.
        let sql = "INSERT INTO workspace (kind, env, name, value) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (kind, env, name) DO UPDATE SET value = excluded.value";
        let mut putting = self.0.prepare_cached(sql)?;
        putting.execute(params![kind.name(), env.0, name, text])?;
        Ok(())
    }

    /// Removes a value, if it is there.
    pub(in crate::io) fn remove(&self, kind: Kind, env: &EnvId, name: &str) -> Result<(), Trouble> {
        let sql = "DELETE FROM workspace WHERE kind = ?1 AND env = ?2 AND name = ?3";
        let mut removing = self.0.prepare_cached(sql)?;
        removing.execute(params![kind.name(), env.0, name])?;
        Ok(())
    }

    /// A value.
    pub(in crate::io) fn value(
        &self,
        kind: Kind,
        env: &EnvId,
        name: &str,
    ) -> Result<Option<String>, Trouble> {
        Ok(value(self.0, kind, &env.0, name)?)
    }
}

/// The name of the votes on a pair.
fn pair_of(votes: &PairVotes) -> Result<String, Trouble> {
    Ok(serde_json::to_string(&[&votes.one, &votes.other])?)
}

fn workspace(conn: &Connection) -> rusqlite::Result<Workspace> {
    // All of it as of one moment, while another window writes.
    let tx = conn.unchecked_transaction()?;
    let mut found = Workspace::default();
    for (env, _, text) in values(&tx, Kind::Playground)? {
        found
            .playgrounds
            .extend(read(&text).map(|form| (env, form)));
    }
    for (env, _, text) in values(&tx, Kind::Plan)? {
        if let Some(plan) = read(&text) {
            found.benches.entry(env).or_default().last = Some(plan);
        }
    }
    for (env, name, text) in values(&tx, Kind::Preset)? {
        if let Some(plan) = read(&text) {
            let forms = found.benches.entry(env).or_default();
            forms.presets.push((name, plan));
        }
    }
    for (_, name, text) in values(&tx, Kind::ChatPreset)? {
        let preset = read(&text).map(|preset| (name, preset));
        found.chat_presets.extend(preset);
    }
    let layout = value(&tx, Kind::Layout, "", "")?;
    found.layout = layout.as_deref().and_then(read).unwrap_or_default();
    let votes = values(&tx, Kind::Votes)?.into_iter();
    found.votes = votes.filter_map(|(_, _, text)| read(&text)).collect();
    tx.finish()?;
    Ok(found)
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn value(conn: &Connection, kind: Kind, env: &str, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM workspace WHERE kind = ?1 AND env = ?2 AND name = ?3";
    let mut asked = conn.prepare_cached(sql)?;
    asked
        .query_row([kind.name(), env, name], |row| row.get(0))
        .optional()
}

/// All values of a kind, in the order in which they were first kept.
fn values(conn: &Connection, kind: Kind) -> rusqlite::Result<Vec<Row>> {
    let sql = "SELECT env, name, value FROM workspace WHERE kind = ?1 ORDER BY rowid";
    let mut asked = conn.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok((EnvId(row.get(0)?), row.get(1)?, row.get(2)?));
    asked.query_map([kind.name()], row)?.collect()
}
