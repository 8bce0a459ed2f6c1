//! Simple formulas as Unicode: letters, signs, powers and indices, fractions and roots on one line. Whatever Unicode
//! cannot say in a line is shown as it is written.

use pulldown_latex::event::{Content, Event, Grouping, ScriptPosition, ScriptType, Visual};
use pulldown_latex::{Parser, Storage};

/// A longer formula is shown as it is written.
const MAX_BYTES: usize = 400;

/// The formula as one line of Unicode; `None` where that cannot say all of it.
pub(super) fn unicode(latex: &str) -> Option<String> {
    // Definitions could go round in circles.
    let defines = ["def", "let", "newcommand", "providecommand"];
    if latex.len() > MAX_BYTES || defines.iter().any(|word| latex.contains(word)) {
        return None;
    }
    let storage = Storage::new();
    let events: Vec<Event<'_>> = Parser::new(latex, &storage)
        .collect::<Result<_, _>>()
        .ok()?;
    let mut events = events.into_iter();
    let mut parts = Vec::new();
    while !events.as_slice().is_empty() {
        parts.push(element(&mut events)?);
    }
    let out = joined(parts).text;
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    (!out.is_empty()).then_some(out)
}

/// One element of a formula.
struct Element {
    text: String,
    binding: Binding,
}

/// How well an element holds together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Binding {
    /// It is one thing beside anything.
    Whole,
    /// A fraction or a root: one thing unless something stands directly beside it.
    Loose,
    /// Several things.
    Several,
}

impl Element {
    fn of(binding: Binding, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            binding,
        }
    }

    fn whole(text: impl Into<String>) -> Self {
        Self::of(Binding::Whole, text)
    }

    fn in_parentheses(self) -> String {
        match self.binding {
            Binding::Whole => self.text,
            Binding::Loose | Binding::Several => format!("({})", self.text),
        }
    }
}

/// Several elements in a row.
fn joined(parts: Vec<Element>) -> Element {
    let binding = match parts.as_slice() {
        [part] => part.binding,
        _ => Binding::Several,
    };
    let mut text = String::new();
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        let is_beside = !text.is_empty() && !text.ends_with(' ')
            || parts.peek().is_some_and(|next| !next.text.starts_with(' '));
        match part.binding {
            Binding::Loose if is_beside => text.push_str(&part.in_parentheses()),
            _ => text.push_str(&part.text),
        }
    }
    Element::of(binding, text)
}

type Events<'a> = std::vec::IntoIter<Event<'a>>;

fn element(events: &mut Events<'_>) -> Option<Element> {
    match events.next()? {
        Event::Content(content) => signs(content),
        Event::Begin(Grouping::Normal) => group(events),
        Event::Begin(Grouping::LeftRight(left, right)) => {
            let inside = group(events)?.text;
            let sign = |sign: Option<char>| sign.map(String::from).unwrap_or_default();
            let binding = match (left, right) {
                (Some(_), Some(_)) => Binding::Whole,
                _ => Binding::Several,
            };
            let text = format!("{}{inside}{}", sign(left), sign(right));
            Some(Element::of(binding, text))
        }
        Event::Visual(Visual::Fraction(_)) => {
            let (above, below) = (element(events)?, element(events)?);
            let text = format!("{}/{}", above.in_parentheses(), below.in_parentheses());
            Some(Element::of(Binding::Loose, text))
        }
        Event::Visual(Visual::SquareRoot) => {
            let under = element(events)?.in_parentheses();
            Some(Element::of(Binding::Loose, format!("√{under}")))
        }
        Event::Script { ty, position } => script(events, ty, position),
        Event::Space { width: Some(_), .. } => Some(Element::whole(" ")),
        _ => None,
    }
}

fn group(events: &mut Events<'_>) -> Option<Element> {
    let mut parts = Vec::new();
    while !matches!(events.as_slice().first()?, Event::End) {
        parts.push(element(events)?);
    }
    events.next();
    Some(joined(parts))
}

