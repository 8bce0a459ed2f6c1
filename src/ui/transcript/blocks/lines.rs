//! What a single line of Markdown begins: an item, a fence, a rule.

use memchr::memmem;

pub(super) struct Indent {
    pub(super) bytes: usize,
    pub(super) columns: usize,
}

pub(super) fn indent_of(line: &[u8]) -> Indent {
    let mut columns = 0;
    let mut bytes = 0;
    for byte in line {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4 - columns % 4,
            _ => break,
        }
        bytes += 1;
    }
    Indent { bytes, columns }
}

fn run_of(line: &[u8], mark: u8) -> usize {
    line.iter().take_while(|&&b| b == mark).count()
}

pub(super) fn fence_start(line: &[u8]) -> Option<(u8, usize)> {
    let &mark = line.first()?;
    let len = run_of(line, mark);
    let fence = len >= 3 && (mark == b'~' || mark == b'`' && !line[len..].contains(&b'`'));
    fence.then_some((mark, len))
}

pub(super) fn closes_fence(line: &[u8], mark: u8, len: usize) -> bool {
    let run = run_of(line, mark);
    run >= len && line[run..].iter().all(u8::is_ascii_whitespace)
}

pub(super) struct ItemStart {
    pub(super) number: Option<u64>,
    pub(super) delimiter: u8,
    /// How far the item's content stands to the right of its marker.
    pub(super) width: usize,
    /// Whether it may follow a paragraph without a blank line.
    pub(super) interrupts: bool,
    pub(super) fenced: bool,
}

pub(super) fn item_start(line: &[u8]) -> Option<ItemStart> {
    let digits = line
        .iter()
        .take(10)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let &delimiter = line.get(digits)?;
    let number = match (digits, delimiter) {
        (0, b'-' | b'*' | b'+') => None,
        (1..=9, b'.' | b')') => Some(std::str::from_utf8(&line[..digits]).ok()?.parse().ok()?),
        _ => return None,
    };
    let content = &line[digits + 1..];
    let space = indent_of(content);
    let empty = content.iter().all(u8::is_ascii_whitespace);
    if space.columns == 0 && !empty || is_rule(line) {
        return None;
    }
    // Five columns and more are one column and indented code.
    let gap = if empty || space.columns > 4 {
        1
    } else {
        space.columns
    };
    Some(ItemStart {
        number,
        delimiter,
        width: digits + 1 + gap,
        interrupts: !empty && number.is_none_or(|n| n == 1),
        fenced: fence_start(&content[space.bytes..]).is_some(),
    })
}

/// `***`, `- - -`: a thematic break, though it begins like an item.
fn is_rule(line: &[u8]) -> bool {
    let mark = line[0];
    matches!(mark, b'-' | b'*')
        && line.iter().all(|&b| b == mark || b.is_ascii_whitespace())
        && line.iter().filter(|&&b| b == mark).count() >= 3
}

/// `|---|:-:|`, below a table's header.
pub(super) fn is_table_rule(line: &[u8]) -> bool {
    line.iter()
        .all(|b| matches!(b, b'|' | b'-' | b':' | b' ' | b'\t' | b'\r' | b'\n'))
        && line.contains(&b'|')
        && line.contains(&b'-')
}

/// What ends the formula that is open after a line, with the one that is open before it; see
/// [`super::super::markdown`].
pub(super) fn formula_after(before: Option<&'static [u8]>, line: &[u8]) -> Option<&'static [u8]> {
    match before {
        Some(end) => before.filter(|_| memmem::find(line, end).is_none()),
        None => open_formula(line),
    }
}

fn open_formula(line: &[u8]) -> Option<&'static [u8]> {
    let (open, close): (&[u8], &'static [u8]) = (br"\[", br"\]");
    if let Some(at) = memmem::rfind(line, open)
        && memmem::find(&line[at..], close).is_none()
    {
        return Some(close);
    }
    let close: &'static [u8] = b"$$";
    let is_open = !memmem::find_iter(line, close).count().is_multiple_of(2);
    is_open.then_some(close)
}

/// `[^name]:`, before the text of a footnote.
pub(super) fn is_footnote(line: &[u8]) -> bool {
    let name = line.strip_prefix(b"[^").unwrap_or_default();
    let end = name.iter().position(|b| matches!(b, b']' | b' ' | b'\t'));
    end.is_some_and(|end| end > 0 && name[end..].starts_with(b"]:"))
}
