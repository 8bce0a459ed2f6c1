//! Follows one kind: lists it, watches it, and restarts the watch when it ends.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{KindLink, News, Pace, Waits, failure_of};
use crate::domain::failure::Failure;
use crate::engine::cluster::{list_kind, path_of_kind};
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::watch::{AnyListed, ResourceKind, WatchError, read_line};
use crate::wire::kubectl::{KubectlFault, says_forbidden};

/// How long a watch may exceed its requested duration.
const OVERTIME: Duration = Duration::from_secs(30);
/// Consecutive short watches after which the kind is polled.
const MAX_SHORT_WATCHES: u32 = 4;
/// Polls after which a watch is tried again, and refusals after which polling slows down.
const POLLS: u32 = 30;

/// How following a kind continues.
pub(super) enum Begin {
    /// Watch from this version.
    At(String),
    /// List the kind first.
    Listing,
    /// List the kind after a wait.
    After(Duration),
}

impl Begin {
    pub(super) fn of(
        lists: &Lists,
        kind: ResourceKind,
        version: Option<String>,
        follower: &Follower,
    ) -> Self {
        let known = |is_absent: bool| match version {
            Some(version) => Self::At(version),
            None if is_absent => Self::After(follower.until_looked_for()),
            None => Self::After(follower.pace.first_wait),
        };
        match kind {
            ResourceKind::Pods => known(!lists.pods.is_known()),
            ResourceKind::BundleDeployments => known(!lists.bundle_deployments.is_known()),
            ResourceKind::Bundles => known(!lists.bundles.is_known()),
            ResourceKind::ModelDeployments => known(!lists.model_deployments.is_known()),
            ResourceKind::ModelBundles => known(!lists.model_bundles.is_known()),
            ResourceKind::Models => known(!lists.models.is_known()),
        }
    }
}

/// Follows one kind.
pub(super) struct Follower {
    pub(super) kubectl: Kubectl,
    pub(super) pace: Pace,
    pub(super) prefix: String,
    pub(super) kind: ResourceKind,
    pub(super) waits: Waits,
    /// The number of consecutive watches that ended at once.
    pub(super) short_lived: u32,
    /// The number of polls, and why the kind cannot be watched.
    pub(super) polling: Option<(u32, Failure)>,
    /// The kind was listed at least once.
    pub(super) seen: bool,
    /// The number of consecutive refusals.
    pub(super) refused: u32,
    pub(super) sender: mpsc::Sender<(ResourceKind, News)>,
}

/// How a watch ended.
enum WatchEnd {
    /// Normally; it can be continued from this version.
    At(String),
    /// The version is too old.
    Expired,
    /// Watching is forbidden.
    NotAllowed(Failure),
    /// Retrying automatically would not help, or not soon.
    Useless(KubectlError),
    /// Any other error, which is reported if listing fails, too.
    Lost,
}

