//! Reading: rows for the table, whole sessions, figures over time. Listing never looks at a request.

mod by_index;

pub use self::by_index::ByIndex;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params, params_from_iter};

use super::query::{filter, order, whole};
use super::rows::{SessionKey, columns, kept, kind, moment, nanos, row, row_of, targets_of};
use super::{Store, Trouble, codec};
use crate::domain::failure::Failure;
use crate::domain::history::{
    Exchange, Facets, HistoryPage, HistoryQuery, SessionBody, SessionId, SessionKind, SessionRow,
    SessionState, StoredRequest, StoredSession, Traces, Trend, TrendPoint,
};
use crate::domain::plan::Target;
use crate::domain::run::{BenchReport, EnvironmentInfo, LevelEnd, LevelReport, SessionEnd};
use crate::domain::units;
use crate::metrics::compare::LevelValues;
use crate::metrics::traces::Tracer;

impl Store {
    /// The rows that a query asks for, and what is around them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self, query: &HistoryQuery) -> Result<HistoryPage, Failure> {
        let (filter, mut values) = filter(query);
        let mut listing = || -> Result<HistoryPage, Trouble> {
            // All of it as of one moment, while another window writes.
            let tx = self.conn.unchecked_transaction()?;
            let total = self.conn.query_row(
                &format!("SELECT count(*) FROM sessions{filter}"),
                params_from_iter(&values),
                |row| row.get::<_, i64>(0),
            )?;
            values.extend([whole(query.limit), whole(query.offset)]);
            let sql = format!(
                "SELECT {} FROM sessions{filter} ORDER BY {} LIMIT ? OFFSET ?",
                columns(&self.conn)?,
                order(query)
            );
            let mut asked = self.conn.prepare(&sql)?;
            let rows: Vec<SessionRow> = asked
                .query_map(params_from_iter(&values), row)?
                .collect::<rusqlite::Result<_>>()?;
            let requests: i64 =
                self.conn
                    .query_row("SELECT ifnull(sum(kept), 0) FROM sessions", [], |row| {
                        row.get(0)
                    })?;
            let facets = self.facets()?;
            tx.finish()?;
            Ok(HistoryPage {
                rows,
                offset: query.offset,
                total: total.cast_unsigned(),
                facets,
                bytes: self.bytes(),
                requests: requests.cast_unsigned(),
            })
        };
        self.asked(listing())
    }

    fn facets(&self) -> rusqlite::Result<Facets> {
        let names = |sql: &str| -> rusqlite::Result<Vec<String>> {
            self.conn
                .prepare_cached(sql)?
                .query_map([], |row| row.get(0))?
                .collect()
        };
        Ok(Facets {
            models: names("SELECT DISTINCT model FROM targets ORDER BY 1")?,
            deployments: names(
                "SELECT DISTINCT deployment FROM targets WHERE deployment NOTNULL ORDER BY 1",
            )?,
            environments: names("SELECT DISTINCT environment FROM sessions ORDER BY 1")?,
            tags: names("SELECT DISTINCT tag FROM tags ORDER BY 1")?,
        })
    }

    /// The session that `name` means: an id; `last` (the newest benchmark), `last~1` (the one before it); a tag (the
    /// newest session with it); or a beginning that only one id has.
    ///
    /// # Errors
    /// When it means none, or several.
    pub fn find(&self, name: &str) -> Result<SessionId, Failure> {
        let ids = |sql: &str, value: Value| -> Result<Vec<String>, Failure> {
            let all = || -> rusqlite::Result<Vec<String>> {
                self.conn
                    .prepare(sql)?
                    .query_map([value], |row| row.get(0))?
                    .collect()
            };
            self.asked(all())
        };
        let nth = match name.strip_prefix("last") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('~').and_then(|n| n.parse::<u32>().ok()),
            None => None,
        };
        let text = || Value::from(name.to_owned());
        let mut found = ids("SELECT id FROM sessions WHERE id = ?1", text())?;
        if let Some(nth) = nth.filter(|_| found.is_empty()) {
            let sql = "SELECT id FROM sessions WHERE kind = 'bench' ORDER BY began_ns DESC, key DESC LIMIT 1 OFFSET ?1";
            found = ids(sql, Value::from(i64::from(nth)))?;
            if found.is_empty() {
                let why = format!("There is no benchmark {name} in the history");
                return Err(Failure::new(
                    why,
                    "`batida history list` shows what there is",
                ));
            }
        }
        if found.is_empty() {
            let sql = "SELECT id FROM sessions JOIN tags ON session = key WHERE tag = ?1 \
                       ORDER BY began_ns DESC, key DESC LIMIT 1";
            found = ids(sql, text())?;
        }
        if found.is_empty() && !name.is_empty() {
            let sql = "SELECT id FROM sessions WHERE substr(id, 1, length(?1)) = ?1 ORDER BY began_ns DESC LIMIT 5";
            found = ids(sql, text())?;
        }
        match <[String; 1]>::try_from(found) {
            Ok([id]) => Ok(SessionId(id)),
            Err(none) if none.is_empty() => Err(Failure::new(
                format!("There is no session {name:?} in the history"),
                "Name an id or its beginning, a tag, last, or last~1; `batida history list` shows what there is",
            )),
            Err(several) => Err(Failure::new(
                format!(
                    "{name:?} is the beginning of several sessions: {}",
                    several.join(", ")
                ),
                "Type more of it",
            )),
        }
    }

    /// A session as a row of the table.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn row(&self, session: &SessionId) -> Result<SessionRow, Failure> {
        let key = self.key_of(session)?;
        self.asked(row_of(&self.conn, key))
    }

    pub(super) fn key_of(&self, session: &SessionId) -> Result<SessionKey, Failure> {
        let sql = "SELECT key FROM sessions WHERE id = ?1";
        let found = self
            .conn
            .query_row(sql, [&session.0], |row| row.get(0))
            .optional();
        let none = || {
            Failure::new(
                format!("The session {session} is not in the history"),
                "It may have been deleted, here or in another window",
            )
        };
        self.asked(found)?.map(SessionKey).ok_or_else(none)
    }

    /// A session with all that is drawn of it. Of one that was interrupted, as far as it was written.
    ///
    /// # Errors
    /// When there is none of that id, or it cannot be read.
    pub fn session(&self, session: &SessionId) -> Result<StoredSession, Failure> {
        let mut stored = self.session_without_charts(session)?;
        if let SessionBody::Bench { report, traces } = &mut stored.body {
            let kept = self.asked(kept(&self.conn, self.key_of(session)?))?;
            let mut tracer = Tracer::new(
                kept,
                units::checked_seconds(report.took_s).unwrap_or_default(),
            );
            self.requests(session, &mut |request| {
                tracer.add(&request.record);
                Ok(())
            })?;
            *traces = tracer.finish();
        }
        Ok(stored)
    }

    /// The same without its charts over time: no request is read.
    ///
    /// # Errors
    /// As [`Store::session`].
    pub fn session_without_charts(&self, session: &SessionId) -> Result<StoredSession, Failure> {
        let key = self.key_of(session)?;
        let row = self.asked(row_of(&self.conn, key))?;
        let body = match row.kind {
            SessionKind::Chat => SessionBody::Chat {
                surroundings: self.chat_surroundings(key)?,
                exchanges: self.exchanges(key)?,
            },
            SessionKind::Bench => {
                let report = Box::new(self.report_of(key, &row)?);
                SessionBody::Bench {
                    report,
                    traces: Traces::default(),
                }
            }
        };
        Ok(StoredSession { row, body })
    }

    /// A benchmark's report, without its requests.
    ///
    /// # Errors
    /// When there is none of that id, it is a conversation, or it cannot be read.
    pub fn report(&self, session: &SessionId) -> Result<BenchReport, Failure> {
        let key = self.key_of(session)?;
        let row = self.asked(row_of(&self.conn, key))?;
        if row.kind == SessionKind::Chat {
            let why = format!("The session {session} is a conversation, not a benchmark");
            return Err(Failure::new(why, "Take a benchmark"));
        }
        self.report_of(key, &row)
    }

    fn report_of(&self, key: SessionKey, row: &SessionRow) -> Result<BenchReport, Failure> {
        let sql = "SELECT body FROM heads WHERE session = ?1";
        let head: Option<String> = self.asked(
            self.conn
                .query_row(sql, [key.0], |row| row.get(0))
                .optional(),
        )?;
        let head = head.ok_or_else(|| {
            Failure::new(
                format!(
                    "The plan of the session {} is lost: the history's file was damaged",
                    row.id
                ),
                "Its row in the list is what could be read. Other sessions are not affected",
            )
        })?;
        let reading = || -> Result<BenchReport, Trouble> {
            let mut report: BenchReport = serde_json::from_str(&head)?;
            let mut asked = self
                .conn
                .prepare("SELECT report FROM levels WHERE session = ?1 ORDER BY number")?;
            let levels = asked.query_map([key.0], |row| row.get::<_, String>(0))?;
            for level in levels {
                report
                    .levels
                    .push(serde_json::from_str::<LevelReport>(&level?)?);
            }
            Ok(report)
        };
        let mut report = self.asked(reading())?;
        let unfinished = report
            .levels
            .iter()
            .any(|level| level.ended == LevelEnd::Running);
        let cut =
            row.state == SessionState::Interrupted && matches!(report.ended, SessionEnd::Complete);
        if row.state == SessionState::Running || cut || unfinished {
            let took = row
                .ended
                .map_or(0.0, |ended| ended.duration_since(row.began).as_secs_f64());
            report.took_s = report.took_s.max(took);
        }
        if row.state == SessionState::Running {
            // Written from the beginning on; a file of it must not say that it is whole.
            report.ended = SessionEnd::Limit("it was under way when this was read".to_owned());
        } else {
            if cut {
                report.ended = SessionEnd::Failed(
                    "Batida ended before the session did: this is what was written".to_owned(),
                );
            }
            // Also of one that was closed, not killed.
            for level in report
                .levels
                .iter_mut()
                .filter(|level| level.ended == LevelEnd::Running)
            {
                level.ended = LevelEnd::Stopped;
            }
        }
        Ok(report)
    }

    fn chat_surroundings(&self, key: SessionKey) -> Result<Option<EnvironmentInfo>, Failure> {
        let sql = "SELECT body FROM heads WHERE session = ?1";
        let reading = || -> Result<Option<EnvironmentInfo>, Trouble> {
            let text: Option<String> = self
                .conn
                .query_row(sql, [key.0], |row| row.get(0))
                .optional()?;
            Ok(text
                .map(|text| serde_json::from_str(&text))
                .transpose()?
                .flatten())
        };
        self.asked(reading())
    }

    fn exchanges(&self, key: SessionKey) -> Result<Vec<Exchange>, Failure> {
        let reading = || -> Result<Vec<Exchange>, Trouble> {
            let mut asked = self
                .conn
                .prepare("SELECT body FROM exchanges WHERE session = ?1")?;
            let texts = asked.query_map([key.0], |row| row.get::<_, String>(0))?;
            let mut all = Vec::new();
            for text in texts {
                all.push(serde_json::from_str::<Exchange>(&text?)?);
            }
            all.sort_by_key(|exchange| (exchange.at, exchange.id));
            Ok(all)
        };
        self.asked(reading())
    }

    /// Gives each of a session's requests in the order in which they ended, without holding them all.
    ///
    /// # Errors
    /// When there is none of that id, it cannot be read, or `each` fails.
    pub fn requests(
        &self,
        session: &SessionId,
        each: &mut dyn FnMut(StoredRequest) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let key = self.key_of(session)?;
        let targets = self.asked(targets_of(&self.conn, key))?;
        self.each_request(key, &targets, each)
    }

    /// The same without what else is kept of the session: models and deployments are empty. Of a damaged file it gives
    /// what lies before the damage.
    ///
    /// # Errors
    /// When they cannot be read to the end, or `each` fails.
    pub fn bare_requests(
        &self,
        session: SessionKey,
        each: &mut dyn FnMut(StoredRequest) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.each_request(session, &[], each)
    }

    fn each_request(
        &self,
        session: SessionKey,
        targets: &[(i64, Target)],
        each: &mut dyn FnMut(StoredRequest) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut asked = self.asked(self.conn.prepare_cached(codec::SELECT))?;
        let mut rows = self.asked(asked.query(session.requests()))?;
        while let Some(row) = self.asked(rows.next())? {
            each(self.asked(codec::read(row, targets))?)?;
        }
        Ok(())
    }

    /// A session's requests by their indexes, read one by one. What was said in a conversation is with its exchanges.
    ///
    /// # Errors
    /// When there is none of that id, or it cannot be read.
    pub fn by_index(&self, session: &SessionId) -> Result<ByIndex<'_>, Failure> {
        let key = self.key_of(session)?;
        let reading = || -> rusqlite::Result<Vec<i64>> {
            let sql = "SELECT key FROM requests WHERE key >= ?1 AND key < ?2 ORDER BY number, key";
            self.conn
                .prepare(sql)?
                .query_map(key.requests(), |row| row.get(0))?
                .collect()
        };
        let keys = self.asked(reading())?.into_iter();
        Ok(ByIndex {
            store: self,
            keys,
            targets: self.asked(targets_of(&self.conn, key))?,
        })
    }

    /// What a benchmark's good requests measured, one entry for each level of its report.
    ///
    /// # Errors
    /// As [`Store::report`].
    pub fn values(&self, session: &SessionId) -> Result<Vec<LevelValues>, Failure> {
        let report = self.report(session)?;
        let mut failed = Ok(());
        let records = self.by_index(session)?.map_while(|request| match request {
            Ok(request) => Some(request.record),
            Err(why) => {
                failed = Err(why);
                None
            }
        });
        let values = LevelValues::of(&report, records);
        failed.map(|()| values)
    }

    /// A model's figures over time, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn trend(
        &self,
        model: &str,
        deployment: Option<&str>,
        since: Option<Timestamp>,
    ) -> Result<Trend, Failure> {
        let sql = "SELECT id, began_ns, kind, deployment, release, t.ttft_ms, t.user_speed, t.peak FROM targets AS t \
                   JOIN sessions AS s ON s.key = t.session WHERE t.model = ?1 AND (?2 IS NULL OR t.deployment = ?2) \
                   AND s.began_ns >= ?3 AND s.began_ns != 0 AND (t.ttft_ms NOTNULL OR t.user_speed NOTNULL OR t.peak NOTNULL) \
                   ORDER BY began_ns, key";
        let reading = || -> rusqlite::Result<Vec<TrendPoint>> {
            let mut asked = self.conn.prepare(sql)?;
            let since = since.map_or(i64::MIN, nanos);
            asked
                .query_map(params![model, deployment, since], |row| {
                    Ok(TrendPoint {
                        session: SessionId(row.get(0)?),
                        at: moment(row.get(1)?),
                        kind: kind(row.get_ref(2)?.as_str()?),
                        deployment: row.get(3)?,
                        release: row.get(4)?,
                        ttft_p50_ms: row.get(5)?,
                        user_tokens_per_s: row.get(6)?,
                        peak_tokens_per_s: row.get(7)?,
                    })
                })?
                .collect()
        };
        Ok(Trend {
            model: model.to_owned(),
            points: self.asked(reading())?,
        })
    }

    /// The session that new ones of this model on this deployment are held against.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn baseline_of(
        &self,
        model: &str,
        deployment: Option<&str>,
    ) -> Result<Option<SessionId>, Failure> {
        let sql = "SELECT id FROM baselines JOIN sessions ON key = session WHERE model = ?1 AND deployment = ?2";
        let found = self
            .conn
            .query_row(sql, [model, deployment.unwrap_or_default()], |row| {
                row.get(0)
            })
            .optional();
        Ok(self.asked(found)?.map(SessionId))
    }

    /// Whether the whole file makes sense. Reads all of it.
    ///
    /// # Errors
    /// When it does not, or cannot be read.
    pub fn check(&self) -> Result<(), Failure> {
        let words: String = self.asked(self.conn.query_row(
            "PRAGMA integrity_check",
            [],
            |row| row.get(0),
        ))?;
        if words == "ok" {
            return Ok(());
        }
        Err(self.met_damage(&words))
    }

    /// How many of a session's requests are kept, and how many could not be.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn counts(&self, session: &SessionId) -> Result<(u64, u64), Failure> {
        let key = self.key_of(session)?;
        let sql = "SELECT kept, lost FROM sessions WHERE key = ?1";
        let found = self.conn.query_row(sql, [key.0], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        self.asked(found)
            .map(|(kept, lost)| (kept.cast_unsigned(), lost.cast_unsigned()))
    }
}
