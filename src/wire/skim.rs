//! A chunk of the usual shape, read in one walk.
//!
//! Nearly all events of a stream are alike: one choice with a delta of one short text, everything else null
//! or of no interest. [`chunk`] reads those without building anything, and gives up on all others: what it
//! gives is what serde would, and `None` says nothing about the text.

use std::borrow::Cow;

use super::openai::{Chunk, RARE, StrictDetails, StrictUsage, finish_reason, is_model_name, says_error};
use crate::metrics::timeline::Usage;
use crate::protocol::FinishReason;

/// Nobody nests a token deeper. Beyond, serde is asked.
const DEEPEST: u32 = 16;

/// Escapes of which whole tokens consist, up to the closing quote: these need no memory.
const USUAL_ESCAPES: [(&str, &str); 6] = [
    (r#"\n""#, "\n"),
    (r#"\n\n""#, "\n\n"),
    (r#"\"""#, "\""),
    (r#" \"""#, " \""),
    (r#".\n""#, ".\n"),
    (r#".\n\n""#, ".\n\n"),
];

/// The chunk, if it is of the usual shape and its JSON is beyond doubt.
pub(super) fn chunk(json: &str) -> Option<Usual<'_>> {
    Skim::new(json).whole()
}

/// What a chunk of the usual shape says; as in [`Chunk`].
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Usual<'a> {
    pub(super) reasoning: Option<Cow<'a, str>>,
    pub(super) content: Option<Cow<'a, str>>,
    pub(super) finish: Option<FinishReason>,
    /// Boxed: one chunk of an answer has it, and all are moved.
    pub(super) usage: Option<Box<Usage>>,
    /// The model that answers.
    pub(super) model: Option<&'a str>,
}

impl Usual<'_> {
    /// Whether it says nothing of the answer.
    fn is_silent(&self) -> bool {
        let Self { reasoning, content, finish, usage, model: _ } = self;
        reasoning.is_none() && content.is_none() && finish.is_none() && usage.is_none()
    }
}

impl<'a> From<Usual<'a>> for Chunk<'a> {
    fn from(Usual { reasoning, content, finish, usage, model }: Usual<'a>) -> Self {
        let usage = usage.map(|usage| *usage);
        let model = model.map(Cow::Borrowed);
        Self { reasoning, content, calls: Vec::new(), finish, usage, error: None, model, answers: true }
    }
}

/// What chunks have in common: all but their text, and the numbers and names that nobody reads.
///
/// A chunk that equals the last one outside these holes, and has in them what may stand there, is read
/// without looking at anything else. Which holes are known matters only for speed.
#[derive(Debug, Default)]
struct Frame {
    /// The chunk it was last seen in.
    text: Vec<u8>,
    holes: Holes,
    /// Why the model stopped: in the frame's own words, so the same in all that fill it.
    finish: Option<FinishReason>,
    /// Where its one text is, when it has one.
    only: Option<Hole>,
}

/// The frames of the chunks that a stream consists of. They outlive an answer: a server's next one is alike.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Of those with text.
    usual: Frame,
    /// Of those without, such as the role's.
    silent: Frame,
    /// Of the one with the finish reason.
    closing: Frame,
}

/// The one text of an event, and what stands around it: all that tells one token's event from the next, mostly.
#[derive(Clone, Copy)]
pub(super) struct Shape<'f> {
    before: &'f [u8],
    /// From the closing quote on.
    after: &'f [u8],
    /// Whether its text is the answer's; else it is thinking.
    pub(super) is_content: bool,
    /// The model that all events of this shape name.
    pub(super) model: Option<&'f [u8]>,
}

impl Shape<'_> {
    /// The text of the event at the beginning of `bytes`, and what is behind its blank line, when nothing but that text
    /// tells it from the last chunk, it has no escapes, and a line feed ends each of its two lines: what whole streams
    /// consist of. The text may be empty, and need not be UTF-8. All else is left to
    /// [`SseDecoder`](super::sse::SseDecoder) and [`Frames::chunk`], which find the same.
    #[inline]
    pub(super) fn fill<'b>(&self, bytes: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        let line = bytes.strip_prefix(b"data:")?;
        let json = line.strip_prefix(b" ").unwrap_or(line);
        let (before, said) = json.split_at_checked(self.before.len())?;
        let end = special(said, 0)?;
        let (text, behind) = said.split_at_checked(end)?;
        let (after, rest) = behind.split_at_checked(self.after.len())?;
        let rest = rest.strip_prefix(b"\n\n")?;
        (after == self.after && before == self.before).then_some((text, rest))
    }
}

