//! The flags of the sampling parameters, made of their rows in [`PARAMETERS`].

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::domain::extra_body;
use crate::domain::params::{PARAMETERS, ParamKind, ParamValue, Parameter, Params};

/// The flags of a chat.
pub(super) type ChatParamArgs = ParamArgs<false>;
/// The flags of a benchmark, whose plan states some of them in another way.
pub(super) type BenchParamArgs = ParamArgs<true>;

/// What was set. Only that is sent.
#[derive(Debug)]
pub(super) struct ParamArgs<const BENCH: bool>(pub(super) Params);

impl<const BENCH: bool> ParamArgs<BENCH> {
    fn flags() -> impl Iterator<Item = (&'static Parameter, &'static str)> {
        PARAMETERS.iter().filter_map(|parameter| {
            Some((
                parameter,
                if BENCH {
                    parameter.bench_flag?
                } else {
                    parameter.flag
                },
            ))
        })
    }
}

impl<const BENCH: bool> Args for ParamArgs<BENCH> {
    fn augment_args(command: Command) -> Command {
        let command = Self::flags().fold(command, |command, (parameter, flag)| {
            command.arg(arg_of(parameter, flag))
        });
        if BENCH {
            // There it is a field of the plan.
            return command;
        }
        let extra = Arg::new(EXTRA_BODY)
            .long(EXTRA_BODY)
            .value_name("JSON")
            .value_parser(read_extra_body)
            .help(extra_body::HELP)
            .help_heading(super::headings::SAMPLING);
        command.arg(extra)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const BENCH: bool> FromArgMatches for ParamArgs<BENCH> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut params = Params::default();
        for (parameter, flag) in Self::flags() {
            parameter.set(&mut params, given(parameter, flag, matches));
        }
        if !BENCH {
            let extra = matches.get_one::<String>(EXTRA_BODY);
            params.extra_body = extra.cloned().unwrap_or_default();
        }
        Ok(Self(params))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flag of what has no flag of its own.
const EXTRA_BODY: &str = "extra-body";

fn read_extra_body(text: &str) -> Result<String, String> {
    extra_body::read(text).map(|_| text.to_owned())
}

fn arg_of(parameter: &Parameter, flag: &'static str) -> Arg {
    let arg = Arg::new(flag)
        .long(flag)
        .value_name(parameter.value_name)
        .help(parameter.help)
        .help_heading(super::headings::SAMPLING);
    match parameter.kind {
        ParamKind::Number {
            range: (low, high), ..
        } => arg.value_parser(ValueParser::from(move |text: &str| {
            number_between(text, low, high)
        })),
        ParamKind::Whole {
            range: (low, high), ..
        } => arg
            .value_parser(clap::value_parser!(i64).range(low..=high))
            // A flag follows where a number could not be negative.
            .allow_negative_numbers(low < 0),
        ParamKind::Word(words) => arg.value_parser(PossibleValuesParser::new(words)),
        ParamKind::Switch => arg.value_parser(PossibleValuesParser::new(["on", "off"])),
        ParamKind::Texts => arg.action(ArgAction::Append),
    }
}

fn given(parameter: &Parameter, flag: &'static str, matches: &ArgMatches) -> Option<ParamValue> {
    let word = || matches.get_one::<String>(flag).map(String::as_str);
    match parameter.kind {
        ParamKind::Number { .. } => matches.get_one(flag).copied().map(ParamValue::Number),
        ParamKind::Whole { .. } => matches.get_one(flag).copied().map(ParamValue::Whole),
        ParamKind::Word(words) => {
            let word = word()?;
            words
                .iter()
                .find(|known| **known == word)
                .map(|known| ParamValue::Word(known))
        }
        ParamKind::Switch => word().map(|word| ParamValue::Switch(word == "on")),
        ParamKind::Texts => matches
            .get_many::<String>(flag)
            .map(|texts| ParamValue::Texts(texts.cloned().collect())),
    }
}

fn number_between(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a valid number"))?;
    if (low..=high).contains(&number) {
        Ok(number)
    } else {
        Err(format!("use a number from {low} to {high}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const BENCH: bool>(args: &[&str]) -> Result<Params, Error> {
        let command = ParamArgs::<BENCH>::augment_args(Command::new("test"));
        let matches = command.try_get_matches_from([&["test"], args].concat())?;
        ParamArgs::<BENCH>::from_arg_matches(&matches).map(|read| read.0)
    }

    #[test]
    fn every_parameter_has_a_flag_that_reads_what_it_writes() {
        let all = crate::domain::params::tests::all_set();
        for parameter in PARAMETERS {
            let value = parameter.value(&all).expect("it is set");
            let words = value.words().concat();
            for (bench, flag) in [(false, Some(parameter.flag)), (true, parameter.bench_flag)] {
                let Some(flag) = flag else { continue };
                let args = [format!("--{flag}"), words.clone()];
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let read = if bench {
                    read::<true>(&args)
                } else {
                    read::<false>(&args)
                };
                assert_eq!(
                    parameter.value(&read.expect("it parses")),
                    Some(value.clone()),
                    "--{flag}"
                );
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for args in [
            ["--temperature", "2.1"],
            ["--top-p", "NaN"],
            ["--top-k", "0"],
            ["--max-tokens", "0"],
            ["--reasoning-effort", "much"],
            ["--thinking", "perhaps"],
        ] {
            assert!(read::<false>(&args).is_err(), "{args:?}");
        }
        assert_eq!(
            read::<false>(&["--seed", "-7"]).expect("it parses").seed,
            Some(-7)
        );
        assert!(
            read::<true>(&["--max-tokens", "7"]).is_err(),
            "a plan has --output-tokens"
        );
    }
}
