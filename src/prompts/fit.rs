//! Learns from the server's token counts how many words give a prompt of a given length.
//!
//! The probes:
//!
//! | probe | words | gives |
//! |---|---|---|
//! | 1, 2 | a few, then the same repeated eight times | the tokens of the chat template, since both have the same words |
//! | 3 | each word of the list once | the mean tokens per word, exactly |
//! | 4 | a prompt of the target length | whether the fit is right at that length |
//! | 5 | another such prompt | whether the correction is right |
//!
//! Probes 1 to 4 are sent together ([`Calibrator::together`]), so that a session begins after one response and not after
//! four. The length of the fourth in words is a guess then, by [`Fit::default`]: it is as good a check where it is not
//! further from the target than [`NEAR`], and else the fourth is sent again with the right number of words.
//!
//! If a probe exceeds the server's context, a smaller one is sent ([`Calibrator::too_long`]): fewer words, or fewer
//! repeats. Without the third probe, the mean tokens per word come from the first two.
//!
//! Limits: if the tokenizer splits some words, prompts have the right length on average, but a single short prompt may
//! be off by a few tokens. A prompt consists of whole words: if a word is more than one token, short prompts randomly
//! take one word more or less, so that the mean length is right.

use serde::{Deserialize, Serialize};

use super::synthetic::{self, Space};
use crate::domain::conversation::{Message, Role};
use crate::domain::failure::Failure;
use crate::domain::plan::{Lengths, Prompts};
use crate::domain::random::Random;
use crate::domain::units;

/// The tokens of generated words under a server's tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Tokens of the chat template around a prompt.
    pub overhead_tokens: f64,
    /// Tokens per word.
    pub tokens_per_word: f64,
}

/// The note for sessions that use [`Fit::default`].
pub const UNFITTED: &str = "the server does not report prompt tokens, so prompts are assumed to \
     have one token per word and 8 for the chat template";

impl Default for Fit {
    /// An estimate for servers that do not count tokens: see [`UNFITTED`].
    fn default() -> Self {
        Self {
            overhead_tokens: 8.0,
            tokens_per_word: 1.0,
        }
    }
}

impl Fit {
    /// Tokens of a prompt with one word.
    pub fn shortest_prompt(&self) -> f64 {
        self.overhead_tokens + self.tokens_per_word
    }

    /// Tokens of a prompt with `words` words.
    pub fn tokens(&self, words: usize) -> f64 {
        self.overhead_tokens + words as f64 * self.tokens_per_word
    }

    /// Words of a prompt that has `tokens` tokens including the chat template; at least one.
    pub(super) fn words(&self, tokens: u32, random: &mut Random) -> usize {
        let tokens = f64::from(tokens);
        let words = (tokens - self.overhead_tokens) / self.tokens_per_word;
        let missed = (words - words.round()).abs() * self.tokens_per_word;
        // If whole words are off by more than 0.5 %, the length is met on average.
        let whole = if missed > 0.005 * tokens {
            (words + random.unit()).floor()
        } else {
            words.round()
        };
        whole.max(1.0) as usize
    }

    /// Words that have `tokens` tokens without the chat template.
    pub(super) fn words_in(&self, tokens: u32) -> usize {
        (f64::from(tokens) / self.tokens_per_word).round() as usize
    }

    /// # Errors
    /// When the requested length is below that of one word in the chat template.
    pub(super) fn check_room(&self, lengths: &Lengths) -> Result<(), Failure> {
        let wanted = match lengths {
            // Draws below the minimum are raised to it, so only the mean has to fit.
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
                "Can't build prompts of {}: the model's chat template alone has {:.0} tokens",
                units::counted(wanted as usize, "token"),
                self.overhead_tokens
            ),
            format!(
                "Request prompts of at least {} tokens",
                units::count(shortest)
            ),
        ))
    }
}

