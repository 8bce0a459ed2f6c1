//! Separates inline `<think>…</think>` from the answer while the text arrives in pieces.

use crate::metrics::timeline::TextKind;

/// The beginnings of the tags. Some models write them in other letters, or with a space before the bracket.
const OPEN: &str = "<think";
const CLOSE: &str = "</think";
/// At most so many spaces before the bracket.
const MAX_SPACES: usize = 4;

/// One result of the splitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split<'a> {
    /// More text of this kind.
    Text(TextKind, &'a str),
    /// A closing tag came without an opening one (the chat template opens it in the prompt), so all text so far was
    /// reasoning.
    Turned,
}

/// Separates inline reasoning from the answer.
///
/// A tag counts if it starts the text or closes reasoning that the prompt opened. An answer may also mention the
/// tags: in quotes or backticks, inside a sentence, or after it mentioned the opening one, they are text.
#[derive(Debug, Default)]
pub struct ThinkSplitter {
    state: ThinkState,
    /// Text that may be the beginning of a tag, or a closing tag whose next character has not arrived.
    held: String,
    /// Whether all further tags are text.
    settled: bool,
    /// The last two characters of the answer so far.
    tail: [Option<char>; 2],
}

#[derive(Debug, Default, PartialEq, Eq)]
enum ThinkState {
    #[default]
    Start,
    Thinking,
    /// After the closing tag, where white space is dropped.
    Between,
    Answering,
}

