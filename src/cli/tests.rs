use super::*;

#[test]
fn without_a_window_the_commands_are_named() {
    let cli = Cli::try_parse_from(["batida", "--demo"]).expect("it is a command line");
    let Err(Ended::Misused(why)) = open_window(&cli.common, None, None) else {
        panic!("it opened one")
    };
    assert!(why.starts_with("this build has no window"), "{why}");
    for command in [
        "deployments",
        "models",
        "chat",
        "bench",
        "history",
        "compare",
        "check",
        "demo",
        "image",
        "completions",
        "man",
    ] {
        assert!(why.contains(command), "{command} is not in {why}");
    }
}
