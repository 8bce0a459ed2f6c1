//! The snippets of View code, run for real.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk, Received};
use batida::domain::attachment::MOST_BODY;
use batida::domain::conversation::{
    AnswerFormat, ChatRequest, Effort, Message, Params, Role, Tool, ToolCall, ToolResult,
};
use batida::domain::dialect::Dialect;
use batida::domain::environment::{ApiAddress, HeaderName};
use batida::io::attachment;
use batida::snippet::{KeyText, Language, SnippetSpec, body_in_words, write};
use batida::wire::openai::chat_body;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::demo::Demo;
use crate::support::pictures;
use crate::support::programs::{find, output_of, quiet};

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
        extra_body: String::new(),
        max_tokens: Some(u32::MAX),
        temperature: Some(0.7),
        top_p: Some(1.0),
        top_k: Some(40),
        stop: NASTY[1..5].iter().map(|text| (*text).to_owned()).collect(),
        seed: Some(i64::MIN + 1),
        reasoning_effort: Some(Effort::High),
        thinking: Some(true),
        format: Some(AnswerFormat::JsonSchema {
            name: "answer".to_owned(),
            schema: r#"{"type":"object","properties":{"it's":{"type":"string","enum":["$HOME",null,true]}}}"#
                .to_owned(),
            strict: true,
        }),
        tools: vec![Tool {
            name: "get_weather".to_owned(),
            description: "Today's weather, \"here\" & `there`, \"#, \u{202e}".to_owned(),
            parameters: r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#
                .to_owned(),
            off: false,
        }],
    }
}

fn nasty_spec(language: Language, root: &str, stream: bool, params: Params) -> SnippetSpec {
    let roles = [Role::System, Role::User, Role::Assistant];
    let mut messages: Vec<Message> = NASTY
        .iter()
        .zip(roles.iter().cycle())
        .map(|(text, role)| Message::new(*role, *text))
        .collect();
    if !params.tools.is_empty() {
        // A function was called before, with arguments that are no JSON.
        let call = ToolCall {
            id: "c'1".to_owned(),
            name: "get_weather".to_owned(),
            arguments: NASTY[1].to_owned(),
        };
        let result = ToolResult {
            id: call.id.clone(),
            name: call.name.clone(),
            content: NASTY[4].to_owned(),
        };
        let called = Message {
            calls: vec![call],
            ..Message::new(Role::Assistant, "")
        };
        messages.splice(2..2, [called, Message::result(&result)]);
    }
    SnippetSpec {
        language,
        api: ApiAddress::parse(root).expect("an address"),
        request: ChatRequest {
            model: MODEL.to_owned(),
            messages,
            params,
        },
        embed: None,
        stream,
        ca_file: None,
        accept_invalid_certs: false,
        key_variable: Some("SAMBANOVA_API_KEY".to_owned()),
        key_header: None,
        extras: Vec::new(),
        dialect: Dialect::default(),
    }
}

fn plain_spec(language: Language, stream: bool) -> SnippetSpec {
    let messages = vec![
        Message::new(Role::System, "You are a helpful assistant"),
        Message::new(
            Role::User,
            "Write a haiku about $HOME.\n\nDon't say \"home\"!",
        ),
    ];
    SnippetSpec {
        language,
        api: ApiAddress::parse("https://api.example.com").expect("an address"),
        request: ChatRequest {
            model: "Meta-Llama-3.3-70B-Instruct".to_owned(),
            messages,
            params: Params::default(),
        },
        embed: None,
        stream,
        ca_file: None,
        accept_invalid_certs: false,
        key_variable: Some("SAMBANOVA_API_KEY".to_owned()),
        key_header: None,
        extras: Vec::new(),
        dialect: Dialect::default(),
    }
}

const MODEL: &str = "it's \"$MODEL\" \\ 🎉";

const EMBEDDER: &str = "it's an \"$EMBEDDER\"";

