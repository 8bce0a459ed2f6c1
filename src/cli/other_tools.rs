//! Flags of other benchmarks that are typed by habit: what they are called here.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Names in other tools (`vllm bench serve`, SGLang, guidellm, aiperf and genai-perf, inference-perf, llmperf, oha, hey, wrk),
/// and what to type instead.
const FLAGS: [(&[&str], &str); 28] = [
    (
        &[
            "--request-rate",
            "--qps",
            "--requests-per-second",
            "--rps",
            "-R",
        ],
        "--rate R,R… (requests per second)",
    ),
    (
        &[
            "--max-concurrency",
            "--concurrent",
            "--connections",
            "--num-concurrent-requests",
            "--clients",
            "--num-clients",
            "--num-workers",
            "--vus",
            "--users",
            "--num-users",
            "-c",
        ],
        "--concurrency N,N… (with --rate: --max-in-flight N)",
    ),
    (
        &[
            "--num-prompts",
            "--num-requests",
            "--request-count",
            "--max-requests",
            "--max-num-completed-requests",
            "--n-requests",
            "--total-requests",
            "--iterations",
        ],
        "--requests N (of each level)",
    ),
    (
        &[
            "--max-seconds",
            "--benchmark-duration",
            "--measurement-interval",
            "--max-duration",
            "--time",
            "--run-time",
            "-z",
        ],
        "--duration TIME (of each level), e.g. 60s",
    ),
    (
        &[
            "--max-tokens",
            "--output-len",
            "--random-output-len",
            "--osl",
            "--output-tokens-mean",
            "--output-sequence-length",
            "--output-sequence-length-mean",
            "--sharegpt-output-len",
            "--mean-output-tokens",
            "--max-output-tokens",
            "--max-new-tokens",
            "--synthetic-output-tokens-mean",
            "--max-completion-tokens",
            "--gen-len",
        ],
        "--output-tokens L (100, 50-200 or 100±20; none leaves it to the server)",
    ),
    (
        &[
            "--random-input-len",
            "--input-len",
            "--isl",
            "--prompt-tokens",
            "--prompt-len",
            "--synthetic-input-tokens-mean",
            "--input-sequence-length",
            "--mean-input-tokens",
            "--prompt-tokens-mean",
        ],
        "--input-tokens L (1000, 500-1500 or 1000±200)",
    ),
    (
        &[
            "--synthetic-input-tokens-stddev",
            "--output-tokens-stddev",
            "--random-range-ratio",
            "--isl-stddev",
            "--osl-stddev",
            "--prompt-tokens-stddev",
        ],
        "--input-tokens 1000±200 and --output-tokens 100±20 (mean±deviation, or 500-1500)",
    ),
    (
        &[
            "--random-prefix-len",
            "--prefix-len",
            "--prefix-prompt-length",
            "--prefix-length",
            "--shared-prefix-len",
        ],
        "--prefix-tokens N",
    ),
    (
        &[
            "--rate-type",
            "--profile",
            "--strategy",
            "--load-type",
            "--request-rate-mode",
        ],
        "--concurrency, --rate (spaced by --arrivals), --max, --sweep or --trace: each is a kind of load",
    ),
    (
        &["--burstiness", "--arrival-pattern", "--arrival-smoothness"],
        "--arrivals HOW: constant, poisson or gamma:SHAPE (the shape is what others call burstiness)",
    ),
    (
        &["--streaming", "--stream", "--no-stream"],
        "nothing: answers are always streamed",
    ),
    (
        &[
            "--url",
            "--target",
            "--base-url",
            "--host",
            "--server-url",
            "--endpoint-url",
            "-u",
        ],
        "--api URL",
    ),
    (&["--port"], "--api URL, with the port in it"),
    (
        &[
            "--endpoint-type",
            "--backend",
            "--service-kind",
            "--api-type",
            "--request-type",
            "--llm-api",
            "--backend-type",
        ],
        "--endpoint NAME: chat, completions or embeddings of the OpenAI-compatible --api URL",
    ),
    (
        &[
            "--tokenizer",
            "--processor",
            "--tokenizer-mode",
            "--trust-remote-code",
            "--tokenizer-revision",
            "--tokenizer-trust-remote-code",
        ],
        "nothing: tokens are the server's own counts, and prompts are fitted to them",
    ),
    (
        &[
            "--dataset-name",
            "--dataset-path",
            "--dataset",
            "--data",
            "--input-file",
            "--public-dataset",
            "--custom-dataset-type",
        ],
        "--prompts FILE, or --input-tokens L for made-up prompts",
    ),
    (
        &[
            "--num-warmups",
            "--warmup-requests",
            "--warmup-request-count",
            "--warmup-percent",
            "--num-warmup-requests",
        ],
        "--warmup N",
    ),
    (
        &["--api-key", "--openai-api-key", "--token"],
        "--key-env VAR, the variable that holds the key: a key on a command line can be read by others",
    ),
    (
        &[
            "--save-result",
            "--result-filename",
            "--result-dir",
            "--output-path",
            "--output-dir",
            "--output-file",
            "--export-json",
            "--artifact-dir",
            "--profile-export-file",
            "--save-detailed",
            "--output",
        ],
        "--out FILE (the report), --csv FILE (a row per request) or --gaps FILE (a row per chunk)",
    ),
    (
        &[
            "--percentile-metrics",
            "--metric-percentiles",
            "--selected-percentiles",
        ],
        "nothing: the report has p50, p95 and p99, and --json has more percentiles",
    ),
    (
        &[
            "--served-model-name",
            "--model-name",
            "--models",
            "--model-names",
            "--model-id",
        ],
        "--model NAME",
    ),
    (
        &[
            "--request-timeout",
            "--timeout-seconds",
            "--request-timeout-seconds",
            "--request-timeout-s",
        ],
        "--timeout TIME, e.g. 60s",
    ),
    (
        &["--random-seed"],
        "--seed N (of prompts and arrivals), or --sampling-seed N (sent to the server)",
    ),
    (
        &["--session-turns-mean", "--num-turns", "--session-turns"],
        "--turns N",
    ),
    (
        &[
            "--disable-tqdm",
            "--no-tui",
            "--no-progress",
            "--disable-console-outputs",
            "--disable-progress",
        ],
        "--quiet",
    ),
    (
        &["--metadata", "--label", "--labels", "--name"],
        "--tag TEXT",
    ),
    (
        &["--latency-correction"],
        "nothing: times of --rate count from when a request was due",
    ),
    (
        &["--threads", "-t"],
        "nothing: as many measuring threads are started as the load needs",
    ),
];

