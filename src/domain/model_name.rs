//! Whether the model that answered is the one that was asked.
//!
//! A gateway may answer with a fallback, and llama.cpp answers to any name. Names that differ in their spelling alone
//! are the same model:
//!
//! - upper and lower case, `_` and `-`;
//! - a provider or a folder before the name (`openai/gpt-4o`, `/models/qwen.gguf`), and `.gguf`;
//! - the date of a snapshot behind it (`gpt-4o-2024-08-06`, `claude-x@20240229`, `kimi-k2-0711`), on either side;
//! - a tag that names no other model: `:latest`, `-latest`, `:free`.

/// The model that answered, where it is another one than was asked.
pub fn other_model<'a>(asked: &str, answered: Option<&'a str>) -> Option<&'a str> {
    let answered = answered.map(str::trim).filter(|name| !name.is_empty())?;
    (!is_same(asked, answered)).then_some(answered)
}

/// Whether two names are of one model.
pub fn is_same(asked: &str, answered: &str) -> bool {
    let (a, b) = (folded(asked), folded(answered));
    a == b || undated(&a) == undated(&b) && (!is_dated(&a) || !is_dated(&b))
}

/// Without what tells no models apart.
fn folded(name: &str) -> String {
    let name = name.trim().to_lowercase().replace('_', "-");
    let name = name.rsplit(['/', '\\']).next().unwrap_or(&name);
    let name = name.strip_suffix(".gguf").unwrap_or(name);
    let tags = [":latest", "-latest", ":free", ":nitro", ":floor"];
    tags.iter()
        .find_map(|tag| name.strip_suffix(tag))
        .unwrap_or(name)
        .to_owned()
}

fn is_dated(name: &str) -> bool {
    undated(name).len() < name.len()
}

/// Without the date of a snapshot: `-2024-08-06`, `-20240806`, `@20240806`, `-0806`.
fn undated(name: &str) -> &str {
    let digits =
        |text: &str, n: usize| text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
    let of = |text: &str, least: u32, most: u32| {
        text.parse::<u32>()
            .is_ok_and(|n| (least..=most).contains(&n))
    };
    let month_and_day = |text: &str| of(&text[..2], 1, 12) && of(&text[2..], 1, 31);
    if let Some((rest, last)) = name.rsplit_once(['-', '@']) {
        if digits(last, 8) && of(&last[..4], 2020, 2099) && month_and_day(&last[4..]) {
            return rest;
        }
        // `-0613`, and `-2507` as year and month.
        if digits(last, 4)
            && (month_and_day(last) || of(&last[..2], 20, 40) && of(&last[2..], 1, 12))
        {
            return rest;
        }
        let mut parts = name.rsplitn(4, '-');
        if let (Some(day), Some(month), Some(year), Some(rest)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
            && digits(day, 2)
            && digits(month, 2)
            && digits(year, 4)
        {
            return rest;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_model_are_the_same() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-2024-08-06"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4", "gpt-4-0613"),
            ("kimi-k2", "moonshotai/Kimi-K2-0711"),
            ("qwen3-30b-a3b", "Qwen3-30B-A3B-2507"),
            ("claude-3-opus", "claude-3-opus@20240229"),
            ("openai/gpt-4o", "gpt-4o"),
            ("gpt-4o", "azure/gpt-4o"),
            ("llama3", "llama3:latest"),
            ("deepseek/deepseek-r1:free", "deepseek/deepseek-r1"),
            ("Meta-Llama-3.3-70B-Instruct", "meta-llama-3.3-70b-instruct"),
            ("my_model", "my-model"),
            ("qwen2.5-7b", "/models/Qwen2.5-7B.gguf"),
        ] {
            assert_eq!(
                other_model(asked, Some(answered)),
                None,
                "{asked} {answered}"
            );
        }
        assert_eq!(other_model("m", None), None, "nobody said");
        assert_eq!(other_model("m", Some(" ")), None);
    }

    #[test]
    fn another_model_is_told() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
            ("llama3:8b", "llama3:70b"),
            ("gpt-4o", "claude-3-opus"),
            ("any-name", "/models/qwen.gguf"),
            ("llama-3-8b", "llama-3-70b"),
            ("model-9999", "model"),
            ("m", "é"),
        ] {
            assert_eq!(
                other_model(asked, Some(answered)),
                Some(answered),
                "{asked} {answered}"
            );
        }
    }
}
