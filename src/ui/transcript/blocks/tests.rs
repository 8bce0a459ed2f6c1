//! Blocks are the same however a text grows, and none is too long.

use proptest::prelude::*;

use super::cut::LOOK_AHEAD;
use super::*;

fn blocks_of(text: &str, format: Format) -> Vec<Block> {
    let mut blocks = Blocks::new(format);
    blocks.update(text);
    blocks.get().to_vec()
}

#[track_caller]
fn check_blocks(text: &str, expected: &[&str]) {
    let blocks = blocks_of(text, Format::Markdown);
    let found: Vec<_> = blocks.iter().map(|b| &text[b.range.clone()]).collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn check_covers(text: &str, blocks: &[Block]) {
    let mut at = 0;
    for block in blocks {
        assert_eq!(block.range.start, at, "{blocks:?}");
        at = block.range.end;
    }
    assert_eq!(at, text.len(), "{blocks:?}");
}

#[test]
fn blocks_are_what_stands_alone() {
    check_blocks("", &[]);
    check_blocks("\n\na\nb\n\nc", &["\n\na\nb\n\n", "c"]);
    check_blocks(
        "a\n```rs\nfn\n\n- x\n```\nb",
        &["a\n", "```rs\nfn\n\n- x\n```\n", "b"],
    );
    check_blocks(
        "a\n- b\n  - c\n\n  d\n- e\nf",
        &["a\n", "- b\n  - c\n\n  d\n", "- e\nf"],
    );
    check_blocks(
        "| a | b |\n|---|---|\n| c | d |\n\ne",
        &["| a | b |\n|---|---|\n| c | d |\n\n", "e"],
    );
    check_blocks(
        "1. a\n   ```\n   - b\n   ```\n2. c",
        &["1. a\n   ```\n   - b\n   ```\n", "2. c"],
    );
    check_blocks("    a\n\n    b\n\nc", &["    a\n\n    b\n\n", "c"]);
    check_blocks("a\n2. b\n***\n", &["a\n2. b\n***\n"]);
}

#[test]
fn a_formula_begins_no_list_and_a_footnote_is_a_block() {
    check_blocks(
        "so \\[\na\n- b\n\\]\n- c",
        &["so \\[\na\n- b\n\\]\n", "- c"],
    );
    check_blocks("$$\n+ a\n$$\n- b", &["$$\n+ a\n$$\n", "- b"]);
    check_blocks("$$ a $$\n- b", &["$$ a $$\n", "- b"]);
    check_blocks("\\[ a\n\n- b", &["\\[ a\n\n", "- b"]);
    check_blocks(
        "a[^1]\n\n[^1]: b\n\n    c\n[^2]: d",
        &["a[^1]\n\n", "[^1]: b\n\n    c\n", "[^2]: d"],
    );
}

#[test]
fn items_are_numbered_as_markdown_numbers_them() {
    let numbers: Vec<_> = blocks_of("3. a\n3. b\n\n9. c\n\nd\n\n7) e", Format::Markdown)
        .into_iter()
        .filter_map(|b| {
            if let Kind::Item { number } = b.kind {
                number
            } else {
                None
            }
        })
        .collect();
    assert_eq!(numbers, [3, 4, 5, 7]);
}

#[test]
fn an_open_fence_is_code_to_the_end() {
    let text = "a\n~~~ py x\ncode\n";
    let blocks = blocks_of(text, Format::Markdown);
    let Kind::Code(fence) = &blocks[1].kind else {
        panic!("{blocks:?}")
    };
    assert_eq!(
        (
            &text[fence.info.clone()],
            &text[fence.body.clone()],
            fence.closed
        ),
        (" py x\n", "code\n", false)
    );
}

#[test]
fn no_block_is_too_long_to_lay_out() {
    let words = "word ".repeat(100_000);
    for text in [
        words.clone(),
        format!("- {words}"),
        format!("> {words}"),
        "x".repeat(400_000),
        "漢".repeat(99_999),
    ] {
        for format in [Format::Markdown, Format::Plain] {
            let blocks = blocks_of(&text, format);
            check_covers(&text, &blocks);
            assert!(
                blocks
                    .iter()
                    .all(|b| b.range.len() <= LONG_ITEM + LOOK_AHEAD)
            );
        }
    }
    let table = format!("|a|\n|-|\n{}", "|b|\n".repeat(1_000));
    assert!(
        blocks_of(&table, Format::Markdown)
            .iter()
            .all(|b| b.range.len() < 200)
    );
}

#[test]
fn another_text_is_read_anew() {
    let mut blocks = Blocks::new(Format::Markdown);
    blocks.update("a\n\nb\n\nc");
    blocks.update("b\n\nc\n\nd and more");
    assert_eq!(
        blocks.get(),
        blocks_of("b\n\nc\n\nd and more", Format::Markdown)
    );
    blocks.update("x");
    assert_eq!(blocks.get(), blocks_of("x", Format::Markdown));
}

fn markdown() -> impl Strategy<Value = Text> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("```".to_owned()),
        Just("```rust\n".to_owned()),
        Just("~~~~\n".to_owned()),
        Just("- ".to_owned()),
        Just("* ".to_owned()),
        Just("12. ".to_owned()),
        Just("1) ".to_owned()),
        Just("    ".to_owned()),
        Just("\t".to_owned()),
        Just("  ".to_owned()),
        Just("> ".to_owned()),
        Just("# ".to_owned()),
        Just("---\n".to_owned()),
        Just("| a | b |\n".to_owned()),
        Just("|---|---|\n".to_owned()),
        Just("`".to_owned()),
        Just("\\[".to_owned()),
        Just("\\]\n".to_owned()),
        Just("$$".to_owned()),
        Just("[^1]: ".to_owned()),
        Just("**".to_owned()),
        Just("<b>".to_owned()),
        Just("é漢🙂".to_owned()),
        Just("\r\n".to_owned()),
        "[a-z ]{0,12}",
        (1..3_000_usize, 0..3_u8)
            .prop_map(|(n, k)| ["long. ", "漢", " "][usize::from(k)].repeat(n)),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| Text(pieces.concat()))
}

