//! How many words make a prompt of so many tokens, learned from what the server counts.
//!
//! What is sent to learn it:
//!
//! | probe | words | tells |
//! |---|---|---|
//! | 1, 2 | a few, then the same eight times over | what the chat template adds: all words are counted in both |
//! | 3 | each word of the list once | the mean tokens of a word, exactly |
//! | 4 | a prompt as they will be sent | whether it holds at the length wanted |
//! | 5 | another | whether the correction does |
//!
//! A server whose context is too small for one of them gets a smaller one instead ([`Calibrator::too_long`]): fewer words,
//! fewer repeats, and without the third probe the mean of a word is that of the first two.
//!
//! What cannot be exact: a tokenizer that splits some of the words gives prompts of the right length in the
//! mean, but a single short one is off by as many tokens as its words happen to be split more or less
//! often than the mean. And a prompt is made of whole words: where a word is not a token, short prompts
//! take one word more or less by chance, so that their mean is right.

use super::synthetic::{self, Space};
use crate::domain::conversation::{Message, Role};
use crate::domain::failure::Failure;
use crate::domain::plan::{Lengths, Prompts};
use crate::domain::random::Random;
use crate::domain::units;

/// How long made-up words are for a server's tokenizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Tokens of the chat template around a prompt.
    pub overhead_tokens: f64,
    /// Tokens per word.
    pub tokens_per_word: f64,
}

/// To be told when prompts were made with [`Fit::default`].
pub const UNFITTED: &str = "the server does not say how many tokens a prompt has, so prompts are taken to have one \
     token per word and 8 around them";

impl Default for Fit {
    /// A guess for a server that does not count tokens: see [`UNFITTED`].
    fn default() -> Self {
        Self {
            overhead_tokens: 8.0,
            tokens_per_word: 1.0,
        }
    }
}

impl Fit {
    /// Tokens of a prompt of one word.
    pub fn shortest_prompt(&self) -> f64 {
        self.overhead_tokens + self.tokens_per_word
    }

    /// Tokens of a prompt of `words` words.
    pub fn tokens(&self, words: usize) -> f64 {
        self.overhead_tokens + words as f64 * self.tokens_per_word
    }

    /// Words of a prompt of `tokens` tokens with the template around it; at least one.
    pub(super) fn words(&self, tokens: u32, random: &mut Random) -> usize {
        let tokens = f64::from(tokens);
        let words = (tokens - self.overhead_tokens) / self.tokens_per_word;
        let missed = (words - words.round()).abs() * self.tokens_per_word;
        // What whole words miss by more than this is met in the mean.
        let whole = if missed > 0.005 * tokens {
            (words + random.unit()).floor()
        } else {
            words.round()
        };
        whole.max(1.0) as usize
    }

    /// Words that are `tokens` tokens by themselves.
    pub(super) fn words_in(&self, tokens: u32) -> usize {
        (f64::from(tokens) / self.tokens_per_word).round() as usize
    }

    /// # Errors
    /// When prompts are to be shorter than one word in the chat template.
    pub(super) fn check_room(&self, lengths: &Lengths) -> Result<(), Failure> {
        let wanted = match lengths {
            // Cut at what is possible, as the normal distribution is cut anyway.
            Lengths::Normal { mean, .. } => *mean,
            Lengths::Fixed(_) | Lengths::Uniform { .. } => lengths.least(),
        };
        let shortest = self.shortest_prompt();
        if f64::from(wanted) + 0.5 >= shortest {
            return Ok(());
        }
        let shortest = shortest.ceil() as u64;
        Err(Failure::new(
            format!(
                "prompts of {} cannot be made: the model's chat template alone takes {:.0}",
                units::counted(wanted as usize, "token"),
                self.overhead_tokens
            ),
            format!(
                "Ask for prompts of at least {} tokens",
                units::count(shortest)
            ),
        ))
    }
}

/// Learns a [`Fit`] from what a server counts. Send what [`Calibrator::next`] gives with `max_tokens` 1 and tell
/// [`Calibrator::learn`] its `usage.prompt_tokens`, until there is no next.
#[derive(Debug, Clone)]
pub struct Calibrator {
    /// Words of the first probe, and how often the second says them.
    few: usize,
    times: usize,
    /// The third probe does not fit.
    without_all: bool,
    seed: u64,
    /// The length that matters most, in tokens.
    target: f64,
    counted: Vec<f64>,
    fit: Fit,
    done: bool,
}

/// Words of the first probe: whole rounds of the lengths that words have.
const FEW: usize = 60;
/// How often the second says them.
const TIMES: usize = 8;
/// Fewer words tell nothing.
const FEWEST: usize = 10;
/// Requests at most.
const MOST_PROBES: usize = 5;

impl Calibrator {
    /// Fits the prompts of a plan with `seed`, best at their mean length. Prompts from a file need no fit; for
    /// a trace see [`super::length_to_fit`].
    pub fn new(prompts: &Prompts, seed: u64) -> Self {
        match prompts {
            Prompts::Synthetic { input_tokens, .. } => Self::for_length(input_tokens.mean(), seed),
            Prompts::File(_) => Self {
                done: true,
                ..Self::for_length(1.0, seed)
            },
        }
    }

