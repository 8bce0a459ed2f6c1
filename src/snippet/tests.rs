//! Snippets in each language survive any text and hide the key.

use proptest::prelude::*;

use super::*;
use crate::domain::conversation::{Message, Params, Role};
use crate::wire::openai::chat_body;

fn spec(language: Language, texts: &[&str]) -> SnippetSpec {
    let messages = texts
        .iter()
        .map(|text| Message::new(Role::User, *text))
        .collect();
    SnippetSpec {
        language,
        api: ApiAddress::parse("https://api.example.com").expect("an address"),
        request: ChatRequest {
            model: "m".to_owned(),
            messages,
            params: Params::default(),
        },
        embed: None,
        stream: true,
        ca_file: None,
        accept_invalid_certs: false,
        key_variable: Some("MY_KEY".to_owned()),
        key_header: None,
        extras: Vec::new(),
        dialect: Dialect::default(),
    }
}

/// Reads a literal like the compiler.
fn read_rust_literal(literal: &str) -> String {
    let mut rest = literal
        .strip_prefix('"')
        .and_then(|l| l.strip_suffix('"'))
        .expect("quotes")
        .chars();
    let mut out = String::new();
    while let Some(c) = rest.next() {
        assert!(c != '"' && !c.is_control(), "{c:?} bare in {literal}");
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next().expect("something after a backslash") {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            c @ ('"' | '\\') => out.push(c),
            'u' => {
                assert_eq!(rest.next(), Some('{'));
                let hex: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let code = u32::from_str_radix(&hex, 16).expect("hex");
                out.push(char::from_u32(code).expect("a character"));
            }
            c => panic!("unknown escape {c:?}"),
        }
    }
    out
}

/// The body that a shell hands to curl.
fn curl_body(snippet: &str) -> Value {
    let body = match snippet.split_once("<<'JSON'\n") {
        Some((_, document)) => {
            let (body, rest) = document.split_once("\nJSON\n").expect("an end");
            assert_eq!(rest, "");
            body.to_owned()
        }
        None => shlex::split(snippet)
            .expect("words")
            .pop()
            .expect("the last word"),
    };
    serde_json::from_str(&body).expect("JSON")
}

proptest! {
    #[test]
    fn curl_survives_any_message(texts in proptest::collection::vec(any::<String>(), 0..4)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let spec = spec(Language::Curl, &texts);
        let snippet = write(&spec, KeyText::Variable);
        prop_assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
    }

    #[test]
    fn curl_survives_any_text_to_embed(texts in proptest::collection::vec(any::<String>(), 1..4)) {
        let spec = SnippetSpec { embed: Some(texts), ..spec(Language::Curl, &["not this"]) };
        let snippet = write(&spec, KeyText::Variable);
        prop_assert_eq!(curl_body(&snippet), spec.body());
        prop_assert!(snippet.starts_with("curl -sS https://api.example.com/v1/embeddings"));
    }

    #[test]
    fn curl_survives_shell_words(text in "[ '\"$`\\\\!#&;|<>(){}\\[\\]*?~a\n\r\t]{0,60}") {
        let spec = spec(Language::Curl, &[&text]);
        let snippet = write(&spec, KeyText::Plain(&text));
        let words = shlex::split(&snippet).expect("words");
        prop_assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
        let header = format!("Authorization: Bearer {text}");
        prop_assert!(words.contains(&header));
    }

    #[test]
    fn rust_literals_survive_any_text(text in any::<String>()) {
        prop_assert_eq!(read_rust_literal(&rust::rs_text(&text)), text);
    }

    #[test]
    fn nothing_hidden_is_left_in_any_language(text in any::<String>()) {
        for language in Language::ALL {
            let snippet = write(&spec(language, &[&text]), KeyText::Variable);
            prop_assert!(!snippet.contains(|c| c != '\n' && hidden(c)), "{snippet}");
            prop_assert!(snippet.ends_with('\n'));
        }
    }
}

