//! The request as a Python program, with either package.

use std::fmt::Write as _;

use serde_json::Value;

use super::pictures::Pictures;
use super::{ExtraText, KeyText, SnippetSpec, has_lines, joined, quoted};
use crate::domain::environment::ExtraKind;

/// What differs between the two packages.
pub(super) struct Package {
    name: &'static str,
    client: &'static str,
    /// Body fields its `create` takes no argument for.
    extra: &'static [&'static str],
}

pub(super) const OPENAI: Package = Package {
    name: "openai",
    client: "OpenAI",
    extra: &["top_k", "chat_template_kwargs"],
};
pub(super) const SAMBANOVA: Package = Package {
    name: "sambanova",
    client: "SambaNova",
    extra: &[],
};

pub(super) fn python(spec: &SnippetSpec, key: KeyText<'_>, package: &Package) -> String {
    let Package {
        name,
        client,
        extra,
    } = package;
    let own_http = spec.accept_invalid_certs || spec.ca_file.is_some();
    let ca_file = spec.ca_file.as_ref().filter(|_| !spec.accept_invalid_certs);

    let (pictures, body) = spec.parts();

    let mut out = format!("# pip install {name}\n");
    out += &pictures.comment("#");
    let reads = |text: &ExtraText| matches!(text, ExtraText::Variable(_));
    let reads_extras = [ExtraKind::Header, ExtraKind::Query]
        .iter()
        .any(|kind| spec.extras(*kind).any(|(_, text)| reads(&text)));
    let reads_key = spec.key_variable.is_some() && key.literal().is_none();
    let modules = [
        ("base64", !pictures.is_empty()),
        ("os", reads_key || reads_extras),
        ("ssl", ca_file.is_some()),
    ];
    for (module, _) in modules.iter().filter(|(_, used)| *used) {
        push!(out, "import {module}\n");
    }
    if modules.iter().any(|(_, used)| *used) {
        out += "\n";
    }
    let http_import = if own_http { "DefaultHttpxClient, " } else { "" };
    // The client sends its own header for the key unless it is told not to.
    let own_authorization = spec
        .extras(ExtraKind::Header)
        .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let omit = (spec.key_variable.is_none() || spec.key_header.is_some()) && !own_authorization;
    let omit_import = if omit { "Omit, " } else { "" };
    push!(
        out,
        "from {name} import {http_import}{omit_import}{client}\n\n"
    );
    if !pictures.is_empty() {
        out += PYTHON_PICTURE;
    }
    if let Some(ca) = ca_file {
        out += "tls = ssl.create_default_context()\n";
        push!(
            out,
            "tls.load_verify_locations({})\n\n",
            py_text(&ca.to_string_lossy())
        );
    }

    push!(
        out,
        "client = {client}(\n    base_url={},\n",
        py_text(spec.api.base())
    );
    let key = spec
        .key_variable
        .as_ref()
        .map(|variable| match key.literal() {
            None => format!("os.environ[{}]", py_text(variable)),
            Some(key) => py_text(&key),
        });
    let mut headers: Vec<(String, String)> = Vec::new();
    match (key, &spec.key_header) {
        (Some(key), None) => push!(out, "    api_key={key},\n"),
        (key, header) => {
            out += "    api_key=\"none\",\n";
            let named = header
                .as_ref()
                .map(|name| name.as_str().to_owned())
                .zip(key);
            headers.extend(named);
        }
    }
    let written = |text: ExtraText| match text {
        ExtraText::Plain(text) => py_text(&text),
        ExtraText::Variable(variable) => format!("os.environ[{}]", py_text(&variable)),
    };
    let extras = |kind| {
        spec.extras(kind)
            .map(|(name, text)| (name.to_owned(), written(text)))
    };
    headers.extend(extras(ExtraKind::Header));
    let own = spec
        .api
        .query()
        .into_iter()
        .map(|(name, value)| (name, py_text(&value)));
    let query: Vec<(String, String)> = own.chain(extras(ExtraKind::Query)).collect();
    for (argument, pairs) in [("default_headers", headers), ("default_query", query)] {
        if !pairs.is_empty() {
            let pairs = pairs
                .iter()
                .map(|(name, value)| format!("{}: {value}", py_text(name)));
            push!(out, "    {argument}={{{}}},\n", joined(pairs));
        }
    }
    if own_http {
        let verify = if ca_file.is_some() { "tls" } else { "False" };
        push!(
            out,
            "    http_client=DefaultHttpxClient(verify={verify}),\n"
        );
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
    if omit {
        // Said here, since the client refuses to go without it otherwise.
        out += "    extra_headers={\"Authorization\": Omit()},\n";
    }
    if !extra_body.is_empty() {
        push!(
            out,
            "    extra_body={},\n",
            py_value(&Value::Object(extra_body), 1, &pictures)
        );
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
                    format!(
                        "{inner}{}: {},\n",
                        py_text(name),
                        py_value(value, depth + 1, pictures)
                    )
                })
                .collect();
            format!("{{\n{fields}{outer}}}")
        }
        Value::String(text) if has_lines(value) => {
            // Neighbouring literals are one; triple quotes would not survive every text.
            let lines: String = text
                .split_inclusive('\n')
                .map(|line| format!("{inner}{}\n", py_text(line)))
                .collect();
            format!("(\n{lines}{outer})")
        }
        _ => inline,
    }
}

fn py_inline(value: &Value, pictures: &Pictures) -> String {
    if let Some(picture) = pictures.find(value) {
        return format!(
            "data_url({}, {})",
            py_text(&picture.media_type),
            py_text(&picture.name)
        );
    }
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => py_text(text),
        Value::Array(items) => format!(
            "[{}]",
            joined(items.iter().map(|item| py_inline(item, pictures)))
        ),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", py_text(name), py_inline(value, pictures)));
            format!("{{{}}}", joined(fields))
        }
    }
}

fn py_text(text: &str) -> String {
    quoted(text, |c, out| match u32::from(c) {
        code @ ..=0xff => push!(out, "\\x{code:02x}"),
        code @ ..=0xffff => push!(out, "\\u{code:04x}"),
        code => push!(out, "\\U{code:08x}"),
    })
}
