//! The colours of code, worked out on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use egui::{Color32, Context, Id};
use egui_extras::syntax_highlighting::{CodeTheme, SyntectSettings, highlight_with};
use parking_lot::Mutex;

use crate::ui::theme::Tokens;

/// The colours of a chunk's text, as far as they are known.
#[derive(Clone, Default)]
pub(super) struct Colors {
    pub(super) dark: bool,
    /// The length of the text they were worked out for, and the runs of one colour in it.
    pub(super) len: usize,
    pub(super) runs: Vec<(usize, Color32)>,
    pub(super) asked: Option<(bool, usize)>,
}

/// Waits until all code that was drawn has its colours: for tests and pictures, never in a frame.
///
/// Draw once more afterwards to see them. Returns whether they all came in time.
pub fn wait_for_colors(ctx: &Context, at_most: Duration) -> bool {
    let highlighter = Highlighter::of(ctx);
    let nap = Duration::from_millis(2);
    for _ in 0..at_most.as_millis() / nap.as_millis() {
        if highlighter.open.load(Ordering::Acquire) == 0 {
            return true;
        }
        thread::sleep(nap);
    }
    highlighter.open.load(Ordering::Acquire) == 0
}

/// The thread that colours code; it ends with its context.
#[derive(Clone)]
pub(super) struct Highlighter {
    jobs: Arc<Mutex<Option<Sender<Job>>>>,
    open: Arc<AtomicUsize>,
}

pub(super) struct Job {
    pub(super) language: String,
    pub(super) text: String,
    /// The bytes at the start that are only there to be read.
    pub(super) skip: usize,
    pub(super) dark: bool,
    pub(super) answer: Arc<Mutex<Colors>>,
    pub(super) ctx: Context,
}

impl Highlighter {
    pub(super) fn of(ctx: &Context) -> Self {
        ctx.data_mut(|data| {
            data.get_temp_mut_or_insert_with(Id::unique("highlighter"), Self::start)
                .clone()
        })
    }

    fn start() -> Self {
        let (jobs, todo) = channel();
        let open = Arc::new(AtomicUsize::new(0));
        let done = Arc::clone(&open);
        let thread = thread::Builder::new()
            .name("highlighter".to_owned())
            .spawn(move || work(&todo, &done));
        // Without a thread, code is shown in one colour.
        Self {
            jobs: Arc::new(Mutex::new(thread.is_ok().then_some(jobs))),
            open,
        }
    }

    pub(super) fn ask(&self, job: Job) {
        if let Some(jobs) = &*self.jobs.lock() {
            self.open.fetch_add(1, Ordering::AcqRel);
            if jobs.send(job).is_err() {
                self.open.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

fn work(todo: &Receiver<Job>, open: &AtomicUsize) {
    let mut settings = SyntectSettings::default();
    // egui_extras always uses this name for light, but Solarized is too pale to be read.
    if let Some(github) = settings.ts.themes.get("InspiredGitHub").cloned() {
        settings
            .ts
            .themes
            .insert("Solarized (light)".to_owned(), github);
    }
    while let Ok(job) = todo.recv() {
        let runs = runs(&settings, &job);
        {
            let mut colors = job.answer.lock();
            *colors = Colors {
                dark: job.dark,
                len: job.text.len() - job.skip,
                runs,
                asked: None,
            };
        }
        open.fetch_sub(1, Ordering::AcqRel);
        job.ctx.request_repaint();
    }
}

fn runs(settings: &SyntectSettings, job: &Job) -> Vec<(usize, Color32)> {
    let Some(language) = settings
        .ps
        .find_syntax_by_token(&job.language)
        .map(|syntax| syntax.name.clone())
    else {
        return Vec::new();
    };
    let theme = if job.dark {
        CodeTheme::dark(12.0)
    } else {
        CodeTheme::light(12.0)
    };
    let tokens = Tokens::for_dark(job.dark);
    // egui_extras keeps results in a context, which it locks while it works: not in the window's.
    let scratch = Context::default();
    let colored = highlight_with(
        &scratch,
        &egui::Style::default(),
        &theme,
        &job.text,
        &language,
        settings,
    );
    let mut runs: Vec<(usize, Color32)> = Vec::new();
    for section in &colored.sections {
        let start = section.byte_range.start.0.max(job.skip);
        let len = section.byte_range.end.0.saturating_sub(start);
        let color = tokens.readable(section.format.color, tokens.code);
        match runs.last_mut() {
            _ if len == 0 => {}
            Some((last, same)) if *same == color => *last += len,
            _ => runs.push((len, color)),
        }
    }
    runs
}

/// The language's name as syntect finds it, from what follows the opening fence.
pub(super) fn language(info: &str) -> Option<&str> {
    let name = info
        .split(|c: char| c.is_whitespace() || c == ',' || c == '{')
        .find(|word| !word.is_empty())?;
    Some(match name.to_ascii_lowercase().as_str() {
        "text" | "txt" | "plain" | "plaintext" | "output" | "console" => return None,
        "python3" | "py3" => "py",
        "typescript" | "ts" | "tsx" | "jsx" | "javascript" | "node" => "js",
        "shell" | "zsh" | "bash" | "sh-session" => "sh",
        "jsonc" | "json5" | "jsonl" => "json",
        "c++" | "cuda" => "cpp",
        "csharp" | "c#" => "cs",
        "golang" => "go",
        "yml" => "yaml",
        _ => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_of_languages_are_known_and_readable() {
        let settings = SyntectSettings::default();
        for info in [
            "rust",
            "python",
            "Python",
            "typescript",
            "bash",
            "json",
            "c++ x",
            "go",
            "sql",
            "yaml",
        ] {
            let name = language(info).expect(info);
            assert!(settings.ps.find_syntax_by_token(name).is_some(), "{info}");
        }
        assert_eq!(language(" \n"), None);
        let text = "// why\nfn main() {}\n".to_owned();
        let job = |dark| Job {
            language: "rust".to_owned(),
            text: text.clone(),
            skip: 7,
            dark,
            answer: Arc::default(),
            ctx: Context::default(),
        };
        for dark in [true, false] {
            let runs = runs(&settings, &job(dark));
            assert_eq!(runs.iter().map(|r| r.0).sum::<usize>(), text.len() - 7);
            assert!(runs.len() > 2, "{runs:?}");
        }
    }
}
