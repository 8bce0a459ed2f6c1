//! Writing: all within one transaction, so that a session is never half there.

mod changes;
mod chats;
mod levels;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::rows::{self, SessionKey, kind_name, nanos};
use super::{Store, Trouble, codec, is_damage, may_be_damage};
use crate::domain::failure::Failure;
use crate::domain::history::{
    Exchange, Said, SessionId, SessionKind, SessionRow, SessionState, StoredRequest,
};
use crate::domain::run::{BenchReport, EnvironmentInfo};
use crate::metrics::request::RequestRecord;

/// One question and its answer of a conversation, to be kept.
#[derive(Debug, Clone)]
pub struct ChatRecord {
    /// The conversation.
    pub session: SessionId,
    /// The environment's name.
    pub environment: String,
    /// Where it was held.
    pub surroundings: Option<EnvironmentInfo>,
    /// What it is called while it has no other name; empty for none.
    pub title: String,
    /// Its moments, from when it was sent, and its figures; `index` is the exchange's id. What was said goes with the
    /// exchange.
    pub request: StoredRequest,
    /// What was said, as far as it is to be kept.
    pub exchange: Exchange,
}

/// A transaction under way.
pub struct Writing<'a>(pub(super) &'a Connection);

impl Store {
    /// Does all of `work` or nothing of it.
    ///
    /// # Errors
    /// As the file's: full, locked, damaged.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&Writing<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Failure> {
        let all = || {
            let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)?;
            let done = work(&Writing(&tx))?;
            tx.commit()?;
            Ok::<T, Trouble>(done)
        };
        let outcome = all();
        if outcome
            .as_ref()
            .is_err_and(|Trouble(error)| may_be_damage(error) && !is_damage(error))
        {
            // Damage does not always show as such: an index that lost a row is a broken promise of uniqueness.
            self.check()?;
        }
        self.asked(outcome)
    }

    /// Keeps a session that is over, e.g. an imported one. One that is there already is replaced; its tags stay,
    /// and so does its being a baseline. A report without its requests does not replace one that has them: it only
    /// adds its tags.
    ///
    /// # Errors
    /// When the id is a conversation's, or that of a session that runs, or as [`Store::write`].
    pub fn keep(
        &self,
        report: &BenchReport,
        requests: &[StoredRequest],
    ) -> Result<SessionId, Failure> {
        let id = SessionId(report.id.clone());
        let taken = |what: &str, advice: &str| {
            let why = format!("The session {id} cannot be imported: {what}");
            Ok(Some(Failure::new(why, advice)))
        };
        let refused = self.write(|tx| {
            let mut report = report.clone();
            let mut baseline = false;
            if let Some((old, tags)) = tx.find(&id)? {
                let row = rows::row_of(tx.0, old)?;
                if row.kind == SessionKind::Chat {
                    return taken(
                        "a conversation has its id",
                        "Was the file changed after it was written?",
                    );
                }
                if row.state == SessionState::Running {
                    return taken("it is under way", "Import it when it has ended");
                }
                if requests.is_empty() && rows::kept(tx.0, old)? > 0 {
                    let mut all = tags;
                    let new = report
                        .plan
                        .tags
                        .into_iter()
                        .filter(|tag| !all.contains(tag));
                    all.extend(new.collect::<Vec<_>>());
                    tx.retag(old, &SessionRow { tags: all, ..row })?;
                    return Ok(None);
                }
                baseline = row.baseline;
                let tags = tags
                    .into_iter()
                    .filter(|tag| !report.plan.tags.contains(tag))
                    .collect::<Vec<_>>();
                report.plan.tags.extend(tags);
                tx.delete(old)?;
            }
            let key = tx.begin(&report, None)?;
            for (number, request) in requests.iter().enumerate() {
                let place = tx.place(key, &request.model, request.deployment.as_deref())?;
                let at = key.requests()[0] + number as i64;
                codec::insert(tx.0, at, place, &request.record, request.said.as_ref())?;
            }
            tx.count(key, requests.len() as u64, 0)?;
            tx.finish(key, &report, None)?;
            if baseline {
                tx.baseline(key)?;
            }
            Ok(None)
        })?;
        refused.map_or(Ok(id), Err)
    }
}

