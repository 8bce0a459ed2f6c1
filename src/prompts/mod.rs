//! What a benchmark says, and when: made-up text of a length, files, traces, schedules. The same seed says
//! the same at the same moments.

pub mod files;
pub mod fit;
mod pieces;
mod said;
pub mod schedule;
mod synthetic;
mod table;
pub mod template;
mod times;
pub mod trace;

use std::sync::Arc;

use crate::domain::conversation::{Message, Role};
use crate::domain::failure::Failure;
use crate::domain::plan::{Lengths, Load, MOST_TOKENS, Plan, Prompts};
use crate::domain::random::Random;
use files::Material;
use fit::Fit;
use synthetic::Space;
use trace::{Said, Trace};

/// A larger file of prompts, or a larger trace, is not read: it would take up several times as much memory.
pub const MOST_BYTES: u64 = 1 << 30;

/// Where the requests of a session get their words. Cheap to clone, and shared by all that send.
#[derive(Debug, Clone)]
pub struct PromptSource(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    seed: u64,
    turns: usize,
    output_tokens: Option<Lengths>,
    words: Words,
    fit: Fit,
    trace: Option<Trace>,
}

#[derive(Debug, Clone)]
enum Words {
    Synthetic {
        input_tokens: Lengths,
        prefix_tokens: u32,
    },
    File(Material),
}

/// What one request, or one conversation, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The messages before each answer: first the opening, then what follows each answer. Never empty; the
    /// model's own answers go between.
    pub turns: Vec<Vec<Message>>,
    /// Tokens that the server should count for the opening; `None` where nobody asked for a length.
    pub wanted_prompt_tokens: Option<u32>,
    /// `max_tokens` of every turn; `None` leaves it to the server.
    pub max_tokens: Option<u32>,
}

/// A request that says one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Lower-case letters and spaces: nothing that JSON escapes.
    pub text: String,
    /// As in [`Draft`].
    pub wanted_prompt_tokens: u32,
    /// As in [`Draft`].
    pub max_tokens: Option<u32>,
}

impl PromptSource {
    /// The words of `plan`. `material` is its prompt file, read; `fit` is how long its made-up words are for
    /// the server (`None` takes [`Fit::default`]). A plan without a seed says what seed 0 says: who runs it draws
    /// one first.
    ///
    /// # Errors
    /// When the plan wants a file and there is none, or prompts shorter than the chat template alone.
    pub fn new(plan: &Plan, material: Option<Material>, fit: Option<Fit>) -> Result<Self, Failure> {
        let fit = fit.unwrap_or_default();
        let words = match (&plan.prompts, material) {
            (
                Prompts::Synthetic {
                    input_tokens,
                    prefix_tokens,
                },
                _,
            ) => {
                fit.check_room(input_tokens)?;
                Words::Synthetic {
                    input_tokens: *input_tokens,
                    prefix_tokens: *prefix_tokens,
                }
            }
            (Prompts::File(_), Some(material)) => Words::File(material),
            (Prompts::File(file), None) => {
                return Err(Failure::new(
                    format!("the prompts of {} were not read", file.display()),
                    "Choose the file again, or let the prompts be made up",
                ));
            }
        };
        Ok(Self(Arc::new(Inner {
            seed: plan.seed.unwrap_or_default(),
            turns: plan.turns.max(1) as usize,
            output_tokens: plan.output_tokens,
            words,
            fit,
            trace: None,
        })))
    }

    /// The same, where `trace` says what it says: an entry's own words or lengths stand before the plan's.
    #[must_use]
    pub fn with_trace(self, trace: Trace) -> Self {
        let inner = Arc::unwrap_or_clone(self.0);
        Self(Arc::new(Inner {
            trace: Some(trace),
            ..inner
        }))
    }

    /// What [`Self::draft`] says, where that is a single message of made-up words: for those who write very many.
    pub fn opening(&self, index: u64) -> Option<Opening> {
        let inner = &*self.0;
        if inner.turns > 1 || inner.trace.is_some() {
            return None;
        }
        let Words::Synthetic {
            input_tokens,
            prefix_tokens,
        } = &inner.words
        else {
            return None;
        };
        let tokens = inner.input_tokens(input_tokens, index);
        let text = inner.opening(index, tokens, *prefix_tokens);
        Some(Opening {
            text,
            wanted_prompt_tokens: tokens,
            max_tokens: inner.output_tokens(index),
        })
    }

    /// What request `index` says; the same at every call. Requests differ as long as their indexes do, so an
    /// index is used once in a session, whatever the level. Files and traces begin again at their end.
    ///
    /// Takes about 10 µs for each thousand made-up words.
    pub fn draft(&self, index: u64) -> Draft {
        let inner = &*self.0;
        let entry = inner.trace.as_ref().map(|trace| trace.entry(index));
        let mut draft = match entry.map(|entry| &entry.said) {
            Some(Said::Own(said)) => said.draft(inner.turns),
            Some(Said::OfLength(tokens)) => inner.synthetic(index, *tokens, 0),
            Some(Said::OfBlocks(tokens, ids)) => inner.of_blocks(index, *tokens, ids),
            Some(Said::AsPlanned) | None => inner.planned(index),
        };
        draft.max_tokens = entry
            .and_then(|entry| entry.max_tokens)
            .or(draft.max_tokens)
            .or_else(|| inner.output_tokens(index));
        draft
    }
}

