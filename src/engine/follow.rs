//! The cluster, followed: one kubectl a kind that tells every change, put together into the same view as
//! one look gives.
//!
//! Each kind is listed once and then watched from the list's version. However a watch ends, it is begun
//! again: from where it was after its full time, from a new list after any other end, since the server may have been
//! restored from a backup. Waits grow and vary, so that a cluster that comes back is not run over. Where watching is
//! forbidden the kind is listed again and again instead. When nothing is heard for a while the server is asked a small
//! question: a watch does not tell a quiet cluster from a server that has stopped answering.

mod kind;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use self::kind::{Begin, Follower, is_listed};
use super::cluster::{self, Look};
use crate::domain::deployment::ClusterView;
use crate::domain::environment::EnvId;
use crate::domain::random::Random;
use crate::io::activity::Recorder;
use crate::io::kubectl::{Kubeconfig, Kubectl, KubectlError};
use crate::protocol::{ClusterLink, Failure};
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::models::view;
use crate::sambastack::watch::{AnyListed, ResourceKind, WatchChange};
use crate::wire::kubectl::{KubectlFault, says_forbidden};

/// How fast things go. The tests' clocks run faster.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The least time between two views.
    pub between_views: Duration,
    /// The first wait before a watch is tried again; each further one is about twice as long.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// How often what may not be watched is listed.
    pub poll: Duration,
    /// How often a kind that the cluster has never known is looked for.
    pub absent: Duration,
    /// How often a kind is looked for that was there before: it may be made again.
    pub vanished: Duration,
    /// After so long without a word the server is asked whether it still answers.
    pub silence: Duration,
    /// How long that may take.
    pub answer: Duration,
    /// A watch that lives shorter has not worked.
    pub short_lived: Duration,
    /// How long the server is asked to keep a watch open; a watch that stays longer is given up.
    pub watch: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            between_views: Duration::from_millis(250),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(8),
            poll: Duration::from_secs(10),
            absent: Duration::from_secs(60),
            vanished: Duration::from_secs(4),
            silence: Duration::from_secs(9),
            answer: Duration::from_secs(7),
            short_lived: Duration::from_secs(2),
            watch: Duration::from_secs(290),
        }
    }
}

/// A credential plugin that fails so often in a row is started no more by itself.
const PLUGIN_TRIES: u32 = 4;
/// Between its starts: each may open a browser.
const PLUGIN_WAITS: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(45),
];
/// How long the first answer is waited for without a word about it.
const SLOW: Duration = Duration::from_secs(15);
/// How often is looked whether the machine has slept, and by how much its clock may be off.
const WAKE_CHECK: Duration = Duration::from_secs(5);
const SLEPT: Duration = Duration::from_secs(20);

/// What following the cluster tells.
#[derive(Debug, Clone)]
pub struct Told {
    /// What is deployed, if that has changed.
    pub view: Option<ClusterView>,
    /// How it is followed.
    pub link: ClusterLink,
}

/// Follows the cluster until that is useless without a person, or for ever. Dropping the future ends kubectl.
pub async fn run(kubectl: &Kubectl, pace: &Pace, tell: impl Fn(Told)) {
    let mut waits = Waits::new(pace);
    let mut past = Past::default();
    let mut plugin_failures = 0;
    let stopped = loop {
        let error = match look(kubectl, &tell).await {
            Ok(look) => {
                waits.reset();
                plugin_failures = 0;
                let followed = Followed::new(look, std::mem::take(&mut past), pace);
                let (then, ended) = followed.follow(kubectl, pace, &tell).await;
                past = then;
                match ended {
                    Some(error) => error,
                    None => continue,
                }
            }
            Err(error) => error,
        };
        if error.fault.needs_a_person() {
            break error.failure;
        }
        let wait = if error.fault == KubectlFault::PluginFailed {
            plugin_failures += 1;
            match PLUGIN_WAITS.get(plugin_failures as usize - 1) {
                Some(wait) if plugin_failures < PLUGIN_TRIES => *wait,
                _ => break error.failure,
            }
        } else {
            waits.next()
        };
        let link = if says_forbidden(&error.failure) {
            ClusterLink::Forbidden(error.failure)
        } else {
            ClusterLink::Reconnecting(error.failure)
        };
        tell(Told { view: None, link });
        tokio::time::sleep(wait).await;
    };
    tell(Told {
        view: None,
        link: ClusterLink::Stopped(stopped),
    });
}

