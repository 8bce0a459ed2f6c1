//! What a benchmark says, and when.

use std::collections::HashSet;
use std::time::Duration;

use batida::domain::conversation::{Message, Role};
use batida::domain::plan::{Arrivals, Lengths, LevelLoad, Load, Plan, Prompts, TimeUnit};
use batida::prompts::files::Material;
use batida::prompts::fit::{Calibrator, Fit};
use batida::prompts::schedule::{Schedule, client_start};
use batida::prompts::trace::Trace;
use batida::prompts::{Draft, PromptSource, length_to_fit};
use proptest::prelude::*;

/// Words in the list, after which first words come again.
const WORDS: u64 = 1_680;

// ---- lengths -----------------------------------------------------------------------------------------

/// Tokenizers that are no one's, and each difficult in its way.
#[derive(Debug, Clone, Copy)]
enum Tokenizer {
    Words,
    FourBytes,
    /// Splits a tenth of the words in two, always the same ones.
    SplitsATenth,
    /// The demo server's: with the space before it, a word of up to seven characters.
    Demo,
}

impl Tokenizer {
    fn count(self, text: &str) -> u64 {
        match self {
            Self::Words => text.split(' ').count() as u64,
            Self::FourBytes => text.len().div_ceil(4) as u64,
            Self::SplitsATenth => text
                .split(' ')
                .map(|word| 1 + u64::from(is_split(word)))
                .sum(),
            Self::Demo => text.split(' ').enumerate().fold(0, |sum, (at, word)| {
                sum + (word.len() + usize::from(at > 0)).div_ceil(7) as u64
            }),
        }
    }
}

fn is_split(word: &str) -> bool {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    });
    (hash >> 20) % 10 == 0
}

fn tokens(tokenizer: Tokenizer, overhead: u64, messages: &[Message]) -> u64 {
    overhead
        + messages
            .iter()
            .map(|message| tokenizer.count(&message.content))
            .sum::<u64>()
}

fn synthetic(input_tokens: Lengths, prefix_tokens: u32, seed: u64) -> Plan {
    Plan {
        prompts: Prompts::Synthetic {
            input_tokens,
            prefix_tokens,
        },
        seed: Some(seed),
        ..Plan::default()
    }
}

/// The fit, and how many requests it took; the probes that need no other's count are sent together, as in a session.
fn calibrate(plan: &Plan, count: impl Fn(&[Message]) -> u64) -> (Fit, u32) {
    let (fit, requests, _) = calibrate_in_rounds(plan, count);
    (fit, requests)
}

/// The same, and how often responses were waited for.
fn calibrate_in_rounds(plan: &Plan, count: impl Fn(&[Message]) -> u64) -> (Fit, u32, usize) {
    let mut calibrator = Calibrator::new(&plan.prompts, plan.seed.expect("a seed"));
    let mut probes = HashSet::new();
    let mut rounds = 0;
    loop {
        let together = calibrator.together();
        if together.is_empty() {
            break;
        }
        rounds += 1;
        for probe in together {
            calibrator.learn_of(&probe, count(&probe.messages));
            assert!(
                probes.insert(probe.messages[0].content.clone()),
                "each probe is another prompt"
            );
        }
    }
    let (fit, requests) = calibrator.finish().expect("fits");
    assert_eq!(requests as usize, probes.len());
    assert!(requests <= 6 && rounds <= 3, "{requests} {rounds}");
    (fit, requests, rounds)
}

#[test]
fn one_response_is_waited_for_where_words_are_tokens() {
    for overhead in [0, 11, 70] {
        for target in [100, 256, 1_000, 5_000, 100_000] {
            let plan = synthetic(Lengths::Fixed(target), 0, 7);
            let count = |messages: &[Message]| tokens(Tokenizer::Words, overhead, messages);
            let (fit, requests, rounds) = calibrate_in_rounds(&plan, count);
            assert_eq!(
                (fit.overhead_tokens, fit.tokens_per_word),
                (overhead as f64, 1.0)
            );
            // A template of 70 tokens leaves 30 words of 100, not the 92 that were guessed.
            let is_near = f64::from(target - 8) <= 1.5 * (f64::from(target) - overhead as f64);
            let expected = if is_near { (4, 1) } else { (5, 2) };
            assert_eq!((requests, rounds), expected, "+{overhead} at {target}");
        }
    }
    // Twice as many tokens as words: the guess is twice as long as the target, and is sent again.
    let plan = synthetic(Lengths::Fixed(1_000), 0, 7);
    let twice = |messages: &[Message]| 2 * tokens(Tokenizer::Words, 0, messages);
    let (fit, requests, rounds) = calibrate_in_rounds(&plan, twice);
    assert_eq!((fit.tokens_per_word, requests, rounds), (2.0, 5, 2));
}

#[test]
fn a_guess_that_is_no_use_changes_nothing() {
    let mut calibrator = Calibrator::for_length(256.0, 1);
    let probes = calibrator.together();
    assert_eq!(probes.iter().filter(|probe| probe.is_guess()).count(), 1);
    assert!(probes[3].is_guess());
    let count = |probe: &batida::prompts::fit::Probe| tokens(Tokenizer::Words, 9, &probe.messages);
    // The second is too long: what came of the others is not used, and they are sent again with a smaller one.
    calibrator.learn_of(&probes[0], count(&probes[0]));
    assert!(calibrator.too_long());
    let again = calibrator.together();
    assert_eq!(again.len(), 3);
    for probe in again.iter().filter(|probe| !probe.is_guess()) {
        calibrator.learn_of(probe, count(probe));
    }
    // The guess failed. The prompt of the right length stands for it.
    let exact = calibrator.together();
    assert_eq!((exact.len(), exact[0].is_guess()), (1, false));
    assert_eq!(count(&exact[0]), 256);
    calibrator.learn_of(&exact[0], 256);
    assert_eq!(calibrator.together(), []);
    assert_eq!(calibrator.finish().map(|(_, requests)| requests), Ok(4));
}

/// The mean of 200 requests (10 of the long ones), and the one that is furthest off, both as shares of the target.
fn off_target(tokenizer: Tokenizer, overhead: u64, target: u32, seed: u64) -> (f64, f64) {
    let plan = synthetic(Lengths::Fixed(target), 0, seed);
    let (fit, _) = calibrate(&plan, |messages| tokens(tokenizer, overhead, messages));
    let source = PromptSource::new(&plan, None, Some(fit)).expect("a source");
    let (mut sum, mut worst) = (0.0, 0.0f64);
    let requests = if target < 5_000 { 200 } else { 10 };
    for index in 0..requests {
        let draft = source.draft(index);
        assert_eq!(draft.wanted_prompt_tokens, Some(target));
        let off = tokens(tokenizer, overhead, &draft.turns[0]) as f64 / f64::from(target) - 1.0;
        sum += off;
        worst = worst.max(off.abs());
    }
    (sum / requests as f64, worst)
}

