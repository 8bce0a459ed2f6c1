//! What differs in what was asked, of whom, and from where; and what is to be known of a comparison.
//!
//! Seeds, tags and dates are no differences. Grave is what makes the same figure another thing: other prompts,
//! other lengths, another kind of load, tokens counted by somebody else.

use super::bootstrap::DRAWS;
use super::levels::Match;
use super::{Alike, Difference, LevelValues, Side};
use crate::domain::environment::Environment;
use crate::domain::plan_fields::{Compare, FIELDS};
use crate::domain::run::known::{TraceBrief, UNKNOWN, Unknown};
use crate::domain::run::{BenchReport, EnvironmentInfo, Found, LevelReport, SessionEnd, Stats};
use crate::domain::units::{ABSENT, count, whole_percent};

/// Who counted the tokens.
pub(super) const TOKENS_FROM: &str = "tokens from";
/// Answers, or prompts, whose mean length differs by more are told.
const LENGTHS_TELL: f64 = 0.05;
/// A larger share of the prompts' tokens from a cache, as a share.
const CACHED_TELL: f64 = 0.05;

type Say = fn(&BenchReport) -> String;

/// What a report says beside its plan, and whether a difference makes the figures incomparable.
const AROUND: &[(&str, bool, Say)] = &[
    ("deployments", false, |r| {
        list(
            r.plan
                .targets
                .iter()
                .map(|t| t.deployment.as_deref().unwrap_or(ABSENT)),
        )
    }),
    ("trace", true, |r| {
        or_absent(r.trace.as_ref().map(TraceBrief::told))
    }),
    ("environment", false, |r| r.environment.clone()),
    ("API", false, api),
    ("measured by", true, |r| {
        r.source.clone().unwrap_or_else(|| "Batida".to_owned())
    }),
    ("Batida", false, |r| r.batida.clone()),
    ("machine", false, |r| {
        r.machine.told().unwrap_or_else(|| UNKNOWN.to_owned())
    }),
    ("SambaStack", false, |r| around(r, |s| s.sambastack.clone())),
    ("Kubernetes", false, |r| around(r, |s| s.kubernetes.clone())),
    ("kubectl", false, |r| around(r, |s| s.kubectl.clone())),
    ("generation", false, |r| {
        around(r, |s| {
            some_list(s.deployments.iter().map(|d| d.kind.clone()))
        })
    }),
    ("bundle", false, |r| {
        around(r, |s| {
            some_list(s.deployments.iter().filter_map(|d| d.bundle.clone()))
        })
    }),
    ("highest load", false, |r| {
        some_list(r.found.iter().map(Found::sentence)).unwrap_or_else(|| ABSENT.to_owned())
    }),
    ("ended", false, |r| match &r.ended {
        SessionEnd::Complete => "complete".to_owned(),
        SessionEnd::Stopped => "stopped".to_owned(),
        SessionEnd::Limit(why) | SessionEnd::Errors(why) | SessionEnd::Failed(why) => why.clone(),
    }),
];

/// All that differs: first what is grave, each in the order of a plan.
pub(super) fn differences(sides: &[Side], matches: &[Match<'_>]) -> Vec<Difference> {
    let mut differences = Differences {
        sides,
        found: Vec::new(),
        unknown: vec![Vec::new(); sides.len()],
    };
    let renamed = matches.iter().any(Match::is_renamed);
    let models = |r: &BenchReport| list(r.plan.targets.iter().map(|target| target.model.as_str()));
    differences.add("model", renamed, differences.of(&models));
    differences.add_plans();
    differences.add_surroundings();
    differences.add_start();
    differences.add_measured(matches);
    let mut found = differences.found;
    found.sort_by_key(|difference| !difference.grave);
    found
}

/// The differences found so far.
struct Differences<'a> {
    sides: &'a [Side],
    found: Vec<Difference>,
    /// What each side does not know. A value that one side does not know is not known to differ: these are listed
    /// together.
    unknown: Vec<Vec<String>>,
}