/// A look; that it takes long is told meanwhile. A credential plugin that waits for somebody tells so itself.
async fn look(kubectl: &Kubectl, tell: &impl Fn(Told)) -> Result<Look, KubectlError> {
    let looking = cluster::look(kubectl);
    tokio::pin!(looking);
    if kubectl.may_start_a_plugin() {
        return looking.await;
    }
    tokio::select! {
        looked = &mut looking => return looked,
        () = tokio::time::sleep(SLOW) => {}
    }
    tell(Told {
        view: None,
        link: ClusterLink::Reconnecting(silent(SLOW)),
    });
    looking.await
}

fn silent(since: Duration) -> Failure {
    Failure::new(
        format!(
            "The cluster has not answered for {} s",
            since.as_secs_f64().round()
        ),
        "Is the VPN on? The API server may be overloaded or stopped. It is asked again and again",
    )
}

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
struct Past {
    view: Option<ClusterView>,
    /// What was listed at least once.
    seen: BTreeSet<ResourceKind>,
}

/// Waits that grow, each a little other than its neighbours'.
struct Waits {
    first: Duration,
    longest: Duration,
    tries: u32,
    random: Random,
}

impl Waits {
    fn new(pace: &Pace) -> Self {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let random = Random::new(since.as_nanos() as u64);
        Self {
            first: pace.first_wait,
            longest: pace.longest_wait,
            tries: 0,
            random,
        }
    }

    fn reset(&mut self) {
        self.tries = 0;
    }

    /// Between a half and the whole of what it would be without chance.
    fn next(&mut self) -> Duration {
        let whole = self
            .first
            .saturating_mul(1 << self.tries.min(16))
            .min(self.longest);
        self.tries += 1;
        whole.mul_f64(0.5 + self.random.below(1_000) as f64 / 2_000.0)
    }
}

/// What one kind's follower tells.
enum News {
    Listed(Box<AnyListed>),
    Changed(WatchChange),
    Link(KindLink),
    /// Trying again by itself would not help.
    Useless(KubectlError),
}

/// How one kind is followed.
#[derive(Debug, Clone, PartialEq)]
enum KindLink {
    Live,
    Reconnecting(Failure),
    Polling(Failure),
    /// It was seen, and may be seen no more.
    Forbidden(Failure),
}

/// All kinds as they are followed.
struct Followed {
    lists: Lists,
    versions: cluster::Versions,
    prefix: String,
    links: BTreeMap<ResourceKind, KindLink>,
    past: Past,
    poll: Duration,
    /// Bundles and models of the new generation were not asked for, since nothing uses them.
    without_new: bool,
    /// Why all is to begin anew, or not.
    ended: Option<KubectlError>,
}

impl Followed {
    fn new(look: Look, mut past: Past, pace: &Pace) -> Self {
        let Look {
            lists,
            versions,
            prefix,
        } = look;
        let without_new = lists.model_deployments.items().is_empty();
        past.seen.extend(versions.keys());
        let (links, poll, ended) = (BTreeMap::new(), pace.poll, None);
        Self {
            lists,
            versions,
            prefix,
            links,
            past,
            poll,
            without_new,
            ended,
        }
    }

