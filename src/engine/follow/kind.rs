//! One kind, followed: listed, watched, and begun again however that ends.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{KindLink, News, Pace, Waits, failure_of};
use crate::domain::failure::Failure;
use crate::engine::cluster::{list_kind, path_of_kind};
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::watch::{AnyListed, ResourceKind, WatchError, read_line};
use crate::wire::kubectl::{KubectlFault, says_forbidden};

/// How long after its time a watch may end.
const OVERTIME: Duration = Duration::from_secs(30);
/// After so many watches in a row that have ended as soon as they began the kind is polled.
const ENOUGH: u32 = 4;
/// After so many polls the kind is watched again, and what is forbidden is asked for more rarely.
const POLLS: u32 = 30;

/// From where on a kind is followed.
pub(super) enum Begin {
    /// It was listed.
    At(String),
    /// It has to be listed.
    Listing,
    /// The same, after a while.
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
    /// How many watches in a row have ended as soon as they began.
    pub(super) short_lived: u32,
    /// How often it was listed since it may not be watched, and why it may not.
    pub(super) polling: Option<(u32, Failure)>,
    /// It was listed at least once.
    pub(super) seen: bool,
    /// How often in a row it was refused.
    pub(super) refused: u32,
    pub(super) sender: mpsc::Sender<(ResourceKind, News)>,
}

/// How a watch ended.
enum Ended {
    /// As watches do: it may go on from there.
    At(String),
    /// Its version is too old.
    Expired,
    /// It may not be watched.
    NotAllowed(Failure),
    /// Trying again by itself would not help, or not soon.
    Useless(KubectlError),
    /// Anything else; what is behind it is told when listing fails too.
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
                // What ends it sooner may have replaced what it told of: a restored etcd counts its versions anew, and
                // from a version that is still to come nothing would be told.
                Ended::At(version) if lived >= self.pace.watch.mul_f64(0.9) => Begin::At(version),
                Ended::Expired => Begin::After(self.wait()),
                Ended::NotAllowed(why) => self.poll(why).await,
                Ended::Useless(error) => {
                    self.tell(News::Useless(error)).await;
                    return;
                }
                // It can be listed, but not watched.
                Ended::At(_) | Ended::Lost if self.short_lived > ENOUGH => {
                    self.poll(short_lived()).await
                }
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
        self.polling = Some((0, why.clone()));
        self.tell(News::Link(KindLink::Polling(why))).await;
        Begin::After(self.pace.poll)
    }

    async fn tell(&self, news: News) {
        // Fails only when nobody follows any more, and then this ends too.
        let _ = self.sender.send((self.kind, news)).await;
    }

    /// Until a kind that the cluster does not know is looked for again.
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
                // The others end with it.
                return Begin::After(self.pace.longest_wait);
            }
            // What was there stays, and so does what was said of polling until it works again.
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
            // Of pods the state is unknown from now on; what is deployed is best known from the last list.
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
            // Now and then it is watched again: rights may have changed.
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

    /// Until what may not be listed is asked for again: more rarely after some minutes.
    fn until_allowed(&self) -> Duration {
        if self.refused <= POLLS {
            self.pace.poll
        } else {
            self.pace.poll.saturating_mul(6)
        }
    }

    async fn watch(&mut self, mut version: String) -> Ended {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={}",
            path_of_kind(&self.prefix, &self.kubectl.namespace, self.kind),
            self.pace.watch.as_secs().max(1),
        );
        let mut lines = match self.kubectl.follow(&["get", "--raw", &path]).await {
            Ok(lines) => lines,
            Err(error) if needs_a_rest(error.fault) => return Ended::Useless(error),
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
                        if goes_back(&version, &now) {
                            return Ended::Expired;
                        }
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
                        fault if needs_a_rest(fault) => Ended::Useless(error),
                        _ => Ended::Lost,
                    };
                }
            }
        }
    }
}

/// Whether all kinds are to pause, since each try may ask somebody to log in.
fn needs_a_rest(fault: KubectlFault) -> bool {
    fault.needs_a_person() || fault == KubectlFault::PluginFailed
}

/// Whether a version comes before another: the server has forgotten what it had said.
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

/// Whether it was listed or refused; `None` for a kind that the cluster does not know.
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
    let advice = "Something between kubectl and the API server may cut them";
    Failure::new("The cluster's watches end as soon as they begin", advice)
}

#[cfg(test)]
mod tests {
    use super::goes_back;

    #[test]
    fn versions_that_go_back_are_seen() {
        assert!(goes_back("20000", "9"));
        assert!(
            !goes_back("9", "20000")
                && !goes_back("9", "9")
                && !goes_back("9", "")
                && !goes_back("", "9")
        );
    }
}
