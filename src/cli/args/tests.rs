use super::*;
use crate::cli::Ended;
use crate::domain::environment::{ApiAddress, EnvId, Environment, KeyPlace};
use crate::domain::settings::Settings;

#[test]
fn the_commands_are_well_formed() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
    let mut command = Cli::command();
    command.build();
    check_help(&mut command);
}

/// Every help ends with examples, every flag's help is a sentence, and many flags are grouped.
#[track_caller]
fn check_help(command: &mut clap::Command) {
    let name = command.get_name().to_owned();
    for long in [false, true] {
        let help = if long {
            command.render_long_help()
        } else {
            command.render_help()
        }
        .to_string();
        let (_, examples) = help
            .rsplit_once("\n\nExamples:\n")
            .unwrap_or_else(|| panic!("{name}: {help}"));
        assert!(
            examples.lines().all(|line| line.starts_with("  ")),
            "{name}: {examples}"
        );
    }
    for arg in command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help")
    {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        assert!(
            help.starts_with(char::is_uppercase),
            "{name} {}: {help}",
            arg.get_id()
        );
        let grouped =
            ["bench", "chat", "list"].contains(&name.as_str()) && arg.get_long().is_some();
        assert!(
            !grouped || arg.get_help_heading().is_some(),
            "{name} --{}",
            arg.get_id()
        );
    }
    for command in command
        .get_subcommands_mut()
        .filter(|command| command.get_name() != "help")
    {
        check_help(command);
    }
}

#[test]
fn times_are_read_with_their_unit() {
    let read = |text| units::read_duration(text).ok();
    assert_eq!(read("100ms"), Some(Duration::from_millis(100)));
    assert_eq!(read("1.5s"), Some(Duration::from_millis(1_500)));
    assert_eq!(read("2m 30s"), Some(Duration::from_secs(150)));
    assert_eq!(read("1h"), Some(Duration::from_secs(3_600)));
    for text in ["", "100", "-1s", "s", "1 fortnight", "1s x"] {
        assert_eq!(read(text), None, "{text:?}");
    }
}

#[test]
fn a_key_does_not_follow_to_another_api() {
    let mut settings = Settings::default();
    settings.environments.push(Environment {
        api: ApiAddress::parse("api.example.com").ok(),
        key: KeyPlace::Keychain,
        ..Environment::blank(EnvId("e".to_owned()), "prod")
    });
    let parse = |args: &[&str]| Cli::try_parse_from(args).expect("parses").common;
    let env = |args: &[&str]| {
        parse(args)
            .environment(&settings)
            .ok()
            .expect("an environment")
    };
    let same = env(&[
        "batida",
        "check",
        "--env",
        "prod",
        "--api",
        "https://api.example.com/v1",
    ]);
    assert_eq!(same.key, KeyPlace::Keychain);
    let other = env(&[
        "batida",
        "check",
        "--env",
        "prod",
        "--api",
        "evil.example.com",
    ]);
    assert_ne!(other.key, KeyPlace::Keychain);
    let headers = [
        "batida",
        "chat",
        "--env",
        "prod",
        "x",
        "--header",
        "X-A: 1",
        "--header-env",
        "X-Token=T",
    ];
    assert_eq!(env(&headers).extras.len(), 2);
}

#[test]
fn a_secret_never_stands_on_the_command_line() {
    for args in [
        ["--header", "X-Token: sk-12345678"],
        ["--query", "key=sk-12345678"],
    ] {
        let cli = Cli::try_parse_from(["batida", "check", args[0], args[1]]).expect("parses");
        let Err(Ended::Misused(words)) = cli.common.environment(&Settings::default()) else {
            panic!()
        };
        assert!(
            words.contains("-env ") && !words.contains("sk-12345678"),
            "{words}"
        );
    }
}