/// Learns a [`Fit`] from the server's counts. Send the probes of [`Calibrator::together`] with `max_tokens` 1 and pass
/// each response's `usage.prompt_tokens` to [`Calibrator::learn_of`] in their order, until there are none.
/// [`Calibrator::next`] and [`Calibrator::learn`] do the same with one probe after the other.
#[derive(Debug, Clone)]
pub struct Calibrator {
    /// Words of the first probe, and how often the second repeats them.
    few: usize,
    times: usize,
    /// The third probe exceeds the server's context.
    without_all: bool,
    seed: u64,
    /// The target length in tokens.
    target: f64,
    counted: Vec<f64>,
    /// Probes of a guessed length that were answered and are no use.
    wasted: u32,
    fit: Fit,
    done: bool,
}

/// A prompt whose tokens the server is to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is sent.
    pub messages: Vec<Message>,
    /// Its words, where they are a guess of the target length.
    guessed: Option<usize>,
}

impl Probe {
    /// What is said, all of it by the user.
    pub fn text(&self) -> &str {
        self.messages.first().map_or("", |said| &said.content)
    }

    /// Whether its length is a guess, so that its failure means nothing.
    pub fn is_guess(&self) -> bool {
        self.guessed.is_some()
    }
}

/// Words of the first probe: whole rounds of the lengths that words have.
const FEW: usize = 60;
/// How often the second says them.
const TIMES: usize = 8;
/// Fewer words tell nothing.
const MIN_FEW_WORDS: usize = 10;
/// Requests at most, a guess that was no use left out.
const MAX_PROBES: usize = 5;
/// A prompt so many times as long as the target, or as short, tells whether the fit is right there.
const NEAR: f64 = 1.5;
/// The random numbers of a guess: no other probe has this index.
const GUESS: u64 = 99;

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
            wasted: 0,
            fit: Fit::default(),
            done: false,
        }
    }

    /// The next probe; `None` when the calibration is complete.
    pub fn next(&self) -> Option<Vec<Message>> {
        (!self.done).then(|| self.probe(self.counted.len()))
    }

    /// The next probes, none of which needs the count of another; none when the calibration is complete.
    pub fn together(&self) -> Vec<Probe> {
        let exact = |number| Probe {
            messages: self.probe(number),
            guessed: None,
        };
        match self.counted.len() {
            _ if self.done => Vec::new(),
            begun @ 0..3 => {
                let words = self.words_of_target();
                let text = synthetic::text(self.seed, Space::Probe, GUESS, words, 0);
                let guess = Probe {
                    messages: vec![Message::new(Role::User, text)],
                    guessed: Some(words),
                };
                (begun..3).map(exact).chain([guess]).collect()
            }
            number => vec![exact(number)],
        }
    }

    /// The probe of this number, from 0.
    fn probe(&self, number: usize) -> Vec<Message> {
        let few = || synthetic::noise(self.seed, 0, self.few);
        let text = match number {
            0 => few(),
            1 => vec![few(); self.times].join(" "),
            2 => synthetic::noise(self.seed, 1, synthetic::COUNT),
            n => synthetic::text(self.seed, Space::Probe, n as u64, self.words_of_target(), 0),
        };
        vec![Message::new(Role::User, text)]
    }

    /// Reports that the last probe exceeded the server's context. Returns whether there is a smaller one to try.
    pub fn too_long(&mut self) -> bool {
        match self.counted.len() {
            0 if self.few > MIN_FEW_WORDS => self.few = (self.few / 2).max(MIN_FEW_WORDS),
            1 if self.times > 2 => self.times /= 2,
            // Even two repeats are too long: start again with fewer words.
            1 if self.few > MIN_FEW_WORDS => {
                self.few = (self.few / 2).max(MIN_FEW_WORDS);
                self.counted.clear();
            }
            2 => {
                self.without_all = true;
                // Use the estimate of the first two probes instead.
                self.counted.push(self.fit.tokens(synthetic::COUNT));
                self.done = self.fit.shortest_prompt() > self.target + 0.5;
            }
            // Prompts of the target length are too long.
            _ => return false,
        }
        true
    }

    /// Takes the server's count for the last probe.
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
                self.done = !self.is_plausible();
            }
            [_, _, all] => {
                self.fit.tokens_per_word =
                    (all - self.fit.overhead_tokens) / synthetic::COUNT as f64;
                self.done = !self.is_plausible() || self.fit.shortest_prompt() > self.target + 0.5;
            }
            [_, _, _, .., counted] => self.check(self.words_of_target(), counted),
            _ => {}
        }
    }

    /// Takes the server's count for one of [`Self::together`]'s probes.
    pub fn learn_of(&mut self, probe: &Probe, prompt_tokens: u64) {
        let Some(words) = probe.guessed else {
            return self.learn(prompt_tokens);
        };
        if self.done {
            return;
        }
        let ratio = words as f64 / self.words_of_target() as f64;
        if self.counted.len() == 3 && (1.0 / NEAR..=NEAR).contains(&ratio) {
            self.counted.push(prompt_tokens as f64);
            self.check(words, prompt_tokens as f64);
        } else {
            self.wasted += 1;
        }
    }

    /// Checks the fit by a prompt of about the target length.
    fn check(&mut self, words: usize, counted: f64) {
        let off = counted - self.fit.tokens(words);
        let as_expected = off.abs() <= self.expected_deviation(words);
        if !as_expected {
            self.correct(words, off);
        }
        self.done = as_expected || self.counted.len() == MAX_PROBES;
    }

    /// Whether the server's counts are unusable, since they do not grow with the words of a prompt.
    pub fn has_unusable_counts(&self) -> bool {
        self.done && !self.counted.is_empty() && !self.is_plausible()
    }

    /// The fit, and the number of requests that it took.
    ///
    /// # Errors
    /// When the calibration is not complete, the server's counts are unusable, or the chat template is longer than the
    /// requested prompts.
    pub fn finish(self) -> Result<(Fit, u32), Failure> {
        let advice = "Use prompts from a file, which need no calibration";
        if !self.done {
            return Err(Failure::new(
                "The calibration of prompt lengths was not completed",
                advice,
            ));
        }
        if !self.counted.is_empty() && !self.is_plausible() {
            let counts: Vec<String> = self.counted.iter().map(f64::to_string).collect();
            return Err(Failure::new(
                "Can't build prompts of a fixed length: the server's prompt token counts do not \
                 grow with the prompt",
                advice,
            )
            .with_details(format!(
                "For prompts of {}, {} and {} words, the server counted {} tokens",
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
            self.counted.len() as u32 - u32::from(self.without_all) + self.wasted,
        ))
    }

    fn is_plausible(&self) -> bool {
        // No tokenizer merges ten common words into a token, or splits one into twenty.
        (0.1..=20.0).contains(&self.fit.tokens_per_word)
    }

    fn words_of_target(&self) -> usize {
        ((self.target - self.fit.overhead_tokens) / self.fit.tokens_per_word)
            .round()
            .max(1.0) as usize
    }

    /// The expected deviation in tokens of a prompt of so many words, caused by the choice of its words: three
    /// standard deviations, if each word has one of the two whole numbers of tokens around the mean.
    fn expected_deviation(&self, words: usize) -> f64 {
        let words = words as f64;
        let fraction = self.fit.tokens_per_word.fract();
        // Each word of the list is used once before any repeats, so a whole list has no deviation.
        let by_chance = words.min(synthetic::COUNT as f64 / 4.0);
        1.0 + 3.0 * (by_chance * fraction * (1.0 - fraction)).sqrt()
    }

    /// Corrects the fit after the server counted `off` tokens more than expected of so many words: in a long prompt the
    /// tokens per word are wrong, in a short one those of the template.
    fn correct(&mut self, words: usize, off: f64) {
        if words > FEW {
            self.fit.tokens_per_word += off / words as f64;
        } else {
            self.fit.overhead_tokens += off;
        }
    }
}
