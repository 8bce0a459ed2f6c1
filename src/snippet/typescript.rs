//! The request as a TypeScript program for Node.js, with the `openai` package.

use std::fmt::Write as _;

use serde_json::Value;

use super::pictures::SnippetImages;
use super::{ExtraText, KeyText, SnippetSpec, has_lines, joined, quoted};
use crate::domain::environment::ExtraKind;

/// Whole numbers beyond this are no longer exact in JavaScript: 2^53.
const MAX_EXACT: u64 = 1 << 53;

pub(super) fn typescript(spec: &SnippetSpec, key: KeyText<'_>) -> String {
    let (pictures, body) = spec.parts();
    let mut out = "// npm install openai\n".to_owned();
    if let Some(ca) = spec.ca_file.as_ref().filter(|_| !spec.accept_invalid_certs) {
        // Node.js reads it once, before the program starts.
        push!(
            out,
            "// Set NODE_EXTRA_CA_CERTS to {} before you start it\n",
            ts_text(&ca.to_string_lossy())
        );
    }
    out += &pictures.comment("//");
    if !pictures.is_empty() {
        out += "import { readFileSync } from \"node:fs\";\n\n";
    }
    out += "import OpenAI from \"openai\";\n\n";
    if spec.accept_invalid_certs {
        out += "process.env[\"NODE_TLS_REJECT_UNAUTHORIZED\"] = \"0\";\n\n";
    }
    client(&mut out, spec, key);
    create(&mut out, spec, &body, &pictures);
    out += &printing(spec, body.get("tools").is_some());
    if !pictures.is_empty() {
        out += PICTURE;
    }
    out
}

/// `const client = new OpenAI({…});`, with the key, the headers and the query parameters.
fn client(out: &mut String, spec: &SnippetSpec, key: KeyText<'_>) {
    push!(
        out,
        "const client = new OpenAI({{\n  baseURL: {},\n",
        ts_text(spec.api.base())
    );
    let variable = |name: &str| format!("process.env[{}]", ts_text(name));
    let key = spec.key_variable.as_ref().map(|name| {
        key.literal()
            .map_or_else(|| variable(name), |key| ts_text(&key))
    });
    let mut headers: Vec<(String, String)> = Vec::new();
    match (key, &spec.key_header) {
        (Some(key), None) => push!(out, "  apiKey: {key},\n"),
        (key, header) => {
            *out += "  apiKey: \"none\",\n";
            // The package sends its own header unless it is told not to.
            headers.push(("Authorization".to_owned(), "null".to_owned()));
            let named = header.as_ref().map(|name| name.as_str().to_owned());
            headers.extend(named.zip(key));
        }
    }
    let extras = |kind| {
        spec.extras(kind).map(|(name, text)| {
            let text = match text {
                ExtraText::Plain(text) => ts_text(&text),
                ExtraText::Variable(name) => variable(&name),
            };
            (name.to_owned(), text)
        })
    };
    for (name, text) in extras(ExtraKind::Header) {
        headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        headers.push((name, text));
    }
    let own = spec.api.query().into_iter();
    let own = own.map(|(name, value)| (name, ts_text(&value)));
    let query: Vec<(String, String)> = own.chain(extras(ExtraKind::Query)).collect();
    for (option, pairs) in [("defaultHeaders", headers), ("defaultQuery", query)] {
        if !pairs.is_empty() {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| format!("{}: {value}", ts_name(name)));
            push!(out, "  {option}: {{ {} }},\n", joined(pairs));
        }
    }
    *out += "});\n\n";
}

/// The call that sends the request.
fn create(out: &mut String, spec: &SnippetSpec, body: &Value, pictures: &SnippetImages) {
    let (result, call, of) = match (spec.embed.is_some(), spec.stream) {
        (true, _) => ("embeddings", "embeddings", "EmbeddingCreateParams"),
        (false, true) => (
            "stream",
            "chat.completions",
            "ChatCompletionCreateParamsStreaming",
        ),
        (false, false) => (
            "completion",
            "chat.completions",
            "ChatCompletionCreateParamsNonStreaming",
        ),
    };
    push!(out, "const {result} = await client.{call}.create({{\n");
    for (name, value) in body.as_object().into_iter().flatten() {
        let note = if is_exact(value) {
            ""
        } else {
            " // JavaScript rounds it"
        };
        push!(out, "  {},{note}\n", ts_field(name, value, 1, pictures));
    }
    // The server may take fields that the package has no types for.
    push!(out, "}} as OpenAI.{of});\n\n");
}

