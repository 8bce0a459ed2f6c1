//! View code: the program that makes the same request. Pure: text out, nothing run.

mod pictures;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use self::pictures::Pictures;
use crate::domain::conversation::ChatRequest;
use crate::domain::embedding::EmbedRequest;
use crate::domain::environment::ApiAddress;
use crate::wire::embeddings;
use crate::wire::openai::chat_body;

/// `write!` to a `String`, which cannot fail.
macro_rules! push {
    ($out:expr, $($what:tt)*) => {{
        // fails only when a Display does
        let _ = write!($out, $($what)*);
    }};
}

/// The environment variable that snippets and pasted commands read the key from.
pub const KEY_VARIABLE: &str = "SAMBANOVA_API_KEY";

/// What a snippet is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// A shell command.
    Curl,
    /// Python with the `openai` package.
    PythonOpenai,
    /// Python with the `sambanova` package.
    PythonSambanova,
    /// Rust with `reqwest`.
    Rust,
}

impl Language {
    /// All of them, in the order of the tabs.
    pub const ALL: [Self; 4] = [Self::Curl, Self::PythonOpenai, Self::PythonSambanova, Self::Rust];

    /// Its name on the tab.
    pub fn label(self) -> &'static str {
        match self {
            Self::Curl => "cURL",
            Self::PythonOpenai => "Python (openai)",
            Self::PythonSambanova => "Python (sambanova)",
            Self::Rust => "Rust (reqwest)",
        }
    }

    /// What a syntax highlighter calls it.
    pub fn syntax(self) -> &'static str {
        match self {
            Self::Curl => "sh",
            Self::PythonOpenai | Self::PythonSambanova => "py",
            Self::Rust => "rs",
        }
    }

    /// A name to save it under.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Curl => "chat.sh",
            Self::PythonOpenai | Self::PythonSambanova => "chat.py",
            Self::Rust => "main.rs",
        }
    }
}

/// All that a snippet says, but the key.
#[derive(Debug, Clone, PartialEq)]
pub struct SnippetSpec {
    /// What to write it in.
    pub language: Language,
    /// Where to.
    pub api: ApiAddress,
    /// Model, messages and parameters.
    pub request: ChatRequest,
    /// The texts of which the model makes embeddings instead; the messages then mean nothing.
    pub embed: Option<Vec<String>>,
    /// Streamed or in one piece.
    pub stream: bool,
    /// Certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Trust any certificate.
    pub accept_invalid_certs: bool,
}

impl SnippetSpec {
    /// What is sent.
    pub fn body(&self) -> Value {
        match &self.embed {
            Some(input) => {
                let model = self.request.model.clone();
                embeddings::body(&EmbedRequest { model, input: input.clone() })
            }
            None => chat_body(&self.request, self.stream),
        }
    }

    /// The pictures that are read from files, and the body with marks in their places.
    fn parts(&self) -> (Pictures, Value) {
        if self.embed.is_some() {
            return (Pictures::default(), self.body());
        }
        let (pictures, request) = Pictures::take_out_of(&self.request);
        (pictures, chat_body(&request, self.stream))
    }

    fn url(&self) -> String {
        if self.embed.is_some() { self.api.embeddings() } else { self.api.chat() }
    }

    fn streams(&self) -> bool {
        self.stream && self.embed.is_none()
    }
}

/// How the key stands in a snippet.
#[derive(Clone, Copy)]
pub enum KeyText<'a> {
    /// Read from `$SAMBANOVA_API_KEY` when the snippet runs.
    Variable,
    /// Dots and the key's tail, for the screen.
    Masked {
        /// The last characters, possibly none.
        tail: &'a str,
    },
    /// In the clear, for the clipboard only.
    Plain(&'a str),
}

impl std::fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Variable => "Variable",
            Self::Masked { .. } => "Masked",
            Self::Plain(_) => "Plain",
        })
    }
}

impl KeyText<'_> {
    /// The key as it is written down; `None` when the snippet reads the variable.
    fn literal(self) -> Option<String> {
        match self {
            Self::Variable => None,
            Self::Masked { tail } => Some(format!("{DOTS}{tail}")),
            Self::Plain(key) => Some(key.to_owned()),
        }
    }
}

/// Stand for the hidden part of a key.
const DOTS: &str = "••••••••";