fn demo() -> Demo {
    let models = [
        DemoModel::quick(MODEL, Quirk::None).with_vision(),
        DemoModel::quick(EMBEDDER, Quirk::Embeds),
    ];
    Demo::start(models.to_vec())
}

/// Embeddings of several texts, or of one.
fn embed_specs(language: Language, root: &str) -> [SnippetSpec; 2] {
    let texts: Vec<String> = NASTY
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| (*text).to_owned())
        .collect();
    [texts.clone(), vec![texts.concat()]].map(|texts| {
        let mut spec = nasty_spec(language, root, true, all_params());
        spec.request.model = EMBEDDER.to_owned();
        SnippetSpec {
            embed: Some(texts),
            ..spec
        }
    })
}

/// The snippets that are run: streamed or not, with all parameters or none.
fn cases() -> impl Iterator<Item = (bool, Params)> {
    [true, false]
        .into_iter()
        .flat_map(|stream| [(stream, all_params()), (stream, Params::default())])
}

/// Runs `command` with snippets and compares what the demo was asked.
#[track_caller]
fn check_run(language: Language, run: impl Fn(&Path) -> Command) {
    let server = demo();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join(language.file_name());
    for (number, (stream, params)) in cases().enumerate() {
        let spec = nasty_spec(language, &server.root(), stream, params);
        // A Python takes a second to import its package: not every key in every case.
        let key = [KeyText::Variable, KeyText::Plain(DEMO_KEY)][number % 2];
        let odd = (number == 0).then_some(KeyText::Plain(KEY));
        for key in odd.into_iter().chain([key]) {
            fs::write(&file, write(&spec, key)).expect("written");
            check_said(&server, &spec, key, &mut run(&file));
        }
    }
    for spec in embed_specs(language, &server.root()) {
        fs::write(&file, write(&spec, KeyText::Variable)).expect("written");
        check_said(&server, &spec, KeyText::Variable, &mut run(&file));
    }
}

/// Said with two pictures from files, with one that is small enough to stand in the program, and with a text. The
/// files are put into `dir` as the program's comment says.
fn spec_with_pictures(language: Language, root: &str, stream: bool, dir: &Path) -> SnippetSpec {
    let mut spec = nasty_spec(language, root, stream, Params::default());
    let odd = "it's $HOME `x` \"!\" é.png";
    let files = [
        pictures::chart(dir, odd, (320, 200)),
        pictures::chart(dir, "wide.jpg", (2_300, 300)),
        pictures::write(dir, "dot.png", (2, 2), [1, 2, 3]),
    ];
    fs::write(dir.join("notes.txt"), NASTY[1..4].join("\n")).expect("written");
    let files = files.into_iter().chain([dir.join("notes.txt")]);
    let mut message = Message::new(
        Role::User,
        "Which is larger!?\n\"The first\", or the second",
    );
    message.attachments = files
        .map(|file| attachment::read_file(&file, MOST_BODY).expect("it is read"))
        .collect();
    let wide = message.attachments[1].image().expect("a picture");
    assert_eq!(
        (
            wide.width,
            message.attachments[2]
                .image()
                .map(|dot| dot.base64.len() < 400)
        ),
        (2_048, Some(true))
    );
    // It was made smaller: what is sent is saved out of the window.
    fs::write(dir.join("wide.jpg"), wide.bytes().expect("base64")).expect("written");
    spec.request.messages.push(message);
    spec
}