    /// Until everything is to be listed anew; gives why, if that is a fault.
    async fn follow(
        mut self,
        kubectl: &Kubectl,
        pace: &Pace,
        tell: &impl Fn(Told),
    ) -> (Past, Option<KubectlError>) {
        let (sender, mut news) = mpsc::channel(64);
        let mut kinds = JoinSet::new();
        self.begin_all(kubectl, pace, &sender, &mut kinds);
        drop(sender);

        let mut told = None;
        let mut drawn = tokio::time::Instant::now();
        self.tell(&mut told, tell, true);
        let mut dirty = false;
        let (heard, prefix) = (Notify::new(), self.prefix.clone());
        let (slept, frozen) = (machine_slept(), frozen(kubectl, &prefix, pace, &heard));
        tokio::pin!(slept, frozen);
        loop {
            let due = tokio::time::sleep_until(drawn + pace.between_views);
            tokio::select! {
                next = news.recv() => {
                    // Every follower has ended, which only a panic does.
                    let Some(next) = next else { break };
                    if matches!(next.1, News::Listed(_) | News::Changed(_)) {
                        heard.notify_one();
                    }
                    dirty |= self.fold(next);
                    while let Ok(next) = news.try_recv() {
                        dirty |= self.fold(next);
                    }
                    if self.ended.is_some() {
                        break;
                    }
                    // That the connection is lost is told at once.
                    self.tell(&mut told, tell, false);
                    if self.without_new && !self.lists.model_deployments.items().is_empty() {
                        break;
                    }
                }
                () = due, if dirty => {
                    self.tell(&mut told, tell, true);
                    (dirty, drawn) = (false, tokio::time::Instant::now());
                }
                why = &mut frozen => {
                    tell(Told { view: None, link: ClusterLink::Reconnecting(why) });
                    break;
                }
                () = &mut slept => break,
            }
        }
        (self.past, self.ended)
    }

    fn begin_all(
        &mut self,
        kubectl: &Kubectl,
        pace: &Pace,
        sender: &mpsc::Sender<(ResourceKind, News)>,
        kinds: &mut JoinSet<()>,
    ) {
        for kind in ResourceKind::ALL {
            if self.without_new && matches!(kind, ResourceKind::ModelBundles | ResourceKind::Models)
            {
                continue;
            }
            let follower = Follower {
                kubectl: kubectl.clone(),
                pace: pace.clone(),
                prefix: self.prefix.clone(),
                kind,
                waits: Waits::new(pace),
                short_lived: 0,
                polling: None,
                seen: self.past.seen.contains(&kind),
                refused: 0,
                sender: sender.clone(),
            };
            let begin = Begin::of(&self.lists, kind, self.versions.remove(&kind), &follower);
            kinds.spawn(follower.run(begin));
        }
    }

    /// Whether the view may have changed.
    fn fold(&mut self, (kind, news): (ResourceKind, News)) -> bool {
        match news {
            News::Listed(listed) => {
                if is_listed(&listed) == Some(true) {
                    self.past.seen.insert(kind);
                }
                self.lists.replace(*listed);
                true
            }
            News::Changed(WatchChange::Bookmark) => false,
            News::Changed(change) => {
                self.lists.fold(change);
                true
            }
            News::Link(link) => {
                self.links.insert(kind, link);
                false
            }
            News::Useless(error) => {
                self.ended.get_or_insert(error);
                false
            }
        }
    }

    fn tell(&mut self, told: &mut Option<ClusterLink>, tell: &impl Fn(Told), looks: bool) {
        let link = self.link();
        let view = looks
            .then(|| view(&self.lists))
            .filter(|view| self.past.view.as_ref() != Some(view));
        if view.is_none() && told.as_ref() == Some(&link) {
            return;
        }
        if let Some(view) = &view {
            self.past.view = Some(view.clone());
        }
        *told = Some(link.clone());
        tell(Told { view, link });
    }

    /// The worst of all kinds'.
    fn link(&self) -> ClusterLink {
        let first = |wanted: fn(&KindLink) -> Option<&Failure>| {
            self.links.values().find_map(wanted).cloned()
        };
        let lost = first(|link| match link {
            KindLink::Reconnecting(why) => Some(why),
            _ => None,
        });
        let forbidden = first(|link| match link {
            KindLink::Forbidden(why) => Some(why),
            _ => None,
        });
        let polled = first(|link| match link {
            KindLink::Polling(why) => Some(why),
            _ => None,
        });
        if let Some(why) = lost {
            return ClusterLink::Reconnecting(why);
        }
        if let Some(why) = forbidden {
            return ClusterLink::Forbidden(why);
        }
        if let Some(unseen) = self.unseen() {
            return unseen;
        }
        polled.map_or(ClusterLink::Live, |why| ClusterLink::Polling {
            every: self.poll,
            why,
        })
    }

