//! The request as a Python program, with either package.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::pictures::SnippetImages;
use super::{ExtraText, KeyText, SnippetSpec, has_lines, joined, quoted};
use crate::domain::environment::ExtraKind;
use crate::domain::extra_body;
use crate::domain::params::{PARAMETERS, Parameter};

/// The differences between the two packages.
pub(super) struct Package {
    name: &'static str,
    client: &'static str,
    /// Whether its `create` takes an argument for this parameter. What it does not take goes into `extra_body`.
    takes: fn(&Parameter) -> bool,
}

pub(super) const OPENAI: Package = Package {
    name: "openai",
    client: "OpenAI",
    takes: |parameter| parameter.in_openai_package,
};
pub(super) const SAMBANOVA: Package = Package {
    name: "sambanova",
    client: "SambaNova",
    takes: |_| true,
};

pub(super) fn python(spec: &SnippetSpec, key: KeyText<'_>, package: &Package) -> String {
    let (pictures, body) = spec.parts();
    let mut out = format!("# pip install {}\n", package.name);
    out += &pictures.comment("#");
    imports(&mut out, spec, key, package, !pictures.is_empty());
    if !pictures.is_empty() {
        out += PYTHON_PICTURE;
    }
    if let Some(ca) = ca_file(spec) {
        out += "tls = ssl.create_default_context()\n";
        push!(
            out,
            "tls.load_verify_locations({})\n\n",
            py_text(&ca.to_string_lossy())
        );
    }
    client(&mut out, spec, key, package);
    create(&mut out, spec, package, &body, &pictures);
    out += &printing(spec, body.get("tools").is_some());
    out
}

/// The authority to trust besides the system's; none where any certificate is accepted.
fn ca_file(spec: &SnippetSpec) -> Option<&PathBuf> {
    spec.ca_file.as_ref().filter(|_| !spec.accept_invalid_certs)
}

/// Whether the client needs HTTP settings of its own.
fn has_own_http(spec: &SnippetSpec) -> bool {
    spec.accept_invalid_certs || spec.ca_file.is_some()
}

/// Whether the client must be told not to send its own `Authorization` header.
fn omits_authorization(spec: &SnippetSpec) -> bool {
    let own_authorization = spec
        .extras(ExtraKind::Header)
        .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    (spec.key_variable.is_none() || spec.key_header.is_some()) && !own_authorization
}

fn imports(
    out: &mut String,
    spec: &SnippetSpec,
    key: KeyText<'_>,
    package: &Package,
    has_pictures: bool,
) {
    let Package { name, client, .. } = package;
    let reads = |text: &ExtraText| matches!(text, ExtraText::Variable(_));
    let reads_extras = [ExtraKind::Header, ExtraKind::Query]
        .iter()
        .any(|kind| spec.extras(*kind).any(|(_, text)| reads(&text)));
    let reads_key = spec.key_variable.is_some() && key.literal().is_none();
    let modules = [
        ("base64", has_pictures),
        ("os", reads_key || reads_extras),
        ("ssl", ca_file(spec).is_some()),
    ];
    for (module, _) in modules.iter().filter(|(_, used)| *used) {
        push!(out, "import {module}\n");
    }
    if modules.iter().any(|(_, used)| *used) {
        *out += "\n";
    }
    let http_import = if has_own_http(spec) {
        "DefaultHttpxClient, "
    } else {
        ""
    };
    let omit_import = if omits_authorization(spec) {
        "Omit, "
    } else {
        ""
    };
    push!(
        out,
        "from {name} import {http_import}{omit_import}{client}\n\n"
    );
}

/// `client = OpenAI(…)`, with the key, the headers and the query parameters.
fn client(out: &mut String, spec: &SnippetSpec, key: KeyText<'_>, package: &Package) {
    push!(
        out,
        "client = {}(\n    base_url={},\n",
        package.client,
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
            *out += "    api_key=\"none\",\n";
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
    if has_own_http(spec) {
        let verify = if ca_file(spec).is_some() {
            "tls"
        } else {
            "False"
        };
        push!(
            out,
            "    http_client=DefaultHttpxClient(verify={verify}),\n"
        );
    }
    *out += ")\n\n";
}

/// The call that sends the request.
fn create(
    out: &mut String,
    spec: &SnippetSpec,
    package: &Package,
    body: &Value,
    pictures: &SnippetImages,
) {
    let (result, call) = match (spec.embed.is_some(), spec.stream) {
        (true, _) => ("embeddings", "embeddings"),
        (false, true) => ("stream", "chat.completions"),
        (false, false) => ("completion", "chat.completions"),
    };
    push!(out, "{result} = client.{call}.create(\n");
    let mut extra_body = serde_json::Map::new();
    // The package takes as arguments only what it knows.
    let own = extra_body::read(&spec.request.params.extra_body).unwrap_or_default();
    for (name, value) in body.as_object().into_iter().flatten() {
        let extra =
            |parameter: &Parameter| parameter.body_key() == name && !(package.takes)(parameter);
        if own.contains_key(name) || PARAMETERS.iter().any(extra) {
            extra_body.insert(name.clone(), value.clone());
        } else {
            push!(out, "    {name}={},\n", py_value(value, 1, pictures));
        }
    }
    if omits_authorization(spec) {
        // Without it the client raises an error for the missing key.
        *out += "    extra_headers={\"Authorization\": Omit()},\n";
    }
    if !extra_body.is_empty() {
        push!(
            out,
            "    extra_body={},\n",
            py_value(&Value::Object(extra_body), 1, pictures)
        );
    }
    *out += ")\n";
}

/// The lines that print the result.
fn printing(spec: &SnippetSpec, calls: bool) -> String {
    match (spec.stream, calls) {
        _ if spec.embed.is_some() => PYTHON_EMBED.to_owned(),
        (true, false) => PYTHON_STREAM.to_owned(),
        (true, true) => PYTHON_STREAM.replace("    if chunk.usage", PYTHON_STREAM_CALLS),
        (false, false) => PYTHON_WHOLE.to_owned(),
        (false, true) => {
            PYTHON_WHOLE.to_owned() + "print(completion.choices[0].message.tool_calls)\n"
        }
    }
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

/// A Python literal: on one line if it is short, else one item per line.
fn py_value(value: &Value, depth: usize, pictures: &SnippetImages) -> String {
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
            // Python joins adjacent literals. Triple quotes would not work for every text.
            let lines: String = text
                .split_inclusive('\n')
                .map(|line| format!("{inner}{}\n", py_text(line)))
                .collect();
            format!("(\n{lines}{outer})")
        }
        _ => inline,
    }
}

fn py_inline(value: &Value, pictures: &SnippetImages) -> String {
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