/// Long stretches of the same are not worth printing.
#[derive(Clone)]
struct Text(String);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut runs: Vec<(char, usize)> = Vec::new();
        for c in self.0.chars() {
            match runs.last_mut() {
                Some((last, n)) if *last == c => *n += 1,
                _ => runs.push((c, 1)),
            }
        }
        runs.truncate(400);
        runs.iter().try_for_each(|(c, n)| {
            if *n > 4 {
                write!(f, "({c}×{n})")
            } else {
                write!(f, "{}", c.to_string().repeat(*n).escape_debug())
            }
        })
    }
}

#[test]
fn a_line_that_was_cut_can_still_be_a_tables_head() {
    let text = format!("{}| a | b |\n|---|---|\n> ", "long. ".repeat(700));
    let mut growing = Blocks::new(Format::Markdown);
    for at in [4_190, 4_205, text.len()] {
        growing.update(&text[..at]);
    }
    assert_eq!(growing.get(), blocks_of(&text, Format::Markdown));
}

#[test]
fn a_marker_far_before_its_item_is_not_cut_off() {
    let text = format!("# {}\n-{}12. ", "long. ".repeat(600), " ".repeat(1_500));
    let mut growing = Blocks::new(Format::Markdown);
    for at in [4_200, text.len()] {
        growing.update(&text[..at]);
    }
    assert_eq!(growing.get(), blocks_of(&text, Format::Markdown));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn growing_equals_reading_at_once(
        Text(text) in markdown(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
        plain: bool,
    ) {
        let format = if plain { Format::Plain } else { Format::Markdown };
        let mut cuts: Vec<_> = cuts.iter().map(|i| text.floor_char_boundary(i.index(text.len() + 1))).collect();
        cuts.sort_unstable();
        let mut growing = Blocks::new(format);
        let mut before: Vec<Block> = Vec::new();
        for at in cuts.into_iter().chain([text.len()]) {
            let changed = growing.update(&text[..at]);
            prop_assert!(changed >= before.len() || before[..changed] == growing.get()[..changed]);
            before = growing.get().to_vec();
            check_covers(&text[..at], &before);
        }
        prop_assert!(before == blocks_of(&text, format), "grown: {:?}", before);
    }

    #[test]
    fn any_text_is_covered(text in any::<String>()) {
        check_covers(&text, &blocks_of(&text, Format::Markdown));
        check_covers(&text, &blocks_of(&text, Format::Plain));
    }
}
