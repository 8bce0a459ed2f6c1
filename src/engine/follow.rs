//! The cluster, followed: one kubectl a kind that tells every change, put together into the same view as
//! one look gives.
//!
//! Each kind is listed once and then watched from the list's version. However a watch ends, it is begun
//! again: from where it was after a regular end, from a new list after any other. Waits grow and vary, so
//! that a cluster that comes back is not run over. Where watching is forbidden the kind is listed again and
//! again instead.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::cluster::{self, Look, list_kind, path_of_kind};
use crate::domain::deployment::ClusterView;
use crate::domain::random::Random;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::protocol::{ClusterLink, Failure};
use crate::sambastack::models::{Listed, Lists, view};
use crate::sambastack::watch::{AnyListed, Change, Kind, WatchError, read_line};
use crate::wire::kubectl::KubectlFault;

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
    /// How often a kind that the cluster does not know is looked for.
    pub absent: Duration,
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
            longest_wait: Duration::from_secs(30),
            poll: Duration::from_secs(10),
            absent: Duration::from_secs(300),
            short_lived: Duration::from_secs(2),
            watch: Duration::from_secs(290),
        }
    }
}

/// How long after its time a watch may end.
const OVERTIME: Duration = Duration::from_secs(30);
/// After so many of those in a row the kind is polled.
const ENOUGH: u32 = 4;
/// After so many polls the kind is watched again.
const POLLS: u32 = 30;
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
    let mut last_view = None;
    loop {
        match cluster::look(kubectl).await {
            Ok(look) => {
                waits.reset();
                Followed::new(look, last_view.take(), pace)
                    .follow(kubectl, pace, &tell, &mut last_view)
                    .await;
            }
            Err(error) if error.fault.needs_a_person() => {
                return tell(Told { view: None, link: ClusterLink::Stopped(error.failure) });
            }
            Err(error) => {
                tell(Told { view: None, link: ClusterLink::Reconnecting(error.failure) });
                tokio::time::sleep(waits.next()).await;
            }
        }
    }
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
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let random = Random::new(since.as_nanos() as u64);
        Self { first: pace.first_wait, longest: pace.longest_wait, tries: 0, random }
    }

    fn reset(&mut self) {
        self.tries = 0;
    }

    /// Between a half and the whole of what it would be without chance.
    fn next(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.tries.min(16)).min(self.longest);
        self.tries += 1;
        whole.mul_f64(0.5 + self.random.below(1_000) as f64 / 2_000.0)
    }
}

/// What one kind's follower tells.
enum News {
    Listed(Box<AnyListed>),
    Changed(Change),
    Link(KindLink),
}

/// How one kind is followed.
#[derive(Debug, Clone, PartialEq)]
enum KindLink {
    Live,
    Reconnecting(Failure),
    Polling(Failure),
}

/// All kinds as they are followed.
struct Followed {
    lists: Lists,
    versions: cluster::Versions,
    prefix: String,
    links: BTreeMap<Kind, KindLink>,
    last_view: Option<ClusterView>,
    poll: Duration,
    /// Bundles and models of the new generation were not asked for, since nothing uses them.
    without_new: bool,
}

impl Followed {
    fn new(look: Look, last_view: Option<ClusterView>, pace: &Pace) -> Self {
        let Look { lists, versions, prefix } = look;
        let without_new = lists.model_deployments.items().is_empty();
        let (links, poll) = (BTreeMap::new(), pace.poll);
        Self { lists, versions, prefix, links, last_view, poll, without_new }
    }

