//! The prompts of a benchmark and the times at which they are sent: generated text, files, traces and schedules. The
//! same seed gives the same prompts at the same times.

mod entry;
pub mod files;
pub mod fit;
pub mod pictures;
mod pieces;

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
use trace::{Trace, TracePrompt};

/// Limit of prompt files and traces: parsing needs several times as much memory.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Supplies the prompts of a session. Cheap to clone; all workers share it.
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

/// The prompt of one request, or of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The messages of each turn. The model's own responses go between the turns. Never empty.
    pub turns: Vec<Vec<Message>>,
    /// The intended length of the first turn; `None` if no length was requested.
    pub wanted_prompt_tokens: Option<u32>,
    /// `max_tokens` of every turn; `None` means the server's default.
    pub max_tokens: Option<u32>,
}

/// A generated prompt of a single message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Only lower-case letters and spaces, so that JSON needs no escapes.
    pub text: String,
    /// The intended length in tokens.
    pub wanted_prompt_tokens: u32,
    /// `max_tokens`; `None` means the server's default.
    pub max_tokens: Option<u32>,
}

impl PromptSource {
    /// The prompts of `plan`. `material` is its prompt file; `fit` is the server's count of tokens per word (`None`
    /// means [`Fit::default`]). A plan without a seed uses seed 0; the caller draws a seed first.
    ///
    /// # Errors
    /// When the plan needs a prompt file and `material` is `None`, or its prompts are shorter than the chat template.
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
                    format!("The prompt file {} was not read", file.display()),
                    "Choose the file again, or use synthetic prompts",
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

    /// Adds a trace: the prompts and lengths of its entries take precedence over the plan's.
    #[must_use]
    pub fn with_trace(self, trace: Trace) -> Self {
        let inner = Arc::unwrap_or_clone(self.0);
        Self(Arc::new(Inner {
            trace: Some(trace),
            ..inner
        }))
    }

    /// The tokens of its generated words.
    pub fn fit(&self) -> Fit {
        self.0.fit
    }

    /// A cheaper [`Self::draft`] for generated prompts of a single message; `None` for all others.
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

    /// How many turns [`Self::draft`] has, without writing them where that is known.
    pub fn turns(&self, index: u64) -> usize {
        let inner = &*self.0;
        match (&inner.words, &inner.trace) {
            (Words::Synthetic { .. }, None) => inner.turns,
            _ => self.draft(index).turns.len(),
        }
    }

    /// The prompt of request `index`; the same at every call. Different indexes give different prompts, so a session
    /// uses each index once across all levels. Files and traces start again at their end.
    ///
    /// Takes about 10 µs per thousand generated words.
    pub fn draft(&self, index: u64) -> Draft {
        let inner = &*self.0;
        let entry = inner.trace.as_ref().map(|trace| trace.entry(index));
        let mut draft = match entry.map(|entry| &entry.prompt) {
            Some(TracePrompt::Own(prompt)) => prompt.draft(inner.turns),
            Some(TracePrompt::OfLength(tokens)) => inner.synthetic(index, *tokens, 0),
            Some(TracePrompt::OfBlocks(tokens, ids)) => inner.of_blocks(index, *tokens, ids),
            Some(TracePrompt::AsPlanned) | None => inner.planned(index),
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

    /// A prompt of blocks: the same id gives the same text in every prompt of the session.
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
            // The blocks are shorter than the prompt: the rest is unique text.
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
        let later = self.fit.words_in(tokens / 8).max(MIN_TURN_WORDS);
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

/// Words of the shortest generated message after a response.
const MIN_TURN_WORDS: usize = 8;

/// The length in tokens to which [`fit::Calibrator`] should fit generated prompts; `None` if none are generated.
pub fn length_to_fit(plan: &Plan, trace: Option<&Trace>) -> Option<f64> {
    let planned = match &plan.prompts {
        Prompts::Synthetic { input_tokens, .. } => Some(input_tokens.mean()),
        Prompts::File(_) => None,
    };
    match (&plan.load, trace) {
        (Load::Trace { .. }, Some(trace)) => trace
            .mean_input_tokens()
            .or(planned.filter(|_| trace.uses_prompts_of_plan())),
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
