//! Generates meaningless text with a given number of words. Texts differ from the first word on, so that a server's
//! prefix cache cannot help.
//!
//! The words (`words.txt`, compiled for Batida) are common and have three to six letters. With or without a leading
//! space, each is one token for the tokenizers of GPT-4 (the basis of Llama 3's and Qwen's) and gpt-oss. Word lengths
//! follow a fixed pattern, and each word is used once before any repeats: texts with the same number of words have the
//! same number of bytes.

use std::cell::RefCell;
use std::sync::LazyLock;

use crate::domain::random::Random;

/// Purposes of random numbers. Each has its own sequence.
#[derive(Debug, Clone, Copy)]
pub(super) enum Space {
    /// The user message of this turn, counted from 0.
    Turn(u64),
    Probe,
    Prefix,
    /// A block of a trace's prompts.
    Block,
    InputLength,
    OutputLength,
    Rounding,
}

impl Space {
    pub(super) fn key(self) -> u64 {
        match self {
            Self::Turn(turn) => turn,
            Self::Probe => u64::MAX,
            Self::Prefix => u64::MAX - 1,
            Self::InputLength => u64::MAX - 2,
            Self::OutputLength => u64::MAX - 3,
            Self::Rounding => u64::MAX - 4,
            Self::Block => u64::MAX - 5,
        }
    }
}

/// A text of `words` words, of which the first `prefix` are the same for all texts with this seed. The first word after
/// the prefix is different for [`COUNT`] consecutive indexes; the first two words are different for all indexes below
/// `COUNT` squared.
pub(super) fn text(seed: u64, space: Space, index: u64, words: usize, prefix: usize) -> String {
    let words = words.max(1);
    // Two words after the prefix make a prompt unique.
    let prefix = prefix.min(words.saturating_sub(2));
    let mut out = Text::with_room_for(words);
    if prefix > 0 {
        write_noise(Random::at(&[seed, Space::Prefix.key()]), prefix, &mut out);
    }
    let mut random = Random::at(&[seed, space.key(), index]);
    let head = head(seed, space, index, &mut random);
    let own = words - prefix;
    head.iter().take(own).for_each(|word| out.push(*word));
    write_noise(random, own.saturating_sub(head.len()), &mut out);
    out.finish()
}

/// `words` words in an order given by the seed; the whole list before any word repeats.
pub(super) fn noise(seed: u64, index: u64, words: usize) -> String {
    let mut out = Text::with_room_for(words);
    write_noise(
        Random::at(&[seed, Space::Probe.key(), index]),
        words,
        &mut out,
    );
    out.finish()
}

/// The first words of request `index`: two that identify it, and two that bring their letters to [`HEAD_LETTERS`].
fn head(seed: u64, space: Space, index: u64, random: &mut Random) -> [usize; 4] {
    const N: u64 = COUNT as u64;
    let mut order = Random::at(&[seed, space.key()]);
    let (low, high) = (
        shuffled(index % N, &mut order),
        shuffled(index / N % N, &mut order),
    );
    let (first, second) = (low as usize, ((low + high) % N) as usize);
    let left = HEAD_LETTERS - letters_of(first) - letters_of(second);
    let (least, most) = (
        left.saturating_sub(LONGEST).max(SHORTEST),
        (left - SHORTEST).min(LONGEST),
    );
    let third = least + random.below(most - least + 1);
    let mut word = |letters: usize| {
        let class = &CLASSES[letters - SHORTEST];
        class.start + random.below(class.count)
    };
    [first, second, word(third), word(left - third)]
}

