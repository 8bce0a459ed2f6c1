//! The snippets of View code, run for real.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use batida::domain::conversation::{ChatRequest, Effort, Message, Params, Role};
use batida::domain::environment::ApiAddress;
use batida::snippet::{KeyText, Language, SnippetSpec, write};
use batida::wire::openai::chat_body;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::programs::{find, output_of, python_with, quiet};
use crate::support::recorder::{ANSWER, Recorder};

/// Texts that have broken somebody's quoting somewhere.
const NASTY: &[&str] = &[
    "",
    "it's \"quoted\", '''thrice''' and \"\"\"thrice\"\"\"",
    "$HOME ${HOME} $(echo pwned) `echo pwned` %s %d {braces} {{double}} \\",
    "back\\slash \\n \\u0041 \\x41 \\\\ \\' \\\" trailing \\",
    "lines\nof\r\ntext\n\n    indented, # no comment\n\ttab\nEOF\nJSON\nlast",
    "!! !x !$ wow! \"!\" bang!bang",
    "\"# \"## r#\"raw\"# // /* */ '\\'' \u{1b}[31mred",
    "emoji 🎉👩‍👩‍👧 e\u{301} 日本語 عربي",
    "\u{0}\u{1}\u{7f}\u{85}\u{9b}\u{a0}\u{2028}\u{2029}\u{202e}\u{feff}\u{ffff}\u{10ffff}",
    "@/etc/passwd",
    "\n",
    " ",
];

const KEY: &str = "sk-\"it's\"$HOME`x`\\!#~wxyz";

fn all_params() -> Params {
    Params {
        max_tokens: Some(u32::MAX),
        temperature: Some(0.7),
        top_p: Some(1.0),
        top_k: Some(40),
        stop: NASTY[1..5].iter().map(|text| (*text).to_owned()).collect(),
        seed: Some(i64::MIN + 1),
        reasoning_effort: Some(Effort::High),
        thinking: Some(true),
    }
}

fn nasty_spec(language: Language, root: &str, stream: bool, params: Params) -> SnippetSpec {
    let roles = [Role::System, Role::User, Role::Assistant];
    let messages =
        NASTY.iter().zip(roles.iter().cycle()).map(|(text, role)| Message::new(*role, *text)).collect();
    SnippetSpec {
        language,
        api: ApiAddress::parse(root).expect("an address"),
        request: ChatRequest { model: "it's \"$MODEL\" \\ 🎉".to_owned(), messages, params },
        stream,
        ca_file: None,
        accept_invalid_certs: false,
    }
}

fn plain_spec(language: Language, stream: bool) -> SnippetSpec {
    let messages = vec![
        Message::new(Role::System, "You are a helpful assistant"),
        Message::new(Role::User, "Write a haiku about $HOME.\n\nDon't say \"home\"!"),
    ];
    SnippetSpec {
        language,
        api: ApiAddress::parse("https://api.example.com").expect("an address"),
        request: ChatRequest {
            model: "Meta-Llama-3.3-70B-Instruct".to_owned(),
            messages,
            params: Params::default(),
        },
        stream,
        ca_file: None,
        accept_invalid_certs: false,
    }
}

/// Runs `command` with a snippet and compares what the server was asked.
#[track_caller]
fn check_run(language: Language, run: impl Fn(&Path) -> Command) {
    let server = Recorder::start();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join(language.file_name());
    for (stream, params) in
        [(true, all_params()), (false, all_params()), (true, Params::default()), (false, Params::default())]
    {
        for key in [KeyText::Variable, KeyText::Plain(KEY)] {
            let spec = nasty_spec(language, &server.root(), stream, params.clone());
            fs::write(&file, write(&spec, key)).expect("written");
            let said = output_of(run(&file).env("SAMBANOVA_API_KEY", KEY));

            let requests = server.take();
            let [request] = requests.as_slice() else { panic!("{} requests", requests.len()) };
            assert_eq!(request.body, chat_body(&spec.request, stream));
            assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
            assert_eq!(request.headers["content-type"], "application/json");
            // curl shows the answer as it came, in JSON.
            let answered = if language == Language::Curl { "mundo" } else { ANSWER };
            assert!(said.contains(answered), "{said}");
            assert!(said.contains("completion_tokens"), "{said}");
        }
    }
}

#[test]
fn curl_snippets_run_in_sh() {
    find("curl", "curl");
    check_run(Language::Curl, |file| {
        let mut sh = quiet("sh");
        sh.arg(file);
        sh
    });
}

#[test]
fn curl_snippets_run_in_bash() {
    find("curl", "curl");
    let bash = find("bash", "bash");
    check_run(Language::Curl, |file| {
        let mut bash = quiet(&bash);
        bash.arg("--norc").arg(file);
        bash
    });
}

#[test]
fn openai_snippets_run() {
    let python = python_with("openai");
    check_run(Language::PythonOpenai, |file| {
        let mut python = quiet(&python);
        python.args(["-W", "error::DeprecationWarning:__main__"]).arg(file);
        python
    });
}

#[test]
fn sambanova_snippets_run() {
    let python = python_with("sambanova");
    check_run(Language::PythonSambanova, |file| {
        let mut python = quiet(&python);
        python.arg(file);
        python
    });
}