#[test]
fn the_mean_length_holds_within_two_percent_for_every_tokenizer() {
    use Tokenizer::{Demo, FourBytes, SplitsATenth, Words};
    for tokenizer in [Words, FourBytes, SplitsATenth, Demo] {
        for overhead in [0, 11, 70] {
            for target in [32, 64, 100, 256, 1_000, 5_000, 100_000] {
                if u64::from(target) < overhead + 16 {
                    continue;
                }
                let (mean, _) =
                    off_target(tokenizer, overhead, target, u64::from(target) + overhead);
                assert!(
                    mean.abs() <= 0.02,
                    "{tokenizer:?} +{overhead} at {target}: {mean:.4}"
                );
            }
        }
    }
}

#[test]
fn a_steady_tokenizer_gets_every_single_prompt_right() {
    use Tokenizer::{Demo, FourBytes, Words};
    for overhead in [0, 11, 70] {
        for target in [16, 32, 64, 256, 1_000, 100_000] {
            if u64::from(target) > overhead {
                for tokenizer in [Words, Demo] {
                    assert_eq!(
                        off_target(tokenizer, overhead, target, 2),
                        (0.0, 0.0),
                        "{tokenizer:?} {target}"
                    );
                }
            }
            if target >= 256 {
                let (_, worst) = off_target(FourBytes, overhead, target, 2);
                assert!(worst <= 0.02, "+{overhead} at {target}: {worst}");
            }
        }
    }
}

/// Where words are split now and then, single prompts need some length until that evens out.
#[test]
fn long_prompts_hold_one_by_one_even_where_words_are_split() {
    for target in [5_000, 20_000] {
        let (_, worst) = off_target(Tokenizer::SplitsATenth, 11, target, 3);
        assert!(worst <= 0.02, "{target}: {worst}");
    }
}

#[test]
fn an_opening_of_drawn_length_has_that_length() {
    let plan = synthetic(
        Lengths::Uniform {
            least: 40,
            most: 400,
        },
        0,
        5,
    );
    let (fit, _) = calibrate(&plan, |messages| tokens(Tokenizer::Words, 11, messages));
    let source = PromptSource::new(&plan, None, Some(fit)).expect("a source");
    let mut seen = HashSet::new();
    for index in 0..500 {
        let draft = source.draft(index);
        let wanted = draft.wanted_prompt_tokens.expect("a length");
        assert!((40..=400).contains(&wanted));
        assert_eq!(
            u64::from(wanted),
            tokens(Tokenizer::Words, 11, &draft.turns[0])
        );
        seen.insert(wanted);
    }
    assert!(seen.len() > 200, "{} lengths", seen.len());

    let normal = synthetic(
        Lengths::Normal {
            mean: 500,
            deviation: 100,
        },
        0,
        5,
    );
    let source = PromptSource::new(&normal, None, Some(fit)).expect("a source");
    let drawn: Vec<f64> = (0..2_000)
        .filter_map(|index| source.draft(index).wanted_prompt_tokens.map(f64::from))
        .collect();
    let mean = drawn.iter().sum::<f64>() / 2_000.0;
    let deviation = (drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2_000.0).sqrt();
    assert!(
        (mean - 500.0).abs() < 10.0 && (deviation - 100.0).abs() < 8.0,
        "{mean} {deviation}"
    );
}

#[test]
fn a_template_longer_than_the_prompt_is_said() {
    let plan = synthetic(Lengths::Fixed(50), 0, 1);
    let mut calibrator = Calibrator::new(&plan.prompts, plan.seed.expect("a seed"));
    while let Some(probe) = calibrator.next() {
        calibrator.learn(tokens(Tokenizer::Words, 70, &probe));
    }
    let why = calibrator
        .finish()
        .expect_err("there is no room")
        .to_string();
    assert!(
        why.contains("50 tokens") && why.contains("has 70") && why.contains("at least 71"),
        "{why}"
    );
    let fit = Fit {
        overhead_tokens: 70.0,
        tokens_per_word: 1.0,
    };
    assert!(PromptSource::new(&plan, None, Some(fit)).is_err());
}

#[test]
fn a_server_that_counts_nothing_sensible_is_said() {
    for count in [
        |_: usize| 0,
        |_: usize| 12,
        |sent: usize| if sent == 0 { 500 } else { 20 },
    ] {
        let mut calibrator = Calibrator::new(&Prompts::default(), 1);
        let mut sent = 0;
        while calibrator.next().is_some() {
            calibrator.learn(count(sent));
            sent += 1;
        }
        let failure = calibrator.finish().expect_err("no fit");
        assert!(failure.summary.contains("do not grow"), "{failure}");
        assert!(sent <= 5);
    }
    let unfinished = Calibrator::new(&Prompts::default(), 1).finish();
    assert!(unfinished.is_err());
}

#[test]
fn a_small_context_is_fitted_with_what_it_takes() {
    for (context, length) in [(4_096, 256), (600, 256), (200, 100), (60, 40)] {
        let plan = synthetic(Lengths::Fixed(length), 0, 1);
        let mut calibrator = Calibrator::new(&plan.prompts, plan.seed.expect("a seed"));
        let mut asked = 0;
        while let Some(probe) = calibrator.next() {
            asked += 1;
            assert!(asked < 20, "it ends");
            match tokens(Tokenizer::Words, 9, &probe) {
                counted if counted > context => {
                    assert!(calibrator.too_long(), "{context}: {counted}")
                }
                counted => calibrator.learn(counted),
            }
        }
        let (fit, requests) = calibrator.finish().expect("it fits");
        assert!(
            (fit.overhead_tokens - 9.0).abs() < 0.5,
            "{context}: {fit:?}"
        );
        assert!(
            (fit.tokens_per_word - 1.0).abs() < 0.01,
            "{context}: {fit:?}"
        );
        assert!(requests <= 5, "{requests}");
    }
    // Prompts that are themselves longer than the context are not to be had.
    let mut calibrator = Calibrator::for_length(256.0, 1);
    calibrator.learn(69);
    while calibrator.too_long() {}
    assert!(calibrator.next().is_some() && calibrator.finish().is_err());
}

#[test]
fn a_prompt_file_needs_no_fit() {
    assert_eq!(
        Calibrator::new(&Prompts::File("x.jsonl".into()), 1).next(),
        None
    );
    let plan = Plan {
        prompts: Prompts::File("x.jsonl".into()),
        ..Plan::default()
    };
    assert_eq!(length_to_fit(&plan, None), None);
    assert_eq!(length_to_fit(&Plan::default(), None), Some(256.0));
}

// ---- uniqueness --------------------------------------------------------------------------------------