impl Writing<'_> {
    /// Begins a benchmark's session. `state`: `None` for what its report says.
    ///
    /// # Errors
    /// As the file's.
    pub fn begin(
        &self,
        report: &BenchReport,
        state: Option<SessionState>,
    ) -> Result<SessionKey, Trouble> {
        let mut row = SessionRow::of(report);
        row.state = state.unwrap_or(row.state);
        let key = self.insert(&row)?;
        for (place, target) in report.plan.targets.iter().enumerate() {
            self.insert_target(
                key,
                place as i64,
                &target.model,
                target.deployment.as_deref(),
            )?;
        }
        self.tags(key, &row.tags)?;
        self.head(key, &head(report)?)?;
        Ok(key)
    }

    /// Adds a request of a benchmark that this process writes. `number`: how many it has so far; `target`: its place
    /// in the plan; `said`: where texts are kept.
    ///
    /// # Errors
    /// As the file's.
    pub fn request(
        &self,
        session: SessionKey,
        number: u64,
        target: usize,
        record: &RequestRecord,
        said: Option<&Said>,
    ) -> Result<(), Trouble> {
        let [first, end] = session.requests();
        let key = (first + number as i64).min(end - 1);
        Ok(codec::insert(self.0, key, target as i64, record, said)?)
    }

    /// Says that a session goes on, how many requests it has and how many could not be kept. `false` when somebody has
    /// deleted it.
    ///
    /// # Errors
    /// As the file's.
    pub fn count(&self, session: SessionKey, kept: u64, lost: u64) -> Result<bool, Trouble> {
        let sql = "UPDATE sessions SET kept = ?2, lost = ?3, heartbeat_ns = ?4 WHERE key = ?1";
        let now = nanos(Timestamp::now());
        let n = self.0.prepare_cached(sql)?.execute([
            session.0,
            kept.cast_signed(),
            lost.cast_signed(),
            now,
        ])?;
        Ok(n > 0)
    }

    /// Ends a session with its whole report. `state`: `None` for what the report says. `false` when somebody has deleted
    /// it.
    ///
    /// # Errors
    /// As the file's.
    pub fn finish(
        &self,
        session: SessionKey,
        report: &BenchReport,
        state: Option<SessionState>,
    ) -> Result<bool, Trouble> {
        let row = SessionRow::of(report);
        let state = state.unwrap_or(row.state);
        let sql = "UPDATE sessions SET state = ?2, release = ?3 WHERE key = ?1";
        if self
            .0
            .execute(sql, params![session.0, state.word(), row.release])?
            == 0
        {
            return Ok(false);
        }
        self.0
            .execute("DELETE FROM levels WHERE session = ?1", [session.0])?;
        self.head(session, &head(report)?)?;
        self.advance(session, report, 0)?;
        Ok(true)
    }

    /// Writes what a benchmark's session runs on, as its report says.
    ///
    /// # Errors
    /// As the file's.
    pub fn around(&self, session: SessionKey, report: &BenchReport) -> Result<(), Trouble> {
        self.head(session, &head(report)?)?;
        self.release(session, report.surroundings.as_ref())
    }

    fn release(
        &self,
        session: SessionKey,
        surroundings: Option<&EnvironmentInfo>,
    ) -> Result<(), Trouble> {
        let release = surroundings.and_then(EnvironmentInfo::release);
        let sql = "UPDATE sessions SET release = ifnull(?2, release) WHERE key = ?1";
        self.0.execute(sql, params![session.0, release])?;
        Ok(())
    }

    fn insert(&self, row: &SessionRow) -> Result<SessionKey, Trouble> {
        let sql = "INSERT INTO sessions (id, kind, state, began_ns, ended_ns, heartbeat_ns, title, environment, \
                   deployments, models, tags, words, source, release, requests, errors, ttft_ms, itl_ms, peak) VALUES \
                   (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
        self.0.execute(
            sql,
            params![
                row.id.0,
                kind_name(row.kind),
                row.state.word(),
                nanos(row.began),
                row.ended.map(nanos),
                nanos(Timestamp::now()),
                row.title,
                row.environment,
                serde_json::to_string(&row.deployments)?,
                serde_json::to_string(&row.models)?,
                serde_json::to_string(&row.tags)?,
                words_of(row),
                row.source,
                row.release,
                row.requests.cast_signed(),
                row.errors.cast_signed(),
                row.ttft_p50_ms,
                row.itl_p50_ms,
                row.peak_tokens_per_s
            ],
        )?;
        Ok(SessionKey(self.0.last_insert_rowid()))
    }

    /// The session's key and its tags.
    fn find(&self, id: &SessionId) -> Result<Option<(SessionKey, Vec<String>)>, Trouble> {
        let sql = "SELECT key, tags FROM sessions WHERE id = ?1";
        let found = self
            .0
            .query_row(sql, [&id.0], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?))
            })
            .optional()?;
        Ok(match found {
            Some((key, tags)) => Some((SessionKey(key), serde_json::from_str(&tags)?)),
            None => None,
        })
    }

    /// Deletes a session with all that is its.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn delete(&self, key: SessionKey) -> Result<(), Trouble> {
        self.0.execute(
            "DELETE FROM requests WHERE key >= ?1 AND key < ?2",
            key.requests(),
        )?;
        self.0
            .execute("DELETE FROM sessions WHERE key = ?1", [key.0])?;
        Ok(())
    }

    /// The place of a target among its session's, a new one where it is new.
    fn place(
        &self,
        key: SessionKey,
        model: &str,
        deployment: Option<&str>,
    ) -> Result<i64, Trouble> {
        let sql =
            "SELECT place FROM targets WHERE session = ?1 AND model = ?2 AND deployment IS ?3";
        let mut asked = self.0.prepare_cached(sql)?;
        if let Some(place) = asked
            .query_row(params![key.0, model, deployment], |row| row.get(0))
            .optional()?
        {
            return Ok(place);
        }
        let next = "SELECT ifnull(max(place) + 1, 0) FROM targets WHERE session = ?1";
        let place = self.0.query_row(next, [key.0], |row| row.get(0))?;
        self.insert_target(key, place, model, deployment)?;
        Ok(place)
    }

    fn insert_target(
        &self,
        key: SessionKey,
        place: i64,
        model: &str,
        deployment: Option<&str>,
    ) -> Result<(), Trouble> {
        let sql = "INSERT INTO targets (session, place, model, deployment) VALUES (?1, ?2, ?3, ?4)";
        self.0
            .execute(sql, params![key.0, place, model, deployment])?;
        Ok(())
    }

    fn target_figures(
        &self,
        key: SessionKey,
        place: i64,
        figures: TargetFigures,
    ) -> Result<(), Trouble> {
        let TargetFigures {
            ttft_ms,
            user_speed,
            peak,
        } = figures;
        let sql = "UPDATE targets SET ttft_ms = ?3, user_speed = ?4, peak = ?5 WHERE session = ?1 AND place = ?2";
        self.0
            .prepare_cached(sql)?
            .execute(params![key.0, place, ttft_ms, user_speed, peak])?;
        Ok(())
    }

    /// Gives the session of this row the row's tags.
    fn retag(&self, key: SessionKey, row: &SessionRow) -> Result<(), Trouble> {
        self.tags(key, &row.tags)?;
        let sql = "UPDATE sessions SET tags = ?2, words = ?3 WHERE key = ?1";
        self.0.execute(
            sql,
            params![key.0, serde_json::to_string(&row.tags)?, words_of(row)],
        )?;
        Ok(())
    }

    fn tags(&self, key: SessionKey, tags: &[String]) -> Result<(), Trouble> {
        self.0
            .execute("DELETE FROM tags WHERE session = ?1", [key.0])?;
        for tag in tags {
            self.0.execute(
                "INSERT OR IGNORE INTO tags (session, tag) VALUES (?1, ?2)",
                params![key.0, tag],
            )?;
        }
        Ok(())
    }

    fn baseline(&self, key: SessionKey) -> Result<(), Trouble> {
        self.0.execute(
            "INSERT OR REPLACE INTO baselines (model, deployment, session) \
             SELECT model, ifnull(deployment, ''), session FROM targets WHERE session = ?1",
            [key.0],
        )?;
        Ok(())
    }

    fn head(&self, key: SessionKey, body: &str) -> Result<(), Trouble> {
        let sql = "INSERT OR REPLACE INTO heads (session, body) VALUES (?1, ?2)";
        self.0.execute(sql, params![key.0, body])?;
        Ok(())
    }

    fn head_of(&self, key: SessionKey) -> Result<Option<String>, Trouble> {
        let sql = "SELECT body FROM heads WHERE session = ?1";
        Ok(self
            .0
            .query_row(sql, [key.0], |row| row.get(0))
            .optional()?)
    }
}

/// What a trend shows of one model on one deployment.
struct TargetFigures {
    ttft_ms: Option<f64>,
    user_speed: Option<f64>,
    peak: Option<f64>,
}

/// A report without its levels, which have rows of their own.
fn head(report: &BenchReport) -> Result<String, Trouble> {
    let BenchReport { levels: _, .. } = report;
    let bare = BenchReport {
        levels: Vec::new(),
        ..report.clone()
    };
    Ok(serde_json::to_string(&bare)?)
}

/// What a search looks through.
fn words_of(row: &SessionRow) -> String {
    let mut all = vec![
        row.title.as_str(),
        row.environment.as_str(),
        row.id.0.as_str(),
    ];
    all.extend(row.source.as_deref());
    all.extend(
        row.models
            .iter()
            .chain(&row.deployments)
            .chain(&row.tags)
            .map(String::as_str),
    );
    all.join("\n").to_lowercase()
}