/// Runs a snippet that reads pictures from the folder it runs in.
#[track_caller]
fn check_pictures(language: Language, run: impl Fn(&Path) -> Command) {
    let server = demo();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join(language.file_name());
    for stream in [true, false] {
        let spec = spec_with_pictures(language, &server.root(), stream, dir.path());
        let snippet = write(&spec, KeyText::Variable);
        // A shell that is typed in may run comments, so it gets none.
        let told = match language {
            Language::Curl => "base64 < wide.jpg",
            _ => "wide.jpg (image/jpeg, 2048 × 267)",
        };
        assert!(
            snippet.len() < 12_000 && snippet.contains(told),
            "{snippet}"
        );
        fs::write(&file, snippet).expect("written");
        let mut command = run(&file);
        let before = server.received().len();
        let out = command
            .current_dir(dir.path())
            .env("SAMBANOVA_API_KEY", DEMO_KEY)
            .output()
            .expect("it starts");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        assert!(out.status.success(), "{said}");
        assert!(
            server.received()[before].body == chat_body(&spec.request, stream),
            "the bodies differ\n{said}"
        );
        let answer = if language == Language::Curl {
            "chat.completion"
        } else {
            "a JPEG of 2048 × 267 pixels"
        };
        assert!(said.contains(answer), "{said}");
    }
}

/// As the list of activities has it, on one line.
#[test]
fn a_body_with_pictures_is_one_word_for_a_shell() {
    let dir = tempfile::tempdir().expect("a folder");
    let spec = spec_with_pictures(Language::Curl, "https://api.example.com", true, dir.path());
    let words = body_in_words(&spec.request, true, Dialect::default()).expect("it has pictures");
    assert!(words.len() < 12_000 && !words.contains('\n'), "{words}");
    let mut sh = quiet("sh");
    sh.current_dir(dir.path())
        .args(["-c", &format!("printf %s {words}")]);
    let body: Value = serde_json::from_str(&output_of(&mut sh)).expect("JSON");
    assert!(body == chat_body(&spec.request, true), "the bodies differ");
    assert_eq!(
        body_in_words(
            &plain_spec(Language::Curl, true).request,
            true,
            Dialect::default()
        ),
        None
    );
}

#[test]
fn snippets_with_pictures_run() {
    check_pictures(Language::Curl, |file| {
        let mut sh = quiet("sh");
        sh.arg(file);
        sh
    });
    for (language, package) in [
        (Language::PythonOpenai, "openai"),
        (Language::PythonSambanova, "sambanova"),
    ] {
        let python = python_with(package);
        check_pictures(language, |file| {
            let mut python = quiet(&python);
            python.arg(file);
            python
        });
    }
}

/// Runs one snippet. The demo takes only its own key, so another one must be refused and told so.
#[track_caller]
fn check_said(server: &Demo, spec: &SnippetSpec, key: KeyText<'_>, command: &mut Command) {
    let (sent, refused) = match key {
        KeyText::Plain(KEY) => (KEY, true),
        _ => (DEMO_KEY, false),
    };
    let before = server.received().len();
    let out = command
        .env("SAMBANOVA_API_KEY", DEMO_KEY)
        .output()
        .expect("it starts");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    let received = server.received();
    let [
        Received {
            authorization,
            content_type,
            body,
            ..
        },
    ] = &received[before..]
    else {
        panic!("{} requests\n{said}", received.len() - before)
    };
    if spec.language == Language::Typescript {
        assert_eq!(as_javascript(body), as_javascript(&spec.body()));
    } else {
        assert_eq!(*body, spec.body());
    }
    assert_eq!(
        authorization.as_deref(),
        Some(format!("Bearer {sent}").as_str())
    );
    assert_eq!(content_type.as_deref(), Some("application/json"));
    // curl shows a refusal as it shows an answer.
    assert_eq!(
        out.status.success(),
        !refused || spec.language == Language::Curl,
        "{said}"
    );
    if refused {
        return assert!(said.contains("Invalid API key"), "{said}");
    }
    // curl shows the answer as it came, in JSON and in pieces.
    let (answered, counted) = match (&spec.embed, spec.language, &spec.request.params.format) {
        (Some(_), Language::Curl, _) => ("\"embedding\":[", "prompt_tokens"),
        (Some(_), ..) => ("1024 [", "prompt_tokens"),
        (None, Language::Curl, _) => ("chat.completion", "completion_tokens"),
        (None, _, None) => ("**simulated answer**", "completion_tokens"),
        (None, _, Some(_)) => ("\"it's\": ", "completion_tokens"),
    };
    assert!(said.contains(answered) && said.contains(counted), "{said}");
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
        python
            .args(["-W", "error::DeprecationWarning:__main__"])
            .arg(file);
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
    let server = demo();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("chat.sh");
    let mut spec = nasty_spec(Language::Curl, &server.root(), true, Params::default());
    spec.request
        .messages
        .push(Message::new(Role::User, NASTY.concat().repeat(2_000)));
    fs::write(&file, write(&spec, KeyText::Variable)).expect("written");
    output_of(quiet("sh").arg(&file).env("SAMBANOVA_API_KEY", DEMO_KEY));
    let received = server.received();
    assert_eq!(received.len(), 1);
    assert!(received[0].body == spec.body(), "the bodies differ");
}

