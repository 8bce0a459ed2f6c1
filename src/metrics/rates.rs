//! What a level did over time: tokens, answers and requests in flight, in bins of time.
//!
//! Bins are 1.024 ms wide at first and are merged by pairs as the level gets longer, so that there are never
//! more than [`MOST_BINS`]: each is at most 1/4096 of the level then. They lie on a grid from the session's
//! beginning, and hold whole numbers, so that merging equals recording everything in one.
//!
//! Rates are over a [`Window`], with the bins at its edges taken by the share that lies inside. Their 95 %
//! intervals are by batch means: the window is cut into 5 to 20 equal parts, as long as twelve answers take where
//! there is time for that and never shorter than one, since neighbours in time resemble each other; nor shorter than
//! requests that wait for each other depend on each other ([`super::dependence`]). The parts' rates are taken as
//! independent values, with Student's t. A window of fewer than five such parts has no interval.

mod student;

use std::time::Duration;

pub(super) use self::student::student;

use crate::domain::run::Rate;

/// Bins at most.
pub const MOST_BINS: usize = 8_192;
/// Fewer parts than that give no interval.
pub(in crate::metrics) const LEAST_BATCHES: u64 = 5;
/// More parts hardly narrow it.
const MOST_BATCHES: u64 = 20;
/// A part is so many answers long, where there are [`LEAST_BATCHES`] such parts. An answer that lies across the edge of two
/// makes them alike: of parts of one or two answers 83 to 91 % of the intervals hold the rate, of six 91 to 93 %.
const ANSWERS_A_BATCH: f64 = 12.0;
/// A part is so many bins at least: what lies across the edge of two is shared out, and would hide how they differ.
const BINS_A_BATCH: u64 = 4;
/// Tokens and answers are shared out among chunks in millionths.
const WHOLE: u64 = 1_000_000;

/// What a level did over time.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    /// How often bins were merged by pairs.
    coarse: u32,
    /// The number of the first bin, counted in widths from the session's beginning.
    first: u64,
    bins: Vec<Bin>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    /// Output tokens, in millionths.
    output: u64,
    prompt: u64,
    /// Millionths of answers, and of those of them that met the objectives.
    answers: u64,
    met: u64,
    /// Requests in flight that began here, and that ended here, when not both.
    begun: u32,
    ended: u32,
    /// Time that requests were in flight, in µs, beyond what `begun` and `ended` say of whole bins.
    part_us: i64,
}

/// What bins count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Output tokens.
    Output,
    /// Prompt tokens.
    Prompt,
    /// Prompt and output tokens.
    Total,
    /// Answers completed.
    Answers,
    /// Those of them that met the objectives.
    Met,
}

/// A part of a level: from a moment to another, without the pauses in it. In µs from the session's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    parts: Vec<[u64; 2]>,
}

impl Rates {
    /// `tokens` came with chunks, the first at `first` and the others each `gaps_us` after the one before:
    /// each chunk has an equal share.
    pub fn output(&mut self, tokens: u64, first: Duration, gaps_us: &[u32]) {
        self.share(tokens.saturating_mul(WHOLE), first, gaps_us, |bin, part| {
            // A file may claim any count.
            bin.output = bin.output.saturating_add(part);
        });
    }

    /// An answer whose chunks came at these moments, and whether it met the objectives. Each chunk has an equal
    /// share: answers that end together would otherwise all count, or none, by where a window ends.
    pub fn answer(&mut self, first: Duration, gaps_us: &[u32], met: bool) {
        self.share(WHOLE, first, gaps_us, |bin, part| {
            bin.answers += part;
            bin.met += if met { part } else { 0 };
        });
    }

    fn share(&mut self, whole: u64, first: Duration, gaps_us: &[u32], add: impl Fn(&mut Bin, u64)) {
        let each = whole / (gaps_us.len() as u64 + 1);
        let rest = whole - each * gaps_us.len() as u64;
        let mut at = micros(first);
        // Makes room once, so that the loop below need only look.
        self.bin(at + gaps_us.iter().map(|gap| u64::from(*gap)).sum::<u64>());
        add(self.bin(at), rest);
        let shift = self.shift();
        let mut gaps = gaps_us.iter().peekable();
        while let Some(gap) = gaps.next() {
            at += u64::from(*gap);
            // Chunks of one read.
            let mut n = 1;
            while gaps.next_if_eq(&&0).is_some() {
                n += 1;
            }
            if let Some(bin) = self.bins.get_mut(((at >> shift) - self.first) as usize) {
                add(bin, each * n);
            }
        }
    }