/// Writes the snippet, ending in a newline.
pub fn write(spec: &SnippetSpec, key: KeyText<'_>) -> String {
    match spec.language {
        Language::Curl => curl(spec, key),
        Language::PythonOpenai => python(spec, key, &OPENAI),
        Language::PythonSambanova => python(spec, key, &SAMBANOVA),
        Language::Rust => rust(spec, key),
    }
}

// ---- cURL ----

/// Linux takes no single argument of 128 KiB or more; a longer body goes through standard input.
const LONGEST_ARGUMENT: usize = 100_000;

fn curl(spec: &SnippetSpec, key: KeyText<'_>) -> String {
    let (pictures, body) = spec.parts();
    let body = format!("{body:#}");
    let body = escape(&body, hidden, json_escape);

    let mut curl = "curl -sS".to_owned();
    if spec.streams() {
        curl += " -N";
    }
    let url = spec.url();
    if url.contains(['{', '}']) || url.split_once("://").is_some_and(|(_, rest)| path_has_bracket(rest)) {
        // Else curl reads a range such as [1-9] into the address.
        curl += " -g";
    }
    let mut lines = vec![format!("{curl} {}", sh_word(&url))];
    if spec.accept_invalid_certs {
        lines.push("-k".to_owned());
    } else if let Some(ca) = &spec.ca_file {
        lines.push(format!("--cacert {}", sh_word(&ca.to_string_lossy())));
    }
    lines.push(match key.literal() {
        None => format!("-H \"Authorization: Bearer ${KEY_VARIABLE}\""),
        Some(key) => format!("-H {}", sh_quoted(&format!("Authorization: Bearer {key}"))),
    });
    lines.push("-H 'Content-Type: application/json'".to_owned());

    if !pictures.is_empty() {
        lines.push("--data-binary @-".to_owned());
        let curl = lines.join(" \\\n  ");
        return format!(
            "{}{{\n{}}} | tr -d '\\n' | {curl}\n",
            pictures.comment("#"),
            piecewise(&pictures, &body)
        );
    }
    if body.len() < LONGEST_ARGUMENT {
        lines.push(format!("-d {}", sh_quoted(&tame_bangs(&body))));
        return lines.join(" \\\n  ") + "\n";
    }
    lines.push("--data-binary @- <<'JSON'\n".to_owned());
    // No line of the body can be JSON alone: text in it stands in quotes, on one line.
    lines.join(" \\\n  ") + &body.replace('!', r"\u0021") + "\nJSON\n"
}

/// The body of a request with pictures that would make it long, as a word for a shell that reads them from files;
/// `None` for any other.
pub fn body_in_words(request: &ChatRequest, stream: bool) -> Option<String> {
    let (pictures, request) = Pictures::take_out_of(request);
    if pictures.is_empty() {
        return None;
    }
    let mut out = String::new();
    for (piece, picture) in pictures.split(&chat_body(&request, stream).to_string()) {
        out += &sh_quoted(&escape(piece, hidden, json_escape));
        if let Some(picture) = picture {
            push!(out, "\"$(base64 < {} | tr -d '\\n')\"", sh_word(&picture.name));
        }
    }
    Some(out)
}

/// Commands that write the body with the pictures in it. Line breaks between and within the pieces mean nothing: those
/// of texts are escaped.
fn piecewise(pictures: &Pictures, body: &str) -> String {
    let mut out = String::new();
    for (piece, picture) in pictures.split(&body.replace('!', r"\u0021")) {
        push!(out, "cat <<'JSON'\n{piece}\nJSON\n");
        if let Some(picture) = picture {
            push!(out, "base64 < {}\n", sh_word(&picture.name));
        }
    }
    out
}

fn path_has_bracket(host_and_path: &str) -> bool {
    host_and_path.split_once('/').is_some_and(|(_, path)| path.contains(['[', ']']))
}

/// Interactive shells before bash 5 forget on the second line that they are inside quotes, and look
/// for `!` and a word of history. Harmless ones stay readable.
fn tame_bangs(json: &str) -> String {
    let tame_line = |line: &str| {
        let quoted = line.contains('\'');
        let mut out = String::with_capacity(line.len());
        for (at, c) in line.char_indices() {
            let harmless = !quoted && line[at + c.len_utf8()..].starts_with([' ', '"']);
            out.push_str(if c == '!' && !harmless { r"\u0021" } else { &line[at..at + c.len_utf8()] });
        }
        out
    };
    json.split('\n').map(tame_line).collect::<Vec<_>>().join("\n")
}

fn sh_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// As it is when every shell takes it for a plain word, else quoted.
fn sh_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { sh_quoted(text) }
}

// ---- Python ----