impl Frames {
    /// As [`chunk`], remembering this chunk for the next one.
    pub(super) fn chunk<'a>(&mut self, json: &'a str) -> Option<Usual<'a>> {
        for frame in [&mut self.usual, &mut self.closing] {
            if let Some(usual) = frame.fill(json) {
                return Some(usual);
            }
        }
        // Where the silent ones have an empty text, the first word fills their frame too, and must not be the
        // last to do so.
        if let Some(usual) = self.silent.fill(json)
            && usual.is_silent()
        {
            return Some(usual);
        }
        let mut skim = Skim::new(json);
        let usual = skim.whole()?;
        let frame = match &usual {
            // Of an answer there is one.
            Usual { usage: Some(_), .. } => return Some(usual),
            Usual { finish: Some(_), .. } => &mut self.closing,
            Usual { content: None, reasoning: None, .. } => &mut self.silent,
            _ => &mut self.usual,
        };
        frame.learn(json, skim.holes, usual.finish.as_ref());
        Some(usual)
    }

    /// That of the last chunk with text, when there is one.
    #[inline]
    pub(super) fn shape(&self) -> Option<Shape<'_>> {
        let Frame { text, only, .. } = &self.usual;
        let Hole { kind, from, to } = (*only)?;
        // The hole's last byte is the closing quote.
        let (before, after) = (text.get(..from)?, text.get(to - 1..)?);
        let is_model = |hole: &&Hole| matches!(hole.kind, HoleKind::Model);
        let model = self.usual.holes.known().iter().find(is_model);
        let model = model.and_then(|hole| text.get(hole.from..hole.to - 1));
        Some(Shape { before, after, is_content: matches!(kind, HoleKind::Content), model })
    }
}

impl Frame {
    fn learn(&mut self, json: &str, holes: Holes, finish: Option<&FinishReason>) {
        self.text.clear();
        self.text.extend_from_slice(json.as_bytes());
        self.holes = holes;
        self.finish = finish.cloned();
        let mut texts = holes.known().iter().filter(|hole| hole.kind.is_text());
        self.only = texts.next().filter(|_| texts.next().is_none()).copied();
    }

    fn fill<'a>(&mut self, json: &'a str) -> Option<Usual<'a>> {
        // Most often it is another frame's: then nothing is to be set up.
        let first = self.holes.known().first()?;
        if json.as_bytes().get(..first.from) != self.text.get(..first.from) {
            return None;
        }
        let mut skim = Skim::new(json);
        let mut delta = Delta::default();
        let mut model = None;
        let mut behind = 0;
        for Hole { kind, from, to } in self.holes.known() {
            skim.literal(&self.text[behind..*from])?;
            let begins = skim.at;
            match kind {
                HoleKind::Number => skim.skip_number()?,
                HoleKind::Name => skim.rest_of_name()?,
                HoleKind::Model => model = skim.rest_of_plain()?,
                HoleKind::Content => delta.content = Some(skim.rest_of_text()?),
                HoleKind::Reasoning => delta.reasoning = Some(skim.rest_of_text()?),
                HoleKind::ReasoningContent => delta.reasoning_content = Some(skim.rest_of_text()?),
            }
            skim.holes.add(*kind, begins, skim.at);
            behind = *to;
        }
        let rest = &self.text[behind..];
        if rest.is_empty() || skim.bytes[skim.at..] != *rest {
            return None;
        }
        self.refill(json, skim.holes);
        Some(Usual { model, ..delta.into_usual(self.finish.clone()) })
    }

    /// Takes over the values that fill it: the next chunk is likelier to have this one's numbers and names.
    fn refill(&mut self, json: &str, holes: Holes) {
        let lengths = |holes: &Holes| holes.all.map(|hole| hole.to - hole.from);
        if lengths(&holes) != lengths(&self.holes) {
            let finish = self.finish.take();
            return self.learn(json, holes, finish.as_ref());
        }
        for Hole { from, to, .. } in holes.known() {
            self.text[*from..*to].copy_from_slice(&json.as_bytes()[*from..*to]);
        }
    }
}

/// A value that may be another one in the next chunk. Of a text without its opening quote.
#[derive(Debug, Clone, Copy, Default)]
struct Hole {
    kind: HoleKind,
    from: usize,
    to: usize,
}

#[derive(Debug, Clone, Copy, Default)]
enum HoleKind {
    #[default]
    Number,
    /// A text that nobody reads, without escapes.
    Name,
    /// Likewise the model's name.
    Model,
    Content,
    Reasoning,
    ReasoningContent,
}