#[test]
fn a_very_long_conversation_still_runs_in_sh() {
    find("curl", "curl");
    let server = Recorder::start();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("chat.sh");
    let mut spec = nasty_spec(Language::Curl, &server.root(), true, Params::default());
    spec.request.messages.push(Message::new(Role::User, NASTY.concat().repeat(2_000)));
    fs::write(&file, write(&spec, KeyText::Variable)).expect("written");
    output_of(quiet("sh").arg(&file).env("SAMBANOVA_API_KEY", KEY));
    let requests = server.take();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].body == chat_body(&spec.request, true), "the bodies differ");
}

#[test]
fn rust_snippets_parse() {
    let rustfmt = find("rustfmt", "rustfmt (or: rustup component add rustfmt)");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("main.rs");
    for stream in [true, false] {
        let mut spec = nasty_spec(Language::Rust, "https://api.example.com", stream, all_params());
        spec.ca_file = Some("/etc/it's \"mine\"/ca.pem".into());
        fs::write(&file, write(&spec, KeyText::Plain(KEY))).expect("written");
        output_of(quiet(&rustfmt).args(["--edition", "2024", "--emit", "stdout"]).arg(&file));
    }
}

#[test]
#[ignore = "builds reqwest with its default features, which takes a minute: .ci/run asks for it"]
fn rust_snippets_run() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/rust-snippet");
    fs::create_dir_all(project.join("src")).expect("a folder");
    fs::write(
        project.join("Cargo.toml"),
        concat!(
            "[package]\nname = \"snippet\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
            "[dependencies]\nreqwest = { version = \"0.13\", features = [\"blocking\", \"json\"] }\n",
            "serde_json = \"1\"\n",
        ),
    )
    .expect("written");
    check_run(Language::Rust, |file| {
        fs::copy(file, project.join("src/main.rs")).expect("copied");
        let mut cargo = quiet(env!("CARGO"));
        cargo.args(["run", "-q"]).current_dir(&project);
        cargo.env("CARGO_TARGET_DIR", project.join("target")).env("RUSTFLAGS", "-Dwarnings");
        cargo
    });
}

#[test]
fn python_snippets_say_what_is_sent_for_any_message() {
    // One interpreter reads them all: it finds the call, evaluates the literals, and compares.
    const CHECK: &str = r#"
import ast, json, sys
for number, case in enumerate(json.load(open(sys.argv[1], encoding="utf-8"))):
    source = case["snippet"]
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    create = next(c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "create")
    body = {k.arg: ast.literal_eval(k.value) for k in create.keywords}
    body.update(body.pop("extra_body", {}))
    assert body == case["body"], (number, source, body, case["body"])
    client = next(c for c in calls if getattr(c.func, "id", "") in ("OpenAI", "SambaNova"))
    key = next(k.value for k in client.keywords if k.arg == "api_key")
    assert ast.literal_eval(key) == case["key"], (number, source)
    assert len(calls) == case["calls"], (number, source)
print("all right")
"#;
    let texts = prop_oneof![
        any::<String>(),
        "[\"'\\\\$`{}#\n\r\t an\u{2028}]{0,40}",
        proptest::sample::select(NASTY).prop_map(str::to_owned),
    ];
    let many = (proptest::collection::vec(texts.clone(), 0..5), proptest::collection::vec(texts, 0..3));
    let mut runner = TestRunner::deterministic();
    let mut cases = Vec::new();
    for number in 0..400 {
        let (messages, stop) = many.new_tree(&mut runner).expect("a tree").current();
        let language = [Language::PythonOpenai, Language::PythonSambanova][number % 2];
        let stream = number % 3 == 0;
        let key = messages.first().cloned().unwrap_or_default();
        let mut spec = plain_spec(language, stream);
        spec.request.params = if number % 5 == 0 { all_params() } else { Params::default() };
        spec.request.params.stop = stop;
        spec.request.messages = messages.into_iter().map(|text| Message::new(Role::User, text)).collect();
        cases.push(json!({
            "snippet": write(&spec, KeyText::Plain(&key)),
            "body": chat_body(&spec.request, stream),
            "key": key,
            // The client, the call, and a print each for the answer and for the usage.
            "calls": 4,
        }));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("cases.json");
    fs::write(&file, Value::from(cases).to_string()).expect("written");
    let python = find("python3", "python3");
    assert_eq!(output_of(quiet(python).args(["-c", CHECK]).arg(&file)).trim(), "all right");
}

/// The pictures of the snippets, in `tests/snapshots`.
fn check_snapshot(name: &str, spec: &SnippetSpec, key: KeyText<'_>) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("snippet_{name}"), write(spec, key)));
}

#[test]
fn snippets_read_well() {
    for (language, name) in Language::ALL.into_iter().zip(["curl", "openai", "sambanova", "rust"]) {
        check_snapshot(&format!("{name}_streamed"), &plain_spec(language, true), KeyText::Variable);

        let mut all = plain_spec(language, false);
        all.request.params = Params { stop: vec!["END".to_owned()], ..all_params() };
        all.request.params.seed = Some(42);
        all.request.params.max_tokens = Some(1_000);
        all.ca_file = Some(PathBuf::from("/etc/ssl/my ca.pem"));
        check_snapshot(&format!("{name}_all_set"), &all, KeyText::Masked { tail: "wxyz" });

        let mut careless = plain_spec(language, true);
        careless.accept_invalid_certs = true;
        careless.request.messages.truncate(1);
        check_snapshot(&format!("{name}_any_certificate"), &careless, KeyText::Variable);
    }
}
