//! The charts of a benchmark, alone or laid over others.

use maud::{Markup, html};

use crate::chart::bench::{Stretch, tokens_over_time, ttft_over_time};
use crate::chart::levels::{Group, cumulative, knee, tokens, ttft, with_bracket};
use crate::chart::svg::figure;
use crate::chart::{Chart, Dots, Look, Rates};
use crate::domain::history::Traces;
use crate::domain::run::{BenchReport, Found, LevelReport};

/// All charts that there is something to draw for. `page` makes their ids unique.
pub(super) fn all(
    page: &str,
    groups: &[Group<'_>],
    traces: Option<(&BenchReport, &Traces)>,
) -> Markup {
    // A single point is no curve.
    let curve = groups.iter().any(|group| group.levels.len() > 1);
    // Of several models each has its own.
    let found =
        traces.and_then(|(report, _)| report.found.first().filter(|_| report.found.len() == 1));
    let bracket = found.map(Found::bracket);
    html! {
        div.charts {
            (figure(&with_bracket(ttft(groups, true), groups, bracket), &format!("{page}-ttft"), false))
            (figure(&with_bracket(tokens(groups, true), groups, bracket), &format!("{page}-rate"), false))
            @if curve { (figure(&knee(groups, true), &format!("{page}-knee"), false)) }
            (figure(&distribution(groups), &format!("{page}-spread"), false))
            @if let Some((report, traces)) = traces { (over_time(page, groups, report, traces)) }
        }
    }
}

/// Of many levels the ends and some between tell it.
fn distribution(groups: &[Group<'_>]) -> Chart<'static> {
    let several = groups.len() > 1;
    let mut lines = Vec::new();
    for group in groups {
        let with = group
            .levels
            .iter()
            .filter(|level| !level.ttft_ms.buckets.is_empty());
        let with: Vec<&LevelReport> = with.copied().collect();
        let chosen = evenly(with.len(), if several { 2 } else { 6 });
        for (n, level) in chosen.into_iter().filter_map(|at| with.get(at)).enumerate() {
            let (name, look) = if several {
                let look = Look {
                    dash: Look::of(n * 2).dash,
                    ..group.look
                };
                (format!("{} {}", group.name, level.label), look)
            } else {
                (level.label.clone(), Look::of(n))
            };
            lines.push((name, look, &level.ttft_ms));
        }
    }
    cumulative(lines, "TTFT", true)
}

/// At most `most` of `n` places, the first and the last among them.
fn evenly(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    (0..most).map(|i| i * (n - 1) / (most - 1)).collect()
}

fn over_time(page: &str, groups: &[Group<'_>], report: &BenchReport, traces: &Traces) -> Markup {
    let stretch = |group: &Group<'_>, level: &LevelReport| Stretch {
        index: level.index,
        label: level.label.clone(),
        model: level.credited(),
        look: group.look,
        began_s: level.began_s,
    };
    let of = |group| move |level: &&LevelReport| stretch(group, level);
    let mut levels: Vec<Stretch> = groups
        .iter()
        .flat_map(|group| group.levels.iter().map(of(group)).collect::<Vec<_>>())
        .collect();
    levels.sort_by_key(|level| level.index);
    let (mut dots, mut rates) = (Dots::default(), Rates::default());
    dots.add(&traces.points);
    rates.add(&traces.rates);
    let ttft = ttft_over_time(&dots, &levels, report.took_s);
    let tokens = tokens_over_time(rates.kept(), &levels, report.took_s);
    html! {
        (figure(&ttft, &format!("{page}-time"), true))
        (figure(&tokens, &format!("{page}-tokens"), true))
    }
}