fn opening(source: &PromptSource, index: u64) -> String {
    source.draft(index).turns[0][0].content.clone()
}

fn first_words(text: &str, n: usize) -> String {
    text.split(' ').take(n).collect::<Vec<_>>().join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn neighbours_differ_in_their_first_word(seed: u64, from in 0..u64::MAX - 2 * WORDS, n in 9u32..60) {
        let source = PromptSource::new(&synthetic(Lengths::Fixed(n), 0, seed), None, None).expect("a source");
        let firsts: HashSet<String> =
            (from..from + WORDS).map(|index| first_words(&opening(&source, index), 1)).collect();
        prop_assert_eq!(firsts.len() as u64, WORDS);
    }

    #[test]
    fn far_ones_differ_in_their_first_two(seed: u64, start in 0..WORDS * WORDS - 9 * WORDS, at in 0..WORDS) {
        let source = PromptSource::new(&synthetic(Lengths::Fixed(20), 0, seed), None, None).expect("a source");
        // The same first word comes again after `WORDS` indexes.
        let same_first: Vec<String> =
            (0..8).map(|k| first_words(&opening(&source, start + at + k * WORDS), 2)).collect();
        let firsts: HashSet<&str> = same_first.iter().filter_map(|two| two.split(' ').next()).collect();
        prop_assert_eq!(firsts.len(), 1);
        prop_assert_eq!(same_first.iter().collect::<HashSet<_>>().len(), 8);
    }

    #[test]
    fn the_same_seed_says_the_same(seed: u64, index: u64, other: u64) {
        let plan = Plan { turns: 3, ..synthetic(Lengths::Uniform { least: 30, most: 90 }, 0, seed) };
        let one = PromptSource::new(&plan, None, None).expect("a source");
        let two = PromptSource::new(&plan, None, None).expect("a source");
        let _ = two.draft(other);
        prop_assert_eq!(one.draft(index), two.draft(index));
        prop_assume!(index != other);
        prop_assert_ne!(one.draft(index), two.draft(other));
    }
}

/// The benchmark writes most requests from the short form.
#[test]
fn an_opening_says_what_its_draft_says() {
    let lengths = Lengths::Normal {
        mean: 60,
        deviation: 20,
    };
    let plan = Plan {
        output_tokens: Some(Lengths::Uniform { least: 5, most: 50 }),
        ..synthetic(lengths, 20, 3)
    };
    let source = PromptSource::new(&plan, None, None).expect("made-up words");
    for index in 0..200 {
        let opening = source.opening(index).expect("one message of made-up words");
        let Draft {
            turns,
            wanted_prompt_tokens,
            max_tokens,
        } = source.draft(index);
        assert_eq!(turns, [[Message::new(Role::User, opening.text.as_str())]]);
        assert_eq!(
            (wanted_prompt_tokens, max_tokens),
            (Some(opening.wanted_prompt_tokens), opening.max_tokens)
        );
        assert!(
            opening
                .text
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_lowercase()),
            "{}",
            opening.text
        );
    }
    let talks = PromptSource::new(&Plan { turns: 2, ..plan }, None, None).expect("made-up words");
    assert_eq!(talks.opening(0), None, "more is to be said than one thing");
}

#[test]
fn no_two_requests_share_their_first_two_words() {
    let source =
        PromptSource::new(&synthetic(Lengths::Fixed(12), 0, 3), None, None).expect("a source");
    let mut seen = HashSet::new();
    for index in 0..20 * WORDS {
        assert!(
            seen.insert(first_words(&opening(&source, index), 2)),
            "{index}"
        );
    }
}

#[test]
fn another_seed_says_other_things() {
    let source = |seed| {
        PromptSource::new(&synthetic(Lengths::Fixed(100), 0, seed), None, None).expect("a source")
    };
    let (one, two) = (source(1), source(2));
    let same = (0..200).filter(|index| {
        first_words(&opening(&one, *index), 2) == first_words(&opening(&two, *index), 2)
    });
    assert!(same.count() < 5);
}

#[test]
fn a_shared_beginning_is_shared_and_what_follows_is_not() {
    let fit = Fit {
        overhead_tokens: 10.0,
        tokens_per_word: 1.0,
    };
    let plan = synthetic(Lengths::Fixed(110), 60, 4);
    let source = PromptSource::new(&plan, None, Some(fit)).expect("a source");
    let texts: Vec<String> = (0..WORDS).map(|index| opening(&source, index)).collect();
    let beginning = first_words(&texts[0], 60);
    let mut next = HashSet::new();
    for text in &texts {
        assert_eq!(text.split(' ').count(), 100);
        assert!(text.starts_with(&beginning));
        assert!(next.insert(text.split(' ').nth(60).expect("a word").to_owned()));
    }
    let other_seed = PromptSource::new(
        &Plan {
            seed: Some(5),
            ..plan
        },
        None,
        Some(fit),
    )
    .expect("a source");
    assert!(!opening(&other_seed, 0).starts_with(&first_words(&beginning, 4)));
}

#[test]
fn later_turns_are_short_and_unlike() {
    let plan = Plan {
        turns: 4,
        ..synthetic(Lengths::Fixed(328), 0, 4)
    };
    let source = PromptSource::new(&plan, None, None).expect("a source");
    let mut seen = HashSet::new();
    for index in 0..500 {
        let draft = source.draft(index);
        assert_eq!(draft.turns.len(), 4);
        for turn in &draft.turns[1..] {
            assert_eq!(turn[0].content.split(' ').count(), 41);
            assert_eq!(turn[0].role, Role::User);
        }
        for turn in draft.turns {
            assert!(seen.insert(turn[0].content.clone()));
        }
    }
    let short = Plan {
        turns: 2,
        ..synthetic(Lengths::Fixed(20), 0, 4)
    };
    let draft = PromptSource::new(&short, None, None)
        .expect("a source")
        .draft(0);
    assert_eq!(draft.turns[1][0].content.split(' ').count(), 8);
}

#[test]
fn output_lengths_are_drawn_as_the_plan_says() {
    let max_tokens = |output_tokens| {
        let plan = Plan {
            output_tokens,
            ..Plan::default()
        };
        let source = PromptSource::new(&plan, None, None).expect("a source");
        (0..400)
            .map(|index| source.draft(index).max_tokens)
            .collect::<HashSet<_>>()
    };
    assert_eq!(max_tokens(None), HashSet::from([None]));
    assert_eq!(
        max_tokens(Some(Lengths::Fixed(7))),
        HashSet::from([Some(7)])
    );
    let drawn = max_tokens(Some(Lengths::Uniform { least: 3, most: 6 }));
    assert_eq!(drawn, HashSet::from([Some(3), Some(4), Some(5), Some(6)]));
}

