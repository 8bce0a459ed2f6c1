//! `--plan` and `--save-plan`: the flags that make a plan, as a TOML file. Its keys are the flags' names, so that the help
//! describes it and nothing has to be learned twice.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, Parser as _};
use toml::{Table, Value};

use super::args::{Cli, Command};
use super::bench_args::BenchArgs;
use crate::domain::command_line;
use crate::domain::failure::Failure;
use crate::domain::plan::Plan;
use crate::domain::plan_fields::{FIELDS, FieldSpec, Get};
use crate::io::files::{self, FOR_ALL, cannot_write};

/// More is no plan.
const MOST_BYTES: u64 = 1 << 20;
/// What judges the figures, beside the fields of a plan.
const GOALS: [&str; 2] = ["fail-if", "strict"];

/// The arguments with those of the file of `--plan`, where it was given.
///
/// # Errors
/// When the file cannot be read, or what it says cannot be used.
pub(super) fn read_into(cli: Cli, args: &[OsString]) -> Result<Cli, clap::Error> {
    let Some(Command::Bench(bench)) = &cli.command else {
        return Ok(cli);
    };
    let Some(path) = &bench.plan_file else {
        return Ok(cli);
    };
    let wrong = |why: String| {
        let text = format!("--plan {}: {why}\n", path.display());
        clap::Error::raw(ErrorKind::ValueValidation, text)
    };
    let text = files::read_now(path, MOST_BYTES).map_err(|unread| wrong(unread.why()))?;
    let text = String::from_utf8(text).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let table: Table = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
    let matches = Cli::command().try_get_matches_from(args)?;
    let Some(given) = matches.subcommand_matches("bench") else {
        return Ok(cli);
    };
    // Without targets: only which fields it has matters.
    let by_flags = bench.plan(Vec::new());
    let mut all = args.to_vec();
    for (key, value) in &table {
        if let Some(tip) = unknown(key) {
            return Err(wrong(tip));
        }
        if !gives_way(key, given, &by_flags, &table) {
            all.extend(arguments(key, value).map_err(wrong)?);
        }
    }
    Cli::try_parse_from(all)
}

/// A flag's row, where it has one.
fn spec(flag: &str) -> Option<&'static FieldSpec> {
    FIELDS.iter().find(|spec| spec.flag == flag)
}

/// Every flag that a plan may have.
fn known() -> impl Iterator<Item = &'static str> {
    let fields = FIELDS.iter().map(|spec| spec.flag);
    fields.chain(GOALS).filter(|flag| !flag.is_empty())
}

/// Why a key is none of a plan's.
fn unknown(key: &str) -> Option<String> {
    if known().any(|flag| flag == key) {
        return None;
    }
    let near = known()
        .map(|flag| (strsim::jaro_winkler(flag, key), flag))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let meant = near.map_or_else(String::new, |(_, flag)| format!("; did you mean {flag}?"));
    Some(format!(
        "it has the key {key:?}, which is no flag of a plan{meant}"
    ))
}

/// Whether a key is left out, since the command line says something else in its place.
fn gives_way(key: &str, given: &ArgMatches, by_flags: &Plan, file: &Table) -> bool {
    let is_given = |flag: &str| {
        // clap knows ours by their names in Rust.
        let id = if GOALS.contains(&flag) {
            flag.replace('-', "_")
        } else {
            flag.to_owned()
        };
        given.value_source(&id) == Some(ValueSource::CommandLine)
    };
    let pair = ["model", "deployment"];
    if is_given(key) || pair.contains(&key) && pair.iter().any(|flag| is_given(flag)) {
        return true;
    }
    let excludes = |a: &str, b: &str| spec(a).is_some_and(|spec| spec.conflicts.contains(&b));
    let in_place_of = |key: &str| {
        known().any(|flag| is_given(flag) && (excludes(flag, key) || excludes(key, flag)))
    };
    if in_place_of(key) {
        return true;
    }
    // What belongs to a load or to prompts that the command line replaced goes with them.
    let Some(own) = spec(key) else { return false };
    let replaced = file.keys().any(|other| {
        spec(other).is_some_and(|other| other.heading == own.heading) && in_place_of(other)
    });
    replaced && matches!(own.get, Get::One(get) if get(by_flags).is_none())
}

/// A key and its value as arguments.
fn arguments(key: &str, value: &Value) -> Result<Vec<OsString>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        other => Err(format!(
            "{key} = {other} is no text, no number and no list of these"
        )),
    };
    let texts: Vec<String> = match value {
        Value::Boolean(true) => return Ok(vec![format!("--{key}").into()]),
        Value::Boolean(false) => return Ok(Vec::new()),
        Value::Array(values) => values.iter().map(one).collect::<Result<_, _>>()?,
        value => vec![one(value)?],
    };
    let texts = match spec(key) {
        Some(spec) if spec.list => vec![texts.join(",")],
        _ => texts,
    };
    Ok(texts
        .into_iter()
        .map(|text| format!("--{key}={text}").into())
        .collect())
}