impl HoleKind {
    /// In what a delta has been seen to have.
    fn bit(self) -> u8 {
        match self {
            Self::Number | Self::Name | Self::Model => 0,
            Self::Content => 1 << 2,
            Self::Reasoning => 1 << 3,
            Self::ReasoningContent => 1 << 4,
        }
    }

    fn is_text(self) -> bool {
        !matches!(self, Self::Number | Self::Name | Self::Model)
    }
}

/// The first few.
#[derive(Debug, Clone, Copy, Default)]
struct Holes {
    all: [Hole; 10],
    count: usize,
}

impl Holes {
    fn known(&self) -> &[Hole] {
        &self.all[..self.count]
    }

    fn add(&mut self, kind: HoleKind, from: usize, to: usize) {
        if let Some(hole) = self.all.get_mut(self.count) {
            *hole = Hole { kind, from, to };
            self.count += 1;
        }
    }
}

#[derive(Default)]
struct Delta<'a> {
    reasoning: Option<Cow<'a, str>>,
    reasoning_content: Option<Cow<'a, str>>,
    content: Option<Cow<'a, str>>,
}

impl<'a> Delta<'a> {
    fn into_usual(self, finish: Option<FinishReason>) -> Usual<'a> {
        let some = |text: Option<Cow<'a, str>>| text.filter(|text| !text.is_empty());
        Usual {
            reasoning: some(self.reasoning).or_else(|| some(self.reasoning_content)),
            content: some(self.content),
            finish,
            usage: None,
            model: None,
        }
    }
}

/// Which names an object has had: a second time is serde's business.
struct Seen(u8);

impl Seen {
    fn has(&self, name: u8) -> bool {
        self.0 & name != 0
    }

    fn first(&mut self, name: u8) -> Option<()> {
        let is_first = self.0 & name == 0;
        self.0 |= name;
        is_first.then_some(())
    }
}

/// A place in the text. Each reader begins at its value's first byte and ends behind its last.
struct Skim<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    holes: Holes,
}

