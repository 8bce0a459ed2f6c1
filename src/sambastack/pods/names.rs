//! How SambaStack names its pods, and which deployment a pod's name belongs to.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::sambastack::resources::PodGroup;

/// The longest name of a cache and of objects that carry it as a label, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// The longest name of a group, in bytes: Kubernetes appends to it.
const MAX_GROUP_NAME_BYTES: usize = 52;

/// The group of a deployment that names none.
pub const DEFAULT_GROUP: &str = "default";

/// Separates the names of a deployment and its group.
const GROUP_SEPARATOR: &str = "-q-";

/// `text`; if it is longer than `limit`, its beginning with a hash of the whole text.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let Some(keep) = limit.checked_sub(hash.len() + 1) else {
        return hash[..limit.min(hash.len())].to_owned();
    };
    format!("{}-{hash}", &text[..text.floor_char_boundary(keep)])
}

/// `prefix`, as much of `base` as fits, `suffix`.
pub fn name(base: &str, prefix: &str, suffix: &str, limit: usize) -> String {
    let room = limit.saturating_sub(prefix.len() + suffix.len());
    format!("{prefix}{}{suffix}", shorten(base, room))
}

/// The beginning of the names of a deployment's objects.
pub fn inference(deployment: &str) -> String {
    name(deployment, "inf-", "", MAX_NAME_BYTES)
}

/// A deployment's cache pod of `tail`, usually `0`.
pub fn cache_pod(deployment: &str, tail: &str) -> String {
    format!(
        "{}-{tail}",
        name(&inference(deployment), "", "-cache", MAX_NAME_BYTES)
    )
}

/// A deployment's pod of a group: `group` and `mode` are usually `default` and `n`, `tail` is `0`.
pub fn group_pod(deployment: &str, group: &str, mode: &str, tail: &str) -> String {
    let suffix = format!("-q-{group}-{mode}");
    format!(
        "{}-{tail}",
        name(&inference(deployment), "", &suffix, MAX_GROUP_NAME_BYTES)
    )
}

/// The deployment and the group that a pod belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The deployment's index in the list given to the [`Matcher`].
    pub deployment: usize,
    /// `None` for a cache pod.
    pub group: Option<&'a str>,
    /// The end of the pod's name: an ordinal or a hash.
    pub tail: &'a str,
}

/// Finds the deployment of a pod by the pod's name alone.
///
/// Whole names are compared, not prefixes: no pod of `bd-a-2` belongs to `bd-a`.
#[derive(Debug)]
pub struct Matcher<'d> {
    groups: Vec<&'d [PodGroup]>,
    names: Vec<String>,
    /// Deployments by their shortened names, for each length that a name may be shortened to.
    by_room: HashMap<usize, HashMap<String, Vec<usize>>>,
}

impl<'d> Matcher<'d> {
    /// `deployments`: their names, and the groups that each asks for.
    pub fn new(deployments: impl IntoIterator<Item = (&'d str, &'d [PodGroup])>) -> Self {
        let (names, groups) = deployments
            .into_iter()
            .map(|(deployment, groups)| (inference(deployment), groups))
            .unzip();
        Self {
            groups,
            names,
            by_room: HashMap::new(),
        }
    }

    /// The pod's owner. There are several only if a deployment of each generation has the same name.
    pub fn owners<'p>(&mut self, pod: &'p str) -> Vec<Owner<'p>> {
        let mut best: Option<(Fit, Reading<'p>)> = None;
        for reading in readings(pod) {
            let Some(fit) = self.fit(&reading) else {
                continue;
            };
            if best.as_ref().is_none_or(|(other, _)| fit > *other) {
                best = Some((fit, reading));
            }
        }
        let Some((
            _,
            Reading {
                base,
                group,
                tail,
                room,
            },
        )) = best
        else {
            return Vec::new();
        };
        let found = self.having(room, base);
        found
            .iter()
            .map(|&deployment| Owner {
                deployment,
                group,
                tail,
            })
            .collect()
    }

    fn fit(&mut self, reading: &Reading<'_>) -> Option<Fit> {
        let &first = self.having(reading.room, reading.base).first()?;
        let declared = match reading.group {
            None => {
                return Some(Fit {
                    declared: 1,
                    base: reading.base.len(),
                    plain: true,
                });
            }
            Some(group) if self.groups[first].is_empty() => group == DEFAULT_GROUP,
            Some(group) => self.groups[first]
                .iter()
                .any(|declared| declared.name == group),
        };
        let declared = if declared { 2 } else { 0 };
        Some(Fit {
            declared,
            base: reading.base.len(),
            plain: !reading.tail.contains('-'),
        })
    }

    fn having(&mut self, room: usize, base: &str) -> &[usize] {
        let names = &self.names;
        let shortened = self.by_room.entry(room).or_insert_with(|| {
            let mut shortened: HashMap<String, Vec<usize>> = HashMap::with_capacity(names.len());
            for (i, name) in names.iter().enumerate() {
                shortened.entry(shorten(name, room)).or_default().push(i);
            }
            shortened
        });
        shortened.get(base).map_or(&[], Vec::as_slice)
    }
}

/// Ranks the ways to read a pod's name: a group that the deployment asks for before a cache before any other group,
/// then the longest deployment name, then the shortest tail.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    declared: u8,
    base: usize,
    plain: bool,
}

/// One way to split a pod's name. There may be several, because any part may contain `-q-` or `-cache-`.
#[derive(Debug)]
struct Reading<'p> {
    base: &'p str,
    group: Option<&'p str>,
    tail: &'p str,
    room: usize,
}

fn readings(pod: &str) -> Vec<Reading<'_>> {
    let mut readings = Vec::new();
    for (stem, tail) in tails(pod) {
        if let Some(base) = stem.strip_suffix("-cache") {
            readings.push(Reading {
                base,
                group: None,
                tail,
                room: MAX_NAME_BYTES - "-cache".len(),
            });
        }
        let Some((rest, mode)) = stem.rsplit_once('-') else {
            continue;
        };
        if mode.is_empty() {
            continue;
        }
        // Marks may overlap: a deployment called `a-q` has pods called `inf-a-q-q-default-n-0`.
        for (at, _) in rest
            .match_indices("-q")
            .filter(|(at, _)| rest[*at..].starts_with(GROUP_SEPARATOR))
        {
            let group = &rest[at + GROUP_SEPARATOR.len()..];
            if group.is_empty() {
                continue;
            }
            let room = MAX_GROUP_NAME_BYTES.saturating_sub(stem.len() - at);
            readings.push(Reading {
                base: &rest[..at],
                group: Some(group),
                tail,
                room,
            });
        }
    }
    readings
}

/// The ways to split a tail off: `-0`, `-62521c1375`, and a ReplicaSet's two hashes.
fn tails(pod: &str) -> impl Iterator<Item = (&str, &str)> {
    let one = pod
        .rsplit_once('-')
        .filter(|(_, tail)| is_ordinal(tail) || is_hash(tail, 5));
    let two = pod.rsplit_once('-').and_then(|(front, last)| {
        let (stem, first) = front.rsplit_once('-')?;
        (is_hash(first, 6) && last.len() == 5 && is_word(last))
            .then(|| (stem, &pod[stem.len() + 1..]))
    });
    one.into_iter().chain(two)
}

fn is_ordinal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hash(text: &str, least: usize) -> bool {
    text.len() >= least && is_word(text) && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests;
