//! Secrets that are spelled out: their characters or the numbers of their bytes with separators between, or backwards.
//!
//! `s k - a b`, `["s", "k", "-"]`, `[115, 107, 45]`, `73 6b 2d`, `0x73, 0x6B` and `73:6b:2d` all tell the key `sk-`.

/// A secret's characters one by one, in one way of spelling them.
pub(super) type Spelling = Box<[Vec<u8>]>;

/// The ways of spelling a secret: its characters, and its bytes as decimal and hexadecimal numbers, also backwards.
pub(super) fn spellings(secret: &[u8]) -> impl Iterator<Item = Spelling> {
    let ways: [fn(u8) -> Vec<u8>; 3] = [
        |byte| vec![byte],
        |byte| byte.to_string().into_bytes(),
        |byte| format!("{byte:02x}").into_bytes(),
    ];
    ways.into_iter().flat_map(|way| {
        let words: Spelling = secret.iter().copied().map(way).collect();
        let backwards = words.iter().rev().cloned().collect();
        [words, backwards]
    })
}

/// Finds the words in the text, from the first to the last, with separators between them.
pub(super) fn find(words: &[Vec<u8>], text: &[u8], spans: &mut Vec<(usize, usize)>) {
    let Some(first) = words.first() else { return };
    let mut at = 0;
    while at < text.len() {
        let begins = text[at].eq_ignore_ascii_case(&first[0]);
        match begins.then(|| end_of(words, text, at)).flatten() {
            Some(end) => {
                spans.push((at, end));
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where the words end that begin at `at`, with separators between them.
fn end_of(words: &[Vec<u8>], text: &[u8], mut at: usize) -> Option<usize> {
    for (n, word) in words.iter().enumerate() {
        while n > 0 && !starts_with(&text[at..], word) {
            at += separator(&text[at..])?;
        }
        if !starts_with(&text[at..], word) {
            return None;
        }
        at += word.len();
    }
    Some(at)
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The length of what may stand between two characters that are spelled out.
fn separator(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b';' | b'"' | b'\'' | b'|' | b'.' | b'_'
        | b'-' => Some(1),
        // Of `0x73` and `\x73`.
        b'0' | b'\\' if matches!(text.get(1), Some(b'x' | b'X')) => Some(2),
        _ => None,
    }
}