#[test]
fn rust_snippets_parse() {
    let rustfmt = find("rustfmt", "rustfmt (or: rustup component add rustfmt)");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("main.rs");
    for stream in [true, false] {
        let mut spec = nasty_spec(
            Language::Rust,
            "https://api.example.com",
            stream,
            all_params(),
        );
        spec.ca_file = Some("/etc/it's \"mine\"/ca.pem".into());
        fs::write(&file, write(&spec, KeyText::Plain(KEY))).expect("written");
        output_of(
            quiet(&rustfmt)
                .args(["--edition", "2024", "--emit", "stdout"])
                .arg(&file),
        );
    }
}

/// All of them are modules of one crate, built once with the very packages that Batida is built with.
#[test]
fn rust_snippets_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = root.join("target/ci/rust-snippets");
    fs::create_dir_all(project.join("src")).expect("a folder");
    fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).expect("copied");
    write_if_new(
        &project.join("Cargo.toml"),
        r#"[package]
name = "snippets"
version = "0.0.0"
edition = "2024"
[workspace]
[profile.dev]
debug = false
[dependencies]
reqwest = { version = "0.13", default-features = false, features = ["blocking", "json", "rustls-no-provider"] }
rustls = { version = "0.23", default-features = false, features = ["ring", "std", "tls12"] }
serde_json = "1"
base64 = "0.23"
"#,
    );
    let server = demo();
    let mut specs = Vec::new();
    for (stream, params) in cases() {
        let spec = nasty_spec(Language::Rust, &server.root(), stream, params);
        specs.extend([KeyText::Variable, KeyText::Plain(KEY)].map(|key| (spec.clone(), key)));
    }
    specs.extend(embed_specs(Language::Rust, &server.root()).map(|spec| (spec, KeyText::Variable)));
    let pictures = tempfile::tempdir().expect("a folder");
    let spec = spec_with_pictures(Language::Rust, &server.root(), true, pictures.path());
    specs.push((spec, KeyText::Variable));
    // These are compiled only: nobody answers at their address.
    let careless = SnippetSpec {
        accept_invalid_certs: true,
        ..plain_spec(Language::Rust, true)
    };
    let careful = SnippetSpec {
        ca_file: Some("/it's/ca.pem".into()),
        ..plain_spec(Language::Rust, false)
    };
    let compiled = [(careless, KeyText::Variable), (careful, KeyText::Variable)];
    let (mut modules, mut arms) = (String::new(), String::new());
    for (number, (spec, key)) in specs.iter().chain(&compiled).enumerate() {
        let snippet = write(spec, *key);
        assert_eq!(snippet.matches("\nfn main()").count(), 1, "{snippet}");
        let file = project.join(format!("src/s{number}.rs"));
        write_if_new(
            &file,
            &snippet.replace("\nfn main()", "\npub(crate) fn main()"),
        );
        modules += &format!("mod s{number};\n");
        arms += &format!("        Some(\"{number}\") => s{number}::main(),\n");
    }
    // reqwest's default features bring this provider's twin by themselves, after a minute of C.
    let main = format!(
        "#![deny(warnings)]\n{modules}\nfn main() -> Result<(), Box<dyn std::error::Error>> {{\n    \
         rustls::crypto::ring::default_provider().install_default().expect(\"the first\");\n    \
         match std::env::args().nth(1).as_deref() {{\n{arms}        _ => Err(\"which?\".into()),\n    }}\n}}\n"
    );
    write_if_new(&project.join("src/main.rs"), &main);
    let mut cargo = quiet(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--offline"])
        .current_dir(&project);
    output_of(
        cargo
            .env("CARGO_TARGET_DIR", project.join("target"))
            .env_remove("RUSTFLAGS"),
    );
    for (number, (spec, key)) in specs.iter().enumerate() {
        let mut program = quiet(project.join("target/debug/snippets"));
        program.current_dir(pictures.path());
        check_said(&server, spec, *key, program.arg(number.to_string()));
    }
}