/// What differs between the two packages.
struct Package {
    name: &'static str,
    client: &'static str,
    /// Body fields its `create` takes no argument for.
    extra: &'static [&'static str],
}

const OPENAI: Package =
    Package { name: "openai", client: "OpenAI", extra: &["top_k", "chat_template_kwargs"] };
const SAMBANOVA: Package = Package { name: "sambanova", client: "SambaNova", extra: &[] };

fn python(spec: &SnippetSpec, key: KeyText<'_>, package: &Package) -> String {
    let Package { name, client, extra } = package;
    let own_http = spec.accept_invalid_certs || spec.ca_file.is_some();
    let ca_file = spec.ca_file.as_ref().filter(|_| !spec.accept_invalid_certs);

    let (pictures, body) = spec.parts();

    let mut out = format!("# pip install {name}\n");
    out += &pictures.comment("#");
    let modules =
        [("base64", !pictures.is_empty()), ("os", key.literal().is_none()), ("ssl", ca_file.is_some())];
    for (module, _) in modules.iter().filter(|(_, used)| *used) {
        push!(out, "import {module}\n");
    }
    if modules.iter().any(|(_, used)| *used) {
        out += "\n";
    }
    let http_import = if own_http { "DefaultHttpxClient, " } else { "" };
    push!(out, "from {name} import {http_import}{client}\n\n");
    if !pictures.is_empty() {
        out += PYTHON_PICTURE;
    }
    if let Some(ca) = ca_file {
        out += "tls = ssl.create_default_context()\n";
        push!(out, "tls.load_verify_locations({})\n\n", py_text(&ca.to_string_lossy()));
    }

    push!(out, "client = {client}(\n    base_url={},\n", py_text(&spec.api.base()));
    match key.literal() {
        None => push!(out, "    api_key=os.environ[\"{KEY_VARIABLE}\"],\n"),
        Some(key) => push!(out, "    api_key={},\n", py_text(&key)),
    }
    if own_http {
        let verify = if ca_file.is_some() { "tls" } else { "False" };
        push!(out, "    http_client=DefaultHttpxClient(verify={verify}),\n");
    }
    out += ")\n\n";

    let (result, call) = match (spec.embed.is_some(), spec.stream) {
        (true, _) => ("embeddings", "embeddings"),
        (false, true) => ("stream", "chat.completions"),
        (false, false) => ("completion", "chat.completions"),
    };
    push!(out, "{result} = client.{call}.create(\n");
    let mut extra_body = serde_json::Map::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        if extra.contains(&name.as_str()) {
            extra_body.insert(name.clone(), value.clone());
        } else {
            push!(out, "    {name}={},\n", py_value(value, 1, &pictures));
        }
    }
    if !extra_body.is_empty() {
        push!(out, "    extra_body={},\n", py_value(&Value::Object(extra_body), 1, &pictures));
    }
    out += ")\n";
    let calls = body.get("tools").is_some();
    match (spec.stream, calls) {
        _ if spec.embed.is_some() => out += PYTHON_EMBED,
        (true, false) => out += PYTHON_STREAM,
        (true, true) => out += &PYTHON_STREAM.replace("    if chunk.usage", PYTHON_STREAM_CALLS),
        (false, false) => out += PYTHON_WHOLE,
        (false, true) => {
            out += PYTHON_WHOLE;
            out += "print(completion.choices[0].message.tool_calls)\n";
        }
    }
    out
}

const PYTHON_PICTURE: &str = r#"
def data_url(media_type, name):
    with open(name, "rb") as file:
        return f"data:{media_type};base64,{base64.b64encode(file.read()).decode()}"


"#;

const PYTHON_STREAM: &str = r#"for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n{chunk.usage}")
"#;

const PYTHON_EMBED: &str = "for item in embeddings.data:
    print(len(item.embedding), item.embedding[:5])
print(embeddings.usage)
";

const PYTHON_STREAM_CALLS: &str = "    if chunk.choices and chunk.choices[0].delta.tool_calls:
        print(chunk.choices[0].delta.tool_calls)
    if chunk.usage";

const PYTHON_WHOLE: &str = "print(completion.choices[0].message.content)
print(completion.usage)
";