    /// A prompt of so many tokens had been read at `at`.
    pub fn prompt(&mut self, tokens: u64, at: Duration) {
        let bin = self.bin(micros(at));
        bin.prompt = bin.prompt.saturating_add(tokens);
    }

    /// A request was in flight.
    pub fn in_flight(&mut self, from: Duration, to: Duration) {
        let (from, to) = (micros(from), micros(to.max(from)));
        // The later first: it may make the bins coarser.
        self.bin(to);
        self.bin(from);
        let width = self.width();
        let (start, end) = (from >> self.shift(), to >> self.shift());
        if start == end {
            self.bin(from).part_us += (to - from) as i64;
            return;
        }
        let begun = self.bin(from);
        begun.begun += 1;
        begun.part_us += ((start + 1) * width - from) as i64;
        let ended = self.bin(to);
        ended.ended += 1;
        ended.part_us += (to - end * width) as i64;
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        if other.bins.is_empty() {
            return;
        }
        let mut other = other.clone();
        self.make_room(other.first * other.width());
        self.make_room((other.first + other.bins.len() as u64) * other.width() - 1);
        while self.coarse < other.coarse {
            self.coarsen();
        }
        while other.coarse < self.coarse {
            other.coarsen();
        }
        let offset = (other.first - self.first) as usize;
        for (bin, theirs) in self.bins.iter_mut().skip(offset).zip(&other.bins) {
            bin.add(theirs);
        }
    }

    /// The rate over a window with its 95 % interval. `answer_takes` is the mean latency, `apart` how long requests depend
    /// on each other, both in µs. `None` for an empty window.
    pub fn rate(
        &self,
        what: Counted,
        window: &Window,
        answer_takes: Option<f64>,
        apart: Option<f64>,
    ) -> Option<Rate> {
        let length = window.length();
        if length == 0 {
            return None;
        }
        let per_sec = |amount: f64, us: f64| amount / us * 1e6;
        let grown = self.grown(|bin| what.of(bin));
        let mean = per_sec(window.amount(0.0, length as f64, &grown), length as f64);
        let batches = self.batches(window, answer_takes, apart);
        let ci = batches.map(|batches| {
            let each = length as f64 / batches as f64;
            let rates: Vec<f64> = (0..batches)
                .map(|i| {
                    per_sec(
                        window.amount(i as f64 * each, (i + 1) as f64 * each, &grown),
                        each,
                    )
                })
                .collect();
            let around: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
            let half =
                student(batches - 1) * (around / (batches - 1) as f64 / batches as f64).sqrt();
            [(mean - half).max(0.0), mean + half]
        });
        Some(Rate { mean, ci, batches })
    }

    /// The mean number of requests in flight over a window.
    pub fn mean_in_flight(&self, window: &Window) -> Option<f64> {
        let length = window.length() as f64;
        let busy = self.busy();
        let mut at = 0;
        let grown = self.grown(|_| {
            at += 1;
            busy[at - 1] as f64
        });
        (length > 0.0).then(|| window.amount(0.0, length, &grown) / length)
    }

    /// From when on between these moments no more is in flight than later on: what a stall piled up before is gone then, and
    /// is in no rate. The first of them when that is so at once, or never.
    pub fn settled(&self, [from, to]: [Duration; 2]) -> Duration {
        let (begin, end) = (micros(from), micros(to));
        if begin >= end || self.bins.is_empty() {
            return from;
        }
        let width = self.width();
        let busy = self.busy();
        let index = |at: u64| ((at / width).saturating_sub(self.first) as usize).min(busy.len());
        let later = &busy[index(begin + (end - begin) / 2)..index(end)];
        if later.is_empty() {
            return from;
        }
        let mean = later.iter().sum::<i64>() as f64 / later.len() as f64 / width as f64;
        // Independent arrivals: as many more are nothing special.
        let usual = mean + (2.0 * mean.sqrt()).max(1.0);
        let settled =
            (index(begin)..index(end)).find(|bin| busy[*bin] as f64 / width as f64 <= usual);
        settled.map_or(from, |bin| {
            from.max(Duration::from_micros((self.first + bin as u64) * width))
        })
    }

