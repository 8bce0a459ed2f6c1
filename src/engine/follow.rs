//! Follows the cluster: one kubectl per kind watches for changes, which update the same view that a snapshot gives.
//!
//! Each kind is listed once and then watched from the list's version. A watch that ends is always restarted: after its
//! full time from the last version, else from a new list, since the server may have been restored from a backup. Waits
//! grow and vary, so that a recovering cluster is not overloaded. Where watching is forbidden, the kind is polled. After a
//! period of silence, the server gets a small request: a watch alone cannot tell a quiet cluster from a server that has
//! stopped responding.

mod kind;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use self::kind::{Begin, Follower, is_listed};
use self::waits::Waits;
use super::cluster::{self, Look};
use crate::domain::deployment::ClusterView;
use crate::domain::environment::EnvId;
use crate::io::activity::Recorder;
use crate::io::kubectl::{Kubeconfig, Kubectl, KubectlError};
use crate::protocol::{ClusterLink, Failure};
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::models::view;
use crate::sambastack::watch::{AnyListed, ResourceKind, WatchChange};
use crate::wire::kubectl::{KubectlFault, says_forbidden};

/// Intervals and time limits; tests use shorter ones.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The shortest time between two views.
    pub between_views: Duration,
    /// The first wait before a watch is restarted; each further one is about twice as long.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// How often kinds are listed that cannot be watched.
    pub poll: Duration,
    /// How often to check for a kind that the cluster has never had.
    pub absent: Duration,
    /// How often to check for a kind that has disappeared: it may be created again.
    pub vanished: Duration,
    /// The silence after which the server gets a small request.
    pub silence: Duration,
    /// The time limit of that request.
    pub answer: Duration,
    /// A watch that ends sooner has not worked.
    pub short_lived: Duration,
    /// The requested duration of a watch; a longer one is ended.
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

/// Consecutive failures after which a credential plugin is no longer started automatically.
const MAX_PLUGIN_FAILURES: u32 = 4;
/// Waits between starts of a plugin, which may open a browser each time.
const PLUGIN_WAITS: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(45),
];
/// After this time without a first response, the user is informed.
const SLOW_RESPONSE: Duration = Duration::from_secs(15);
/// How often to check whether the machine was suspended.
const WAKE_CHECK: Duration = Duration::from_secs(5);
/// The clock difference that counts as a suspend.
const SLEPT: Duration = Duration::from_secs(20);

/// News of a followed cluster.
#[derive(Debug, Clone)]
pub struct ClusterUpdate {
    /// The deployments, if they have changed.
    pub view: Option<ClusterView>,
    /// The state of the connection.
    pub link: ClusterLink,
}

