//! Which levels are compared with each other: those of the same model, deployment and load.

use super::{LevelValues, Side};
use crate::domain::run::LevelReport;

/// A model with the levels that at least two sides have, the baseline among them.
pub(super) struct Match<'a> {
    /// The baseline's name of it.
    pub(super) model: String,
    /// The model's name in each session; `None` where it has no part in this.
    pub(super) names: Vec<Option<&'a str>>,
    /// By label, in the baseline's order: where each side has it.
    pub(super) levels: Vec<(String, Vec<Option<SideLevel<'a>>>)>,
}

/// A level of a side.
#[derive(Debug, Clone, Copy)]
pub(super) struct SideLevel<'a> {
    /// Its number among the session's levels.
    at: usize,
    pub(super) level: &'a LevelReport,
    /// What its requests measured, where that is at hand.
    pub(super) values: Option<&'a LevelValues>,
}

impl<'a> Match<'a> {
    /// Sides whose models are named otherwise than the baseline's, and are compared all the same.
    pub(super) fn is_renamed(&self) -> bool {
        self.names
            .iter()
            .flatten()
            .any(|name| Some(*name) != self.names.first().copied().flatten())
    }

    /// Of each side the level with the most output tokens per second, among those that all sides have that
    /// take part: a session with more levels would have a head start.
    pub(super) fn peaks(&self) -> Vec<Option<&'a LevelReport>> {
        let takes_part: Vec<bool> = self.names.iter().map(Option::is_some).collect();
        let whole = |by_side: &&Vec<Option<SideLevel<'_>>>| {
            by_side
                .iter()
                .zip(&takes_part)
                .all(|(measured, part)| measured.is_some() || !part)
        };
        let common: Vec<&Vec<Option<SideLevel<'a>>>> = self
            .levels
            .iter()
            .map(|(_, by_side)| by_side)
            .filter(whole)
            .collect();
        let rate = |level: &LevelReport| {
            level
                .throughput
                .output_tokens_per_s
                .map_or(f64::MIN, |rate| rate.mean)
        };
        let peak = |side: usize| {
            let levels = common
                .iter()
                .filter_map(|by_side| Some(by_side[side].as_ref()?.level));
            levels.max_by(|a, b| rate(a).total_cmp(&rate(b)))
        };
        (0..self.names.len()).map(peak).collect()
    }
}

/// A model on a deployment, with its levels.
struct Group<'a> {
    model: &'a str,
    deployment: Option<&'a str>,
    /// The label, made unique, and the level.
    levels: Vec<(String, SideLevel<'a>)>,
}

fn groups(side: &Side) -> Vec<Group<'_>> {
    let mut out: Vec<Group<'_>> = Vec::new();
    for (index, level) in side.report.levels.iter().enumerate() {
        let (model, deployment) = (level.model.as_str(), level.deployment.as_deref());
        let at = out
            .iter()
            .position(|group| group.model == model && group.deployment == deployment);
        let at = at.unwrap_or_else(|| {
            out.push(Group {
                model,
                deployment,
                levels: Vec::new(),
            });
            out.len() - 1
        });
        let measured = SideLevel {
            at: index,
            level,
            values: side.values.get(index),
        };
        let levels = &mut out[at].levels;
        let before = levels
            .iter()
            .filter(|(_, measured)| measured.level.label == level.label)
            .count();
        let again = if before > 0 {
            format!(" ({})", before + 1)
        } else {
            String::new()
        };
        levels.push((format!("{}{again}", level.label), measured));
    }
    out
}

/// The one of `theirs` that the baseline's `own` is compared with.
fn partner<'g, 'a>(
    own: &Group<'_>,
    ours: &[Group<'_>],
    theirs: &'g [Group<'a>],
) -> Option<&'g Group<'a>> {
    let same = |group: &&Group<'_>| group.model == own.model && group.deployment == own.deployment;
    if let Some(found) = theirs.iter().find(same) {
        return Some(found);
    }
    let named = |groups: &[Group<'_>]| {
        groups
            .iter()
            .filter(|group| group.model == own.model)
            .count()
    };
    if named(ours) == 1 && named(theirs) == 1 {
        return theirs.iter().find(|group| group.model == own.model);
    }
    // One model each: that is what is meant, whatever they are called.
    theirs
        .first()
        .filter(|_| ours.len() == 1 && theirs.len() == 1)
}

/// What is compared with what, in the baseline's order; what has no counterpart is remarked.
pub(super) fn matches<'a>(sides: &'a [Side], remarks: &mut Vec<String>) -> Vec<Match<'a>> {
    let groups: Vec<Vec<Group<'a>>> = sides.iter().map(groups).collect();
    let Some((ours, others)) = groups.split_first() else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut taken: Vec<Vec<usize>> = vec![Vec::new(); sides.len()];
    for own in ours {
        let partners: Vec<Option<&Group<'a>>> = std::iter::once(Some(own))
            .chain(others.iter().map(|theirs| partner(own, ours, theirs)))
            .collect();
        let mut levels = Vec::new();
        for (label, _) in &own.levels {
            let measured = |group: &Option<&Group<'a>>| {
                Some(
                    group
                        .as_ref()?
                        .levels
                        .iter()
                        .find(|(theirs, _)| theirs == label)?
                        .1,
                )
            };
            let by_side: Vec<Option<SideLevel<'a>>> = partners.iter().map(measured).collect();
            if by_side.iter().skip(1).any(Option::is_some) {
                for (taken, measured) in taken.iter_mut().zip(&by_side) {
                    taken.extend(measured.iter().map(|measured| measured.at));
                }
                levels.push((label.clone(), by_side));
            }
        }
        let twice = ours.iter().filter(|group| group.model == own.model).count() > 1;
        let of = own
            .deployment
            .filter(|_| twice)
            .map(|name| format!(" of {name}"))
            .unwrap_or_default();
        if !levels.is_empty() {
            let names = partners
                .iter()
                .map(|group| group.as_ref().map(|group| group.model))
                .collect();
            out.push(Match {
                model: format!("{}{of}", own.model),
                names,
                levels,
            });
        }
    }
    for ((side, groups), taken) in sides.iter().zip(&groups).zip(&taken) {
        for group in groups {
            let alone = group
                .levels
                .iter()
                .filter(|(_, measured)| !taken.contains(&measured.at));
            let alone: Vec<&str> = alone.map(|(label, _)| label.as_str()).collect();
            if !alone.is_empty() {
                let (labels, model) = (alone.join(", "), group.model);
                remarks.push(format!(
                    "{labels} of {model} in {} has no counterpart",
                    side.label
                ));
            }
        }
    }
    if out.is_empty() {
        remarks.push(
            "The sessions have no level in common: neither a model nor a load is the same"
                .to_owned(),
        );
    }
    out
}