impl Differences<'_> {
    /// One value a side.
    fn of(&self, read: &dyn Fn(&BenchReport) -> String) -> Vec<String> {
        self.sides.iter().map(|side| read(&side.report)).collect()
    }

    /// Lists what is not the same on all sides.
    fn add(&mut self, what: &str, grave: bool, values: Vec<String>) {
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            self.found.push(Difference {
                what: what.to_owned(),
                values,
                grave,
            });
        }
    }

    /// Whether a side does not know it, which is noted.
    fn is_unknown(&mut self, what: &str, lacks: &dyn Fn(&BenchReport) -> bool) -> bool {
        let mut any = false;
        for (side, names) in self.sides.iter().zip(&mut self.unknown) {
            if lacks(&side.report) {
                any = true;
                if names.iter().all(|name| name != what) {
                    names.push(what.to_owned());
                }
            }
        }
        any
    }

    fn add_plans(&mut self) {
        for spec in FIELDS.iter().filter(|spec| spec.compare != Compare::Skip) {
            let part = spec
                .part
                .map_or_else(|| spec.title.to_owned(), Unknown::name);
            let lacks = |r: &BenchReport| {
                let knows = spec.part.is_none_or(|part| r.knows(part));
                !knows || spec.words(&r.plan).is_some_and(|words| words == UNKNOWN)
            };
            if self.is_unknown(&part, &lacks) {
                continue;
            }
            let sides = self.sides.iter();
            let words: Vec<Option<String>> =
                sides.map(|side| spec.words(&side.report.plan)).collect();
            // Plans of different kinds have different fields; the kinds are compared by themselves.
            let mut apply = words.iter().flatten();
            if apply
                .next()
                .is_some_and(|first| apply.any(|other| other != first))
            {
                let shown = |words: Option<String>| {
                    words
                        .filter(|words| !words.is_empty())
                        .unwrap_or_else(absent)
                };
                let values = words.into_iter().map(shown).collect();
                self.add(spec.title, spec.compare == Compare::Warn, values);
            }
        }
    }

    /// What stands beside the plans, and what one side or the other does not know.
    fn add_surroundings(&mut self) {
        for (what, grave, read) in AROUND {
            if !self.is_unknown(what, &|r| read(r) == UNKNOWN) {
                self.add(what, *grave, self.of(read));
            }
        }
        let unknown = std::mem::take(&mut self.unknown).into_iter();
        let unknown = unknown.map(|names| list(names.into_iter())).collect();
        self.add("unknown", false, unknown);
    }

    /// From no warm-up to some, or back, other requests are measured: those of a cold start.
    fn add_start(&mut self) {
        let starts = self.of(&|r| match r.warmups() {
            Some(0) => "cold".to_owned(),
            Some(_) => "warm".to_owned(),
            None => UNKNOWN.to_owned(),
        });
        if !starts.iter().any(|start| start == UNKNOWN) {
            self.add("start", true, starts);
        }
    }

    /// What was measured at the levels that are compared, other than their figures.
    fn add_measured(&mut self, matches: &[Match<'_>]) {
        let levels = |side: usize| -> Vec<&LevelReport> {
            let levels = matches.iter().flat_map(|found| &found.levels);
            levels
                .filter_map(|(_, sides)| Some(sides[side].as_ref()?.level))
                .collect()
        };
        let compared: Vec<Vec<&LevelReport>> = (0..self.sides.len()).map(levels).collect();
        let each = |read: &dyn Fn(&[&LevelReport]) -> String| {
            compared.iter().map(|levels| read(levels)).collect()
        };
        self.add(TOKENS_FROM, true, each(&tokens_from));
        self.add_lengths("measured prompt tokens", &compared, |l| &l.prompt_tokens);
        self.add_lengths("measured output tokens", &compared, |l| &l.output_tokens);
        let cached: Vec<Option<f64>> = compared.iter().map(|levels| cached_share(levels)).collect();
        if spread(&cached).is_some_and(|[low, high]| high - low > CACHED_TELL) {
            let share = |share: &Option<f64>| share.map_or_else(absent, whole_percent);
            let shares = cached.iter().map(share).collect();
            self.add("prompt tokens from a cache", true, shares);
        }
        let doubted = |levels: &[&LevelReport]| {
            let doubted = levels.iter().filter(|l| !l.watch.doubts.is_empty());
            some_list(doubted.map(|level| level.label.clone())).unwrap_or_else(absent)
        };
        self.add("levels with measurement warnings", false, each(&doubted));
    }

    /// Mean lengths, where they differ by more than chance.
    fn add_lengths(
        &mut self,
        what: &str,
        compared: &[Vec<&LevelReport>],
        stats: fn(&LevelReport) -> &Stats,
    ) {
        let means: Vec<Option<f64>> = compared.iter().map(|levels| mean(levels, stats)).collect();
        if spread(&means).is_some_and(|[low, high]| high > low * (1.0 + LENGTHS_TELL)) {
            let written = |mean: &Option<f64>| mean.map_or_else(absent, |n| format!("{n:.1}"));
            self.add(what, true, means.iter().map(written).collect());
        }
    }
}