impl<'a> Skim<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, holes: Holes::default() }
    }

    fn whole(&mut self) -> Option<Usual<'a>> {
        let mut choice = (Delta::default(), None);
        let (mut usage, mut model) = (None, None);
        let mut seen = Seen(0);
        self.space();
        self.object(|skim, key| match key {
            "choices" => seen.first(1).and_then(|()| skim.choices(&mut choice)),
            "object" => seen.first(2).and_then(|()| skim.object_name()),
            "usage" => {
                seen.first(4)?;
                usage = skim.usage()?;
                Some(())
            }
            "error" => seen.first(8).and_then(|()| skim.literal(b"null")),
            "model" => {
                seen.first(16)?;
                model = skim.model()?;
                Some(())
            }
            // What else may hold figures or errors is rare.
            "type" | "status" => skim.object_name(),
            "timings" | "time_info" | "errors" | "base_resp" => skim.literal(b"null"),
            _ if key.starts_with("x_") => skim.literal(b"null"),
            _ => skim.skip(0),
        })?;
        self.space();
        let (delta, finish) = choice;
        // Without choices it is a ping, or an error.
        let whole = self.at == self.bytes.len() && seen.has(1);
        whole.then(|| Usual { usage, model, ..delta.into_usual(finish) })
    }

    /// None at all, or one.
    fn choices(&mut self, (delta, finish): &mut (Delta<'a>, Option<FinishReason>)) -> Option<()> {
        self.byte(b'[')?;
        self.space();
        if self.byte(b']').is_some() {
            return Some(());
        }
        let mut seen = Seen(0);
        self.object(|skim, key| match key {
            "delta" => seen.first(1).and_then(|()| skim.delta(delta)),
            "index" => {
                seen.first(2)?;
                let from = skim.at;
                skim.number()?;
                (&skim.bytes[from..skim.at] == b"0").then_some(())
            }
            "finish_reason" => {
                seen.first(4)?;
                *finish = skim.text_or_null()?.and_then(|reason| finish_reason(&reason));
                Some(())
            }
            "message" => None,
            "error" | "usage" | "text" => skim.literal(b"null"),
            _ => skim.skip(0),
        })?;
        self.space();
        self.byte(b']')
    }

    fn delta(&mut self, delta: &mut Delta<'a>) -> Option<()> {
        let mut seen = Seen(0);
        self.object(|skim, key| {
            let (kind, text) = match key {
                "content" => (HoleKind::Content, &mut delta.content),
                "reasoning" => (HoleKind::Reasoning, &mut delta.reasoning),
                "reasoning_content" => (HoleKind::ReasoningContent, &mut delta.reasoning_content),
                "tool_calls" => return seen.first(1 << 6).and_then(|()| skim.nothing()),
                "function_call" => return seen.first(1 << 7).and_then(|()| skim.nothing()),
                "refusal" => return seen.first(1 << 1).and_then(|()| skim.no_text()),
                "thinking" | "reasoning_text" | "reasoning_details" | "error" => {
                    return skim.literal(b"null");
                }
                _ => return skim.skip(0),
            };
            seen.first(kind.bit())?;
            let from = skim.at + 1;
            *text = skim.text_or_null()?;
            if text.is_some() {
                skim.holes.add(kind, from, skim.at);
            }
            Some(())
        })
    }

    /// Token counts and the server's figures, as [`StrictUsage`] has them.
    fn usage(&mut self) -> Option<Option<Box<Usage>>> {
        if self.peek()? == b'n' {
            return self.literal(b"null").map(|()| None);
        }
        let mut usage = StrictUsage::default();
        let (mut seen, mut seen_details) = (Seen(0), Seen(0));
        self.object(|skim, key| {
            let (name, figure) = match key {
                "prompt_tokens" => (1, &mut usage.prompt_tokens),
                "completion_tokens" => (2, &mut usage.completion_tokens),
                "time_to_first_token" => (4, &mut usage.time_to_first_token),
                "total_latency" => (8, &mut usage.total_latency),
                "completion_tokens_after_first_per_sec" => {
                    (16, &mut usage.completion_tokens_after_first_per_sec)
                }
                "completion_tokens_per_sec" => (32, &mut usage.completion_tokens_per_sec),
                "acceptance_rate" => (64, &mut usage.acceptance_rate),
                "prompt_tokens_details" => {
                    seen_details.first(1)?;
                    usage.prompt_tokens_details = skim.details()?;
                    return Some(());
                }
                "completion_tokens_details" => {
                    seen_details.first(2)?;
                    usage.completion_tokens_details = skim.details()?;
                    return Some(());
                }
                _ if RARE.contains(&key) || key.ends_with("_details") => return None,
                _ => return skim.skip(1),
            };
            seen.first(name)?;
            *figure = skim.figure()?;
            Some(())
        })?;
        Some(Some(Box::new(usage.into())))
    }

    fn details(&mut self) -> Option<Option<StrictDetails>> {
        if self.peek()? == b'n' {
            return self.literal(b"null").map(|()| None);
        }
        let mut details = StrictDetails::default();
        let mut seen = Seen(0);
        self.object(|skim, key| {
            let (name, figure) = match key {
                "cached_tokens" => (1, &mut details.cached_tokens),
                "reasoning_tokens" => (2, &mut details.reasoning_tokens),
                _ => return skim.skip(2),
            };
            seen.first(name)?;
            *figure = skim.figure()?;
            Some(())
        })?;
        Some(Some(details))
    }

    /// A number or `null`.
    fn figure(&mut self) -> Option<Option<f64>> {
        if self.peek()? == b'n' {
            return self.literal(b"null").map(|()| None);
        }
        let from = self.at;
        self.number()?;
        let number: f64 = self.text.get(from..self.at)?.parse().ok()?;
        // Serde does not take what is too large.
        number.is_finite().then_some(Some(number))
    }

    /// No text, written as such or as an empty one.
    fn no_text(&mut self) -> Option<()> {
        self.literal(b"null").or_else(|| self.literal(b"\"\""))
    }

    /// The model's name, if it has no escapes.
    fn model(&mut self) -> Option<Option<&'a str>> {
        if self.peek()? == b'n' {
            return self.literal(b"null").map(|()| None);
        }
        self.byte(b'"')?;
        let from = self.at;
        let name = self.rest_of_plain()?;
        self.holes.add(HoleKind::Model, from, self.at);
        Some(name)
    }

    /// Functions that are not called.
    fn nothing(&mut self) -> Option<()> {
        if self.byte(b'[').is_none() {
            return self.literal(b"null");
        }
        self.space();
        self.byte(b']')
    }

    /// `object` and the like, which must not say that this is an error.
    fn object_name(&mut self) -> Option<()> {
        (!self.text_or_null()?.as_deref().is_some_and(says_error)).then_some(())
    }

    /// `field` reads the value of each key.
    #[inline]
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.byte(b'{')?;
        self.space();
        if self.byte(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.plain()?;
            self.space();
            self.byte(b':')?;
            self.space();
            field(self, key)?;
            self.space();
            if self.byte(b',').is_none() {
                return self.byte(b'}');
            }
            self.space();
        }
    }

    /// Any value, of which only the grammar matters.
    fn skip(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_text(),
            b'n' => self.literal(b"null"),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'{' if depth < DEEPEST => self.object(|skim, _| skim.skip(depth + 1)),
            b'[' if depth < DEEPEST => {
                self.at += 1;
                self.space();
                if self.byte(b']').is_some() {
                    return Some(());
                }
                loop {
                    self.skip(depth + 1)?;
                    self.space();
                    if self.byte(b',').is_none() {
                        return self.byte(b']');
                    }
                    self.space();
                }
            }
            _ => {
                let from = self.at;
                self.skip_number()?;
                self.holes.add(HoleKind::Number, from, self.at);
                Some(())
            }
        }
    }

    /// A number that does not matter. One that may be too large for serde is left to it.
    #[inline]
    fn skip_number(&mut self) -> Option<()> {
        let from = self.at;
        self.number()?;
        let number = self.bytes.get(from..self.at)?;
        let plain = number.len() < 32 && !number.iter().any(|byte| matches!(byte, b'e' | b'E'));
        (plain || self.text.get(from..self.at)?.parse::<f64>().is_ok_and(f64::is_finite)).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        // Either sign may be missing.
        let _ = self.byte(b'-');
        if self.byte(b'0').is_none() {
            self.digits()?;
        }
        if self.byte(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // No digit can follow but one behind a leading zero, and that nobody takes for a value's end.
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }

    #[inline]
    fn text_or_null(&mut self) -> Option<Option<Cow<'a, str>>> {
        if self.peek()? == b'n' {
            return self.literal(b"null").map(|()| None);
        }
        self.byte(b'"')?;
        self.rest_of_text().map(Some)
    }

    /// A text behind its opening quote.
    #[inline]
    fn rest_of_text(&mut self) -> Option<Cow<'a, str>> {
        let end = self.special()?;
        let plain = self.text.get(self.at..end)?;
        if self.bytes[end] == b'"' {
            self.at = end + 1;
            return Some(Cow::Borrowed(plain));
        }
        for (written, meant) in USUAL_ESCAPES {
            if self.bytes[self.at..].starts_with(written.as_bytes()) {
                self.at += written.len();
                return Some(Cow::Borrowed(meant));
            }
        }
        self.unescape().map(Cow::Owned)
    }

    /// The rest of a text up to its closing quote.
    fn unescape(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let end = self.special()?;
            text.push_str(self.text.get(self.at..end)?);
            self.at = end + 1;
            match self.bytes[end] {
                b'"' => return Some(text),
                b'\\' => text.push(self.escape()?),
                _ => return None,
            }
        }
    }

    /// What follows a backslash. Halves of surrogate pairs are left to serde.
    fn escape(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.at += 1;
        Some(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                let code = digits.iter().try_fold(0, |code, digit| {
                    char::from(*digit).to_digit(16).map(|digit| code * 16 + digit)
                })?;
                self.at += 4;
                char::from_u32(code)?
            }
            _ => return None,
        })
    }

    /// A text whose words do not matter.
    fn skip_text(&mut self) -> Option<()> {
        self.byte(b'"')?;
        let from = self.at;
        let mut plain = true;
        loop {
            self.at = self.special()? + 1;
            match self.bytes[self.at - 1] {
                b'"' => {
                    if plain {
                        self.holes.add(HoleKind::Name, from, self.at);
                    }
                    return Some(());
                }
                b'\\' => {
                    plain = false;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    /// A text without escapes whose words do not matter, behind its opening quote.
    #[inline]
    fn rest_of_name(&mut self) -> Option<()> {
        let end = self.special()?;
        self.at = end + 1;
        (self.bytes[end] == b'"').then_some(())
    }

    /// The same where the words matter; `None` within for a word that names nothing.
    #[inline]
    fn rest_of_plain(&mut self) -> Option<Option<&'a str>> {
        let from = self.at;
        self.rest_of_name()?;
        let name = self.text.get(from..self.at - 1)?;
        Some(is_model_name(name).then_some(name))
    }

    /// A text without escapes.
    #[inline]
    fn plain(&mut self) -> Option<&'a str> {
        self.byte(b'"')?;
        let from = self.at;
        let end = self.special()?;
        self.at = end + 1;
        if self.bytes[end] == b'"' { self.text.get(from..end) } else { None }
    }

    #[inline]
    fn special(&self) -> Option<usize> {
        special(self.bytes, self.at)
    }

    #[inline]
    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    #[inline]
    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }
}

