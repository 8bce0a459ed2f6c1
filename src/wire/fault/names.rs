//! The known name that a wrong one was probably meant to be.

/// Comparing two names takes time in proportion to the product of their lengths, so both number and length are
/// limited.
const MAX_COMPARED_NAMES: usize = 2_000;
const MAX_COMPARED_BYTES: usize = 256;

/// The known name closest to `name`: the one with the same letters and digits, else one that is a few edits away.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let fold = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase()
    };
    if name.len() > MAX_COMPARED_BYTES {
        return None;
    }
    let wanted = fold(name);
    let short = || {
        known
            .iter()
            .filter(|candidate| candidate.len() <= MAX_COMPARED_BYTES)
    };
    if let Some(same) = short().find(|candidate| fold(candidate) == wanted) {
        return Some(same);
    }
    short()
        .take(MAX_COMPARED_NAMES)
        .map(|candidate| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &fold(candidate)),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.as_str())
}