impl ThinkSplitter {
    /// Reads more text and passes on the part whose kind is certain.
    pub fn push(&mut self, text: &str, mut tell: impl FnMut(Split<'_>)) {
        if self.state == ThinkState::Start
            && self.held.is_empty()
            && tag(text.trim_start(), OPEN) == Tag::Other
        {
            self.state = ThinkState::Answering;
        }
        if self.state == ThinkState::Answering
            && self.held.is_empty()
            && self.takes(text.as_bytes())
        {
            self.passed(text.as_bytes());
            return tell(Split::Text(TextKind::Answer, text));
        }
        self.held.push_str(text);
        while self.step(false, &mut tell) {}
    }

    /// Examines the held text. Returns whether to call it again.
    fn step(&mut self, at_the_end: bool, tell: &mut impl FnMut(Split<'_>)) -> bool {
        match self.state {
            ThinkState::Start => {
                let start = self.held.trim_start();
                match tag(start, OPEN) {
                    Tag::Whole(len) => {
                        self.held = start[len..].to_owned();
                        self.state = ThinkState::Thinking;
                    }
                    Tag::Begun if !at_the_end => return false,
                    _ => self.state = ThinkState::Answering,
                }
                true
            }
            ThinkState::Thinking => {
                if let Some((at, len)) = find(&self.held, CLOSE) {
                    if at > 0 {
                        tell(Split::Text(TextKind::Reasoning, &self.held[..at]));
                    }
                    self.held.drain(..at + len);
                    self.state = ThinkState::Between;
                    return true;
                }
                let keep = if at_the_end {
                    0
                } else {
                    begun(&self.held, CLOSE)
                };
                let sure = self.held.len() - keep;
                if sure > 0 {
                    tell(Split::Text(TextKind::Reasoning, &self.held[..sure]));
                    self.held.drain(..sure);
                }
                false
            }
            ThinkState::Between => {
                let spaces = self.held.len() - self.held.trim_start().len();
                self.held.drain(..spaces);
                // A second block of reasoning right behind the first.
                match tag(&self.held, OPEN) {
                    Tag::Whole(len) => {
                        self.held.drain(..len);
                        self.state = ThinkState::Thinking;
                        return true;
                    }
                    Tag::Begun if !at_the_end => return false,
                    _ if self.held.is_empty() => return false,
                    _ => {}
                }
                self.settled = true;
                self.state = ThinkState::Answering;
                true
            }
            ThinkState::Answering => self.answering(at_the_end, tell),
        }
    }

    /// Looks for a closing tag without an opening one.
    fn answering(&mut self, at_the_end: bool, tell: &mut impl FnMut(Split<'_>)) -> bool {
        let held = std::mem::take(&mut self.held);
        let open = find(&held, OPEN).map(|(at, _)| at);
        let close = find(&held, CLOSE)
            .filter(|(at, _)| !self.settled && open.is_none_or(|open| *at < open));
        if let Some((at, len)) = close {
            let (before, rest) = (&held[..at], &held[at + len..]);
            let next = rest.chars().next();
            if next.is_none() && !at_the_end {
                self.tell_answer(before, tell);
                self.held = held[at..].to_owned();
                return false;
            }
            self.tell_answer(before, tell);
            if self.closes(next) {
                tell(Split::Turned);
                self.held = rest.to_owned();
                self.state = ThinkState::Between;
            } else {
                self.tell_answer(&held[at..at + len], tell);
                self.held = rest.to_owned();
            }
            return !self.held.is_empty();
        }
        self.settled |= open.is_some();
        let keep = if at_the_end || self.settled {
            0
        } else {
            begun(&held, CLOSE).max(begun(&held, OPEN))
        };
        let (sure, rest) = held.split_at(held.len() - keep);
        self.tell_answer(sure, tell);
        self.held = rest.to_owned();
        false
    }

    fn tell_answer(&mut self, text: &str, tell: &mut impl FnMut(Split<'_>)) {
        if !text.is_empty() {
            self.passed(text.as_bytes());
            tell(Split::Text(TextKind::Answer, text));
        }
    }

    /// Whether a closing tag at this point, followed by `next`, ends the reasoning and is not just mentioned.
    fn closes(&self, next: Option<char>) -> bool {
        let quotes = |c: char| matches!(c, '`' | '"' | '\'' | '“' | '‘' | '«' | '(');
        let [before_last, last] = self.tail;
        let quoted = last.is_some_and(quotes)
            || next.is_some_and(|c| quotes(c) || matches!(c, '”' | '’' | ')'));
        let ends_a_sentence = before_last
            .is_none_or(|c| matches!(c, '.' | '!' | '?' | ':' | '…') || c.is_whitespace());
        let amid = last == Some(' ') && next == Some(' ') && !ends_a_sentence;
        !quoted && !amid
    }

    /// Whether this text cannot contain a tag that counts, so that all of it is answer.
    pub fn takes(&self, text: &[u8]) -> bool {
        self.settled || memchr::memchr(b'<', text).is_none()
    }

    /// Remembers the end of text that was passed on as the answer.
    pub fn passed(&mut self, text: &[u8]) {
        if self.settled {
            return;
        }
        let from = text.len().saturating_sub(8);
        let end = String::from_utf8_lossy(&text[from..]);
        let mut chars = end.chars().rev();
        match (chars.next(), chars.next()) {
            (Some(last), Some(before)) => self.tail = [Some(before), Some(last)],
            (Some(last), None) => self.tail = [self.tail[1], Some(last)],
            _ => {}
        }
    }

    /// Whether text that [`Self::takes`] accepts is the answer.
    pub fn is_answering(&self) -> bool {
        self.state == ThinkState::Answering && self.held.is_empty()
    }

    /// Whether the held text, if any, is reasoning.
    pub fn is_thinking(&self) -> bool {
        self.state == ThinkState::Thinking
    }

    /// The text ended: passes on the held text.
    pub fn finish(&mut self, mut tell: impl FnMut(Split<'_>)) {
        while !self.held.is_empty() && self.step(true, &mut tell) {}
    }
}

/// What a text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// The tag, of this many bytes.
    Whole(usize),
    /// All of it may be the beginning of the tag.
    Begun,
    Other,
}

/// Compares the beginning of a text with a tag, whatever the case of its letters.
fn tag(text: &str, name: &str) -> Tag {
    let bytes = text.as_bytes();
    let n = bytes.len().min(name.len());
    if !bytes[..n].eq_ignore_ascii_case(&name.as_bytes()[..n]) {
        return Tag::Other;
    }
    let rest = &bytes[n..];
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    match rest.get(spaces) {
        _ if spaces > MAX_SPACES => Tag::Other,
        Some(b'>') => Tag::Whole(n + spaces + 1),
        Some(_) => Tag::Other,
        None => Tag::Begun,
    }
}

/// The place and length of a tag in a text.
fn find(text: &str, name: &str) -> Option<(usize, usize)> {
    memchr::memchr_iter(b'<', text.as_bytes()).find_map(|at| match tag(&text[at..], name) {
        Tag::Whole(len) => Some((at, len)),
        _ => None,
    })
}

/// How many bytes at the end of the text may be the beginning of the tag.
fn begun(text: &str, name: &str) -> usize {
    memchr::memchr_iter(b'<', text.as_bytes())
        .find(|at| tag(&text[*at..], name) == Tag::Begun)
        .map_or(0, |at| text.len() - at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&str]) -> (String, String) {
        let (mut reasoning, mut answer) = (String::new(), String::new());
        let mut splitter = ThinkSplitter::default();
        let mut tell = |split: Split<'_>| match split {
            Split::Text(TextKind::Reasoning, text) => reasoning.push_str(text),
            Split::Text(_, text) => answer.push_str(text),
            Split::Turned => reasoning.push_str(&std::mem::take(&mut answer)),
        };
        for piece in pieces {
            splitter.push(piece, &mut tell);
        }
        splitter.finish(&mut tell);
        (reasoning, answer)
    }

    #[test]
    fn thinking_is_told_from_the_answer() {
        for (text, reasoning, answer) in [
            ("<think>hm</think>\n\nyes", "hm", "yes"),
            ("\n<think>\nhm", "\nhm", ""),
            ("<think></think>yes", "", "yes"),
            ("<THINK>hm</Think >yes", "hm", "yes"),
            ("<think>hm</think>\n<think>or</think>\nyes", "hmor", "yes"),
            ("<thinking>hm</thinking>", "", "<thinking>hm</thinking>"),
            ("the tag <think> opens", "", "the tag <think> opens"),
            ("<thin", "", "<thin"),
            ("<think>a</thin", "a</thin", ""),
            ("", "", ""),
        ] {
            assert_eq!(
                split(&[text]),
                (reasoning.to_owned(), answer.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn reasoning_that_the_prompt_opened_ends_with_its_closing_tag() {
        for (text, reasoning, answer) in [
            ("Porto fits.\n</think>\n\nPorto.", "Porto fits.\n", "Porto."),
            ("Porto fits.</think>Porto.", "Porto fits.", "Porto."),
            ("Porto fits. </think> Porto.", "Porto fits. ", "Porto."),
            ("Porto fits.\n</think>", "Porto fits.\n", ""),
            ("</think>\nPorto.", "", "Porto."),
            ("Porto fits.\n</THINK>\nPorto.", "Porto fits.\n", "Porto."),
            ("Porto fits.\n</think >\nPorto.", "Porto fits.\n", "Porto."),
            ("a\n</think>\nb </think> c", "a\n", "b </think> c"),
        ] {
            assert_eq!(
                split(&[text]),
                (reasoning.to_owned(), answer.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn an_answer_may_speak_of_the_closing_tag() {
        for text in [
            "Use `</think>` to end it.",
            "the tag </think> closes",
            "It is \"</think>\".",
            "<b> and <think> then </think>\nend",
            "It opens with <think> and ends with\n</think>\n",
            "a </thin",
        ] {
            assert_eq!(split(&[text]), (String::new(), text.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_changes_nothing(
            text in r#"\s?(<think ?>|<THINK>)?[a-z<>/é .`]{0,12}(</think ?>)?\s?(<think>)?[a-z<` ]{0,8}(</think>)?[a-z ]{0,3}"#,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces: Vec<&str> = at.windows(2).map(|w| &text[w[0]..w[1]]).collect();
            prop_assert_eq!(split(&pieces), split(&[&text]));
        }
    }
}