/// JavaScript has one kind of number, so it writes 1.0 as 1.
fn as_javascript(body: &Value) -> Value {
    match body {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(as_javascript).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), as_javascript(value)))
            .collect(),
        other => other.clone(),
    }
}

/// All of them are checked and translated at once by TypeScript's own compiler, with the package's types.
#[test]
fn typescript_snippets_run() {
    let (node, packages) = node_with_openai();
    let server = demo();
    let pictures = tempfile::tempdir().expect("a folder");
    let mut specs = Vec::new();
    for (stream, mut params) in cases() {
        // A larger one is not exact in JavaScript, and the program says so.
        params.seed = params.seed.map(|_| -(1 << 53));
        let spec = nasty_spec(Language::Typescript, &server.root(), stream, params);
        specs.extend([KeyText::Variable, KeyText::Plain(KEY)].map(|key| (spec.clone(), key)));
    }
    let embeds = embed_specs(Language::Typescript, &server.root());
    specs.extend(embeds.map(|spec| (spec, KeyText::Variable)));
    for stream in [true, false] {
        let root = server.root();
        let spec = spec_with_pictures(Language::Typescript, &root, stream, pictures.path());
        specs.push((spec, KeyText::Variable));
    }
    // It is compiled only: nobody answers at its address.
    let mut careless = plain_spec(Language::Typescript, true);
    careless.accept_invalid_certs = true;
    careless.key_header = HeaderName::parse("api-key").ok();
    careless.api = ApiAddress::parse("h.example/v1?api-version=1").expect("an address");

    let dir = tempfile::tempdir_in(&packages).expect("a folder");
    let careless = (careless, KeyText::Variable);
    let all: Vec<_> = specs.iter().chain([&careless]).collect();
    for (number, (spec, key)) in all.iter().enumerate() {
        let file = dir.path().join(format!("s{number}.mts"));
        fs::write(file, write(spec, *key)).expect("written");
    }
    let mut compiler = quiet(&node);
    compiler
        .arg(packages.join("node_modules/typescript/bin/tsc"))
        .args(["--strict", "--noUnusedLocals", "--skipLibCheck"])
        .args(["--target", "es2022", "--module", "nodenext"])
        .args((0..all.len()).map(|number| format!("s{number}.mts")));
    output_of(compiler.current_dir(dir.path()));
    for (number, (spec, key)) in specs.iter().enumerate() {
        let mut program = quiet(&node);
        program.current_dir(pictures.path());
        let file = dir.path().join(format!("s{number}.mjs"));
        check_said(&server, spec, *key, program.arg(file));
    }
}

/// Node.js, and the folder in which npm has installed the packages: `BATIDA_TEST_NODE_PACKAGES`, else the one of the
/// README's test command.
#[track_caller]
fn node_with_openai() -> (PathBuf, PathBuf) {
    let node = find("node", "nodejs");
    let named = std::env::var_os("BATIDA_TEST_NODE_PACKAGES").map(PathBuf::from);
    let packages =
        named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/node"));
    for package in ["openai", "typescript", "@types/node"] {
        let found = packages.join("node_modules").join(package).is_dir();
        assert!(
            found,
            "{} has no package {package}: npm install --prefix target/ci/node openai typescript@5 @types/node",
            packages.display()
        );
    }
    (node, packages)
}