/// A Python literal: on one line when it is short, else an item a line.
fn py_value(value: &Value, depth: usize, pictures: &Pictures) -> String {
    let inline = py_inline(value, pictures);
    if inline.len() <= 72 && !inline.contains('\n') && !has_lines(value) {
        return inline;
    }
    let inner = "    ".repeat(depth + 1);
    let outer = "    ".repeat(depth);
    match value {
        Value::Array(items) => {
            let items: String = items
                .iter()
                .map(|item| format!("{inner}{},\n", py_value(item, depth + 1, pictures)))
                .collect();
            format!("[\n{items}{outer}]")
        }
        Value::Object(fields) => {
            let fields: String = fields
                .iter()
                .map(|(name, value)| {
                    format!("{inner}{}: {},\n", py_text(name), py_value(value, depth + 1, pictures))
                })
                .collect();
            format!("{{\n{fields}{outer}}}")
        }
        Value::String(text) if has_lines(value) => {
            // Neighbouring literals are one; triple quotes would not survive every text.
            let lines: String =
                text.split_inclusive('\n').map(|line| format!("{inner}{}\n", py_text(line))).collect();
            format!("(\n{lines}{outer})")
        }
        _ => inline,
    }
}

/// Whether some text in it reads better line by line.
fn has_lines(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim_end_matches('\n').contains('\n'),
        Value::Array(items) => items.iter().any(has_lines),
        Value::Object(fields) => fields.values().any(has_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn py_inline(value: &Value, pictures: &Pictures) -> String {
    if let Some(picture) = pictures.find(value) {
        return format!("data_url({}, {})", py_text(&picture.media_type), py_text(&picture.name));
    }
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => py_text(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(|item| py_inline(item, pictures)))),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", py_text(name), py_inline(value, pictures)));
            format!("{{{}}}", joined(fields))
        }
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn py_text(text: &str) -> String {
    quoted(text, |c, out| match u32::from(c) {
        code @ ..=0xff => push!(out, "\\x{code:02x}"),
        code @ ..=0xffff => push!(out, "\\u{code:04x}"),
        code => push!(out, "\\U{code:08x}"),
    })
}

// ---- Rust ----

fn rust(spec: &SnippetSpec, key: KeyText<'_>) -> String {
    let ca_file = spec.ca_file.as_ref().filter(|_| !spec.accept_invalid_certs);
    let (pictures, body) = spec.parts();
    let mut out = RUST_DEPENDENCIES.to_owned();
    if !pictures.is_empty() {
        push!(out, "// base64 = \"0.23\"\n{}", pictures.comment("//"));
    }
    out += "use std::error::Error;\n";
    if spec.streams() {
        out += "use std::io::{BufRead as _, BufReader, Write as _};\n";
    }
    out += "\n";
    if !pictures.is_empty() {
        out += "use base64::{Engine as _, engine::general_purpose::STANDARD};\n";
    }
    out += "use serde_json::{Value, json};\n\n";
    out += "fn main() -> Result<(), Box<dyn Error>> {\n";
    match key.literal() {
        None => push!(out, "    let key = std::env::var(\"{KEY_VARIABLE}\")?;\n"),
        Some(key) => push!(out, "    let key = {};\n", rs_text(&key)),
    }

    let messages = body.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if spec.embed.is_none() {
        let as_text = messages.iter().any(|message| message.get("tool_calls").is_some());
        push!(out, "    let messages{} = vec![\n", if as_text { ": Vec<Value>" } else { "" });
    }
    for message in messages {
        if message.get("tool_calls").is_some() {
            push!(out, "        serde_json::from_str({})?,\n", rs_json(message));
            continue;
        }
        let fields = message.as_object().into_iter().flatten();
        let fields = fields.map(|(name, value)| format!("{}: {}", rs_text(name), rs_said(value, &pictures)));
        push!(out, "        json!({{{}}}),\n", joined(fields));
    }
    if spec.embed.is_none() {
        out += "    ];\n";
    }
    let fields = || body.as_object().into_iter().flatten();
    for (name, value) in fields().filter(|(name, _)| AS_TEXT.contains(&name.as_str())) {
        push!(out, "    let {name}: Value = serde_json::from_str({})?;\n", rs_json(value));
    }
    out += "    let body = json!({\n";
    for (name, value) in fields() {
        let apart = name == "messages" || AS_TEXT.contains(&name.as_str());
        let value = if apart { name.clone() } else { rs_value(value, &pictures) };
        push!(out, "        {}: {value},\n", rs_text(name));
    }
    out += "    });\n\n";

    if let Some(ca) = ca_file {
        push!(out, "    let pem = std::fs::read({})?;\n", rs_text(&ca.to_string_lossy()));
    }
    out += "    let client = reqwest::blocking::Client::builder()\n";
    out += "        .timeout(None) // an answer takes as long as it takes\n";
    if ca_file.is_some() {
        out += "        .tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?)\n";
    }
    if spec.accept_invalid_certs {
        out += "        .tls_danger_accept_invalid_certs(true)\n";
    }
    out += "        .build()?;\n    let response = client\n";
    push!(out, "        .post({})\n", rs_text(&spec.url()));
    out += "        .bearer_auth(key)\n        .json(&body)\n        .send()?;\n";
    out += RUST_STATUS;
    let calls = body.get("tools").is_some();
    out += &match (spec.stream, calls) {
        _ if spec.embed.is_some() => RUST_EMBED.to_owned(),
        (true, false) => RUST_STREAM.to_owned(),
        (true, true) => RUST_STREAM.replace("        if chunk[\"usage\"]", RUST_STREAM_CALLS),
        (false, false) => RUST_WHOLE.to_owned(),
        (false, true) => RUST_WHOLE.replace("    println!(\"{}\", completion[\"usage\"]", RUST_WHOLE_CALLS),
    };
    if !pictures.is_empty() {
        out += RUST_PICTURE;
    }
    out
}

/// A field of a message: long texts line by line, and parts, of which one is a picture, one by one.
fn rs_said(value: &Value, pictures: &Pictures) -> String {
    match value {
        Value::String(text) if has_lines(value) => {
            let lines: String =
                text.split_inclusive('\n').map(|l| format!("            {},\n", rs_text(l))).collect();
            format!("concat!(\n{lines}        )")
        }
        Value::Array(parts) => {
            let parts: String = parts
                .iter()
                .map(|part| format!("            json!({}),\n", rs_value(part, pictures)))
                .collect();
            format!("vec![\n{parts}        ]")
        }
        value => rs_value(value, pictures),
    }
}

const RUST_DEPENDENCIES: &str = r#"// [dependencies]
// reqwest = { version = "0.13", features = ["blocking", "json"] }
// serde_json = "1"
"#;

const RUST_PICTURE: &str = r#"
fn data_url(media_type: &str, name: &str) -> std::io::Result<String> {
    let picture = STANDARD.encode(std::fs::read(name)?);
    Ok(format!("data:{media_type};base64,{picture}"))
}
"#;

const RUST_STATUS: &str = r#"    let status = response.status();
    if !status.is_success() {
        return Err(format!("HTTP {status}: {}", response.text()?).into());
    }
"#;

const RUST_STREAM: &str = r#"    for line in BufReader::new(response).lines() {
        let line = line?;
        let Some(data) = line.strip_prefix("data:").map(str::trim) else {
            continue;
        };
        if data == "[DONE]" {
            break;
        }
        let chunk: Value = serde_json::from_str(data)?;
        if let Some(text) = chunk["choices"][0]["delta"]["content"].as_str() {
            print!("{text}");
            std::io::stdout().flush()?;
        }
        if chunk["usage"].is_object() {
            println!("\n{}", chunk["usage"]);
        }
    }
    Ok(())
}
"#;