    /// Fits prompts of about `tokens` tokens.
    pub fn for_length(tokens: f64, seed: u64) -> Self {
        Self {
            few: FEW,
            times: TIMES,
            without_all: false,
            seed,
            target: tokens.max(1.0),
            counted: Vec::new(),
            fit: Fit::default(),
            done: false,
        }
    }

    /// What to send next; `None` when all is known.
    pub fn next(&self) -> Option<Vec<Message>> {
        if self.done {
            return None;
        }
        let few = || synthetic::noise(self.seed, 0, self.few);
        let text = match self.counted.len() {
            0 => few(),
            1 => vec![few(); self.times].join(" "),
            2 => synthetic::noise(self.seed, 1, synthetic::COUNT),
            n => synthetic::text(self.seed, Space::Probe, n as u64, self.words_of_target(), 0),
        };
        Some(vec![Message::new(Role::User, text)])
    }

    /// The server refused [`Calibrator::next`] as too long for its context. Gives whether there is a smaller one to try.
    pub fn too_long(&mut self) -> bool {
        match self.counted.len() {
            0 if self.few > FEWEST => self.few = (self.few / 2).max(FEWEST),
            1 if self.times > 2 => self.times /= 2,
            // Even twice the words are too many: begin with fewer.
            1 if self.few > FEWEST => {
                self.few = (self.few / 2).max(FEWEST);
                self.counted.clear();
            }
            2 => {
                self.without_all = true;
                // As many tokens as its words would be by what is known.
                self.counted.push(self.fit.tokens(synthetic::COUNT));
                self.done = self.fit.shortest_prompt() > self.target + 0.5;
            }
            // The prompts themselves are too long.
            _ => return false,
        }
        true
    }

    /// Learns what the server counted for [`Calibrator::next`].
    pub fn learn(&mut self, prompt_tokens: u64) {
        if self.done {
            return;
        }
        self.counted.push(prompt_tokens as f64);
        match *self.counted.as_slice() {
            [few, many] => {
                let tokens_of_few = (many - few) / (self.times - 1) as f64;
                self.fit.overhead_tokens = few - tokens_of_few;
                self.fit.tokens_per_word = tokens_of_few / self.few as f64;
                self.done = !self.is_sound();
            }
            [_, _, all] => {
                self.fit.tokens_per_word =
                    (all - self.fit.overhead_tokens) / synthetic::COUNT as f64;
                self.done = !self.is_sound() || self.fit.shortest_prompt() > self.target + 0.5;
            }
            [_, _, _, .., counted] => {
                let off = counted - self.fit.tokens(self.words_of_target());
                let as_expected = off.abs() <= self.chance();
                if !as_expected {
                    self.correct(off);
                }
                self.done = as_expected || self.counted.len() == MOST_PROBES;
            }
            _ => {}
        }
    }

    /// Whether what the server counts tells nothing: its counts do not grow with the words of a prompt.
    pub fn is_senseless(&self) -> bool {
        self.done && !self.counted.is_empty() && !self.is_sound()
    }

    /// The fit, and how many requests it took.
    ///
    /// # Errors
    /// When it was ended before its time, when the server's counts do not grow with the prompts, or when the
    /// chat template alone is longer than the prompts wanted.
    pub fn finish(self) -> Result<(Fit, u32), Failure> {
        let advice = "Take the prompts from a file, whose length is as it is";
        if !self.done {
            return Err(Failure::new(
                "the prompts were not fitted to the server's tokenizer",
                advice,
            ));
        }
        if !self.counted.is_empty() && !self.is_sound() {
            let counts: Vec<String> = self.counted.iter().map(f64::to_string).collect();
            return Err(Failure::new(
                "prompts of a given length cannot be made: the tokens that the server counts do not grow with \
                 the words of a prompt",
                advice,
            )
            .with_details(format!(
                "Prompts of {}, {} and {} words were counted as {} tokens",
                self.few,
                self.few * self.times,
                synthetic::COUNT,
                counts.join(", ")
            )));
        }
        self.fit
            .check_room(&Lengths::Fixed(self.target.round() as u32))?;
        Ok((
            self.fit,
            self.counted.len() as u32 - u32::from(self.without_all),
        ))
    }

    fn is_sound(&self) -> bool {
        // No tokenizer makes one token of ten common words, or twenty of one.
        (0.1..=20.0).contains(&self.fit.tokens_per_word)
    }

    fn words_of_target(&self) -> usize {
        ((self.target - self.fit.overhead_tokens) / self.fit.tokens_per_word)
            .round()
            .max(1.0) as usize
    }

    /// By how many tokens a prompt of the target's length may well be off, just because of its words: three
    /// standard deviations, where each word has one of the two numbers of tokens about the mean.
    fn chance(&self) -> f64 {
        let words = self.words_of_target() as f64;
        let fraction = self.fit.tokens_per_word.fract();
        // All words come once before any comes twice, and all together are no chance.
        let by_chance = words.min(synthetic::COUNT as f64 / 4.0);
        1.0 + 3.0 * (by_chance * fraction * (1.0 - fraction)).sqrt()
    }

    /// The server counted `off` tokens more than expected: a long prompt tells of its words, a short one of
    /// what stands around them.
    fn correct(&mut self, off: f64) {
        let words = self.words_of_target();
        if words > FEW {
            self.fit.tokens_per_word += off / words as f64;
        } else {
            self.fit.overhead_tokens += off;
        }
    }
}