/// Writes what makes `plan`, and what the command line judges it by.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn save(path: &Path, plan: &Plan, args: &BenchArgs) -> Result<(), Failure> {
    let mut flags: Vec<(&str, String, bool)> = command_line::flags(plan)
        .into_iter()
        .map(|(spec, text)| {
            let text = if text.is_empty() {
                "none".to_owned()
            } else {
                text
            };
            (spec.flag, text, spec.set.is_some() && spec.value.is_empty())
        })
        .collect();
    flags.extend(
        args.fail_if
            .iter()
            .map(|condition| ("fail-if", condition.text.clone(), false)),
    );
    flags.extend(args.strict.then(|| ("strict", String::new(), true)));
    let text = text(&flags);
    files::write(path, FOR_ALL, text.as_bytes()).map_err(|error| cannot_write(path, &error))
}

/// A line for each flag; one that comes several times has a list.
fn text(flags: &[(&str, String, bool)]) -> String {
    let mut out = "# A plan of Batida. Run it with: batida bench --plan FILE\n# Each key is a flag of `batida bench --help`.\n"
        .to_owned();
    for (place, (flag, text, switch)) in flags.iter().enumerate() {
        if flags[..place].iter().any(|(before, ..)| before == flag) {
            continue;
        }
        let all = flags.iter().filter(|(other, ..)| other == flag);
        let texts: Vec<Value> = all.map(|(_, text, _)| value(text)).collect();
        let value = match texts.as_slice() {
            _ if *switch => Value::Boolean(true),
            [_] => value(text),
            _ => Value::Array(texts),
        };
        // A text takes all that is written.
        let _ = writeln!(out, "{flag} = {value}");
    }
    out
}

/// A whole number as such, anything else as text.
fn value(text: &str) -> Value {
    let number = text.parse::<i64>().ok();
    match number.filter(|number| number.to_string() == text) {
        Some(number) => Value::Integer(number),
        None => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::plan_fields::samples;

    /// The plan of `line` with the file.
    fn read(file: &str, line: &str) -> Result<Plan, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("plan.toml");
        std::fs::write(&path, file).expect("it is written");
        let mut words: Vec<OsString> = shlex::split(line)
            .expect("words")
            .into_iter()
            .map(OsString::from)
            .collect();
        words.extend(["--plan".into(), path.into_os_string()]);
        let cli = Cli::try_parse_from(&words).and_then(|cli| read_into(cli, &words));
        let cli = cli.map_err(|why| why.to_string())?;
        let Some(Command::Bench(args)) = cli.command else {
            panic!("another command")
        };
        Ok(args.plan(args.targets()?))
    }

    fn bench(line: &str) -> Plan {
        read("", line).expect("it reads")
    }

    fn written(plan: &Plan) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("plan.toml");
        let cli = Cli::try_parse_from(["batida", "bench"]).expect("it parses");
        let Some(Command::Bench(args)) = cli.command else {
            panic!("another command")
        };
        save(&path, plan, &args).expect("it is written");
        std::fs::read_to_string(&path).expect("it can be read")
    }

    #[test]
    fn the_file_says_what_flags_say() {
        let file = "model = [\"a\", \"b\"]\nrate = [2, 4.5]\narrivals = \"poisson\"\nrequests = 50\n\
                    ignore-eos = true\nstrict = false\ntemperature = 0.7\nduration = \"none\"";
        let line = "batida bench -m a -m b --rate 2,4.5 --poisson --requests 50 --ignore-eos --temperature 0.7";
        assert_eq!(read(file, "batida bench").expect("it reads"), bench(line));
    }

    #[test]
    fn the_command_line_comes_first() {
        let file = "model = \"a\"\nrate = \"2\"\nmax-in-flight = 9\nrequests = 50\ninput-tokens = 900\nprefix-tokens = 64";
        let told = read(file, "batida bench -m z --concurrency 4 --requests 7").expect("it reads");
        let line =
            "batida bench -m z --concurrency 4 --requests 7 --input-tokens 900 --prefix-tokens 64";
        assert_eq!(told, bench(line));
        // The cap belongs to a rate, and there is still one.
        let told = read(file, "batida bench --rate 3 --input-tokens 500").expect("it reads");
        let line = "batida bench -m a --rate 3 --max-in-flight 9 --requests 50 --input-tokens 500 --prefix-tokens 64";
        assert_eq!(told, bench(line));
        let told = read(file, "batida bench --prompts p.txt").expect("it reads");
        let line = "batida bench -m a --rate 2 --max-in-flight 9 --requests 50 --prompts p.txt";
        assert_eq!(told, bench(line));
    }

    #[test]
    fn what_it_cannot_say_is_told_with_its_name() {
        for (file, why) in [
            ("request = 5", "did you mean requests?"),
            ("csv = \"x\"", "no flag of a plan"),
            ("requests = [", "TOML"),
            ("requests = \"many\"", "--requests"),
            ("requests = 2026-01-01", "no text, no number"),
            ("concurrency = 1\nrate = 2", "cannot be used with"),
        ] {
            let told = read(file, "batida bench -m m").expect_err(file);
            assert!(told.contains(why), "{file}: {told}");
        }
    }

    proptest! {
        #[test]
        fn a_plan_as_a_file_gives_the_plan_again(plan in samples::plans()) {
            let file = written(&plan);
            prop_assert_eq!(read(&file, "batida bench"), Ok(plan), "{}", file);
        }
    }
}
