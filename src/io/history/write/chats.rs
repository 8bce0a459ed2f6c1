//! Conversations: an answer at a time, and the row that sums them up.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::{ChatRecord, TargetFigures, Writing, words_of};
use crate::domain::history::{
    Exchange, SessionId, SessionKind, SessionRow, SessionState, StoredRequest,
};
use crate::domain::plan::Target;
use crate::domain::run::EnvironmentInfo;
use crate::io::history::rows::{self, SessionKey, nanos};
use crate::io::history::schema::panes;
use crate::io::history::{Trouble, codec};
use crate::metrics::request::RequestRecord;

impl Writing<'_> {
    /// Keeps an answer, and with the first one its conversation. Gives the id it is kept under: another one than its
    /// own where another window has gone on with the same conversation meanwhile.
    ///
    /// # Errors
    /// As the file's.
    pub fn chat(&self, record: &ChatRecord) -> Result<u64, Trouble> {
        let ChatRecord {
            session,
            environment,
            surroundings,
            title,
            request,
            exchange,
        } = record;
        let key = match self.find(session)? {
            Some((key, _)) => key,
            None => self.begin_chat(session, environment, title, exchange.at)?,
        };
        if surroundings.is_some() || self.head_of(key)?.is_none() {
            self.head(key, &serde_json::to_string(surroundings)?)?;
        }
        let asked = self.place(key, &request.model, request.deployment.as_deref())?;
        // The figures are those of the model that answered; it can be found by the other one's name too.
        let place = match &request.record.answered_by {
            Some(other) => self.place(key, other, request.deployment.as_deref())?,
            None => asked,
        };
        let exchange = &Exchange {
            id: self.free_exchange(key, exchange)?,
            ..exchange.clone()
        };
        let sql = "INSERT INTO exchanges (session, id, body) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (session, id) DO UPDATE SET body = excluded.body";
        let body = serde_json::to_string(exchange)?;
        self.0
            .execute(sql, params![key.0, exchange.id.cast_signed(), body])?;
        // An exchange that is asked anew takes its old one's place, as its texts do.
        let [first, end] = key.requests();
        let sql = "SELECT key FROM requests WHERE key >= ?1 AND key < ?2 AND number = ?3";
        let old: Option<i64> = self
            .0
            .query_row(sql, [first, end, exchange.id.cast_signed()], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(old) = old {
            self.0
                .execute("DELETE FROM requests WHERE key = ?1", [old])?;
        }
        let next = "SELECT ifnull(max(key) + 1, ?1) FROM requests WHERE key >= ?1 AND key < ?2";
        let at: i64 = self.0.query_row(next, [first, end], |row| row.get(0))?;
        // A conversation's moments count from its beginning, as a benchmark's do.
        let began = rows::row_of(self.0, key)?.began;
        let since = exchange.at.duration_since(began).unsigned_abs();
        let mut record = RequestRecord {
            index: exchange.id,
            ..request.record.clone()
        };
        for moment in [&mut record.due, &mut record.sent, &mut record.ended] {
            *moment += since;
        }
        codec::insert(self.0, old.unwrap_or(at), place, &record, None)?;
        self.summarise_chat(
            key,
            surroundings.as_ref().and_then(EnvironmentInfo::release),
        )?;
        Ok(exchange.id)
    }

    /// The exchange's id, or the next one where that is another question's.
    fn free_exchange(&self, key: SessionKey, exchange: &Exchange) -> Result<u64, Trouble> {
        let sql = "SELECT body FROM exchanges WHERE session = ?1 AND id = ?2";
        let there: Option<String> = self
            .0
            .query_row(sql, [key.0, exchange.id.cast_signed()], |row| row.get(0))
            .optional()?;
        let same = match there {
            Some(body) => serde_json::from_str::<Exchange>(&body)?.at == exchange.at,
            None => true,
        };
        if same {
            return Ok(exchange.id);
        }
        let next = "SELECT max(id) + 1 FROM exchanges WHERE session = ?1";
        Ok(self
            .0
            .query_row(next, [key.0], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }

    fn begin_chat(
        &self,
        session: &SessionId,
        environment: &str,
        title: &str,
        at: Timestamp,
    ) -> Result<SessionKey, Trouble> {
        self.insert(&SessionRow {
            id: session.clone(),
            kind: SessionKind::Chat,
            state: SessionState::Complete,
            began: at,
            ended: None,
            title: if title.is_empty() {
                "Chat".to_owned()
            } else {
                title.to_owned()
            },
            environment: environment.to_owned(),
            deployments: Vec::new(),
            models: Vec::new(),
            tags: Vec::new(),
            source: None,
            release: None,
            requests: 0,
            errors: 0,
            warnings: 0,
            panes: 1,
            ttft_p50_ms: None,
            itl_p50_ms: None,
            peak_tokens_per_s: None,
            baseline: false,
        })
    }

    /// A conversation's row from its requests.
    fn summarise_chat(&self, key: SessionKey, release: Option<String>) -> Result<(), Trouble> {
        let mut row = rows::row_of(self.0, key)?;
        let targets = rows::targets_of(self.0, key)?;
        let [first, end] = key.requests();
        let mut asked = self.0.prepare_cached(codec::SELECT)?;
        let requests: Vec<StoredRequest> = asked
            .query_map([first, end], |row| codec::read(row, &targets))?
            .collect::<rusqlite::Result<_>>()?;
        let figures_of = |target| figures_of(&requests, target);
        let (all, itl) = figures_of(None);
        row.models = names(
            targets
                .iter()
                .map(|(_, target)| Some(target.model.as_str())),
        );
        row.deployments = names(
            targets
                .iter()
                .map(|(_, target)| target.deployment.as_deref()),
        );
        for (place, target) in &targets {
            self.target_figures(key, *place, figures_of(Some(target)).0)?;
        }
        let failed = |request: &&StoredRequest| {
            let error = request.record.error.as_ref();
            error.is_some_and(|error| {
                error.class != Some(crate::domain::failure::FaultClass::Cancelled)
            })
        };
        let errors = requests.iter().filter(failed).count();
        let last = requests
            .iter()
            .map(|request| request.record.ended)
            .max()
            .unwrap_or_default();
        let sql = concat!(
            "UPDATE sessions SET ended_ns = ?2, requests = ?3, errors = ?4, ttft_ms = ?5, itl_ms = ?6, peak = ?7, \
             models = ?8, deployments = ?9, words = ?10, kept = ?11, heartbeat_ns = ?12, \
             release = ifnull(?13, release), panes = ",
            panes!(),
            " WHERE key = ?1"
        );
        self.0.execute(
            sql,
            params![
                key.0,
                nanos(row.began).saturating_add(codec::ns(last)),
                requests.len() as i64,
                errors as i64,
                all.ttft_ms,
                itl,
                all.peak,
                serde_json::to_string(&row.models)?,
                serde_json::to_string(&row.deployments)?,
                words_of(&row),
                requests.len() as i64,
                nanos(Timestamp::now()),
                release,
            ],
        )?;
        Ok(())
    }

    /// Writes where a conversation is held. One that somebody has deleted stays deleted.
    ///
    /// # Errors
    /// As the file's.
    pub fn chat_around(
        &self,
        session: &SessionId,
        surroundings: &EnvironmentInfo,
    ) -> Result<(), Trouble> {
        let Some((key, _)) = self.find(session)? else {
            return Ok(());
        };
        self.head(key, &serde_json::to_string(&Some(surroundings))?)?;
        self.release(key, Some(surroundings))
    }
}

fn names<'a>(all: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in all.flatten() {
        if !out.iter().any(|known| known == name) {
            out.push(name.to_owned());
        }
    }
    out
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The median figures of the good answers, of one model or of all, with their ITL in milliseconds.
fn figures_of(requests: &[StoredRequest], target: Option<&Target>) -> (TargetFigures, Option<f64>) {
    let own = |request: &&StoredRequest| {
        target.is_none_or(|target| {
            target.model == request.model && target.deployment == request.deployment
        })
    };
    let good = requests
        .iter()
        .filter(|request| request.record.counts())
        .filter(own);
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let speeds: Vec<f64> = good.clone().filter_map(|r| r.record.user_speed()).collect();
    let ttfts = good
        .clone()
        .filter_map(|r| r.record.ttft().map(ms))
        .collect();
    let itls = good.filter_map(|r| r.record.figures.itl.map(ms)).collect();
    let peak = speeds.iter().copied().reduce(f64::max);
    let figures = TargetFigures {
        ttft_ms: median(ttfts),
        user_speed: median(speeds),
        peak,
    };
    (figures, median(itls))
}