/// The position of `n` in a permutation of the words (n ↦ a·n + b modulo their number, with a coprime to it).
fn shuffled(n: u64, order: &mut Random) -> u64 {
    const N: u64 = COUNT as u64;
    let factor = loop {
        let factor = order.bits() % N;
        if gcd(factor, N) == 1 {
            break factor;
        }
    };
    (factor * n + order.bits() % N) % N
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

static IN_ORDER: [u16; COUNT] = {
    let mut order = [0; COUNT];
    let mut at = 0;
    while at < COUNT {
        order[at] = at as u16;
        at += 1;
    }
    order
};

/// Writes words with the lengths of [`PATTERN`]. Each length class is shuffled, and used up before any of its words
/// repeats.
fn write_noise(mut random: Random, words: usize, out: &mut Text) {
    /// [`IN_ORDER`] with some swaps, which are undone afterwards.
    struct Order {
        order: Box<[u16; COUNT]>,
        swapped: Vec<[u16; 2]>,
    }
    thread_local! {
        static ORDER: RefCell<Order> =
            RefCell::new(Order { order: Box::new(IN_ORDER), swapped: Vec::new() });
    }
    ORDER.with_borrow_mut(|Order { order, swapped }| {
        let mut used = [0; CLASSES.len()];
        for letters in PATTERN.iter().cycle().take(words) {
            let Class { start, count } = CLASSES[letters - SHORTEST];
            let used = &mut used[letters - SHORTEST];
            let drawn = *used + (((random.bits() >> 32) * (count - *used) as u64) >> 32) as usize;
            let (here, there) = (start + *used, start + drawn);
            order.swap(here, there);
            swapped.push([here as u16, there as u16]);
            *used = if *used + 1 == count { 0 } else { *used + 1 };
            out.push(usize::from(order[here]));
        }
        // For a short text, undoing the swaps is cheaper than copying the list.
        if swapped.len() < COUNT {
            for [here, there] in swapped.iter().rev() {
                order.swap(usize::from(*here), usize::from(*there));
            }
        } else {
            **order = IN_ORDER;
        }
        swapped.clear();
    });
}

/// A text under construction, with a space before each word.
struct Text {
    text: Vec<u8>,
    list: &'static [Word],
}

impl Text {
    fn with_room_for(words: usize) -> Self {
        Self {
            text: Vec::with_capacity(words * (LONGEST + 1) + SPACED_BYTES),
            list: &WORDS,
        }
    }

    #[inline]
    fn push(&mut self, word: usize) {
        let Word { spaced, length } = self.list[word];
        // Copying a fixed number of bytes and truncating is a single move.
        let end = self.text.len() + usize::from(length);
        self.text.extend_from_slice(&spaced);
        self.text.truncate(end);
    }

    /// Removes the leading space.
    fn finish(mut self) -> String {
        if !self.text.is_empty() {
            self.text.remove(0);
        }
        // The list is ASCII.
        String::from_utf8(self.text).unwrap_or_default()
    }
}

const LIST: &str = include_str!("words.txt");

/// Bytes of the longest word and its space, rounded up to a machine word.
const SPACED_BYTES: usize = 8;

/// A word with a leading space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Word {
    spaced: [u8; SPACED_BYTES],
    length: u8,
}

/// In the order of [`CLASSES`].
static WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| {
    let word = |word: &str| {
        let mut spaced = [b' '; SPACED_BYTES];
        spaced[1..=word.len()].copy_from_slice(word.as_bytes());
        Word {
            spaced,
            length: 1 + word.len() as u8,
        }
    };
    LIST.split_ascii_whitespace().map(word).collect()
});

/// The number of words in the list.
pub(super) const COUNT: usize = 1_680;
const SHORTEST: usize = 3;
const LONGEST: usize = 6;
/// Letters of a text's first four words: two more words can always bring any two to this sum.
const HEAD_LETTERS: usize = 2 * (SHORTEST + LONGEST);
/// The repeating sequence of word lengths. All length classes are used up at the same time.
const PATTERN: [usize; 12] = [6, 4, 6, 4, 5, 4, 6, 3, 5, 5, 5, 4];

/// The part of the list with words of one length.
struct Class {
    start: usize,
    count: usize,
}

const CLASSES: [Class; 4] = [
    Class {
        start: 0,
        count: 140,
    },
    Class {
        start: 140,
        count: 560,
    },
    Class {
        start: 700,
        count: 560,
    },
    Class {
        start: 1_260,
        count: 420,
    },
];

fn letters_of(word: usize) -> usize {
    SHORTEST + CLASSES.iter().filter(|class| class.start <= word).count() - 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_classes_are_as_the_list_has_them() {
        assert_eq!(WORDS.len(), COUNT);
        assert_eq!(WORDS.iter().collect::<HashSet<_>>().len(), COUNT);
        for (at, word) in WORDS.iter().enumerate() {
            let letters = &word.spaced[1..usize::from(word.length)];
            assert!(letters.iter().all(u8::is_ascii_lowercase), "{word:?}");
            assert_eq!(letters_of(at), letters.len(), "{word:?}");
        }
        for (at, class) in CLASSES.iter().enumerate() {
            let in_pattern = PATTERN
                .iter()
                .filter(|letters| **letters == SHORTEST + at)
                .count();
            assert_eq!(
                class.count * PATTERN.len(),
                COUNT * in_pattern,
                "all are used up at once"
            );
        }
    }

    #[test]
    fn texts_of_as_many_words_have_as_many_bytes() {
        for words in [4, 5, 17, 100, 3_000] {
            let lengths: HashSet<usize> = (0..300)
                .map(|index| text(1, Space::Turn(0), index * 77, words, 0).len())
                .collect();
            assert_eq!(lengths.len(), 1, "{words} words: {lengths:?}");
        }
    }

    #[test]
    fn all_words_come_once_before_any_comes_twice() {
        let text = noise(1, 1, 2 * COUNT);
        let words: Vec<&str> = text.split(' ').collect();
        for half in words.chunks(COUNT) {
            assert_eq!(half.iter().collect::<HashSet<_>>().len(), COUNT);
        }
        assert_ne!(words[..COUNT], words[COUNT..]);
    }
}