impl Follower {
    pub(super) async fn run(mut self, mut begin: Begin) {
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
            let lived = began.elapsed();
            if lived >= self.pace.short_lived {
                self.short_lived = 0;
                self.waits.reset();
            } else {
                self.short_lived += 1;
            }
            begin = match ended {
                // A watch that ends early may mean a restored etcd, which counts versions anew. Watching from a future
                // version would report nothing.
                WatchEnd::At(version) if lived >= self.pace.watch.mul_f64(0.9) => {
                    Begin::At(version)
                }
                WatchEnd::Expired => Begin::After(self.wait()),
                WatchEnd::NotAllowed(why) => self.poll(why).await,
                WatchEnd::Useless(error) => {
                    self.tell(News::Useless(error)).await;
                    return;
                }
                // Listing works, but watching does not.
                WatchEnd::At(_) | WatchEnd::Lost if self.short_lived > MAX_SHORT_WATCHES => {
                    self.poll(short_lived()).await
                }
                // It is a problem only if listing fails, too.
                WatchEnd::At(_) | WatchEnd::Lost => Begin::After(self.wait()),
            };
        }
    }

    /// The next wait. The first restart is immediate.
    fn wait(&mut self) -> Duration {
        if self.waits.tries > 0 {
            return self.waits.next();
        }
        self.waits.tries = 1;
        Duration::ZERO
    }

    async fn poll(&mut self, why: Failure) -> Begin {
        self.polling = Some((0, why.clone()));
        self.tell(News::Link(KindLink::Polling(why))).await;
        Begin::After(self.pace.poll)
    }

    async fn tell(&self, news: News) {
        // Fails only if the receiver has ended, which also ends this task.
        let _ = self.sender.send((self.kind, news)).await;
    }

    /// The wait before checking again for a kind that the cluster does not have.
    fn until_looked_for(&self) -> Duration {
        if self.seen {
            self.pace.vanished
        } else {
            self.pace.absent
        }
    }

    async fn list(&mut self) -> Begin {
        let (listed, version) = match list_kind(&self.kubectl, &self.prefix, self.kind).await {
            Ok(found) => found,
            Err(error) if needs_a_rest(error.fault) => {
                self.tell(News::Useless(error)).await;
                // All other kinds end, too.
                return Begin::After(self.pace.longest_wait);
            }
            // The previous list stays, and so does the polling state.
            Err(KubectlError { failure, .. }) => {
                self.short_lived = 0;
                self.tell(News::Link(KindLink::Reconnecting(failure))).await;
                return Begin::After(self.waits.next());
            }
        };
        self.refused = if is_listed(&listed) == Some(false) {
            self.refused + 1
        } else {
            0
        };
        if let Some(why) = refusal(&listed).filter(|why| self.seen && says_forbidden(why)) {
            let why = why.clone();
            // The state of pods is now unknown. For deployments, the last list is the best information.
            if self.kind == ResourceKind::Pods {
                self.tell(News::Listed(Box::new(listed))).await;
            }
            self.tell(News::Link(KindLink::Forbidden(why))).await;
            return Begin::After(self.until_allowed());
        }
        let begin = match (is_listed(&listed), version, &mut self.polling) {
            (Some(true), Some(_), Some((polls, _))) if *polls % POLLS < POLLS - 1 => {
                *polls += 1;
                Begin::After(self.pace.poll)
            }
            // Try to watch again from time to time, since permissions may have changed.
            (Some(true), Some(version), _) => Begin::At(version),
            (Some(true), None, _) => Begin::After(self.pace.poll),
            (Some(false), ..) => Begin::After(self.until_allowed()),
            (None, ..) => Begin::After(self.until_looked_for()),
        };
        self.seen |= is_listed(&listed) == Some(true);
        self.tell(News::Listed(Box::new(listed))).await;
        let link = self
            .polling
            .as_ref()
            .map_or(KindLink::Live, |(_, why)| KindLink::Polling(why.clone()));
        self.tell(News::Link(link)).await;
        begin
    }

    /// The wait before a refused list is requested again; longer after some minutes.
    fn until_allowed(&self) -> Duration {
        if self.refused <= POLLS {
            self.pace.poll
        } else {
            self.pace.poll.saturating_mul(6)
        }
    }

    async fn watch(&mut self, mut version: String) -> WatchEnd {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={}",
            path_of_kind(&self.prefix, &self.kubectl.namespace, self.kind),
            self.pace.watch.as_secs().max(1),
        );
        let mut lines = match self.kubectl.follow(&["get", "--raw", &path]).await {
            Ok(lines) => lines,
            Err(error) if needs_a_rest(error.fault) => return WatchEnd::Useless(error),
            Err(_told_by_listing) => return WatchEnd::Lost,
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
                () = &mut overdue => return WatchEnd::Lost,
            };
            match line {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => match read_line(self.kind, &line) {
                    Ok((change, now)) => {
                        if goes_back(&version, &now) {
                            return WatchEnd::Expired;
                        }
                        if !now.is_empty() {
                            version = now;
                        }
                        self.waits.reset();
                        self.tell(News::Changed(change)).await;
                    }
                    Err(WatchError::Expired) => return WatchEnd::Expired,
                    Err(WatchError::Refused(_) | WatchError::Unreadable(_)) => {
                        return WatchEnd::Lost;
                    }
                },
                Ok(None) => return WatchEnd::At(version),
                Err(error) => {
                    return match error.fault {
                        KubectlFault::Expired => WatchEnd::Expired,
                        KubectlFault::Forbidden | KubectlFault::NotAllowed => {
                            WatchEnd::NotAllowed(error.failure)
                        }
                        fault if needs_a_rest(fault) => WatchEnd::Useless(error),
                        _ => WatchEnd::Lost,
                    };
                }
            }
        }
    }
}

/// Whether all kinds must pause, since each attempt may ask the user to log in.
fn needs_a_rest(fault: KubectlFault) -> bool {
    fault.needs_a_person() || fault == KubectlFault::PluginFailed
}

/// Whether the version has decreased, which means that the server lost its history.
fn goes_back(before: &str, now: &str) -> bool {
    matches!((before.parse::<u64>(), now.parse::<u64>()), (Ok(before), Ok(now)) if now < before)
}

fn refusal(listed: &AnyListed) -> Option<&Failure> {
    match listed {
        AnyListed::Pods(listed) => failure_of(listed),
        AnyListed::BundleDeployments(listed) => failure_of(listed),
        AnyListed::Bundles(listed) => failure_of(listed),
        AnyListed::ModelDeployments(listed) => failure_of(listed),
        AnyListed::ModelBundles(listed) => failure_of(listed),
        AnyListed::Models(listed) => failure_of(listed),
    }
}

/// Whether the kind was listed (true) or refused (false); `None` if the cluster does not have it.
pub(super) fn is_listed(listed: &AnyListed) -> Option<bool> {
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
    let advice = "A proxy between kubectl and the API server may close them";
    Failure::new("Watches of the cluster end immediately", advice)
}

#[cfg(test)]
mod tests {
    use super::goes_back;

    #[test]
    fn decreasing_versions_are_recognized() {
        assert!(goes_back("20000", "9"));
        assert!(
            !goes_back("9", "20000")
                && !goes_back("9", "9")
                && !goes_back("9", "")
                && !goes_back("", "9")
        );
    }
}