/// How sure and how, and what is not seen in the rows.
pub(super) fn remarks(sides: &[Side], matches: &[Match<'_>], alike: Alike, out: &mut Vec<String>) {
    let mut without = Vec::new();
    for (at, side) in sides.iter().enumerate() {
        let levels = matches
            .iter()
            .flat_map(|found| found.levels.iter().map(move |level| (found, level)));
        let by_side = levels
            .filter_map(|(found, (label, by_side))| Some((found, label, by_side[at].as_ref()?)));
        let bare =
            |values: Option<&LevelValues>| values.is_none_or(|values| values.latency_ms.is_empty());
        if by_side
            .clone()
            .any(|(_, _, measured)| measured.level.requests.ok > 0 && bare(measured.values))
        {
            without.push(side.label.as_str());
        }
        for (found, label, measured) in
            by_side.filter(|(_, _, measured)| !measured.level.watch.doubts.is_empty())
        {
            let doubts = measured.level.watch.doubts.join("; ");
            out.push(format!(
                "Measurement warnings at {label} of {} in {}: {doubts}",
                found.model, side.label
            ));
        }
        if let Some(source) = &side.report.source {
            out.push(format!(
                "{} was measured by {source}. {}",
                side.label,
                means_there(source)
            ));
        }
    }
    if !without.is_empty() {
        out.push(format!(
            "Of {} only the report is at hand, not its requests: values are taken from its histograms, evenly within \
             a bucket, and they count as so many independent ones as the report says; one of an earlier version does not \
             know of requests that waited for each other",
            without.join(" and ")
        ));
    }
    if !alike.objectives {
        out.push("The objectives differ: goodput is to be looked at, not compared".to_owned());
    }
    if !alike.tokens {
        out.push(
            "Tokens are not counted by the same: what counts them is to be looked at, not compared"
                .to_owned(),
        );
    }
    out.push(format!(
        "Intervals are 95 %: of percentiles by bootstrap of as many requests as are independent of each other ({} draws), \
         of rates by batch means, of goodput after Jeffreys",
        count(DRAWS as u64)
    ));
    out.push(
        "Better and worse are changes of at least what matters, whose interval does not hold zero and, of medians, \
         whose Mann–Whitney test agrees; errors are by Fisher's exact test; all at 5 % for all figures of the comparison \
         together (Holm)"
            .to_owned(),
    );
    out.push(
        "What varies from run to run is not in the intervals: repeat a run to see it".to_owned(),
    );
}

/// What figures of other programs are, where they are not what Batida's are.
fn means_there(source: &str) -> &'static str {
    let name = source.to_lowercase();
    if name.contains("guidellm") {
        "Its TTFT begins after connecting, its ITL is a mean per request, its TPOT has TTFT inside"
    } else if name.contains("aiperf") || name.contains("genai-perf") {
        "Its inter token latency is a mean per request, which stands as TPOT here; its tokens may be a tokenizer's on \
         the client"
    } else if name.contains("vllm-rs") {
        "Its TTFT ends at the first chunk, which has only the role, and its gaps hold that chunk and the last"
    } else if name.contains("sglang") {
        "Its TTFT ends at the first content and has the opening of a connection in it"
    } else if name.contains("vllm") {
        "Its TTFT may miss reasoning, and time that requests waited in the client is not in it"
    } else {
        "Its figures may mean something else than ours of the same name"
    }
}

/// The demo listens on any free port, which says nothing.
fn api(report: &BenchReport) -> String {
    let demo = Environment::demo().name;
    if report.environment == demo {
        demo
    } else {
        report.api.clone()
    }
}

fn absent() -> String {
    ABSENT.to_owned()
}

fn or_absent(value: Option<impl ToString>) -> String {
    value.map_or_else(absent, |value| value.to_string())
}

fn some_list(items: impl Iterator<Item = impl Into<String>>) -> Option<String> {
    let items: Vec<String> = items.map(Into::into).collect();
    (!items.is_empty()).then(|| items.join(", "))
}

fn list(items: impl Iterator<Item = impl Into<String>>) -> String {
    some_list(items).unwrap_or_else(absent)
}

fn around(report: &BenchReport, read: impl Fn(&EnvironmentInfo) -> Option<String>) -> String {
    report
        .surroundings
        .as_ref()
        .and_then(read)
        .unwrap_or_else(absent)
}

fn tokens_from(levels: &[&LevelReport]) -> String {
    let mut found: Vec<&str> = levels
        .iter()
        .map(|level| level.tokens_from.as_str())
        .collect();
    found.sort_unstable();
    found.dedup();
    list(found.into_iter())
}

/// Over all answers of these levels.
fn mean(levels: &[&LevelReport], stats: fn(&LevelReport) -> &Stats) -> Option<f64> {
    let counted = levels
        .iter()
        .map(|level| stats(level))
        .filter_map(|s| Some((s.count as f64, s.mean?)));
    let (n, sum) = counted.fold((0.0, 0.0), |(n, sum), (count, mean)| {
        (n + count, sum + count * mean)
    });
    (n > 0.0).then(|| sum / n)
}

fn cached_share(levels: &[&LevelReport]) -> Option<f64> {
    let prompt = mean(levels, |level| &level.prompt_tokens).filter(|mean| *mean > 0.0)?;
    Some(mean(levels, |level| &level.cached_tokens)? / prompt)
}

/// The least and the most of those that are known.
fn spread(values: &[Option<f64>]) -> Option<[f64; 2]> {
    let known = || values.iter().flatten().copied();
    let low = known().reduce(f64::min)?;
    Some([low, known().reduce(f64::max)?])
}
