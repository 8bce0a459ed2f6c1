//! Which lines of a list a filter leaves, and in which order.

use std::cmp::Reverse;

use frizbee::{CaseMatching, Config, Matcher, Pattern, PatternConfig};

use super::Section;

/// So much of a name is searched: a server may send names of any length.
const LONGEST_SEARCHED: usize = 1_000;

/// How well a name matches; the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It is what was typed.
    Whole,
    /// It begins with what was typed.
    Beginning,
    /// Each word that was typed is in it.
    Words,
    /// The letters of each word are in it in this order, with others between them.
    Letters,
}

/// The sections that have matches, each with its lines: the best first, in the list's order where they match alike.
/// Case does not matter. Everything as it is without a filter.
pub fn matching(sections: &[Section<'_>], filter: &str) -> Vec<(usize, Vec<usize>)> {
    let wanted = filter.trim().to_lowercase();
    let words: Vec<&str> = wanted.split_whitespace().collect();
    let numbered = sections.iter().enumerate();
    if words.is_empty() {
        let all = numbered.map(|(at, section)| (at, (0..section.choices.len()).collect()));
        return all
            .filter(|(_, lines): &(usize, Vec<usize>)| !lines.is_empty())
            .collect();
    }
    let config = Config::default().casing(CaseMatching::Ignore);
    // A word that was typed is a word: `!` and `^` have no meaning of their own.
    let patterns: Vec<Pattern> = words
        .iter()
        .map(|word| Pattern::new(word, PatternConfig::default()))
        .collect();
    let mut matcher = Matcher::from_patterns(&patterns, &config);
    let mut found = Vec::new();
    for (at, section) in numbered {
        let names: Vec<&str> = section
            .choices
            .iter()
            .map(|line| beginning(line.name))
            .collect();
        let matches = matcher.match_list(&names);
        let mut lines: Vec<_> = matches
            .into_iter()
            .filter_map(|found| {
                let line = usize::try_from(found.index).ok()?;
                let fit = fit(names.get(line)?, &wanted, &words);
                Some((fit, Reverse(found.score), line))
            })
            .collect();
        lines.sort_unstable();
        if let Some((fit, score, _)) = lines.first().copied() {
            let lines: Vec<usize> = lines.into_iter().map(|(.., line)| line).collect();
            found.push(((fit, score, at), lines));
        }
    }
    // An exact match is the first line wherever it is.
    found.sort_unstable();
    found
        .into_iter()
        .map(|((.., at), lines)| (at, lines))
        .collect()
}

fn fit(name: &str, wanted: &str, words: &[&str]) -> Fit {
    let name = name.to_lowercase();
    if name == wanted {
        Fit::Whole
    } else if name.starts_with(wanted) {
        Fit::Beginning
    } else if words.iter().all(|word| name.contains(word)) {
        Fit::Words
    } else {
        Fit::Letters
    }
}

fn beginning(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST_SEARCHED)]
}