const RUST_EMBED: &str = r#"    let embeddings: Value = response.json()?;
    for item in embeddings["data"].as_array().into_iter().flatten() {
        let vector = item["embedding"].as_array().ok_or("a vector is missing")?;
        println!("{} {:?}", vector.len(), &vector[..vector.len().min(5)]);
    }
    println!("{}", embeddings["usage"]);
    Ok(())
}
"#;

const RUST_STREAM_CALLS: &str = r#"        let calls = &chunk["choices"][0]["delta"]["tool_calls"];
        if calls.is_array() {
            println!("{calls}");
        }
        if chunk["usage"]"#;

const RUST_WHOLE_CALLS: &str = r#"    println!("{}", completion["choices"][0]["message"]["tool_calls"]);
    println!("{}", completion["usage"]"#;

const RUST_WHOLE: &str = r#"    let completion: Value = response.json()?;
    println!("{}", completion["choices"][0]["message"]["content"].as_str().unwrap_or_default());
    println!("{}", completion["usage"]);
    Ok(())
}
"#;

/// Fields that hold schemas. `json!` recurses with each member and gives up on large ones, so they are read from text.
const AS_TEXT: [&str; 2] = ["response_format", "tools"];

/// JSON in a raw string, with as many marks as its quotes need.
fn rs_json(value: &Value) -> String {
    let text = escape(&format!("{value:#}"), hidden, json_escape);
    let marks = |rest: &str| rest.len() - rest.trim_start_matches('#').len();
    let most = text.split('"').skip(1).map(marks).max().unwrap_or(0);
    let marks = "#".repeat(most + 1);
    format!("r{marks}\"{text}\"{marks}")
}