#[test]
fn history_is_not_asked_for() {
    for (text, json) in [
        ("Hi! You", r#""Hi! You""#),
        ("Hi!", r#""Hi!""#),
        ("a!b", r#""a\u0021b""#),
        ("it's!", r#""it's\u0021""#),
    ] {
        assert_eq!(curl::tame_bangs(&Value::from(text).to_string()), json);
    }
}

#[test]
fn a_body_too_long_for_an_argument_goes_through_standard_input() {
    let long = "it's $HOME `x` \\ !! \"JSON\"\nJSON\n".repeat(5_000);
    let spec = spec(Language::Curl, &[&long]);
    let snippet = write(&spec, KeyText::Variable);
    assert!(
        snippet.contains("--data-binary @- <<'JSON'\n{"),
        "{}",
        &snippet[..200]
    );
    assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
}

#[test]
fn a_masked_key_is_only_its_tail_and_debug_shows_none() {
    for language in Language::ALL {
        let snippet = write(&spec(language, &["Hi"]), KeyText::Masked { tail: "wxyz" });
        assert!(snippet.contains("••••••••wxyz"), "{snippet}");
        assert!(!snippet.contains("MY_KEY"), "{snippet}");
    }
    assert_eq!(format!("{:?}", KeyText::Plain("sk-secret")), "Plain");
}

#[test]
fn the_key_and_the_extras_are_those_of_the_environment() {
    let extra = |kind, name: &str, value| Extra {
        kind,
        name: name.to_owned(),
        value,
    };
    let plain = |text: &str| ExtraValue::Plain(text.to_owned());
    for language in Language::ALL {
        let spec = SnippetSpec {
            api: ApiAddress::parse("h.example/openai/deployments/d?api-version=1")
                .expect("an address"),
            key_header: HeaderName::parse("api-key").ok(),
            extras: vec![
                extra(ExtraKind::Header, "X-Team", plain("it's \"blue\"")),
                extra(ExtraKind::Header, "X-Gateway-Token", ExtraValue::Kept),
                extra(ExtraKind::Query, "region", plain("eu 1")),
                extra(
                    ExtraKind::Query,
                    "sig",
                    ExtraValue::Variable("SIG".to_owned()),
                ),
            ],
            dialect: Dialect {
                no_stream_options: true,
                ..Dialect::default()
            },
            ..spec(language, &["Hi"])
        };
        let snippet = write(&spec, KeyText::Variable);
        for word in [
            "h.example/openai/deployments/d",
            "MY_KEY",
            "api-key",
            "X-Team",
            "blue",
            "X_GATEWAY_TOKEN",
            "SIG",
            "eu",
        ] {
            assert!(snippet.contains(word), "{word} is not in {snippet}");
        }
        assert!(
            !snippet.contains("stream_options") && !snippet.contains("SAMBANOVA"),
            "{snippet}"
        );
        // The packages send their own header unless they are told not to.
        let omits = snippet.contains("extra_headers={\"Authorization\": Omit()}");
        assert_eq!(omits, snippet.contains("import Omit, "), "{snippet}");
        let is_typescript = language == Language::Typescript;
        assert_eq!(snippet.contains("Authorization: null"), is_typescript);
        // Without a key variable no key is sent.
        let keyless = SnippetSpec {
            key_variable: None,
            key_header: None,
            ..spec
        };
        for key in [KeyText::Variable, KeyText::Plain("sk-1")] {
            let snippet = write(&keyless, key);
            assert!(
                !snippet.contains("MY_KEY")
                    && !snippet.contains("Bearer")
                    && !snippet.contains("sk-1"),
                "{snippet}"
            );
        }
    }
    let curl = write(
        &spec(Language::Curl, &["Hi"]).of(&Environment::demo()),
        KeyText::Variable,
    );
    assert!(curl.contains("$DEMO_API_KEY"), "{curl}");
}

#[test]
fn a_shell_is_given_no_comments() {
    // An interactive zsh runs comments as commands.
    let mut spec = spec(Language::Curl, &["Hi"]);
    let image = crate::domain::conversation::Image::of("image/png", (3, 4), &[1; 500]);
    let content = crate::domain::conversation::Attached::Image(image);
    let name = "$(touch X)`touch X`'.png".to_owned();
    spec.request.messages[0].attachments =
        vec![crate::domain::conversation::Attachment { name, content }];
    let snippet = write(&spec, KeyText::Variable);
    let begins = |line: &&str| line.trim_start().starts_with('#');
    assert_eq!(snippet.lines().find(begins), None, "{snippet}");
    assert_eq!(
        snippet.matches("touch").count(),
        2,
        "only where it is quoted: {snippet}"
    );
}

#[test]
fn a_number_that_javascript_rounds_is_said_to_be() {
    for (seed, is_rounded) in [(1 << 53, false), ((1 << 53) + 1, true), (i64::MIN, true)] {
        let mut spec = spec(Language::Typescript, &["Hi"]);
        spec.request.params.seed = Some(seed);
        let snippet = write(&spec, KeyText::Variable);
        let line = snippet.lines().find(|line| line.contains("seed: "));
        let line = line.expect("it is sent");
        assert!(line.contains(&format!("seed: {seed},")), "{line}");
        assert_eq!(line.contains("rounds"), is_rounded, "{line}");
    }
}

#[test]
fn rust_integers_fit_their_type() {
    let none = SnippetImages::take_out_of(&spec(Language::Rust, &[]).request).0;
    assert_eq!(
        rust::rs_value(&Value::from(2_147_483_647), &none),
        "2147483647"
    );
    assert_eq!(
        rust::rs_value(&Value::from(2_147_483_648_i64), &none),
        "2147483648_i64"
    );
}
