//! Files with a row per request, or per gap, of a benchmark that runs.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::domain::failure::Failure;
use crate::domain::run::BenchProgress;
use crate::export::{csv, gaps};
use crate::io::files::{FOR_ALL, OutFile, Sink, cannot_write};
use crate::metrics::request::RequestRecord;

/// What a file has a row of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    Requests,
    Gaps,
}

impl Lines {
    /// The file with its first line and `rows`.
    fn begin(self, out: &OutFile, rows: &str) -> std::io::Result<BufWriter<Sink>> {
        let mut file = BufWriter::with_capacity(1 << 16, out.handle()?);
        match self {
            Self::Requests => file.write_all(csv::head().as_bytes())?,
            Self::Gaps => file.write_all(gaps::head().as_bytes())?,
        }
        file.write_all(rows.as_bytes())?;
        file.flush()?;
        Ok(file)
    }
}

/// How often rows are handed to the system while a session runs.
const FLUSH: Duration = Duration::from_secs(1);

/// A file with a row per request, or per chunk. It replaces an older one with its first row: a run that never begins leaves
/// the old file, and of one that is killed the rows until a second before are there.
pub(super) struct Rows {
    lines: Lines,
    path: PathBuf,
    /// `None` until the first row, so that a run that is killed before it leaves nothing behind.
    file: Option<BufWriter<Sink>>,
    has_rows: bool,
    flushed: Instant,
    /// What went wrong first; nothing is written behind it.
    trouble: Option<std::io::Error>,
    pub(super) session: String,
    /// The label and the model of each level.
    pub(super) levels: Vec<(String, String)>,
}

impl Rows {
    pub(super) fn open(path: &Path, lines: Lines) -> Result<Self, Failure> {
        let begin = || {
            let out = OutFile::try_open(path, FOR_ALL)?;
            // A disk that is full already is told now.
            let file = lines.begin(&out, "")?;
            // A device or a pipe is open from now on. Of any other file this was the test.
            Ok(out.is_straight().then_some(file))
        };
        let file = begin().map_err(|error| cannot_write(path, &error))?;
        Ok(Self {
            lines,
            path: path.to_owned(),
            file,
            has_rows: false,
            flushed: Instant::now(),
            trouble: None,
            session: String::new(),
            levels: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, record: &RequestRecord) {
        if self.trouble.is_some() {
            return;
        }
        let (label, model) = self
            .levels
            .get(record.level)
            .map_or(("", ""), |(l, m)| (l, m));
        let row = match self.lines {
            Lines::Requests => csv::row(&self.session, label, model, record, None),
            Lines::Gaps => gaps::rows(&self.session, label, model, record),
        };
        self.trouble = self.write(&row).err();
        self.flush_regularly();
    }

    /// The level under way of a search, which the plan does not name.
    pub(super) fn searches(&mut self, progress: &BenchProgress, models: &[String]) {
        if let Some(search) = progress
            .search
            .filter(|_| progress.level == self.levels.len())
        {
            let model = models.get(search.target).cloned().unwrap_or_default();
            self.levels.push((search.load.label(), model));
        }
    }

    fn write(&mut self, row: &str) -> std::io::Result<()> {
        self.has_rows |= !row.is_empty();
        match &mut self.file {
            Some(file) => file.write_all(row.as_bytes()),
            None if row.is_empty() => Ok(()),
            None => {
                let out = OutFile::try_open(&self.path, FOR_ALL)?;
                self.file = Some(self.lines.begin(&out, row)?);
                out.put_in_place()
            }
        }
    }

    /// To be called often while the session runs.
    pub(super) fn flush_regularly(&mut self) {
        if let (Some(file), None) = (&mut self.file, &self.trouble)
            && self.flushed.elapsed() >= FLUSH
        {
            self.trouble = file.flush().err();
            self.flushed = Instant::now();
        }
    }

    /// Gives whether there was a row.
    pub(super) fn end(self) -> std::io::Result<bool> {
        let Some(mut file) = self.file else {
            return self.trouble.map_or(Ok(false), Err);
        };
        let ended = self.trouble.map_or_else(|| file.flush(), Err);
        // What could not be written is not tried again when the buffer is dropped.
        let (sink, _) = file.into_parts();
        ended.and_then(|()| sink.sync()).map(|()| self.has_rows)
    }
}