/// Follows the cluster until only the user can solve a problem. Dropping the future ends kubectl.
pub async fn run(kubectl: &Kubectl, pace: &Pace, tell: impl Fn(ClusterUpdate)) {
    let mut waits = Waits::new(pace);
    let mut past = Past::default();
    let mut plugin_failures = 0;
    let mut kubectl = kubectl.clone();
    let stopped = loop {
        let error = match look(&mut kubectl, &tell).await {
            Ok(look) => {
                waits.reset();
                plugin_failures = 0;
                let followed = Followed::new(look, std::mem::take(&mut past), pace);
                let (then, ended) = followed.follow(&kubectl, pace, &tell).await;
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
                Some(wait) if plugin_failures < MAX_PLUGIN_FAILURES => *wait,
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
        tell(ClusterUpdate { view: None, link });
        tokio::time::sleep(wait).await;
    };
    tell(ClusterUpdate {
        view: None,
        link: ClusterLink::Stopped(stopped),
    });
}

/// Takes a snapshot, and reports if it takes long. A credential plugin that waits for the user reports that itself.
async fn look(kubectl: &mut Kubectl, tell: &impl Fn(ClusterUpdate)) -> Result<Look, KubectlError> {
    // Told once. The next attempt reads the namespace again.
    if let Some(error) = kubectl.no_namespace.take() {
        return Err(error);
    }
    *kubectl = cluster::with_namespace(kubectl).await?;
    let looking = cluster::look(kubectl);
    tokio::pin!(looking);
    if kubectl.may_start_a_plugin() {
        return looking.await;
    }
    tokio::select! {
        looked = &mut looking => return looked,
        () = tokio::time::sleep(SLOW_RESPONSE) => {}
    }
    tell(ClusterUpdate {
        view: None,
        link: ClusterLink::Reconnecting(silent(SLOW_RESPONSE)),
    });
    looking.await
}

fn silent(since: Duration) -> Failure {
    Failure::new(
        format!(
            "The cluster did not respond within {} s",
            since.as_secs_f64().round()
        ),
        "Check the VPN. The API server may be overloaded or stopped. Batida keeps trying",
    )
}

/// State that is kept from one snapshot to the next.
#[derive(Debug, Default)]
struct Past {
    view: Option<ClusterView>,
    /// The kinds that were listed at least once.
    seen: BTreeSet<ResourceKind>,
}

/// News of one kind's follower.
enum News {
    Listed(Box<AnyListed>),
    Changed(WatchChange),
    Link(KindLink),
    /// Retrying automatically would not help.
    Useless(KubectlError),
}

/// The state of one kind's watch.
#[derive(Debug, Clone, PartialEq)]
enum KindLink {
    Live,
    Reconnecting(Failure),
    Polling(Failure),
    /// The user may no longer list it.
    Forbidden(Failure),
}

/// The state of all kinds.
struct Followed {
    lists: Lists,
    versions: cluster::Versions,
    prefix: String,
    links: BTreeMap<ResourceKind, KindLink>,
    past: Past,
    poll: Duration,
    /// Bundles and models of the new generation were not listed, since there are no deployments.
    without_new: bool,
    /// The error that requires a new start.
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

    /// Runs until everything must be listed again. Returns the error, if there was one.
    async fn follow(
        mut self,
        kubectl: &Kubectl,
        pace: &Pace,
        tell: &impl Fn(ClusterUpdate),
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
        let (slept, frozen) = (
            machine_slept(),
            stopped_responding(kubectl, &prefix, pace, &heard),
        );
        tokio::pin!(slept, frozen);
        loop {
            let due = tokio::time::sleep_until(drawn + pace.between_views);
            tokio::select! {
                next = news.recv() => {
                    // All followers have ended, which happens only after a panic.
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
                    // Report a lost connection at once.
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
                    tell(ClusterUpdate { view: None, link: ClusterLink::Reconnecting(why) });
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

    /// Applies news. Returns whether the view may have changed.
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

    fn tell(&mut self, told: &mut Option<ClusterLink>, tell: &impl Fn(ClusterUpdate), looks: bool) {
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
        tell(ClusterUpdate { view, link });
    }

    /// The worst state of all kinds.
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

    /// Why no deployments are known although there may be some.
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

/// Ends when the server was silent and does not respond to a small request. A watch is silent for minutes if nothing
/// changes. The requests are not recorded as activities, since there may be six per minute.
async fn stopped_responding(
    kubectl: &Kubectl,
    prefix: &str,
    pace: &Pace,
    heard: &Notify,
) -> Failure {
    // Each request would start the plugin. kubectl itself checks its connection with pings.
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
            // On other errors, the watches end by themselves.
            _ => {}
        }
    }
}

/// Ends when the system clock has advanced more than the monotonic clock: after a suspend, connections may be dead.
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
    fn a_suspend_is_seen_on_the_system_clock() {
        let seconds = Duration::from_secs;
        assert!(!has_slept(seconds(6), seconds(5)));
        assert!(
            !has_slept(seconds(0), seconds(5)),
            "a clock that was put back is no sleep"
        );
        assert!(has_slept(seconds(600), seconds(5)));
    }
}
