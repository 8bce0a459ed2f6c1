//! The request as a shell command.

use std::fmt::Write as _;

use url::form_urlencoded;

use super::pictures::SnippetImages;
use super::{ExtraText, KeyText, SnippetSpec, escape, hidden, json_escape};
use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::environment::ExtraKind;
use crate::wire::openai::chat_body_in;

/// Linux limits a single argument to 128 KiB. A longer body goes through standard input.
const MAX_ARGUMENT_BYTES: usize = 100_000;

pub(super) fn curl(spec: &SnippetSpec, key: KeyText<'_>) -> String {
    let (pictures, body) = spec.parts();
    let body = format!("{body:#}");
    let body = escape(&body, hidden, json_escape);

    let mut curl = "curl -sS".to_owned();
    if spec.streams() {
        curl += " -N";
    }
    let (url, secrets) = url_of(spec);
    if url.contains(['{', '}'])
        || url
            .split_once("://")
            .is_some_and(|(_, rest)| path_has_bracket(rest))
    {
        // Otherwise curl expands ranges such as [1-9] in the address.
        curl += " -g";
    }
    let mut lines = vec![format!("{curl} {}{secrets}", sh_word(&url))];
    if spec.accept_invalid_certs {
        lines.push("-k".to_owned());
    } else if let Some(ca) = &spec.ca_file {
        lines.push(format!("--cacert {}", sh_word(&ca.to_string_lossy())));
    }
    let before = spec
        .key_header
        .as_ref()
        .map_or("Authorization: Bearer ".to_owned(), |name| {
            format!("{}: ", name.as_str())
        });
    lines.extend(
        spec.key_variable
            .as_ref()
            .map(|variable| match key.literal() {
                None => format!("-H \"{before}${variable}\""),
                Some(key) => format!("-H {}", sh_quoted(&format!("{before}{key}"))),
            }),
    );
    lines.extend(
        spec.extras(ExtraKind::Header)
            .map(|(name, text)| match text {
                ExtraText::Plain(text) => format!("-H {}", sh_quoted(&format!("{name}: {text}"))),
                ExtraText::Variable(variable) => format!("-H \"{name}: ${variable}\""),
            }),
    );
    lines.push("-H 'Content-Type: application/json'".to_owned());

    if !pictures.is_empty() {
        lines.push("--data-binary @-".to_owned());
        let curl = lines.join(" \\\n  ");
        // No comment here: some interactive shells run comments as commands.
        return format!(
            "{{\n{}}} | tr -d '\\n' | {curl}\n",
            piecewise(&pictures, &body)
        );
    }
    if body.len() < MAX_ARGUMENT_BYTES {
        lines.push(format!("-d {}", sh_quoted(&tame_bangs(&body))));
        return lines.join(" \\\n  ") + "\n";
    }
    lines.push("--data-binary @- <<'JSON'\n".to_owned());
    // No line of the body can consist of the word JSON: its texts are quoted and on one line.
    lines.join(" \\\n  ") + &body.replace('!', r"\u0021") + "\nJSON\n"
}

/// The address with the plain parameters, and a shell word with the secret ones to append to it.
fn url_of(spec: &SnippetSpec) -> (String, String) {
    let mut plain = form_urlencoded::Serializer::new(String::new());
    let mut secrets = Vec::new();
    for (name, text) in spec.extras(ExtraKind::Query) {
        match text {
            ExtraText::Plain(text) => drop(plain.append_pair(name, &text)),
            ExtraText::Variable(variable) => {
                let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
                secrets.push(format!("{name}=${variable}"));
            }
        }
    }
    let mut url = spec.url();
    let sign = |url: &str| if url.contains('?') { '&' } else { '?' };
    let plain = plain.finish();
    if !plain.is_empty() {
        url = format!("{url}{}{plain}", sign(&url));
    }
    let secrets = match secrets.as_slice() {
        [] => String::new(),
        some => format!("\"{}{}\"", sign(&url), some.join("&")),
    };
    (url, secrets)
}

/// The body of a request with large images, as a shell word that reads the images from files; `None` for requests
/// without them.
pub fn body_in_words(request: &ChatRequest, stream: bool, dialect: Dialect) -> Option<String> {
    let (pictures, request) = SnippetImages::take_out_of(request);
    if pictures.is_empty() {
        return None;
    }
    let mut out = String::new();
    for (piece, picture) in pictures.split(&chat_body_in(&request, stream, dialect).to_string()) {
        out += &sh_quoted(&escape(piece, hidden, json_escape));
        if let Some(picture) = picture {
            push!(
                out,
                "\"$(base64 < {} | tr -d '\\n')\"",
                sh_word(&picture.name)
            );
        }
    }
    Some(out)
}

/// Commands that print the body with the images in it. Line breaks in their output do not matter: those of texts
/// are escaped.
fn piecewise(pictures: &SnippetImages, body: &str) -> String {
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
    host_and_path
        .split_once('/')
        .is_some_and(|(_, path)| path.contains(['[', ']']))
}

/// Interactive shells before bash 5 forget on the second line that they are inside quotes and expand `!` from the
/// history. A harmless `!` stays as it is.
pub(super) fn tame_bangs(json: &str) -> String {
    let tame_line = |line: &str| {
        let quoted = line.contains('\'');
        let mut out = String::with_capacity(line.len());
        for (at, c) in line.char_indices() {
            let harmless = !quoted && line[at + c.len_utf8()..].starts_with([' ', '"']);
            out.push_str(if c == '!' && !harmless {
                r"\u0021"
            } else {
                &line[at..at + c.len_utf8()]
            });
        }
        out
    };
    json.split('\n')
        .map(tame_line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn sh_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The text, quoted unless every shell reads it as a plain word.
fn sh_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        sh_quoted(text)
    }
}