    /// The most requests in flight at once, as far as bins can tell: exact where one bin ends and the next
    /// begins, and the mean within.
    pub fn most_in_flight(&self) -> u32 {
        let width = self.width() as f64;
        let mean = self
            .busy()
            .into_iter()
            .map(|us| (us as f64 / width).round() as u32)
            .max();
        let mut now = 0i64;
        let edges = self.bins.iter().map(|bin| {
            now += i64::from(bin.begun) - i64::from(bin.ended);
            u32::try_from(now).unwrap_or(0)
        });
        edges.max().max(mean).unwrap_or(0)
    }

    /// How many parts to cut a window into.
    fn batches(
        &self,
        window: &Window,
        answer_takes: Option<f64>,
        apart: Option<f64>,
    ) -> Option<u64> {
        let length = window.length() as f64;
        let answers = window
            .amount(
                0.0,
                length,
                &self.grown(|bin| bin.answers as f64 / WHOLE as f64),
            )
            .round() as u64;
        let (longest, wanted) = match answer_takes.filter(|us| *us > 0.0) {
            Some(us) => (
                (length / us) as u64,
                (length / (us * ANSWERS_A_BATCH)) as u64,
            ),
            None => (MOST_BATCHES, MOST_BATCHES),
        };
        let batches = wanted
            .clamp(LEAST_BATCHES, MOST_BATCHES)
            .min(longest)
            .min(apart.map_or(MOST_BATCHES, |us| (length / us.max(1.0)) as u64))
            .min(answers)
            .min(window.length() / (BINS_A_BATCH * self.width()));
        (batches >= LEAST_BATCHES).then_some(batches)
    }

    /// The sum of a quantity up to each bin's beginning, and to the end.
    fn grown(&self, mut of: impl FnMut(&Bin) -> f64) -> Grown {
        let mut sum = 0.0;
        let mut sums = Vec::with_capacity(self.bins.len() + 1);
        sums.push(sum);
        for bin in &self.bins {
            sum += of(bin);
            sums.push(sum);
        }
        Grown {
            from: self.first * self.width(),
            width: self.width(),
            sums,
        }
    }

    /// Time that requests were in flight in each bin, in µs.
    fn busy(&self) -> Vec<i64> {
        let width = self.width() as i64;
        let mut through = 0i64;
        let busy = self.bins.iter().map(|bin| {
            through -= i64::from(bin.ended);
            let us = through * width + bin.part_us;
            through += i64::from(bin.begun);
            us
        });
        busy.collect()
    }

    /// In µs.
    fn width(&self) -> u64 {
        1 << self.shift()
    }

    /// A bin's width in µs is 2 to the power of this: finding one is no division.
    fn shift(&self) -> u32 {
        10 + self.coarse
    }

    fn bin(&mut self, at: u64) -> &mut Bin {
        self.make_room(at);
        let index = ((at >> self.shift()) - self.first) as usize;
        &mut self.bins[index]
    }

    /// Sees to it that there is a bin for a moment.
    fn make_room(&mut self, at: u64) {
        if self.bins.is_empty() {
            self.first = at / self.width();
            self.bins.push(Bin::default());
        }
        loop {
            let wanted = at >> self.shift();
            let end = self.first + self.bins.len() as u64;
            let (first, last) = (self.first.min(wanted), wanted.max(end - 1));
            if last - first < MOST_BINS as u64 {
                let before = (self.first - first) as usize;
                if before > 0 {
                    self.bins
                        .splice(0..0, std::iter::repeat_n(Bin::default(), before));
                    self.first = first;
                }
                let length = (last - first + 1) as usize;
                if length > self.bins.len() {
                    self.bins.resize(length, Bin::default());
                }
                return;
            }
            self.coarsen();
        }
    }