// ---- files -------------------------------------------------------------------------------------------

fn drafts(name: &str, text: &str, turns: u32) -> Vec<Draft> {
    let material = Material::parse(name, text.as_bytes()).expect("a prompt file");
    let plan = Plan {
        prompts: Prompts::File(name.into()),
        turns,
        output_tokens: Some(Lengths::Fixed(9)),
        ..Plan::default()
    };
    let many = material.len() as u64;
    let source = PromptSource::new(&plan, Some(material), None).expect("a source");
    assert_eq!(source.draft(0), source.draft(many), "it begins again");
    (0..many).map(|index| source.draft(index)).collect()
}

/// Roles by their first letter: `s:be kind|u:hi` and a slash between turns.
fn shown(draft: &Draft) -> String {
    let turn = |turn: &Vec<Message>| {
        let shown = turn.iter().map(|message| {
            let role = match message.role {
                Role::System => 's',
                Role::User => 'u',
                Role::Assistant => 'a',
                Role::Tool => 't',
            };
            format!("{role}:{}", message.content)
        });
        shown.collect::<Vec<_>>().join("|")
    };
    draft.turns.iter().map(turn).collect::<Vec<_>>().join("/")
}

fn check_file(name: &str, text: &str, turns: u32, wanted: &[&str]) {
    let found: Vec<String> = drafts(name, text, turns).iter().map(shown).collect();
    assert_eq!(found, wanted, "{name} with {turns} turns");
}

#[test]
fn every_form_of_prompt_file_is_read() {
    let chat = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"one"},{"role":"assistant","content":"A"},{"role":"user","content":[{"type":"text","text":"two"}]},{"role":"assistant","content":"B"}]}"#;
    let jsonl = format!("{}\r\n\n{chat}\n", r#"{"prompt":"hi","id":3}"#);
    check_file("a.jsonl", &jsonl, 1, &["u:hi", "s:s|u:one|a:A|u:two"]);
    check_file("a.jsonl", &jsonl, 2, &["u:hi", "s:s|u:one/u:two"]);
    check_file(
        "a.jsonl",
        &format!("\u{feff}{jsonl}"),
        9,
        &["u:hi", "s:s|u:one/u:two"],
    );
    let gpt = r#"[{"id":"x","conversations":[{"from":"gpt","value":"early"},{"from":"human","value":"a\nb"},{"from":"gpt","value":"A"},{"from":"human","value":"c"}]},
        {"conversations":[{"from":"system","value":"s"},{"from":"user","value":"d"}]}]"#;
    check_file("sharegpt.json", gpt, 1, &["u:a\nb", "s:s|u:d"]);
    check_file("sharegpt.json", gpt, 5, &["u:a\nb/u:c", "s:s|u:d"]);
    let lines = "{\"conversations\":[{\"from\":\"human\",\"value\":\"x\"}]}\n{\"prompt\":\"y\"}";
    check_file("mixed", lines, 1, &["u:x", "u:y"]);
    check_file("plain.txt", "{one}\n\n  two\r\n", 1, &["u:{one}", "u:two"]);
    check_file("plain", "one\ntwo", 3, &["u:one", "u:two"]);
}

#[test]
fn a_line_says_how_long_its_answer_may_be() {
    let text = "{\"prompt\":\"a\",\"max_tokens\":5}\n{\"prompt\":\"b\",\"output_tokens\":6}\n{\"prompt\":\"c\"}";
    let found: Vec<_> = drafts("a.jsonl", text, 1)
        .iter()
        .map(|draft| draft.max_tokens)
        .collect();
    assert_eq!(found, [Some(5), Some(6), Some(9)]);
}

#[test]
fn conversations_without_a_user_are_counted_not_hidden() {
    let text = r#"[{"conversations":[]},{"conversations":[{"from":"human","value":"x"}]}]"#;
    let material = Material::parse("s.json", text.as_bytes()).expect("a prompt file");
    assert_eq!(material.len(), 1);
    assert!(
        material
            .note()
            .is_some_and(|note| note.starts_with("1 of the file's 2 entries"))
    );
    assert_eq!(
        Material::parse("p.txt", b"one")
            .expect("a prompt file")
            .note(),
        None
    );
}

#[test]
fn a_file_that_is_no_text_is_refused_and_said_to_be_what_it_is() {
    for (name, bytes, what) in [
        ("p.parquet", &b"PAR1\0\0\0\0line\n"[..], "a Parquet file"),
        ("p", b"ARROW1\0\0", "an Arrow file"),
        ("p.txt", b"a\nb\0\nc\n", "line 2: the text is binary data"),
        ("p.txt", b"%PDF-1.7\nline\n\xff", "a PDF file"),
    ] {
        let failure = Material::parse(name, bytes).expect_err("refused");
        assert!(
            failure.summary.starts_with(name) && failure.summary.contains(what),
            "{failure}"
        );
    }
    // A PDF whose bytes are all text is text.
    assert!(Material::parse("p.txt", b"%PDF-\n").is_ok());
}

#[test]
fn comments_commas_and_numbers_of_python_do_not_stop_a_file() {
    for (name, text, prompts) in [
        ("c.jsonl", "// c\n{\"prompt\":\"a\"}\n", 1),
        (
            "c.json",
            "[\n  // c\n  {\n \"prompt\": \"a\",\n },\n  \"b\",\n]",
            2,
        ),
        ("t.jsonl", "{\"prompt\":\"a\"},\n{\"prompt\":\"b\"},\n", 2),
        (
            "n.jsonl",
            "{\"prompt\":\"a\",\"score\":NaN}\n{\"prompt\":\"b\"}\n",
            2,
        ),
        ("cr.txt", "one\rtwo\rthree\r", 3),
        ("cr.jsonl", "{\"prompt\":\"a\"}\r{\"prompt\":\"b\"}\r", 2),
    ] {
        let material = Material::parse(name, text.as_bytes()).expect("a prompt file");
        assert_eq!((material.len(), material.note()), (prompts, None), "{name}");
    }
    // Two slashes in a text are no comment.
    let kept = drafts("u.jsonl", "{\"prompt\":\"see http://x, ]\"}\n", 1);
    assert_eq!(kept[0].turns[0][0].content, "see http://x, ]");
}