    /// Until everything is to be listed anew.
    async fn follow(
        mut self,
        kubectl: &Kubectl,
        pace: &Pace,
        tell: &impl Fn(Told),
        last_view: &mut Option<ClusterView>,
    ) {
        let (sender, mut news) = mpsc::channel(64);
        let mut kinds = JoinSet::new();
        for kind in Kind::ALL {
            if self.without_new && matches!(kind, Kind::ModelBundles | Kind::Models) {
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
                sender: sender.clone(),
            };
            let begin = Begin::of(&self.lists, kind, self.versions.remove(&kind), pace);
            kinds.spawn(follower.run(begin));
        }
        drop(sender);

        let mut told = None;
        let mut drawn = tokio::time::Instant::now();
        self.tell(&mut told, tell, true);
        let mut dirty = false;
        let slept = machine_slept();
        tokio::pin!(slept);
        loop {
            let due = tokio::time::sleep_until(drawn + pace.between_views);
            tokio::select! {
                next = news.recv() => {
                    // Every follower has ended, which only a panic does.
                    let Some(next) = next else { break };
                    dirty |= self.fold(next);
                    while let Ok(next) = news.try_recv() {
                        dirty |= self.fold(next);
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
                () = &mut slept => break,
            }
        }
        *last_view = self.last_view;
    }

    /// Whether the view may have changed.
    fn fold(&mut self, (kind, news): (Kind, News)) -> bool {
        match news {
            News::Listed(listed) => {
                self.lists.replace(*listed);
                true
            }
            News::Changed(Change::Bookmark) => false,
            News::Changed(change) => {
                self.lists.fold(change);
                true
            }
            News::Link(link) => {
                self.links.insert(kind, link);
                false
            }
        }
    }

    fn tell(&mut self, told: &mut Option<ClusterLink>, tell: &impl Fn(Told), looks: bool) {
        let link = self.link();
        let view = looks.then(|| view(&self.lists)).filter(|view| self.last_view.as_ref() != Some(view));
        if view.is_none() && told.as_ref() == Some(&link) {
            return;
        }
        if let Some(view) = &view {
            self.last_view = Some(view.clone());
        }
        *told = Some(link.clone());
        tell(Told { view, link });
    }

    /// The worst of all kinds'.
    fn link(&self) -> ClusterLink {
        let lost = self.links.values().find_map(|link| match link {
            KindLink::Reconnecting(why) => Some(ClusterLink::Reconnecting(why.clone())),
            _ => None,
        });
        let polled = || {
            self.links.values().find_map(|link| match link {
                KindLink::Polling(why) => Some(ClusterLink::Polling { every: self.poll, why: why.clone() }),
                _ => None,
            })
        };
        lost.or_else(polled).unwrap_or(ClusterLink::Live)
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

/// From where on a kind is followed.
enum Begin {
    /// It was listed.
    At(String),
    /// It has to be listed.
    Listing,
    /// The same, after a while.
    After(Duration),
}

impl Begin {
    fn of(lists: &Lists, kind: Kind, version: Option<String>, pace: &Pace) -> Self {
        let known = |is_absent: bool| match version {
            Some(version) => Self::At(version),
            None if is_absent => Self::After(pace.absent),
            None => Self::After(pace.first_wait),
        };
        match kind {
            Kind::Pods => known(!lists.pods.is_known()),
            Kind::BundleDeployments => known(!lists.bundle_deployments.is_known()),
            Kind::Bundles => known(!lists.bundles.is_known()),
            Kind::ModelDeployments => known(!lists.model_deployments.is_known()),
            Kind::ModelBundles => known(!lists.model_bundles.is_known()),
            Kind::Models => known(!lists.models.is_known()),
        }
    }
}

/// Follows one kind.
struct Follower {
    kubectl: Kubectl,
    pace: Pace,
    prefix: String,
    kind: Kind,
    waits: Waits,
    /// How many watches in a row have ended as soon as they began.
    short_lived: u32,
    /// How often it was listed since it may not be watched.
    polling: Option<u32>,
    sender: mpsc::Sender<(Kind, News)>,
}

/// How a watch ended.
enum Ended {
    /// As watches do: it may go on from there.
    At(String),
    /// Its version is too old.
    Expired,
    /// It may not be watched.
    NotAllowed(Failure),
    /// Anything else; what is behind it is told when listing fails too.
    Lost,
}

impl Follower {
    async fn run(mut self, mut begin: Begin) {
        loop {
            let version = match begin {
                Begin::At(version) => version,
                Begin::Listing => {
                    begin = self.list().await;
                    continue;
                }
                Begin::After(wait) => {
                    tokio::time::sleep(wait).await;
                    begin = Begin::Listing;
                    continue;
                }
            };
            let began = Instant::now();
            let ended = self.watch(version).await;
            if began.elapsed() >= self.pace.short_lived {
                self.short_lived = 0;
                self.waits.reset();
            } else {
                self.short_lived += 1;
            }
            begin = match ended {
                Ended::At(version) if self.short_lived == 0 => Begin::At(version),
                Ended::Expired => Begin::After(self.wait()),
                Ended::NotAllowed(why) => self.poll(why).await,
                // It can be listed, but not watched.
                Ended::At(_) | Ended::Lost if self.short_lived > ENOUGH => self.poll(short_lived()).await,
                // Only once listing fails too is it clear that something is wrong.
                Ended::At(_) | Ended::Lost => Begin::After(self.wait()),
            };
        }
    }

    /// None at first: what was cut is begun again at once.
    fn wait(&mut self) -> Duration {
        if self.waits.tries > 0 {
            return self.waits.next();
        }
        self.waits.tries = 1;
        Duration::ZERO
    }

    async fn poll(&mut self, why: Failure) -> Begin {
        self.polling = Some(0);
        self.tell(News::Link(KindLink::Polling(why))).await;
        Begin::After(self.pace.poll)
    }

    async fn tell(&self, news: News) {
        // Fails only when nobody follows any more, and then this ends too.
        let _ = self.sender.send((self.kind, news)).await;
    }

    async fn list(&mut self) -> Begin {
        let (listed, version) = match list_kind(&self.kubectl, &self.prefix, self.kind).await {
            Ok(found) => found,
            // What was there stays, and so does what was said of polling until it works again.
            Err(KubectlError { failure, .. }) => {
                self.short_lived = 0;
                self.tell(News::Link(KindLink::Reconnecting(failure))).await;
                return Begin::After(self.waits.next());
            }
        };
        let begin = match (is_listed(&listed), version, &mut self.polling) {
            (Some(true), Some(_), Some(polls)) if *polls % POLLS < POLLS - 1 => {
                *polls += 1;
                Begin::After(self.pace.poll)
            }
            // Now and then it is watched again: rights may have changed.
            (Some(true), Some(version), _) => Begin::At(version),
            (Some(true), None, _) => Begin::After(self.pace.poll),
            // What may not be listed is asked for more rarely.
            (Some(false), ..) => Begin::After(self.pace.poll.saturating_mul(6)),
            (None, ..) => Begin::After(self.pace.absent),
        };
        self.tell(News::Listed(Box::new(listed))).await;
        if self.polling.is_none() {
            self.tell(News::Link(KindLink::Live)).await;
        }
        begin
    }

    async fn watch(&mut self, mut version: String) -> Ended {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={}",
            path_of_kind(&self.prefix, &self.kubectl.namespace, self.kind),
            self.pace.watch.as_secs().max(1),
        );
        let mut lines = match self.kubectl.follow(&["get", "--raw", &path]) {
            Ok(lines) => lines,
            Err(_told_by_listing) => return Ended::Lost,
        };
        let overdue = tokio::time::sleep(self.pace.watch + OVERTIME);
        let allowed = tokio::time::sleep(self.pace.short_lived);
        tokio::pin!(overdue, allowed);
        loop {
            let line = tokio::select! {
                line = lines.next() => line,
                () = &mut allowed, if self.polling.is_some() => {
                    self.polling = None;
                    self.tell(News::Link(KindLink::Live)).await;
                    continue;
                }
                () = &mut overdue => return Ended::Lost,
            };
            match line {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => match read_line(self.kind, &line) {
                    Ok((change, now)) => {
                        if !now.is_empty() {
                            version = now;
                        }
                        self.waits.reset();
                        self.tell(News::Changed(change)).await;
                    }
                    Err(WatchError::Expired) => return Ended::Expired,
                    Err(WatchError::Refused(_) | WatchError::Unreadable(_)) => return Ended::Lost,
                },
                Ok(None) => return Ended::At(version),
                Err(error) => {
                    return match error.fault {
                        KubectlFault::Expired => Ended::Expired,
                        KubectlFault::Forbidden | KubectlFault::NotAllowed => {
                            Ended::NotAllowed(error.failure)
                        }
                        _ => Ended::Lost,
                    };
                }
            }
        }
    }
}

/// Whether it was listed or refused; `None` for a kind that the cluster does not know.
fn is_listed(listed: &AnyListed) -> Option<bool> {
    fn of<T>(listed: &Listed<T>) -> Option<bool> {
        match listed {
            Listed::Present(_) => Some(true),
            Listed::Failed(_) => Some(false),
            Listed::Absent => None,
        }
    }
    match listed {
        AnyListed::Pods(listed) => of(listed),
        AnyListed::BundleDeployments(listed) => of(listed),
        AnyListed::Bundles(listed) => of(listed),
        AnyListed::ModelDeployments(listed) => of(listed),
        AnyListed::ModelBundles(listed) => of(listed),
        AnyListed::Models(listed) => of(listed),
    }
}

fn short_lived() -> Failure {
    let advice = "Something between kubectl and the API server may cut them";
    Failure::new("The cluster's watches end as soon as they begin", advice)
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
            let whole = pace.first_wait.saturating_mul(1 << i.min(16)).min(pace.longest_wait);
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
        assert!(!has_slept(seconds(0), seconds(5)), "a clock that was put back is no sleep");
        assert!(has_slept(seconds(600), seconds(5)));
    }
}