/// What a flag of another tool is called here.
fn ours(flag: &str) -> Option<&'static str> {
    let name = flag.split('=').next().unwrap_or(flag);
    // Some write words with underscores.
    let name = name.replace('_', "-");
    FLAGS
        .iter()
        .find(|(names, _)| names.contains(&name.as_str()))
        .map(|(_, ours)| *ours)
}

/// `-n 10` is how many requests to send in oha, hey and ab; here it would silently be the namespace 10. `args` are those of
/// the command line; a namespace that is a number can still be given with its long flag.
pub(super) fn misused_number(args: &[OsString]) -> Option<String> {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let values = words.iter().enumerate().filter_map(|(at, word)| {
        let rest = word.strip_prefix("-n")?;
        match rest.trim_start_matches('=') {
            "" => words.get(at + 1).copied(),
            value => Some(value),
        }
    });
    let number = values
        .into_iter()
        .find(|value| value.bytes().all(|b| b.is_ascii_digit()))?;
    Some(format!(
        "-n is the namespace, not a number of requests: use --requests {number} (of each level). For a namespace of that \
         name, use --namespace {number}"
    ))
}

/// Puts our name for a flag of another tool in place of clap's guess, which goes by spelling alone.
pub(super) fn suggest(error: &mut clap::Error) {
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return;
    };
    let Some(ours) = ours(flag) else { return };
    let tip = match ours.strip_prefix("nothing: ") {
        Some(why) => format!("leave it out: {why}"),
        None => format!("use {ours}"),
    };
    for kind in [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
        ContextKind::SuggestedSubcommand,
    ] {
        error.remove(kind);
    }
    error.insert(
        ContextKind::Suggested,
        ContextValue::StyledStrs(vec![tip.into()]),
    );
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::Cli;
    use super::*;

    #[track_caller]
    fn told(line: &str) -> String {
        let words = shlex::split(line).expect("words");
        let mut error = Cli::try_parse_from(words).expect_err("it is not ours");
        suggest(&mut error);
        error.to_string()
    }

    #[test]
    fn a_flag_of_another_tool_is_answered_with_ours() {
        for (flag, ours) in [
            ("--request-rate 4", "--rate R"),
            ("--request-rate=4", "--rate R"),
            ("--max-tokens 100", "--output-tokens L"),
            ("--num-prompts 100", "--requests N"),
            ("--num_prompts 100", "--requests N"),
            ("--max-concurrency 8", "--concurrency N"),
            ("--random-input-len 100", "--input-tokens L"),
            ("--rate-type sweep", "--sweep"),
            ("--max-requests 9", "--requests N"),
            ("--max-seconds 9", "--duration TIME"),
            ("--benchmark-duration 60", "--duration TIME"),
            ("--streaming", "leave it out: answers are always streamed"),
            ("--url http://x", "--api URL"),
            ("--endpoint-type chat", "use --endpoint NAME"),
            ("-c 8", "--concurrency N"),
            ("--users 8", "--concurrency N"),
            ("--iterations 8", "--requests N"),
            ("--max-completion-tokens 8", "--output-tokens L"),
            ("-z 10s", "--duration TIME"),
        ] {
            let told = told(&format!("batida bench {flag}"));
            assert!(told.contains(ours), "{flag}: {told}");
            assert_eq!(told.matches("tip:").count(), 1, "{flag}: {told}");
        }
        assert!(
            told("batida bench --concurency 2").contains("--concurrency"),
            "spelling is still mended"
        );
    }

    #[test]
    fn a_number_of_requests_is_not_taken_for_a_namespace() {
        let told = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            misused_number(&words)
        };
        for line in [
            "batida bench -n 10",
            "batida bench -n10 -m x",
            "batida bench -n=10",
        ] {
            let told = told(line).expect("it is refused");
            assert!(told.contains("use --requests 10 "), "{line}: {told}");
        }
        for line in [
            "batida bench -n ns10",
            "batida bench --namespace 10",
            "batida bench --requests 10",
            "batida bench -n",
        ] {
            assert_eq!(told(line), None, "{line}");
        }
    }

    #[test]
    fn none_of_them_is_ours_by_now() {
        let mut command = <Cli as clap::CommandFactory>::command();
        command.build();
        let bench = command.find_subcommand("bench").expect("it is there");
        for (names, _) in FLAGS {
            for name in names {
                let is_ours = bench.get_arguments().any(|arg| {
                    arg.get_long()
                        .is_some_and(|long| format!("--{long}") == *name)
                        || arg
                            .get_short()
                            .is_some_and(|short| format!("-{short}") == *name)
                });
                assert!(!is_ours, "{name} is a flag of ours");
            }
        }
    }
}