/// Inside `json!`: JSON but for the texts.
fn rs_value(value: &Value, pictures: &Pictures) -> String {
    if let Some(picture) = pictures.find(value) {
        return format!("data_url({}, {})?", rs_text(&picture.media_type), rs_text(&picture.name));
    }
    match value {
        // A bare literal is an `i32`.
        Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_err()) => {
            format!("{number}_i64")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => rs_text(text),
        // A `vec!`, since `json!` recurses with each item and gives up after a hundred.
        Value::Array(items) => format!("vec![{}]", joined(items.iter().map(|item| rs_item(item, pictures)))),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", rs_text(name), rs_value(value, pictures)));
            format!("{{{}}}", joined(fields))
        }
    }
}

/// In a list, where an object is no expression.
fn rs_item(value: &Value, pictures: &Pictures) -> String {
    let value_text = rs_value(value, pictures);
    if value.is_object() || value.is_null() { format!("json!({value_text})") } else { value_text }
}

fn rs_text(text: &str) -> String {
    quoted(text, |c, out| push!(out, "\\u{{{:x}}}", u32::from(c)))
}

// ---- Shared ----

/// Characters that would not survive being shown, copied and pasted: controls, line separators, and
/// marks that turn the reading direction and so could make a snippet look like another one.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// What `hidden` finds in serialised JSON stands in a string there, but for the line breaks between.
fn json_escape(c: char, out: &mut String) {
    if c == '\n' {
        return out.push(c);
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        push!(out, "\\u{unit:04x}");
    }
}

/// A string literal as Python and Rust both read it; they differ in how any other character is written.
fn quoted(text: &str, other: impl Fn(char, &mut String)) -> String {
    let escaped = escape(
        text,
        |c| matches!(c, '"' | '\\') || hidden(c),
        |c, out| match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => other(c, out),
        },
    );
    format!("\"{escaped}\"")
}

fn escape(text: &str, needed: impl Fn(char) -> bool, how: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if needed(c) {
            how(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::conversation::{Message, Params, Role};

    fn spec(language: Language, texts: &[&str]) -> SnippetSpec {
        let messages = texts.iter().map(|text| Message::new(Role::User, *text)).collect();
        SnippetSpec {
            language,
            api: ApiAddress::parse("https://api.example.com").expect("an address"),
            request: ChatRequest { model: "m".to_owned(), messages, params: Params::default() },
            embed: None,
            stream: true,
            ca_file: None,
            accept_invalid_certs: false,
        }
    }

    /// Undoes `rs_text` the way the compiler would.
    fn read_rust_literal(literal: &str) -> String {
        let mut rest = literal.strip_prefix('"').and_then(|l| l.strip_suffix('"')).expect("quotes").chars();
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
            None => shlex::split(snippet).expect("words").pop().expect("the last word"),
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
            prop_assert_eq!(read_rust_literal(&rs_text(&text)), text);
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
            assert_eq!(tame_bangs(&Value::from(text).to_string()), json);
        }
    }

    #[test]
    fn a_body_too_long_for_an_argument_goes_through_standard_input() {
        let long = "it's $HOME `x` \\ !! \"JSON\"\nJSON\n".repeat(5_000);
        let spec = spec(Language::Curl, &[&long]);
        let snippet = write(&spec, KeyText::Variable);
        assert!(snippet.contains("--data-binary @- <<'JSON'\n{"), "{}", &snippet[..200]);
        assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
    }

    #[test]
    fn a_masked_key_is_only_its_tail_and_debug_shows_none() {
        for language in Language::ALL {
            let snippet = write(&spec(language, &["Hi"]), KeyText::Masked { tail: "wxyz" });
            assert!(snippet.contains("••••••••wxyz"), "{snippet}");
            assert!(!snippet.contains(KEY_VARIABLE), "{snippet}");
        }
        assert_eq!(format!("{:?}", KeyText::Plain("sk-secret")), "Plain");
    }

    #[test]
    fn rust_integers_fit_their_type() {
        let none = Pictures::take_out_of(&spec(Language::Rust, &[]).request).0;
        assert_eq!(rs_value(&Value::from(2_147_483_647), &none), "2147483647");
        assert_eq!(rs_value(&Value::from(2_147_483_648_i64), &none), "2147483648_i64");
    }
}
