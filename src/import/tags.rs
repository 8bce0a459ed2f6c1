//! Turns a run's metadata into tags, without anything that may be a key.

use serde_json::Value;

const MAX_TAGS: usize = 24;
/// Longer names and values are skipped.
const MAX_TAG_CHARS: usize = 120;

/// One `name=value` tag for each pair with a short scalar value.
pub(super) fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a Value)>) -> Vec<String> {
    let label = |(name, value): (&str, &Value)| {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        let fits = !text.is_empty()
            && text.chars().count() <= MAX_TAG_CHARS
            && name.len() <= MAX_TAG_CHARS;
        (fits && !is_secret(name, &text)).then(|| format!("{name}={text}"))
    };
    pairs.filter_map(label).take(MAX_TAGS).collect()
}

/// Whether the name or the value suggests a credential.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let named = [
        "key",
        "token",
        "secret",
        "password",
        "passwd",
        "pwd",
        "auth",
        "authorization",
        "bearer",
        "cookie",
    ];
    let joined = ["apikey", "secret", "password", "credential", "passwd"];
    if named.iter().any(|word| parts.contains(word))
        || joined.iter().any(|word| name.contains(word))
    {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    let assigned = ["key=", "token=", "secret=", "password=", "passwd="];
    assigned.iter().any(|word| lower.contains(word))
        || lower.split_whitespace().next() == Some("bearer")
        || value.split_whitespace().any(looks_like_a_key)
        // User info in a URL.
        || value.split("://").skip(1).any(|rest| rest.split('/').next().is_some_and(|host| host.contains('@')))
}

/// Compares the word with the key prefixes of common services.
fn looks_like_a_key(word: &str) -> bool {
    const BEGINS: [&str; 12] = [
        "sk-",
        "sk_",
        "hf_",
        "nvapi-",
        "ghp_",
        "github_pat_",
        "gsk_",
        "xai-",
        "eyJ",
        "AKIA",
        "AIza",
        "ya29.",
    ];
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    bare.len() >= 8 && BEGINS.iter().any(|begin| bare.starts_with(begin))
}

/// Replaces anything that looks like a key with `[key]`: servers may repeat the key that they refused.
pub(super) fn without_keys(text: &str) -> String {
    let mut after_bearer = false;
    let words = text.split(' ').map(|word| {
        let hidden = after_bearer || looks_like_a_key(word);
        after_bearer = word.eq_ignore_ascii_case("bearer");
        if hidden { "[key]" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_kept_and_keys_are_not() {
        let file = json!({
            "gpu": "4xL40S", "replicas": "4", "tokens": 5, "monkey": "yes",
            "api_key": "x", "OPENAI_API_KEY": "x", "hf_token": "x", "auth": "x", "myApiKey": "x", "note": "use sk-1234567",
            "url": "https://me:pw@host/", "query": "https://host/?api_key=1", "header": "Bearer abc", "list": [1], "empty": " ", "long": "x".repeat(200),
        });
        let pairs = file
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, value)| (name.as_str(), value));
        assert_eq!(
            without_keys("401: key 'sk-abcdefgh'. is wrong"),
            "401: key [key] is wrong"
        );
        assert_eq!(
            without_keys("Authorization: Bearer abc failed"),
            "Authorization: Bearer [key] failed"
        );
        assert_eq!(without_keys("sk- is no key"), "sk- is no key");
        assert_eq!(
            of(pairs),
            ["gpu=4xL40S", "replicas=4", "tokens=5", "monkey=yes"]
        );
    }
}
