//! The real program, at a server that a test scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::batida::{Said, finish, program, start};

/// A folder for settings and other files, and the program with nothing but it.
pub(crate) struct Shell {
    dir: tempfile::TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("prompts.txt"), "Hello\nGood day\n").expect("written");
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn home(&self) -> &Path {
        self.dir.path()
    }

    /// `batida ARGS --api URL`, without a key.
    pub(crate) fn command(&self, url: &str, args: &[&str]) -> Command {
        let mut command = program(self.dir.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .args(args)
            .args(["--api", url, "--config", "config"]);
        command
    }

    pub(crate) fn run(&self, url: &str, args: &[&str]) -> Said {
        finish(start(&mut self.command(url, args)))
    }

    /// A benchmark of so many requests by one client, whose prompts need no calibration; and its report.
    pub(crate) fn bench(&self, url: &str, requests: u32, args: &[&str]) -> (Said, Value) {
        let requests = requests.to_string();
        let mut all = vec![
            "bench",
            "--model",
            "m",
            "--prompts",
            "prompts.txt",
            "--warmup",
            "0",
            "--json",
            // The scripts count connections and requests.
            "--server-metrics",
            "off",
        ];
        all.extend([
            "--quiet",
            "--max-error-share",
            "none",
            "--max-level-error-share",
            "100%",
        ]);
        all.extend(["--requests", &requests]);
        if !args
            .iter()
            .any(|arg| ["--concurrency", "--rate", "--max"].contains(arg))
        {
            all.extend(["--concurrency", "1"]);
        }
        all.extend(args);
        let said = self.run(url, &all);
        let report = serde_json::from_str(&said.out).unwrap_or_default();
        (said, report)
    }
}

/// Whether a text has all these words.
#[track_caller]
pub(crate) fn check_words(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}