impl Inner {
    fn planned(&self, index: u64) -> Draft {
        match &self.words {
            Words::File(material) => material.entry(index).draft(self.turns),
            Words::Synthetic {
                input_tokens,
                prefix_tokens,
            } => self.synthetic(
                index,
                self.input_tokens(input_tokens, index),
                *prefix_tokens,
            ),
        }
    }

    fn input_tokens(&self, lengths: &Lengths, index: u64) -> u32 {
        let drawn = draw(
            lengths,
            &mut Random::at(&[self.seed, Space::InputLength.key(), index]),
        );
        drawn.max(self.fit.shortest_prompt().min(lengths.mean()) as u32)
    }

    fn output_tokens(&self, index: u64) -> Option<u32> {
        let lengths = self.output_tokens.as_ref()?;
        Some(draw(
            lengths,
            &mut Random::at(&[self.seed, Space::OutputLength.key(), index]),
        ))
    }

    /// What the user says first.
    fn opening(&self, index: u64, tokens: u32, prefix_tokens: u32) -> String {
        let mut random = Random::at(&[self.seed, Space::Rounding.key(), index]);
        let words = self.fit.words(tokens, &mut random);
        synthetic::text(
            self.seed,
            Space::Turn(0),
            index,
            words,
            self.fit.words_in(prefix_tokens),
        )
    }

    /// A prompt of blocks: the same id gives the same words, in every prompt of the session.
    fn of_blocks(&self, index: u64, tokens: u32, ids: &[u64]) -> Draft {
        let mut draft = self.synthetic(index, tokens, 0);
        let block = self
            .fit
            .words_in(self.trace.as_ref().map_or(1, Trace::block_tokens))
            .max(1);
        let mut random = Random::at(&[self.seed, Space::Rounding.key(), index]);
        let words = self.fit.words(tokens, &mut random);
        let mut text = String::new();
        let mut left = words;
        for id in ids {
            if left == 0 {
                break;
            }
            let whole = synthetic::text(self.seed, Space::Block, *id, block, 0);
            let taken = left.min(block);
            if !text.is_empty() {
                text.push(' ');
            }
            let cut = whole
                .split(' ')
                .take(taken)
                .map(|word| word.len() + 1)
                .sum::<usize>();
            text.push_str(&whole[..cut.saturating_sub(1).min(whole.len())]);
            left -= taken;
        }
        if left > 0 {
            // Fewer blocks than tokens: the rest is the prompt's own.
            text.push(' ');
            text.push_str(&synthetic::text(self.seed, Space::Turn(0), index, left, 0));
        }
        draft.turns[0] = vec![Message::new(Role::User, text.trim_start())];
        draft
    }

    fn synthetic(&self, index: u64, tokens: u32, prefix_tokens: u32) -> Draft {
        let mut turns = vec![vec![Message::new(
            Role::User,
            self.opening(index, tokens, prefix_tokens),
        )]];
        let later = self.fit.words_in(tokens / 8).max(SHORTEST_TURN);
        turns.extend((1..self.turns).map(|turn| {
            let text = synthetic::text(self.seed, Space::Turn(turn as u64), index, later, 0);
            vec![Message::new(Role::User, text)]
        }));
        Draft {
            turns,
            wanted_prompt_tokens: Some(tokens),
            max_tokens: None,
        }
    }
}

/// Words of the shortest made-up message after an answer.
const SHORTEST_TURN: usize = 8;

/// The length in tokens to which [`fit::Calibrator`] should fit made-up prompts; `None` when nothing is made
/// up.
pub fn length_to_fit(plan: &Plan, trace: Option<&Trace>) -> Option<f64> {
    let planned = match &plan.prompts {
        Prompts::Synthetic { input_tokens, .. } => Some(input_tokens.mean()),
        Prompts::File(_) => None,
    };
    match (&plan.load, trace) {
        (Load::Trace { .. }, Some(trace)) => trace
            .mean_input_tokens()
            .or(planned.filter(|_| trace.leaves_words_to_the_plan())),
        _ => planned,
    }
}

fn draw(lengths: &Lengths, random: &mut Random) -> u32 {
    match *lengths {
        Lengths::Fixed(n) => n,
        Lengths::Uniform { least, most } => {
            least + random.below((most - least) as usize + 1) as u32
        }
        Lengths::Normal { mean, deviation } => {
            let drawn = f64::from(mean) + f64::from(deviation) * random.normal();
            drawn.round().clamp(1.0, f64::from(MOST_TOKENS)) as u32
        }
    }
}