    /// That no deployment is known, and why that does not mean that there is none.
    fn unseen(&self) -> Option<ClusterLink> {
        let Lists {
            bundle_deployments: old,
            model_deployments: new,
            ..
        } = &self.lists;
        if !old.items().is_empty() || !new.items().is_empty() {
            return None;
        }
        if let Some(why) = failure_of(old).or_else(|| failure_of(new)) {
            return Some(if says_forbidden(why) {
                ClusterLink::Forbidden(why.clone())
            } else {
                ClusterLink::Reconnecting(why.clone())
            });
        }
        let absent = matches!((old, new), (Listed::Absent, Listed::Absent));
        absent.then(|| ClusterLink::Reconnecting(cluster::no_resources()))
    }
}

fn failure_of<T>(listed: &Listed<T>) -> Option<&Failure> {
    match listed {
        Listed::Failed(why) => Some(why),
        Listed::Present(_) | Listed::Absent => None,
    }
}

/// Ends once the server has been silent and does not answer a small question either, with why. A watch is silent for
/// minutes where nothing changes. The questions are in no record of activities: there may be six a minute.
async fn frozen(kubectl: &Kubectl, prefix: &str, pace: &Pace, heard: &Notify) -> Failure {
    // Each question would start the plugin. There kubectl itself tests its connection.
    if kubectl.kubeconfig == Kubeconfig::BuiltIn || kubectl.may_start_a_plugin() {
        std::future::pending::<()>().await;
    }
    let kubectl = Kubectl {
        recorder: Recorder::silent(EnvId::ad_hoc()),
        ..kubectl.clone()
    };
    let path = format!("{prefix}/version");
    loop {
        let began = Instant::now();
        let asking = async {
            tokio::time::sleep(pace.silence).await;
            kubectl.run(&["get", "--raw", &path], pace.answer).await
        };
        let answer = tokio::select! {
            () = heard.notified() => continue,
            answer = asking => answer,
        };
        match answer {
            Err(error) if matches!(error.fault, KubectlFault::Timeout | KubectlFault::Deadline) => {
                return silent(began.elapsed()).with_details(error.failure.details);
            }
            // Refused, say: then the watches end by themselves.
            _ => {}
        }
    }
}

/// The clock on the wall has gone on and ours has not: connections may be dead without a word.
async fn machine_slept() {
    let (mut wall, mut own) = (SystemTime::now(), Instant::now());
    loop {
        tokio::time::sleep(WAKE_CHECK).await;
        let on_wall = wall.elapsed().unwrap_or_default();
        if has_slept(on_wall, own.elapsed()) {
            return;
        }
        (wall, own) = (SystemTime::now(), Instant::now());
    }
}

fn has_slept(on_wall: Duration, own: Duration) -> bool {
    on_wall > own + SLEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_vary_and_are_bounded() {
        let pace = Pace::default();
        let mut waits = Waits::new(&pace);
        let told: Vec<Duration> = (0..40).map(|_| waits.next()).collect();
        for (i, wait) in told.iter().enumerate() {
            let whole = pace
                .first_wait
                .saturating_mul(1 << i.min(16))
                .min(pace.longest_wait);
            assert!(*wait >= whole / 2 && *wait <= whole, "{i}: {wait:?}");
        }
        let late: std::collections::HashSet<_> = told[10..].iter().collect();
        assert!(late.len() > 5, "they vary: {told:?}");
        waits.reset();
        assert!(waits.next() <= pace.first_wait);
    }

    #[test]
    fn a_sleep_is_seen_on_the_wall() {
        let seconds = Duration::from_secs;
        assert!(!has_slept(seconds(6), seconds(5)));
        assert!(
            !has_slept(seconds(0), seconds(5)),
            "a clock that was put back is no sleep"
        );
        assert!(has_slept(seconds(600), seconds(5)));
    }
}