fn signs(content: Content<'_>) -> Option<Element> {
    let spaced = |sign: &str| Element::of(Binding::Several, format!(" {sign} "));
    Some(match content {
        Content::Text(text) | Content::Number(text) => Element::whole(text),
        Content::Function(name) => Element::whole(format!(" {name} ")),
        Content::Ordinary { content, .. } | Content::Delimiter { content, .. } => {
            Element::whole(content)
        }
        Content::LargeOp { content, .. } => Element::whole(format!(" {content}")),
        Content::BinaryOp { content, .. } => spaced(content.encode_utf8(&mut [0; 4])),
        Content::Relation { content, .. } => {
            let mut buffer = [0; 8];
            let sign = std::str::from_utf8(content.encode_utf8_to_buf(&mut buffer)).ok()?;
            spaced(sign)
        }
        // A comma follows what is before it at once.
        Content::Punctuation(sign) => Element::of(Binding::Several, format!("{sign} ")),
    })
}

/// A base with an index, a power or both. Only signs that Unicode has raised or lowered.
fn script(events: &mut Events<'_>, ty: ScriptType, position: ScriptPosition) -> Option<Element> {
    if position == ScriptPosition::AboveBelow {
        return None;
    }
    let base = element(events)?.in_parentheses();
    let mut text = base.trim_end().to_owned();
    let is_operator = text.len() < base.len() || base.starts_with(' ');
    if ty != ScriptType::Superscript {
        text.push_str(&shifted(&element(events)?.text, LOWERED)?);
    }
    if ty != ScriptType::Subscript {
        text.push_str(&shifted(&element(events)?.text, RAISED)?);
    }
    if is_operator {
        text.push(' ');
    }
    Some(Element::whole(text))
}

/// Signs, each before its raised or lowered form.
const RAISED: &str = "0⁰1¹2²3³4⁴5⁵6⁶7⁷8⁸9⁹+⁺-⁻−⁻=⁼(⁽)⁾nⁿiⁱTᵀ′′";
const LOWERED: &str = "0₀1₁2₂3₃4₄5₅6₆7₇8₈9₉+₊-₋−₋=₌(₍)₎aₐeₑiᵢjⱼkₖmₘnₙoₒpₚrᵣsₛtₜuᵤvᵥxₓ";

fn shifted(text: &str, forms: &str) -> Option<String> {
    let form = |sign: char| {
        let mut pairs = forms.chars();
        loop {
            let (of, form) = (pairs.next()?, pairs.next()?);
            if of == sign {
                return Some(form);
            }
        }
    };
    let signs = text.chars().filter(|sign| !sign.is_whitespace());
    signs.map(form).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_formulas_are_lines_of_unicode() {
        for (latex, line) in [
            ("E = mc^2", "E = mc²"),
            (r"\alpha_1 + \beta \le \infty", "α₁ + β ≤ ∞"),
            (r"\frac{a+b}{2}", "(a + b)/2"),
            (r"\sqrt{x}", "√x"),
            (r"\sqrt{x^2+1}", "√(x² + 1)"),
            (r"\sum_{i=1}^{n} i", "∑ᵢ₌₁ⁿ i"),
            (r"f(x, y) \in \text{the set}", "f(x, y) ∈ the set"),
            (r"\left( x \right)", "(x)"),
            (r"2 \times 3", "2 × 3"),
            (r"a\frac{1}{2x}", "a(1/(2x))"),
            (r"\sqrt{x} y + \frac{1}{2}", "(√x)y + 1/2"),
        ] {
            assert_eq!(unicode(latex).as_deref(), Some(line), "{latex}");
        }
    }

    #[test]
    fn what_a_line_cannot_say_is_left() {
        for latex in [
            r"\begin{matrix} a & b \end{matrix}",
            r"x^{q}",
            r"\hat{x}",
            r"\mathbf{x}",
            r"a \\ b",
            r"\frac{a}",
            r"\unknown{x}",
            r"\def\x{\x}\x",
            "{",
            "",
        ] {
            assert_eq!(unicode(latex), None, "{latex}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(
            latex in r"(\\[a-z]{1,6}|\\left\(|\\right\)|\\begin\{[a-z]{1,7}\}|\\end\{[a-z]{1,7}\}|[{}^_&a1=,'é \\\[\]#%]){0,20}"
        ) {
            let _ = unicode(&latex);
        }
    }
}
