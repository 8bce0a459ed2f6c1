//! The manual pages and the shells' completions, made from the commands themselves.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use super::args::Cli;
use super::copy_args::ManArgs;
use super::{Ended, out, report};
use crate::io::files::{self, FOR_ALL, cannot_write};

/// What begins the examples of a help.
const EXAMPLES: &str = "Examples:\n";

/// Prints what a shell reads to complete commands and flags.
pub(super) fn completions(shell: Shell) -> Result<(), Ended> {
    // The generator panics where it cannot write, e.g. to `head`.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "batida", &mut script);
    Ok(out::content().write_all(&script)?)
}

/// Writes a manual page for the program and one for each command.
pub(super) fn write(args: &ManArgs, as_json: bool) -> Result<(), Ended> {
    files::make_dir(&args.dir).map_err(|error| cannot_write(&args.dir, &error))?;
    let mut written = Vec::new();
    for (name, page) in pages()? {
        let path = args.dir.join(name);
        files::write(&path, FOR_ALL, &page).map_err(|error| cannot_write(&path, &error))?;
        written.push(path.display().to_string());
    }
    if as_json {
        return Ok(report::json(&json!({ "pages": written }))?);
    }
    let mut out = out::stdout();
    for path in written {
        writeln!(out, "{path}")?;
    }
    Ok(())
}

/// The pages with their files' names, the program's first.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    add_pages(&program, &mut all)?;
    Ok(all)
}

fn add_pages(command: &Command, all: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    // What only the short help leaves out has no text otherwise.
    let whole = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(whole);
    all.push((man.get_filename(), page(&man, command)?));
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        add_pages(below, all)?;
    }
    Ok(())
}

fn page(man: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // Without a date: the same program writes the same pages. The library would leave the empty field out.
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let version = env!("CARGO_PKG_VERSION");
    let name = escaped(name);
    writeln!(page, ".TH {name} 1 \"\" \"Batida {version}\" \"Batida\"")?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let end = command
        .get_after_long_help()
        .or_else(|| command.get_after_help());
    let end = end.map(ToString::to_string).unwrap_or_default();
    let (details, examples) = end.split_once(EXAMPLES).unwrap_or((&end, ""));
    if !details.trim().is_empty() {
        writeln!(page, ".SH DETAILS")?;
        paragraphs(details, &mut page)?;
    }
    if !examples.is_empty() {
        writeln!(page, ".SH EXAMPLES\n.nf")?;
        for line in examples.lines() {
            writeln!(page, "{}", escaped(line.strip_prefix("  ").unwrap_or(line)))?;
        }
        writeln!(page, ".fi")?;
    }
    Ok(page)
}

/// Paragraphs, which are filled.
fn paragraphs(text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    for line in text.lines() {
        match line.trim() {
            "" => writeln!(page, ".PP")?,
            line => writeln!(page, "{}", escaped(line))?,
        }
    }
    Ok(())
}

/// A line that roff prints as it is: with a minus instead of a hyphen, so that a flag can be copied, and no requests.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What a reader of a page sees of it, roughly: without escapes of fonts and of dashes.
    fn seen(page: &[u8]) -> String {
        let text = String::from_utf8(page.to_vec()).expect("text");
        [
            ("\\fB", ""),
            ("\\fI", ""),
            ("\\fR", ""),
            ("\\-", "-"),
            ("\\*(Aq", "'"),
            ("\n\\&", "\n"),
        ]
        .iter()
        .fold(text, |text, (escape, plain)| text.replace(escape, plain))
    }

    /// The names of the pages of a command and of those below it.
    fn names(command: &Command, path: &str, all: &mut Vec<String>) {
        all.push(format!("{path}.1"));
        for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            names(below, &format!("{path}-{}", below.get_name()), all);
        }
    }

    #[test]
    fn every_command_has_a_page_with_all_its_flags_and_examples() {
        let pages = pages().expect("memory");
        let mut wanted = Vec::new();
        names(&Cli::command(), "batida", &mut wanted);
        let found: Vec<&String> = pages.iter().map(|(name, _)| name).collect();
        assert_eq!(found, wanted.iter().collect::<Vec<_>>());
        assert!(wanted.contains(&"batida-history-list.1".to_owned()));

        for (name, page) in &pages {
            let page = seen(page);
            let mut program = Cli::command();
            program.build();
            let path = name.trim_end_matches(".1").split('-').skip(1);
            let command = path.fold(&program, |command, part| {
                command.find_subcommand(part).expect("its command")
            });
            // clap words --help by whether there is a longer one.
            let shown = |flag: &&clap::Arg| !flag.is_hide_set() && flag.get_id() != "help";
            for flag in command.get_arguments().filter(shown) {
                let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(page.contains(help.trim()), "{flag} in {name}: {help}");
                if let Some(long) = flag.get_long() {
                    assert!(page.contains(&format!("--{long}")), "--{long} in {name}");
                }
            }
            assert!(page.contains(".SH NAME\n"), "{page}");
            assert!(page.contains(".SH EXAMPLES\n.nf\n"), "{name}: {page}");
        }
    }

    #[test]
    fn a_line_is_no_request_and_a_flag_can_be_copied() {
        assert_eq!(escaped(".SH x"), "\\&.SH x");
        assert_eq!(escaped("'x' --json"), "\\&'x' \\-\\-json");
        assert_eq!(escaped("a\\n"), "a\\en");
    }

    /// A script that names each visible command and flag; each shell has its own way to quote.
    #[test]
    fn each_shells_script_knows_the_commands() {
        let flags: BTreeSet<String> = Cli::command()
            .get_arguments()
            .filter(|it| !it.is_hide_set())
            .filter_map(|it| it.get_long().map(ToOwned::to_owned))
            .collect();
        for shell in [
            Shell::Bash,
            Shell::Elvish,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Zsh,
        ] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "batida", &mut script);
            let script = String::from_utf8(script).expect("text");
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {command}");
            }
            for flag in &flags {
                assert!(script.contains(flag.as_str()), "{shell}: {flag}");
            }
        }
    }
}