#[test]
fn a_bad_entry_is_left_out_and_named() {
    let good = r#"{"prompt":"hi"}"#;
    for (line, why) in [
        ("{\"prompt\":3}", "is not a string: 3"),
        ("{\"prompt\":[\"a\",5]}", "a part that is not a string: 5"),
        (
            "{\"url\":\"/v1/embeddings\",\"body\":{\"input\":\"x\"}}",
            "its url is \"/v1/embeddings\"",
        ),
        (
            "{\"url\":\"/v1/completions\",\"body\":{\"prompt\":\"x\"}}",
            "Only chat/completions requests can be sent",
        ),
        ("{\"prompt\":\"x\"", "column"),
        ("{\"id\":\"x\"}", "no \"prompt\", \"messages\""),
        ("{\"prompt\":\" \"}", "no user message"),
        ("{\"prompt\":\"x\",\"messages\":[]}", "both"),
        ("{\"prompt\":\"x\",\"max_tokens\":0}", "at least one token"),
        ("{\"messages\":[]}", "no user message"),
        (
            "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
            "\"tool\"",
        ),
        ("{\"messages\":[{\"role\":\"user\"}]}", "no content"),
        (
            "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}",
            "image_url",
        ),
        (
            "{\"conversations\":[{\"from\":\"dog\",\"value\":\"x\"}]}",
            "\"dog\"",
        ),
        ("plain", "column"),
        ("7", "neither an object"),
    ] {
        let text = format!("{good}\n\n{line}\n{good}\n");
        let material = Material::parse("p.jsonl", text.as_bytes()).expect("the others are read");
        let note = material.note().expect("it is told");
        assert_eq!(
            (material.len(), material.brief().left_out),
            (2, 1),
            "{line}"
        );
        assert!(
            note.starts_with("1 of the file's 3 entries cannot be sent and were skipped: line 3: "),
            "{note}"
        );
        assert!(note.contains(why), "{note} does not say {why}");
        // Where nothing else is there the file is refused, with the same reason.
        let failure = Material::parse("p.jsonl", line.as_bytes()).expect_err("refused");
        assert!(
            failure.summary.starts_with("p.jsonl") && !failure.advice.is_empty(),
            "{failure}"
        );
    }
    let failure = Material::parse("p.txt", b"good\n\xff\xfe\n").expect_err("refused");
    assert!(
        failure.summary.contains("line 2") && failure.summary.contains("UTF-8"),
        "{failure}"
    );
    for (name, text) in [("e.txt", "\n \n"), ("e.jsonl", ""), ("e.json", "[]")] {
        let failure = Material::parse(name, text.as_bytes()).expect_err("refused");
        assert!(failure.summary.contains("has no prompts"), "{failure}");
    }
    let failure = Material::parse("s.json", br#"[{"a":1}]"#).expect_err("refused");
    assert!(
        failure.summary.contains("Its keys are a") && failure.advice.contains("ShareGPT"),
        "{failure}"
    );
    let missing = Plan {
        prompts: Prompts::File("gone.jsonl".into()),
        ..Plan::default()
    };
    assert!(PromptSource::new(&missing, None, None).is_err());
}

#[test]
fn openai_s_batch_lines_are_prompts() {
    let line = |what: &str| {
        format!(
            r#"{{"custom_id":"r","method":"POST","url":"/v1/chat/completions","body":{{"model":"m","messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"Name a {what}."}}],"max_tokens":20}}}}"#
        )
    };
    let text = ["lake", "hill"].map(line).join("\n");
    check_file(
        "batch.jsonl",
        &text,
        1,
        &["s:Be brief.|u:Name a lake.", "s:Be brief.|u:Name a hill."],
    );
    assert_eq!(drafts("batch.jsonl", &text, 1)[0].max_tokens, Some(20));
    let newer = text.replace("max_tokens", "max_completion_tokens");
    assert_eq!(drafts("batch.jsonl", &newer, 1)[1].max_tokens, Some(20));
    // What asks for something else than an answer is no prompt, and as a trace's line neither.
    let wanted = ["s:Be brief.|u:Name a lake.", "s:Be brief.|u:Name a hill."];
    let whole_url = text.replace(
        "/v1/chat/completions",
        "https://h.example/v1/chat/completions/?a=b",
    );
    check_file("batch.jsonl", &whole_url, 1, &wanted);
    let embedding = r#"{"custom_id":"e","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"Como"}}"#;
    let mixed = format!("{embedding}\n{text}\n{embedding}\n");
    check_file("batch.jsonl", &mixed, 1, &wanted);
    let note = Material::parse("batch.jsonl", mixed.as_bytes())
        .expect("the others are read")
        .note();
    let words = "2 of the file's 4 entries cannot be sent and were skipped: line 1 and 1 more: \
         its url is \
                 \"/v1/embeddings\". Only chat/completions requests can be sent";
    assert_eq!(note.as_deref(), Some(words));
    let failure =
        Material::parse("batch.jsonl", embedding.as_bytes()).expect_err("nothing is left");
    assert!(
        failure.summary.contains("its url is \"/v1/embeddings\""),
        "{failure}"
    );
    let timed = embedding.replacen('{', "{\"timestamp\":1,", 1);
    let failure = Trace::parse("t.jsonl", timed.as_bytes(), None).expect_err("nothing is left");
    assert!(
        failure.summary.contains("its url is \"/v1/embeddings\""),
        "{failure}"
    );
}

#[test]
fn bare_message_lists_are_conversations_a_line_each_or_one_in_the_file() {
    let one = r#"[{"role":"user","content":"Name a lake."},{"role":"assistant","content":"Como."},{"role":"user","content":"And a hill?"}]"#;
    let other =
        r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"Name a bay."}]"#;
    let text = format!("{one}\n{other}\n");
    let wanted = [
        "u:Name a lake.|a:Como.|u:And a hill?",
        "s:Be brief.|u:Name a bay.",
    ];
    check_file("c.jsonl", &text, 1, &wanted);
    check_file(
        "c.jsonl",
        &text,
        2,
        &["u:Name a lake./u:And a hill?", wanted[1]],
    );
    check_file("c.json", other, 1, &wanted[1..]);
    check_file("c.json", &other.replace("},", "},\n  "), 1, &wanted[1..]);
    check_file("c.json", &format!("[{one},\n{other}]"), 1, &wanted);
}

#[test]
fn sharegpt_s_variants_are_read_and_tool_calls_left_out() {
    let roles = r#"{"id":"x0","conversations":[{"role":"user","content":"Name a lake."},{"role":"assistant","content":"Sure."},{"role":"user","content":"Why?"}]}"#;
    check_file(
        "r.jsonl",
        &format!("{roles}\n{roles}"),
        1,
        &["u:Name a lake.", "u:Name a lake."],
    );
    check_file(
        "r.jsonl",
        &format!("{roles}\n{roles}"),
        2,
        &["u:Name a lake./u:Why?", "u:Name a lake./u:Why?"],
    );
    let tools = r#"[{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"A"}]},
        {"conversations":[{"from":"human","value":"b"},{"from":"function_call","value":"{}"},{"from":"observation","value":"{}"}],"system":"s"},
        {"conversations":[{"from":"human","value":"c"}],"system":"Be brief."}]"#;
    let material = Material::parse("t.json", tools.as_bytes()).expect("the others are read");
    let note = material.note().expect("told");
    assert!(
        note.contains("1 of the file's 3")
            && note.contains("entry 2")
            && note.contains("function_call"),
        "{note}"
    );
    check_file("t.json", tools, 1, &["u:a", "s:Be brief.|u:c"]);
}