/// Where, from `at` on, the next quote, backslash or control character is; eight bytes at a time, as serde_json
/// does: the texts are too short for more.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        let below = |word: u64, than: u8| word.wrapping_sub(ONES * u64::from(than)) & !word;
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        // A borrow makes higher bytes lie, never the lowest one that is found.
        let found = (below(word, 0x20) | quote | backslash) & (ONES << 7);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).map(|offset| at + offset)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_same(json: &str) {
        let short = Chunk::parse(json).map_err(|error| error.to_string());
        let long = Chunk::parse_any(json).map_err(|error| error.to_string());
        assert_eq!(short, long, "{json}");
    }

    #[test]
    fn what_servers_usually_send_takes_the_short_way() {
        for json in [
            r#"{"choices":[{"delta":{"content":" hi"},"index":0,"finish_reason":null,"logprobs":null}],"created":1737642515.6076705,"id":"15fc","model":"m","object":"chat.completion.chunk","system_fingerprint":"fastcoe"}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1e9,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            r#"{"choices": [{"index": 0, "delta": {"reasoning_content": "é\n\u00e9\"", "content": null, "tool_calls": []}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning":"hm","reasoning_content":"hm"},"logprobs":{"content":[{"token":"\ta","logprob":-0.5E-2,"top":[[],{}]}]}}],"error":null}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"\n\n"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"completion_tokens":1}}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":43,"total_tokens":107,"prompt_tokens_details":{"cached_tokens":7,"audio_tokens":0},"completion_tokens":64,"completion_tokens_details":null,"time_to_first_token":0.0844266414642334,"total_latency":-0,"acceptance_rate":3E-1,"is_last_response":true}}"#,
            r#"{"usage": {"completion_tokens_details" : {"reasoning_tokens": 5}, "stop": ["a"]} , "choices" : [ ]}"#,
            r#"{"model":"m/x","choices":[{"delta":{"content":"a","refusal":null},"finish_reason":""}],"x_groq":null}"#,
            r#"{"model":null,"choices":[{"delta":{"content":"a","refusal":""},"finish_reason":"STOP"}]}"#,
        ] {
            assert!(chunk(json).is_some(), "{json}");
            check_same(json);
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_to_serde() {
        for json in [
            r#"{"choices":[{"delta":{"content":"a","content":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"message":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"c\u006fntent":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[],"tool_calls":[{"index":0,"id":"c"}]}}]}"#,
            r#"{"choices":[{"delta":{"function_call":{"name":"f"}}}]}"#,
            r#"{"choices":[{"delta":{"content":"\ud83d\ude00"}}]}"#,
            r#"{"choices":[],"usage":{"completion_tokens":1,"completion_tokens":2}}"#,
            r#"{"choices":[],"usage":{"completion_tokens":"1"}}"#,
            r#"{"choices":[],"usage":{"total_latency":1e999}}"#,
            r#"{"choices":[],"usage":{"prompt_tokens_details":[]}}"#,
            r#"{"choices":[],"usage":[]}"#,
            r#"{"object":"error","message":"boom"}"#,
            r#"{"error":"boom"}"#,
            r#"{"message":"boom"}"#,
            r#"{"choices":[{"delta":{"refusal":"no"}}]}"#,
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":5}]}"#,
            r#"{"choices":[],"x_groq":{"usage":{"completion_tokens":1}}}"#,
            r#"{"choices":[],"timings":{"predicted_n":1}}"#,
            r#"{"choices":[],"usage":{"output_tokens":1}}"#,
            r#"{"model":7,"choices":[]}"#,
            r#"{"model":"a\n","choices":[]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]} x"#,
            r#"{"choices":[{"delta":{"content":"a",}}]}"#,
            r#"{"created":01,"choices":[]}"#,
            r#"{"created":1.,"choices":[]}"#,
            r#"{"created":-,"choices":[]}"#,
            r#"{"created":"\x","choices":[]}"#,
            "{\"choices\":[{\"delta\":{\"content\":\"a\tb\"}}]}",
            r#"["#,
            "",
        ] {
            assert_eq!(chunk(json), None, "{json}");
            check_same(json);
        }
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert_eq!(chunk(&deep), None);
        check_same(&deep);
    }

    #[test]
    fn every_special_byte_is_found_wherever_it_stands() {
        for length in 0..40 {
            for byte in (0..=127_u8).chain([0xC3]) {
                let text = if byte == 0xC3 { "é".to_owned() } else { char::from(byte).to_string() };
                let json =
                    format!(r#"{{"choices":[{{"delta":{{"content":"{}{text}b"}}}}]}}"#, "a".repeat(length));
                check_same(&json);
            }
        }
    }

    const SPACE: &str = "[ \n\t\r]{0,2}";

    fn quoted() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            8 => "[a-zA-Z0-9 <>/é漢\u{1F600}]{0,9}",
            2 => r#"\\[nrtbf"\\/]"#,
            1 => r"\\u[0-9a-fA-F]{4}",
            1 => Just(r"\ud83d\ude00".to_owned()),
            1 => r"\\[a-z0-9]",
        ];
        prop::collection::vec(piece, 0..3).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
    }

    fn junk() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            4 => quoted(),
            2 => Just("null".to_owned()),
            1 => "true|false|error|\"error\"|0|1|-1|-0|00|1e999|18446744073709551616",
            2 => r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                (prop::collection::vec(inner.clone(), 0..3), SPACE)
                    .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(","))),
                object(prop::collection::vec((key(), inner), 0..3).boxed()),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => "(choices|object|status|type|base_resp|usage|error|model|x_a|timings|refusal|thinking|delta|message|index|finish_reason|content|reasoning|reasoning_content|role|id|created|completion_tokens|logprobs)"
                .prop_map(|name| format!("\"{name}\"")),
            1 => quoted(),
        ]
    }

    fn object(members: BoxedStrategy<Vec<(String, String)>>) -> impl Strategy<Value = String> {
        (members, SPACE, SPACE).prop_map(|(members, a, b)| {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("{a}{key}{b}:{a}{value}{b}")).collect();
            format!("{{{a}{}{b}}}", members.join(","))
        })
    }

    /// The names' values, mostly of their type, among others, in any order.
    fn members(known: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<Vec<(String, String)>> {
        let known: Vec<_> = known
            .into_iter()
            .map(|(name, value)| {
                let value = prop_oneof![12 => value, 1 => junk()];
                prop::option::weighted(0.8, value)
                    .prop_map(move |value| value.map(|value| (format!("\"{name}\""), value)))
            })
            .collect();
        let more = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec((key(), junk()), 1..3)];
        (known, more)
            .prop_map(|(known, more)| known.into_iter().flatten().chain(more).collect::<Vec<_>>())
            .prop_shuffle()
            .boxed()
    }

    fn document() -> impl Strategy<Value = String> {
        let text = || prop_oneof![4 => quoted(), 1 => Just("null".to_owned())].boxed();
        let just = |text: &'static str| Just(text.to_owned()).boxed();
        let calls = prop_oneof![
            4 => Just("[]".to_owned()),
            4 => Just("null".to_owned()),
            1 => quoted().prop_map(|text| format!(r#"[{{"index":0,"id":{text},"function":{{"arguments":{text}}}}}]"#)),
        ];
        let delta = object(members(vec![
            ("content", text()),
            ("reasoning", text()),
            ("reasoning_content", text()),
            ("tool_calls", calls.boxed()),
            ("function_call", just("null")),
        ]));
        let choice = object(members(vec![
            ("index", just("0")),
            ("delta", delta.boxed()),
            ("finish_reason", text()),
            ("logprobs", just("null")),
        ]));
        let choice = std::rc::Rc::new(choice);
        let choices = (choice.clone(), prop::option::weighted(0.1, choice), SPACE).prop_map(
            |(choice, second, space)| {
                let second = second.map(|second| format!(",{second}")).unwrap_or_default();
                format!("[{space}{choice}{second}{space}]")
            },
        );
        let number = || {
            prop_oneof![6 => r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", 1 => Just("null".to_owned())].boxed()
        };
        let details = || {
            let figures = members(vec![("cached_tokens", number()), ("reasoning_tokens", number())]);
            prop_oneof![6 => object(figures), 1 => Just("null".to_owned())].boxed()
        };
        let figures = members(vec![
            ("prompt_tokens", number()),
            ("completion_tokens", number()),
            ("total_tokens", number()),
            ("prompt_tokens_details", details()),
            ("completion_tokens_details", details()),
            ("time_to_first_token", number()),
            ("total_latency", number()),
            ("completion_tokens_per_sec", number()),
            ("acceptance_rate", number()),
        ]);
        let usage = prop_oneof![3 => Just("null".to_owned()), 2 => object(figures)];
        let whole = object(members(vec![
            ("choices", choices.boxed()),
            ("object", quoted().boxed()),
            ("model", "\"[a-z/]{0,6}\"|null".boxed()),
            ("created", just("17.5")),
            ("usage", usage.boxed()),
            ("error", just("null")),
        ]));
        (whole, SPACE).prop_map(|(whole, space)| format!("{space}{whole}{space}"))
    }

    proptest! {
        #[test]
        fn the_short_way_and_serde_always_agree(json in document()) {
            check_same(&json);
        }

        /// Chunks alike but for some values, and others between them.
        #[test]
        fn what_was_learned_from_a_chunk_changes_nothing_in_the_next(
            first in document(),
            other in document(),
            texts in prop::collection::vec((quoted(), "-?[0-9.e]{1,5}|null", "\\PC{0,2}"), 1..6),
        ) {
            let mut frame = Frames::default();
            let mut check = |json: &str| {
                if let Some(usual) = frame.chunk(json) {
                    let long = Chunk::parse_any(json).map_err(|error| error.to_string());
                    assert_eq!(Ok(Chunk::from(usual)), long, "{json}");
                }
            };
            for (text, number, junk) in texts {
                check(&first);
                check(&first.replace("17.5", &number).replace("\"\"", &text));
                check(&format!(r#"{{"choices":[{{"delta":{{"content":{text}{junk}}}}}],"created":{number}}}"#));
                check(&format!(r#"{{"choices":[{{"delta":{{"content":{text}}}}}],"created":{number}}}"#));
                check(&format!(r#"{{"choices":[{{"delta":{{"reasoning":{text},"reasoning_content":{text}}}}}]}}"#));
                check(&other);
            }
        }

        #[test]
        fn they_agree_on_what_is_cut_or_broken(
            json in document(),
            cut in prop::option::of(any::<prop::sample::Index>()),
            changes in prop::collection::vec((any::<prop::sample::Index>(), "[\\PC\u{0}-\u{1f}\"\\\\{}\\[\\],:0-9a-f]"), 0..3),
        ) {
            let mut chars: Vec<char> = json.chars().collect();
            for (at, with) in &changes {
                let at = at.index(chars.len());
                chars.splice(at..=at, with.chars());
            }
            if let Some(cut) = cut {
                chars.truncate(cut.index(chars.len()));
            }
            check_same(&chars.into_iter().collect::<String>());
        }
    }

    #[test]
    fn a_chunk_like_the_one_before_it_is_read_by_its_frame() {
        let json = |text: &str, number: &str| {
            format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"index":0}}],"created":{number}}}"#)
        };
        let mut frame = Frames::default();
        assert_eq!(frame.usual.fill(""), None);
        assert!(frame.chunk(&json("", "1")).is_some());
        assert_eq!(frame.usual.fill(&json("a", "2")), None, "an empty one teaches nothing");
        assert!(frame.chunk(&json("a", "1")).is_some());
        for (text, meant) in [("b", "b"), (r"\u00e9\n", "é\n"), (r"\n", "\n")] {
            let json = json(text, "-2.5e3");
            assert_eq!(frame.usual.fill(&json).and_then(|usual| usual.content).as_deref(), Some(meant));
        }
        assert_eq!(frame.usual.fill(&json("", "1")), Some(Usual::default()));
        for (text, number) in [("a", "01"), ("a", "x"), ("a\"", "1"), ("a\n", "1"), ("\\x", "1"), ("a", "1}")]
        {
            assert_eq!(frame.usual.fill(&json(text, number)), None, "{text} {number}");
        }
    }

    #[test]
    fn an_event_that_differs_in_its_text_alone_is_read_where_it_lies() {
        let json = |text: &str, number: &str| {
            format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"index":0}}],"created":{number}}}"#)
        };
        let mut frame = Frames::default();
        let event = format!("data: {}\n\n", json("é b", "1"));
        assert!(frame.shape().is_none(), "nothing is known yet");
        assert!(frame.chunk(&json("a", "1")).is_some());
        let shape = frame.shape().expect("a chunk with text was read");
        let two = format!("{event}data:");
        assert_eq!(shape.fill(two.as_bytes()), Some(("é b".as_bytes(), b"data:".as_slice())));
        assert!(shape.is_content);
        for (text, number, end) in [
            ("a", "2", "\n\n"),
            ("a\\n", "1", "\n\n"),
            ("a", "1", "\n"),
            ("a", "1", "\r\n\r\n"),
            ("a\"", "1", "\n\n"),
        ] {
            let event = format!("data: {}{end}", json(text, number));
            assert_eq!(shape.fill(event.as_bytes()), None, "{event:?}");
        }
    }

    /// Else the tests above would compare serde with itself.
    #[test]
    fn the_short_way_is_taken_by_many_of_the_documents_above() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let taken = (0..500)
            .filter(|_| {
                let tree = document().new_tree(&mut runner).expect("a document can be made");
                chunk(&prop::strategy::ValueTree::current(&tree))
                    .is_some_and(|usual| usual != Usual::default())
            })
            .count();
        assert!(taken > 30, "only {taken} of 500");
    }
}
