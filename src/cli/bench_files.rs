//! The files of a benchmark that are written at its end: the report, JUnit's XML, the summary of a job.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::bench_args::{BenchArgs, is_stdout};
use super::{Ended, out};
use crate::domain::failure::Failure;
use crate::domain::run::BenchReport;
use crate::export::{junit, markdown_summary};
use crate::io::files::{self, OutFile, cannot_write};

/// Where GitHub Actions says that the summary of a step belongs.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// The files. That they can be written is known before the first request.
pub(super) struct Files {
    out: Option<Target>,
    junit: Option<Target>,
    summary: Option<PathBuf>,
}

enum Target {
    Stdout,
    File(PathBuf, OutFile),
}

impl Files {
    pub(super) fn plan(args: &BenchArgs) -> Result<Self, Ended> {
        let stdout = [&args.out, &args.junit]
            .into_iter()
            .flatten()
            .filter(|path| is_stdout(path));
        if stdout.count() > 1 {
            let why = "only one of --out and --junit can be written to standard output (-)";
            return Err(Ended::Misused(why.to_owned()));
        }
        let summary = if args.github_summary {
            Some(summary_file(std::env::var_os(SUMMARY)).map_err(Ended::Misused)?)
        } else {
            None
        };
        if let Some(path) = &summary {
            files::append(path, b"").map_err(|error| cannot_write(path, &error))?;
        }
        Ok(Self {
            out: Target::plan(args.out.as_deref())?,
            junit: Target::plan(args.junit.as_deref())?,
            summary,
        })
    }

    /// Writes them all. Adds those that were written, and why others were not; fails only with standard output.
    pub(super) fn write(
        self,
        args: &BenchArgs,
        found: &BenchReport,
        written: &mut Vec<String>,
        troubles: &mut Vec<Failure>,
    ) -> std::io::Result<()> {
        let json = |file: &mut dyn Write| {
            serde_json::to_writer_pretty(&mut *file, found)?;
            writeln!(file)
        };
        let xml = junit::bench(found, &args.fail_if, args.strict);
        let printed = [
            self.out.map(|target| target.write(json, written, troubles)),
            self.junit.map(|target| {
                target.write(|file| file.write_all(xml.as_bytes()), written, troubles)
            }),
        ];
        if let Some(path) = self.summary {
            match files::append(&path, markdown_summary(found).as_bytes()) {
                Ok(()) => written.push(path.display().to_string()),
                Err(error) => troubles.push(cannot_write(&path, &error)),
            }
        }
        printed.into_iter().flatten().collect()
    }

    /// A session that could not begin: a pipeline that looks for JUnit's file finds out why.
    pub(super) fn broken(self, failure: &Failure) {
        let xml = junit::broken(&failure.summary);
        let write = |file: &mut dyn Write| file.write_all(xml.as_bytes());
        // The failure itself is told, and is the worse of the two.
        let _ = self
            .junit
            .map(|target| target.write(write, &mut Vec::new(), &mut Vec::new()));
    }
}

impl Target {
    fn plan(path: Option<&Path>) -> Result<Option<Self>, Failure> {
        let target = |path: &Path| {
            if is_stdout(path) {
                return Ok(Self::Stdout);
            }
            Ok(Self::File(path.to_owned(), OutFile::plan(path)?))
        };
        path.map(target).transpose()
    }

    fn write(
        self,
        content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
        written: &mut Vec<String>,
        troubles: &mut Vec<Failure>,
    ) -> std::io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = out::content();
                content(&mut stdout)?;
                stdout.flush()?;
            }
            Self::File(path, file) => match file.keep(content) {
                Ok(()) => written.push(path.display().to_string()),
                Err(error) => troubles.push(cannot_write(&path, &error)),
            },
        }
        Ok(())
    }
}

/// The file that GitHub Actions names.
fn summary_file(named: Option<OsString>) -> Result<PathBuf, String> {
    let named = named.filter(|name| !name.is_empty()).map(PathBuf::from);
    named.ok_or_else(|| {
        format!(
            "--github-summary: ${SUMMARY} is not set. A GitHub Actions job sets it; elsewhere name a file with it, or \
             use --junit or --out"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_without_a_job_is_explained() {
        assert!(
            summary_file(None).is_err_and(|why| why.contains("$GITHUB_STEP_SUMMARY is not set"))
        );
        assert!(summary_file(Some(OsString::new())).is_err());
        assert_eq!(
            summary_file(Some("/tmp/s".into())),
            Ok(PathBuf::from("/tmp/s"))
        );
    }
}