#[test]
fn the_data_sets_of_other_benchmarks_are_read() {
    for (line, turns, shown, max) in [
        // aiperf: single turn, turns of texts, and MT-Bench's list.
        (r#"{"text":"hi","output_length":7}"#, 1, "u:hi", Some(7)),
        (
            r#"{"session_id":"s","turns":[{"text":"a"},{"text":"b","delay":5}]}"#,
            3,
            "u:a/u:b",
            Some(9),
        ),
        (
            r#"{"session_id":"s","turns":[{"text":"a"},{"text":"b"}]}"#,
            1,
            "u:a",
            Some(9),
        ),
        (r#"{"turns":["a","b"]}"#, 2, "u:a/u:b", Some(9)),
        // guidellm.
        (
            r#"{"prompt":"hi","prompt_tokens_count":3,"output_tokens_count":"12"}"#,
            1,
            "u:hi",
            Some(12),
        ),
        // SGLang's custom set: by turns.
        (
            r#"{"conversations":[{"content":"q"},{"content":"answer"},{"content":"r"}]}"#,
            2,
            "u:q/u:r",
            Some(9),
        ),
        (
            r#"{"conversation":[{"value":"q"},{"value":"answer"}]}"#,
            2,
            "u:q",
            Some(9),
        ),
        // vLLM's custom set, Alpaca, and others.
        (
            r#"{"prompt":"hi","expected_output_len":4}"#,
            1,
            "u:hi",
            Some(4),
        ),
        (
            r#"{"instruction":"Sum up.","input":"A b c.","output":"x"}"#,
            1,
            "u:Sum up.\n\nA b c.",
            Some(9),
        ),
        (
            r#"{"question":"why?","system_prompt":"s"}"#,
            1,
            "s:s|u:why?",
            Some(9),
        ),
        (r#""just a text""#, 1, "u:just a text", Some(9)),
    ] {
        let found = &drafts("d.jsonl", &format!("{line}\n{line}"), turns)[1];
        assert_eq!(
            (self::shown(found).as_str(), found.max_tokens),
            (shown, max),
            "{line}"
        );
    }
    check_file(
        "d.json",
        r#"{"data":[{"prompt":"a"},{"prompt":"b"}]}"#,
        1,
        &["u:a", "u:b"],
    );
    check_file("d.json", r#"["a","b"]"#, 1, &["u:a", "u:b"]);
    check_file(
        "glued.jsonl",
        r#"{"prompt":"a"}{"prompt":"b"}"#,
        1,
        &["u:a", "u:b"],
    );
}

#[test]
fn a_prompt_file_in_utf16_is_read() {
    let text = "{\"prompt\":\"né\"}\r\n{\"prompt\":\"b\"}\r\n";
    let bytes: Vec<u8> = std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        Material::parse("p.jsonl", &bytes)
            .map(|material| material.len())
            .ok(),
        Some(2)
    );
}

#[test]
fn a_table_s_rows_are_never_sent_as_prompts() {
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n";
    for name in ["azure.csv", "azure", "azure.jsonl"] {
        let failure = Material::parse(name, azure.as_bytes()).expect_err("no prompts");
        assert!(
            failure
                .summary
                .contains("without a column of prompts. Its columns are TIMESTAMP"),
            "{failure}"
        );
        assert!(failure.advice.contains("--trace"), "{failure}");
    }
    let failure = Material::parse("x.csv", b"a;b\n1;2\n").expect_err("no prompts");
    assert!(
        failure.summary.contains("Its columns are a, b") && !failure.advice.contains("--trace"),
        "{failure}"
    );
    // A quote that is not closed would swallow the rows behind it.
    for (text, why) in [
        ("prompt,x\nb,1\n\n\"c,2\nd,3\n", "in line 4 is never closed"),
        ("prompt\r\nb\r\n\"c\r\nd\r\n", "in line 3 is never closed"),
        (
            "prompt,x\nb,\"1\"\nc,\"2\nd,\"3\"\n",
            "in line 3 is closed within another cell in line 4",
        ),
        ("prompt,\"x\nb,1\n", "in line 1 is never closed"),
    ] {
        let failure = Material::parse("p.csv", text.as_bytes()).expect_err("a broken table");
        assert!(
            failure.summary.contains("cannot be read as CSV") && failure.summary.contains(why),
            "{failure}"
        );
        assert!(failure.advice.contains("Close the quote"), "{failure}");
        let table = text.replace("prompt", "timestamp");
        let failure = Trace::parse("t.csv", table.as_bytes(), None).expect_err("a broken table");
        assert!(failure.summary.contains(why), "{failure}");
    }
    check_file(
        "p.csv",
        "prompt,x\n5\" pipe,1\n\"a\nb\" ,2\n\"c\"d,3\n",
        1,
        &["u:5\" pipe", "u:a\nb", "u:cd"],
    );
    // A comma that belongs to the prompt would cut it off.
    let material =
        Material::parse("p.csv", b"prompt\r\n\r\nHello\r\nHello, world\r\n").expect("one is read");
    let note = material.note().expect("it is told");
    assert!(
        material.len() == 1 && note.contains("line 4: it has 2 cells, but the first line has 1"),
        "{note}"
    );
    let prompts = "id,Prompt,max_tokens\n1,\"Say, \"\"hi\"\"\nnow\",5\n2,,\n3,b,\n";
    check_file("p.csv", prompts, 1, &["u:Say, \"hi\"\nnow", "u:b"]);
    assert_eq!(drafts("p.csv", prompts, 1)[0].max_tokens, Some(5));
    check_file("p.tsv", "text\tx\na,b\t1\n", 1, &["u:a,b"]);
}

// ---- traces ------------------------------------------------------------------------------------------

fn trace(text: &str) -> Trace {
    Trace::parse("t.jsonl", text.as_bytes(), None).expect("a trace")
}

#[test]
fn a_trace_is_sorted_and_begins_at_once() {
    let read = trace(
        "{\"timestamp\": 27482, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": \
         [1, 2]}\n\
         {\"time_s\": 27.0, \"prompt\": \"hi\", \"max_tokens\": 4}\n\
         {\"at_ms\": 27000.5}\n{\"at\": 30, \"input_tokens\": 40, \"output_tokens\": 2}\n",
    );
    let due: Vec<_> = (0..5).map(|at| read.due(at)).collect();
    let micros = |n| Some(Duration::from_micros(n));
    assert_eq!(
        due,
        [
            micros(0),
            micros(500),
            micros(482_000),
            micros(3_000_000),
            None
        ]
    );
    assert_eq!((read.len(), read.duration()), (4, Duration::from_secs(3)));
    assert_eq!(read.mean_input_tokens(), Some(3_399.0));
    assert!(read.uses_prompts_of_plan());

    let load = Load::Trace {
        file: "t.jsonl".into(),
        most_in_flight: None,
        unit: None,
    };
    let plan = Plan {
        load,
        output_tokens: None,
        ..synthetic(Lengths::Fixed(20), 0, 1)
    };
    assert_eq!(length_to_fit(&plan, Some(&read)), Some(3_399.0));
    let source = PromptSource::new(&plan, None, None)
        .expect("a source")
        .with_trace(read);
    let found: Vec<_> = (0..5)
        .map(|index| {
            let draft = source.draft(index);
            let words = draft.turns[0][0].content.split(' ').count();
            (draft.wanted_prompt_tokens, draft.max_tokens, words)
        })
        .collect();
    assert_eq!(
        found,
        [
            (None, Some(4), 1),
            (Some(20), None, 12),
            (Some(6_758), Some(500), 6_750),
            (Some(40), Some(2), 32),
            (None, Some(4), 1)
        ]
    );
}

#[test]
fn a_bad_request_of_a_trace_is_left_out_and_named() {
    for (line, why) in [
        ("{\"prompt\":\"x\"}", "no \"timestamp\""),
        ("{\"at\":1,\"timestamp\":1}", "more than one time"),
        ("{\"at\":1,\"time_s\":1}", "more than one time"),
        ("{\"at\":\"soon\"}", "soon"),
        ("{\"at\":1,\"input_length\":0}", "at least one token"),
        ("{\"at\":1,\"input_length\":2000000}", "1,000,000"),
        ("{\"at\":1,\"input_length\":-5}", "-5"),
        ("{\"at\":1,\"output_length\":0}", "at least one token"),
        ("{\"at\":1,\"prompt\":\"\"}", "no user message"),
        ("{\"at\":1,\"input_length\":5,\"hash_ids\":3}", "not a list"),
        ("1,2,3", "column"),
    ] {
        let text = format!("{{\"at\":0}}\n{line}");
        let trace = Trace::parse("t.jsonl", text.as_bytes(), None).expect("the first is read");
        let note = trace.note().expect("it is told");
        assert!(
            note.starts_with("1 of the file's 2 requests cannot be sent and were skipped: line 2"),
            "{note}"
        );
        assert!(note.contains(why), "{line}: {note}");
    }
    let far =
        Trace::parse("t.jsonl", b"{\"at\":0}\n{\"at\":1732000000000}", None).expect_err("refused");
    assert!(
        far.summary.starts_with("t.jsonl, line 2: ") && far.advice.contains("--trace-unit"),
        "{far}"
    );
    assert!(
        Trace::parse("t.jsonl", b"\n", None).is_err_and(|why| why.summary.contains("no requests"))
    );
    let none = Trace::parse("t.jsonl", b"{\"a\":1}\n{\"a\":2}", None).expect_err("refused");
    assert!(
        none.summary.contains("line 1: ") && none.summary.contains("None of its 2 entries"),
        "{none}"
    );
}

fn spans(trace: &Trace) -> Vec<f64> {
    (0..trace.len())
        .filter_map(|at| trace.due(at))
        .map(|due| due.as_secs_f64())
        .collect()
}

#[test]
fn a_trace_in_seconds_is_told_and_can_be_set() {
    let lines = |times: &[&str]| -> String {
        times
            .iter()
            .map(|at| {
                format!("{{\"timestamp\": {at}, \"input_length\": 10, \"output_length\": 8}}\n")
            })
            .collect()
    };
    let relative = lines(&["0.0", "0.8", "1.6", "2.4", "3.2"]);
    let unix = lines(&[
        "1764490000.25",
        "1764490001.05",
        "1764490001.85",
        "1764490002.65",
        "1764490003.45",
    ]);
    for text in [&relative, &unix] {
        let trace = trace(text);
        assert_eq!(spans(&trace), [0.0, 0.8, 1.6, 2.4, 3.2]);
        assert_eq!(
            trace.brief().told(),
            "5 requests over 3.2 s (1.6/s), times in seconds"
        );
    }
    let set = Trace::parse("t.jsonl", relative.as_bytes(), Some(TimeUnit::Ms)).expect("a trace");
    assert_eq!(
        set.brief().told(),
        "5 requests over 3.2 ms (1,563/s), times in milliseconds, as asked for"
    );
}

#[test]
fn public_traces_in_csv_are_replayed() {
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n\
                 2023-11-16 18:15:47.1951690,396,10\n2023-11-16 18:15:48.2224670,120,15\n\
                 2023-11-16 18:15:48.3910170,91,16\n";
    let load = || Load::Trace {
        file: "t.csv".into(),
        most_in_flight: None,
        unit: None,
    };
    let plan = Plan {
        load: load(),
        output_tokens: None,
        ..synthetic(Lengths::Fixed(20), 0, 1)
    };
    type Drawn = Vec<(Option<u32>, Option<u32>)>;
    let lengths = |text: &str| -> (Drawn, Trace) {
        let trace = Trace::parse("t.csv", text.as_bytes(), None).expect("a trace");
        let source = PromptSource::new(&plan, None, None)
            .expect("a source")
            .with_trace(trace.clone());
        let drafts = (0..trace.len() as u64).map(|index| source.draft(index));
        (
            drafts
                .map(|draft| (draft.wanted_prompt_tokens, draft.max_tokens))
                .collect(),
            trace,
        )
    };
    let (found, read) = lengths(azure);
    let some = |a, b| (Some(a), Some(b));
    assert_eq!(
        found,
        [some(374, 44), some(396, 10), some(120, 15), some(91, 16)]
    );
    assert_eq!(
        read.brief().told(),
        "4 requests over 1.71 s (2.3/s), times as dates"
    );
    let burst = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log \
         Type\n5,ChatGPT,472,18,490,Conversation log\n\
                 36,ChatGPT,130,25,155,Conversation log\n67,GPT-4,300,0,300,API log\n98,GPT-4,300,12,312,API log\n";
    let (found, read) = lengths(burst);
    assert_eq!(found, [some(472, 18), some(130, 25), some(300, 12)]);
    assert_eq!(
        spans(&read),
        [0.0, 31.0, 93.0],
        "seconds, also where they are far apart"
    );
    assert!(
        read.note()
            .is_some_and(|note| note.contains("line 4") && note.contains("at least one token"))
    );
    let failure = Trace::parse("t.csv", b"a,b\n1,2\n", None).expect_err("refused");
    assert!(
        failure.summary.contains("Its first line is a, b"),
        "{failure}"
    );
    let semicolons = azure.replace(',', ";");
    assert_eq!(lengths(&semicolons).0.len(), 4);
}

#[test]
fn the_same_hash_id_is_the_same_block_of_text() {
    // Blocks of 16 tokens, as in Qwen's trace; Mooncake's have 512.
    let text = "{\"timestamp\": 0.5, \"input_length\": 40, \"hash_ids\": [1, 2, 3]}\n\
                {\"timestamp\": 0.7, \"input_length\": 48, \"hash_ids\": [1, 2, 4]}\n\
                {\"timestamp\": 0.9, \"input_length\": 30, \"hash_ids\": [5, 1]}\n";
    let read = trace(text);
    assert!(read.brief().prompts.blocks == 3);
    let load = Load::Trace {
        file: "t.jsonl".into(),
        most_in_flight: None,
        unit: None,
    };
    let plan = Plan {
        load,
        ..synthetic(Lengths::Fixed(20), 0, 1)
    };
    let fit = Fit {
        overhead_tokens: 0.0,
        tokens_per_word: 1.0,
    };
    let source = PromptSource::new(&plan, None, Some(fit))
        .expect("a source")
        .with_trace(read);
    let words = |index: u64| -> Vec<String> {
        let draft = source.draft(index);
        draft.turns[0][0]
            .content
            .split(' ')
            .map(str::to_owned)
            .collect()
    };
    let [one, two, three] = [0, 1, 2].map(words);
    assert_eq!([one.len(), two.len(), three.len()], [40, 48, 30]);
    assert_eq!(one[..32], two[..32], "blocks 1 and 2");
    assert_ne!(one[32..40], two[32..40], "3 and 4");
    assert_ne!(one[..16], three[..16]);
    assert_eq!(
        one[..14],
        three[16..30],
        "block 1 elsewhere, cut by the prompt's length"
    );
}

// ---- schedules ---------------------------------------------------------------------------------------

fn due(load: LevelLoad, ramp_up: f64, seed: u64, n: usize) -> Vec<f64> {
    let mut schedule = Schedule::new(&load, Duration::from_secs_f64(ramp_up), seed, None);
    (0..n)
        .map_while(|_| schedule.due())
        .map(|due| due.as_secs_f64())
        .collect()
}

fn rate(per_sec: f64, arrivals: Arrivals) -> LevelLoad {
    LevelLoad::Rate {
        per_sec,
        arrivals,
        most_in_flight: None,
    }
}

#[test]
fn a_constant_rate_is_even_and_does_not_drift() {
    let moments = due(rate(3.0, Arrivals::Constant), 0.0, 1, 300_001);
    assert_eq!(moments[0], 0.0);
    for (at, moment) in moments.iter().enumerate() {
        assert!((moment - at as f64 / 3.0).abs() < 1e-6, "{at}: {moment}");
    }
}

#[test]
fn poisson_gaps_have_the_mean_and_the_variance_of_independent_users() {
    for (rate_per_sec, seed) in [(0.5, 1), (40.0, 2), (5_000.0, 3)] {
        let moments = due(rate(rate_per_sec, Arrivals::Poisson), 0.0, seed, 50_001);
        let gaps: Vec<f64> = moments
            .windows(2)
            .map(|two| (two[1] - two[0]) * rate_per_sec)
            .collect();
        assert!(gaps.iter().all(|gap| *gap >= 0.0));
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
        // Standard errors are 0.0045 and 0.013.
        assert!(
            (mean - 1.0).abs() < 0.018 && (variance - 1.0).abs() < 0.052,
            "{mean} {variance}"
        );
        // Memoryless: as many gaps are longer than the mean as e says.
        let long = gaps.iter().filter(|gap| **gap > 1.0).count() as f64 / n;
        assert!((long - (-1.0f64).exp()).abs() < 0.01, "{long}");
    }
}

#[test]
fn gamma_gaps_have_the_mean_of_the_rate_and_the_variance_of_their_shape() {
    for (shape, seed) in [(0.25, 1), (1.0, 2), (4.0, 3)] {
        let moments = due(rate(40.0, Arrivals::Gamma(shape)), 0.0, seed, 50_001);
        let gaps: Vec<f64> = moments
            .windows(2)
            .map(|two| (two[1] - two[0]) * 40.0)
            .collect();
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
        // Standard errors of the shape 0.25: 0.009 of the mean, 0.093 of the variance of 4.
        assert!((mean - 1.0).abs() < 0.036, "{shape}: {mean}");
        assert!((variance * shape - 1.0).abs() < 0.1, "{shape}: {variance}");
    }
}

#[test]
fn arrivals_are_the_same_for_the_same_seed() {
    let moments = |seed| due(rate(10.0, Arrivals::Poisson), 2.0, seed, 100);
    assert_eq!(moments(1), moments(1));
    assert_ne!(moments(1), moments(2));
}

#[test]
fn a_rate_rises_over_its_ramp_up() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson, Arrivals::Gamma(0.5)] {
        let moments = due(rate(2_000.0, arrivals), 10.0, 1, 60_000);
        assert!(moments.is_sorted());
        let within =
            |from: f64, to: f64| moments.iter().filter(|t| **t >= from && **t < to).count() as f64;
        // 2,000/s · t²/20 s: the first tenth brings a hundredth of the ramp-up's 10,000 requests.
        assert!(
            (within(0.0, 1.0) - 100.0).abs() < 40.0,
            "{arrivals:?} {}",
            within(0.0, 1.0)
        );
        assert!((within(0.0, 5.0) - 2_500.0).abs() < 200.0);
        assert!((within(0.0, 10.0) - 10_000.0).abs() < 400.0);
        assert!((within(10.0, 20.0) - 20_000.0).abs() < 600.0);
    }
}

#[test]
fn clients_begin_evenly() {
    let starts: Vec<_> = (0..4)
        .map(|client| client_start(client, 4, Duration::from_secs(2)).as_millis())
        .collect();
    assert_eq!(starts, [0, 500, 1_000, 1_500]);
    assert_eq!(client_start(3, 4, Duration::ZERO), Duration::ZERO);
}

#[test]
fn loops_do_not_wait_for_moments_and_traces_end() {
    for load in [LevelLoad::Concurrency(3), LevelLoad::Max { in_flight: 3 }] {
        assert_eq!(due(load, 5.0, 1, 3), [0.0; 3]);
    }
    let read = trace("{\"at\":5}\n{\"at\":7}");
    let mut schedule = Schedule::new(
        &LevelLoad::Trace {
            most_in_flight: None,
        },
        Duration::from_secs(9),
        1,
        Some(&read),
    );
    let moments: Vec<_> = std::iter::from_fn(|| schedule.due())
        .map(|due| due.as_secs())
        .collect();
    assert_eq!(moments, [0, 2]);
}