    /// Makes one bin of two.
    fn coarsen(&mut self) {
        let busy = self.busy();
        let first = self.first / 2;
        let length = ((self.first + self.bins.len() as u64 - 1) / 2 - first + 1) as usize;
        let mut bins = vec![Bin::default(); length];
        for (i, (bin, us)) in self.bins.iter().zip(busy).enumerate() {
            let to = &mut bins[((self.first + i as u64) / 2 - first) as usize];
            to.add(&Bin {
                part_us: us,
                ..*bin
            });
        }
        *self = Self {
            coarse: self.coarse + 1,
            first,
            bins,
        };
        // What `begun` and `ended` say of whole bins has changed with the width; the time has not.
        let (width, mut through) = (self.width() as i64, 0i64);
        for bin in &mut self.bins {
            through -= i64::from(bin.ended);
            bin.part_us -= through * width;
            through += i64::from(bin.begun);
        }
    }
}

impl Bin {
    fn add(&mut self, other: &Self) {
        let Self {
            output,
            prompt,
            answers,
            met,
            begun,
            ended,
            part_us,
        } = other;
        self.output = self.output.saturating_add(*output);
        self.prompt = self.prompt.saturating_add(*prompt);
        self.answers += answers;
        self.met += met;
        self.begun += begun;
        self.ended += ended;
        self.part_us += part_us;
    }
}

impl Counted {
    fn of(self, bin: &Bin) -> f64 {
        let output = bin.output as f64 / WHOLE as f64;
        match self {
            Self::Output => output,
            Self::Prompt => bin.prompt as f64,
            Self::Total => output + bin.prompt as f64,
            Self::Answers => bin.answers as f64 / WHOLE as f64,
            Self::Met => bin.met as f64 / WHOLE as f64,
        }
    }
}

impl Window {
    /// From one moment to another without these pauses, each from and to a moment.
    pub fn new([from, to]: [Duration; 2], pauses: &[[Duration; 2]]) -> Self {
        let mut pauses: Vec<[u64; 2]> = pauses.iter().map(|pause| pause.map(micros)).collect();
        pauses.sort_unstable();
        let (mut at, to) = (micros(from), micros(to));
        let mut parts = Vec::new();
        for [pause, resume] in pauses {
            if at < pause.min(to) {
                parts.push([at, pause.min(to)]);
            }
            at = at.max(resume);
        }
        if at < to {
            parts.push([at, to]);
        }
        Self { parts }
    }

    /// How long it is, in µs.
    pub fn length(&self) -> u64 {
        self.parts.iter().map(|[from, to]| to - from).sum()
    }

    /// How much of it lies between two moments, in µs.
    pub fn overlap(&self, [from, to]: [Duration; 2]) -> u64 {
        let (from, to) = (micros(from), micros(to));
        self.parts
            .iter()
            .map(|part| part[1].min(to).saturating_sub(part[0].max(from)))
            .sum()
    }

    /// What was added between two moments of it, counted in µs from its beginning without the pauses.
    fn amount(&self, from: f64, to: f64, grown: &Grown) -> f64 {
        let mut before = 0.0;
        let mut amount = 0.0;
        for part in &self.parts {
            let length = (part[1] - part[0]) as f64;
            let (start, end) = (
                (from - before).clamp(0.0, length),
                (to - before).clamp(0.0, length),
            );
            if start < end {
                amount += grown.at(part[0] as f64 + end) - grown.at(part[0] as f64 + start);
            }
            before += length;
        }
        amount
    }
}

/// A sum that grows over time.
struct Grown {
    from: u64,
    width: u64,
    sums: Vec<f64>,
}

impl Grown {
    /// The sum up to a moment in µs.
    fn at(&self, us: f64) -> f64 {
        let bins =
            ((us - self.from as f64) / self.width as f64).clamp(0.0, (self.sums.len() - 1) as f64);
        let whole = bins.floor() as usize;
        let sum = self.sums[whole];
        let next = self.sums.get(whole + 1).copied().unwrap_or(sum);
        sum + (next - sum) * bins.fract()
    }
}

fn micros(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
