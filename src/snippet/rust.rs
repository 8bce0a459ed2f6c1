//! The request as a Rust program.

use std::fmt::Write as _;

use serde_json::Value;

use super::pictures::SnippetImages;
use super::{
    ExtraText, KeyText, SnippetSpec, escape, has_lines, hidden, joined, json_escape, quoted,
};
use crate::domain::environment::ExtraKind;

pub(super) fn rust(spec: &SnippetSpec, key: KeyText<'_>) -> String {
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
    match (&spec.key_variable, key.literal()) {
        (None, _) => {}
        (Some(variable), None) => push!(
            out,
            "    let key = std::env::var({})?;\n",
            rs_text(variable)
        ),
        (Some(_), Some(key)) => push!(out, "    let key = {};\n", rs_text(&key)),
    }
    if spec.embed.is_none() {
        messages(&mut out, &body, &pictures);
    }
    body_fields(&mut out, &body, &pictures);
    request(&mut out, spec);
    out += RUST_STATUS;
    out += &printing(spec, body.get("tools").is_some());
    if !pictures.is_empty() {
        out += RUST_PICTURE;
    }
    out
}

/// `let messages = vec![…];`
fn messages(out: &mut String, body: &Value, pictures: &SnippetImages) {
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let as_text = messages
        .iter()
        .any(|message| message.get("tool_calls").is_some());
    push!(
        out,
        "    let messages{} = vec![\n",
        if as_text { ": Vec<Value>" } else { "" }
    );
    for message in messages {
        if message.get("tool_calls").is_some() {
            push!(
                out,
                "        serde_json::from_str({})?,\n",
                rs_json(message)
            );
            continue;
        }
        let fields = message.as_object().into_iter().flatten();
        let fields =
            fields.map(|(name, value)| format!("{}: {}", rs_text(name), rs_said(value, pictures)));
        push!(out, "        json!({{{}}}),\n", joined(fields));
    }
    *out += "    ];\n";
}

/// `let body = json!({…});`, after the schemas that it names.
fn body_fields(out: &mut String, body: &Value, pictures: &SnippetImages) {
    let fields = || body.as_object().into_iter().flatten();
    for (name, value) in fields().filter(|(name, _)| PARSED_FIELDS.contains(&name.as_str())) {
        push!(
            out,
            "    let {name}: Value = serde_json::from_str({})?;\n",
            rs_json(value)
        );
    }
    *out += "    let body = json!({\n";
    for (name, value) in fields() {
        let apart = name == "messages" || PARSED_FIELDS.contains(&name.as_str());
        let value = if apart {
            name.clone()
        } else {
            rs_value(value, pictures)
        };
        push!(out, "        {}: {value},\n", rs_text(name));
    }
    *out += "    });\n\n";
}

/// The client and the request that it sends.
fn request(out: &mut String, spec: &SnippetSpec) {
    let ca_file = spec.ca_file.as_ref().filter(|_| !spec.accept_invalid_certs);
    if let Some(ca) = ca_file {
        push!(
            out,
            "    let pem = std::fs::read({})?;\n",
            rs_text(&ca.to_string_lossy())
        );
    }
    *out += "    let client = reqwest::blocking::Client::builder()\n";
    *out += "        .timeout(None) // generating an answer may take minutes\n";
    if ca_file.is_some() {
        *out += "        .tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?)\n";
    }
    if spec.accept_invalid_certs {
        *out += "        .tls_danger_accept_invalid_certs(true)\n";
    }
    *out += "        .build()?;\n    let response = client\n";
    let written = |text: ExtraText| match text {
        ExtraText::Plain(text) => format!("{}.to_owned()", rs_text(&text)),
        ExtraText::Variable(variable) => format!("std::env::var({})?", rs_text(&variable)),
    };
    let query: Vec<String> = spec
        .extras(ExtraKind::Query)
        .map(|(name, text)| format!("({}, {})", rs_text(name), written(text)))
        .collect();
    match query.is_empty() {
        true => push!(out, "        .post({})\n", rs_text(&spec.url())),
        false => push!(
            out,
            "        .post(reqwest::Url::parse_with_params({}, [{}])?)\n",
            rs_text(&spec.url()),
            query.join(", ")
        ),
    }
    match (&spec.key_variable, &spec.key_header) {
        (None, _) => {}
        (Some(_), None) => *out += "        .bearer_auth(key)\n",
        (Some(_), Some(name)) => push!(out, "        .header({}, key)\n", rs_text(name.as_str())),
    }
    for (name, text) in spec.extras(ExtraKind::Header) {
        push!(
            out,
            "        .header({}, {})\n",
            rs_text(name),
            written(text)
        );
    }
    *out += "        .json(&body)\n        .send()?;\n";
}

/// The lines that print the result.
fn printing(spec: &SnippetSpec, calls: bool) -> String {
    match (spec.stream, calls) {
        _ if spec.embed.is_some() => RUST_EMBED.to_owned(),
        (true, false) => RUST_STREAM.to_owned(),
        (true, true) => RUST_STREAM.replace("        if chunk[\"usage\"]", RUST_STREAM_CALLS),
        (false, false) => RUST_WHOLE.to_owned(),
        (false, true) => RUST_WHOLE.replace(
            "    println!(\"{}\", completion[\"usage\"]",
            RUST_WHOLE_CALLS,
        ),
    }
}

/// A field of a message: texts of several lines line by line, and content parts one by one.
fn rs_said(value: &Value, pictures: &SnippetImages) -> String {
    match value {
        Value::String(text) if has_lines(value) => {
            let lines: String = text
                .split_inclusive('\n')
                .map(|l| format!("            {},\n", rs_text(l)))
                .collect();
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

/// Fields with schemas. `json!` recurses with each member and fails for large values, so the program parses them
/// from text.
const PARSED_FIELDS: [&str; 2] = ["response_format", "tools"];

/// JSON in a raw string, with as many `#` as its quotes need.
fn rs_json(value: &Value) -> String {
    let text = escape(&format!("{value:#}"), hidden, json_escape);
    let marks = |rest: &str| rest.len() - rest.trim_start_matches('#').len();
    let most = text.split('"').skip(1).map(marks).max().unwrap_or(0);
    let marks = "#".repeat(most + 1);
    format!("r{marks}\"{text}\"{marks}")
}

/// A value inside `json!`.
pub(super) fn rs_value(value: &Value, pictures: &SnippetImages) -> String {
    if let Some(picture) = pictures.find(value) {
        return format!(
            "data_url({}, {})?",
            rs_text(&picture.media_type),
            rs_text(&picture.name)
        );
    }
    match value {
        // A literal without a suffix is an `i32`.
        Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_err()) => {
            format!("{number}_i64")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => rs_text(text),
        // A `vec!`, because `json!` recurses with each item and fails after about a hundred.
        Value::Array(items) => format!(
            "vec![{}]",
            joined(items.iter().map(|item| rs_item(item, pictures)))
        ),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", rs_text(name), rs_value(value, pictures)));
            format!("{{{}}}", joined(fields))
        }
    }
}

/// A value inside `vec!`, where an object needs a `json!` of its own.
fn rs_item(value: &Value, pictures: &SnippetImages) -> String {
    let value_text = rs_value(value, pictures);
    if value.is_object() || value.is_null() {
        format!("json!({value_text})")
    } else {
        value_text
    }
}

pub(super) fn rs_text(text: &str) -> String {
    quoted(text, |c, out| push!(out, "\\u{{{:x}}}", u32::from(c)))
}