/// A file that did not change is not compiled again.
fn write_if_new(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    fs::write(path, text).expect("written");
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
    let many = (
        proptest::collection::vec(texts.clone(), 0..5),
        proptest::collection::vec(texts, 0..3),
    );
    let mut runner = TestRunner::deterministic();
    let mut cases = Vec::new();
    for number in 0..400 {
        let (messages, stop) = many.new_tree(&mut runner).expect("a tree").current();
        let language = [Language::PythonOpenai, Language::PythonSambanova][number % 2];
        let stream = number % 3 == 0;
        let key = messages.first().cloned().unwrap_or_default();
        let mut spec = plain_spec(language, stream);
        spec.request.params = if number % 5 == 0 {
            all_params()
        } else {
            Params::default()
        };
        spec.request.params.stop = stop;
        spec.request.messages = messages
            .into_iter()
            .map(|text| Message::new(Role::User, text))
            .collect();
        cases.push(json!({
            "snippet": write(&spec, KeyText::Plain(&key)),
            "body": spec.body(),
            "key": key,
            // The client, the call, and a print each for the answer, for the usage, and for what is called.
            "calls": if spec.request.params.tools.is_empty() { 4 } else { 5 },
        }));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("cases.json");
    fs::write(&file, Value::from(cases).to_string()).expect("written");
    let python = find("python3", "python3");
    assert_eq!(
        output_of(quiet(python).args(["-c", CHECK]).arg(&file)).trim(),
        "all right"
    );
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
    for (language, name) in
        Language::ALL
            .into_iter()
            .zip(["curl", "openai", "sambanova", "typescript", "rust"])
    {
        check_snapshot(
            &format!("{name}_streamed"),
            &plain_spec(language, true),
            KeyText::Variable,
        );

        let mut all = plain_spec(language, false);
        all.request.params = Params {
            stop: vec!["END".to_owned()],
            ..all_params()
        };
        all.request.params.seed = Some(42);
        all.request.params.max_tokens = Some(1_000);
        all.ca_file = Some(PathBuf::from("/etc/ssl/my ca.pem"));
        check_snapshot(
            &format!("{name}_all_set"),
            &all,
            KeyText::Masked { tail: "wxyz" },
        );

        let mut careless = plain_spec(language, true);
        careless.accept_invalid_certs = true;
        careless.request.messages.truncate(1);
        check_snapshot(
            &format!("{name}_any_certificate"),
            &careless,
            KeyText::Variable,
        );

        let mut embed = plain_spec(language, true);
        embed.request.model = "E5-Mistral-7B-Instruct".to_owned();
        embed.embed = Some(vec![
            "A cat sleeps".to_owned(),
            "Cats are sleeping".to_owned(),
        ]);
        check_snapshot(&format!("{name}_embeddings"), &embed, KeyText::Variable);
    }
}

/// The Python that has the packages: `BATIDA_TEST_PYTHON`, else the one that `.ci/run` sets up.
pub(crate) fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("BATIDA_TEST_PYTHON") {
        return python.into();
    }
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/venv/bin/python3");
    if venv.is_file() {
        venv
    } else {
        find("python3", "python3")
    }
}

/// A Python that can import `module`.
#[track_caller]
pub(crate) fn python_with(module: &str) -> PathBuf {
    let python = python();
    let import = quiet(&python)
        .args(["-c", &format!("import {module}")])
        .output();
    let found = import.as_ref().is_ok_and(|out| out.status.success());
    assert!(
        found,
        "{} has no module {module}: python3 -m venv target/ci/venv && target/ci/venv/bin/pip install {module}\n{import:?}",
        python.display()
    );
    python
}