/// The lines that print the result.
fn printing(spec: &SnippetSpec, calls: bool) -> String {
    match (spec.stream, calls) {
        _ if spec.embed.is_some() => EMBED.to_owned(),
        (true, false) => STREAM.to_owned(),
        (true, true) => STREAM.replace("  if (chunk.usage)", STREAM_CALLS),
        (false, false) => WHOLE.to_owned(),
        (false, true) => {
            WHOLE.to_owned() + "console.log(completion.choices[0]?.message.tool_calls);\n"
        }
    }
}

const PICTURE: &str = r#"
function dataUrl(mediaType: string, name: string): string {
  return `data:${mediaType};base64,${readFileSync(name).toString("base64")}`;
}
"#;

const STREAM: &str = r#"for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
  if (chunk.usage) console.log("\n", chunk.usage);
}
"#;

const STREAM_CALLS: &str = "  const calls = chunk.choices[0]?.delta?.tool_calls;
  if (calls) console.log(calls);
  if (chunk.usage)";

const EMBED: &str = "for (const item of embeddings.data) {
  console.log(item.embedding.length, item.embedding.slice(0, 5));
}
console.log(embeddings.usage);
";

const WHOLE: &str = "console.log(completion.choices[0]?.message.content);
console.log(completion.usage);
";

/// Whether JavaScript's numbers can hold this.
fn is_exact(value: &Value) -> bool {
    let size = |number: &serde_json::Number| {
        number
            .as_i64()
            .map(i64::unsigned_abs)
            .or_else(|| number.as_u64())
    };
    value
        .as_number()
        .and_then(size)
        .is_none_or(|size| size <= MAX_EXACT)
}

/// A property: its name and its value, which begins below it if it has several lines of text.
fn ts_field(name: &str, value: &Value, depth: usize, pictures: &SnippetImages) -> String {
    let between = match value {
        Value::String(_) if has_lines(value) => format!("\n{}", "  ".repeat(depth + 1)),
        _ => " ".to_owned(),
    };
    let (name, value) = (ts_name(name), ts_value(value, depth, pictures));
    format!("{name}:{between}{value}")
}

/// A literal: on one line if it is short, else one item per line.
fn ts_value(value: &Value, depth: usize, pictures: &SnippetImages) -> String {
    let inline = ts_inline(value, pictures);
    if inline.len() <= 72 && !has_lines(value) {
        return inline;
    }
    let inner = "  ".repeat(depth + 1);
    let outer = "  ".repeat(depth);
    match value {
        Value::Array(items) => {
            let items = items.iter();
            let items: String = items
                .map(|item| format!("{inner}{},\n", ts_value(item, depth + 1, pictures)))
                .collect();
            format!("[\n{items}{outer}]")
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: String = fields
                .map(|(name, value)| {
                    format!("{inner}{},\n", ts_field(name, value, depth + 1, pictures))
                })
                .collect();
            format!("{{\n{fields}{outer}}}")
        }
        Value::String(text) if has_lines(value) => {
            let lines: Vec<String> = text.split_inclusive('\n').map(ts_text).collect();
            lines.join(&format!(" +\n{inner}"))
        }
        _ => inline,
    }
}

fn ts_inline(value: &Value, pictures: &SnippetImages) -> String {
    if let Some(picture) = pictures.find(value) {
        let (media_type, name) = (ts_text(&picture.media_type), ts_text(&picture.name));
        return format!("dataUrl({media_type}, {name})");
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => ts_text(text),
        Value::Array(items) => format!(
            "[{}]",
            joined(items.iter().map(|item| ts_inline(item, pictures)))
        ),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields
                .map(|(name, value)| format!("{}: {}", ts_name(name), ts_inline(value, pictures)));
            format!("{{ {} }}", joined(fields))
        }
    }
}

/// The name of a property.
fn ts_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    match name {
        // Written as a name it would set the object's prototype.
        "__proto__" => format!("[{}]", ts_text(name)),
        _ if starts && name.chars().all(plain) => name.to_owned(),
        _ => ts_text(name),
    }
}

fn ts_text(text: &str) -> String {
    quoted(text, |c, out| push!(out, "\\u{{{:x}}}", u32::from(c)))
}
