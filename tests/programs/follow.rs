//! The cluster, followed through real kubectls while the API server changes, crashes, forgets and forbids.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use batida::domain::deployment::{ClusterView, DeploymentState};
use batida::domain::environment::EnvId;
use batida::engine::cluster::load;
use batida::engine::follow::{ClusterUpdate, Pace, run};
use batida::engine::logs;
use batida::io::activity::Recorder;
use batida::io::kubectl::{Kubeconfig, Kubectl};
use batida::protocol::{ClusterLink, LogSource};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cluster::{askers, is_alive, lines, until};
use crate::kube::{Cluster, Kube, NEW_KINDS, OLD_KINDS, Trouble, kubectls};
use crate::support::tls::Tls;

/// Longer than anything here may take, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(30);

/// How soon what is back must be seen.
const SOON: Duration = Duration::from_secs(10);

fn quick() -> Pace {
    Pace {
        between_views: Duration::from_millis(20),
        first_wait: Duration::from_millis(50),
        longest_wait: Duration::from_millis(200),
        poll: Duration::from_millis(200),
        short_lived: Duration::ZERO,
        ..Pace::default()
    }
}

/// A cluster that is followed until this is dropped.
pub(crate) struct Followed {
    told: mpsc::UnboundedReceiver<ClusterUpdate>,
    task: JoinHandle<()>,
    pub(crate) view: ClusterView,
    pub(crate) link: Option<ClusterLink>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Followed {
    fn start(kubectl: Kubectl, pace: Pace) -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            // Fails only when the test is over.
            run(&kubectl, &pace, |told| drop(sender.send(told))).await;
        });
        Self {
            told,
            task,
            view: ClusterView::default(),
            link: None,
        }
    }

    async fn next(&mut self) -> Option<ClusterUpdate> {
        let told = tokio::time::timeout(LIMIT, self.told.recv()).await;
        let told = told.unwrap_or_else(|_| {
            panic!("nothing was told: {:?} {:#?}", self.link, lines(&self.view))
        })?;
        if let Some(view) = &told.view {
            assert_ne!(&self.view, view, "what is told has changed");
            self.view = view.clone();
        }
        self.link = Some(told.link.clone());
        Some(told)
    }

    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            assert!(
                self.next().await.is_some(),
                "{what}: it is followed no longer, {:?}",
                self.link
            );
        }
    }

    async fn until_live(&mut self) {
        self.until("it is live", |it| it.link == Some(ClusterLink::Live))
            .await;
    }

    pub(crate) fn state(&self, deployment: &str) -> Option<DeploymentState> {
        self.view
            .deployments
            .iter()
            .find(|it| it.name == deployment)
            .map(|it| it.state)
    }
}

/// Started, live, and watching all kinds.
async fn followed(kube: &Kube, program: &Path, pace: Pace) -> Followed {
    let mut followed = Followed::start(kube.kubectl(program), pace);
    followed.until_live().await;
    until("all kinds are watched", || watches(kube) >= 6).await;
    followed
}

/// The same with a quick pace.
pub(crate) async fn followed_quickly(kube: &Kube, program: &Path) -> Followed {
    followed(kube, program, quick()).await
}

fn watches(kube: &Kube) -> usize {
    kube.requests()
        .iter()
        .filter(|path| path.starts_with("watch "))
        .count()
}

fn listed(kube: &Kube, kind: &str) -> usize {
    kube.requests()
        .iter()
        .filter(|path| !path.starts_with("watch ") && path.ends_with(&format!("/{kind}")))
        .count()
}

/// llama-70b's cache becomes ready, and with it the deployment.
fn finish_llama_70b(kube: &Kube) {
    let name = "inf-llama-70b-cache-0";
    let mut pod = kube.object("pods", name);
    pod["status"]["containerStatuses"][0]["ready"] = true.into();
    kube.change("pods", "MODIFIED", pod);
}

const FINISHED: &str = "llama-70b";

#[tokio::test]
async fn what_changes_is_told_as_it_happens() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, quick()).await;
        assert_eq!(
            followed.view,
            load(&kube.kubectl(&program)).await.expect("it loads")
        );
        let before = listed(&kube, "pods");
        assert_eq!(followed.state(FINISHED), Some(DeploymentState::Deploying));
        finish_llama_70b(&kube);
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        let orphan = kube.object("bundledeployments", "orphan");
        kube.change("bundledeployments", "DELETED", orphan.clone());
        followed
            .until("it is gone", |it| it.state("orphan").is_none())
            .await;
        let mut other = orphan;
        other["metadata"]["name"] = "another".into();
        kube.change("bundledeployments", "ADDED", other);
        followed
            .until("it is there", |it| {
                it.state("another") == Some(DeploymentState::NotDeployed)
            })
            .await;
        assert_eq!(followed.link, Some(ClusterLink::Live));
        assert_eq!(listed(&kube, "pods"), before, "nothing was listed again");
    }
}

#[tokio::test]
async fn a_watch_that_has_lasted_its_time_goes_on_from_where_it_was() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let pace = Pace {
            watch: Duration::from_secs(1),
            ..quick()
        };
        let mut followed = followed(&kube, &program, pace).await;
        until("all kinds are watched again", || watches(&kube) >= 12).await;
        finish_llama_70b(&kube);
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        assert_eq!(followed.link, Some(ClusterLink::Live));
        assert_eq!(listed(&kube, "pods"), 1, "nothing was listed again");
    }
}

#[tokio::test]
async fn a_cluster_that_was_restored_is_seen_as_it_is() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, quick()).await;
        finish_llama_70b(&kube);
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        // Its versions begin anew below those that are watched from.
        kube.restore();
        let began = Instant::now();
        followed
            .until("it is as before", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deploying)
            })
            .await;
        finish_llama_70b(&kube);
        followed
            .until("it is told again", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert_eq!(followed.link, Some(ClusterLink::Live));
    }
}

#[tokio::test]
async fn kinds_that_vanish_and_come_back_are_seen_soon_with_the_windows_own_pace() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, Pace::default()).await;
        let before = followed.view.clone();
        let kinds = [OLD_KINDS.as_slice(), &NEW_KINDS].concat();
        kube.edit(|cluster| {
            cluster.troubles = kinds.iter().map(|kind| (*kind, Trouble::Missing)).collect()
        });
        kube.close_watches(false);
        let gone = |it: &Followed| {
            it.view.deployments.is_empty()
                && matches!(&it.link, Some(ClusterLink::Reconnecting(why)) if why.summary.contains("no SambaStack resources"))
        };
        followed
            .until("they are gone, and nothing is called live", gone)
            .await;
        let began = Instant::now();
        kube.edit(|cluster| cluster.troubles.clear());
        followed
            .until("they are back", |it| {
                it.view == before && it.link == Some(ClusterLink::Live)
            })
            .await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn rights_that_are_revoked_are_said_and_what_was_seen_stays() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, quick()).await;
        let before = followed.view.clone();
        let kinds = [OLD_KINDS.as_slice(), &NEW_KINDS].concat();
        kube.edit(|cluster| {
            cluster.troubles = kinds
                .iter()
                .map(|kind| (*kind, Trouble::Forbidden))
                .collect()
        });
        kube.close_watches(false);
        followed
            .until("it is said", |it| {
                matches!(it.link, Some(ClusterLink::Forbidden(_)))
            })
            .await;
        let Some(ClusterLink::Forbidden(why)) = followed.link.clone() else {
            unreachable!("it was looked for")
        };
        assert!(why.summary.starts_with("limited may not list "), "{why:?}");
        assert_eq!(followed.view, before, "what was there stays");
        // A new look meets the same, and says it too.
        let mut again = Followed::start(kube.kubectl(&program), quick());
        again
            .until("it is said", |it| {
                matches!(it.link, Some(ClusterLink::Forbidden(_)))
            })
            .await;
        kube.edit(|cluster| cluster.troubles.clear());
        followed.until_live().await;
        assert_eq!(followed.view, before);
        again
            .until("it is seen", |it| {
                it.link == Some(ClusterLink::Live) && it.view == before
            })
            .await;
    }
}

#[tokio::test]
async fn a_server_that_stops_answering_is_noticed_within_twenty_seconds() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, Pace::default()).await;
        kube.freeze(true);
        let began = Instant::now();
        followed
            .until("it is said", |it| {
                matches!(it.link, Some(ClusterLink::Reconnecting(_)))
            })
            .await;
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        let Some(ClusterLink::Reconnecting(why)) = &followed.link else {
            unreachable!("it was looked for")
        };
        assert!(
            why.summary
                .starts_with("The cluster did not respond within 1"),
            "{why:?}"
        );
        finish_llama_70b(&kube);
        kube.freeze(false);
        let began = Instant::now();
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        followed.until_live().await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_told_before_kubectl_gives_up() {
    let kube = Kube::start(Cluster::recorded()).await;
    kube.freeze(true);
    let began = Instant::now();
    let mut followed = Followed::start(kube.kubectl(&kubectls()[0]), Pace::default());
    followed
        .until("it is said", |it| {
            matches!(it.link, Some(ClusterLink::Reconnecting(_)))
        })
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    kube.freeze(false);
    followed.until_live().await;
    assert_eq!(followed.view.deployments.len(), 11);
}

/// A kubeconfig's user whose plugin appends a line to `calls` and then does as the script says.
pub(crate) fn plugin(dir: &Path, then: &str) -> (serde_json::Value, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let (path, calls) = (dir.join("plugin"), dir.join("calls"));
    let text = format!("#!/bin/sh\necho $$ >> {}\n{then}\n", calls.display());
    std::fs::write(&path, text).expect("it can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let user = serde_json::json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1", "command": path, "interactiveMode": "IfAvailable",
    }});
    (user, calls)
}

pub(crate) fn calls_in(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

pub(crate) const DEVICE_CODE: &str =
    "To sign in, open https://login.example.test/device and enter the code B7K2QX9";

#[tokio::test]
async fn a_login_that_nobody_finishes_is_asked_for_once_and_its_words_are_told_meanwhile() {
    for program in kubectls() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let then = format!("printf '\\033[31m{DEVICE_CODE}\\033[0m\\n' >&2\nsleep 300");
        let (user, calls) = plugin(dir.path(), &then);
        let kube = Kube::start(Cluster {
            user,
            tls: Tls::Good,
            ..Cluster::recorded()
        })
        .await;
        let words: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::default();
        let recorder = {
            let words = std::sync::Arc::clone(&words);
            Recorder::new(EnvId::ad_hoc(), move |activity| {
                if activity.ending.is_none() && !activity.words.is_empty() {
                    words
                        .lock()
                        .expect("no panic")
                        .push(activity.words.to_string());
                }
            })
        };
        let (patience, login) = (Duration::from_secs(2), Duration::from_secs(5));
        let kubectl = Kubectl {
            recorder,
            patience,
            login,
            ..kube.kubectl(&program)
        };
        let mut followed = Followed::start(kubectl, quick());
        let began = Instant::now();
        until("the code is told while the plugin waits", || {
            !words.lock().expect("no panic").is_empty()
        })
        .await;
        assert!(
            began.elapsed() < patience + Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(words.lock().expect("no panic")[0], DEVICE_CODE);
        while followed.next().await.is_some() {}
        assert!(
            began.elapsed() >= login,
            "whoever logs in has more time than a server"
        );
        let Some(ClusterLink::Stopped(why)) = &followed.link else {
            panic!("{:?}", followed.link)
        };
        assert!(
            why.summary.contains("for a login that was not completed"),
            "{why:?}"
        );
        assert_eq!(why.details, DEVICE_CODE);
        assert_eq!(
            calls_in(&calls).len(),
            1,
            "one plugin, not four, and not again"
        );
        until("kubectl and the plugin are gone", || {
            askers(&kube).is_empty() && !calls_in(&calls).iter().any(|pid| is_alive(pid))
        })
        .await;
    }
}

#[tokio::test]
async fn a_plugin_that_logs_in_slowly_goes_first_and_the_others_follow() {
    for program in kubectls() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let token = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"t"}}"#;
        let then = format!(
            "if [ -e {0} ]; then echo '{token}'; exit; fi\necho {DEVICE_CODE} >&2\nsleep 4\ntouch {0}\necho '{token}'",
            dir.path().join("logged-in").display()
        );
        let (user, calls) = plugin(dir.path(), &then);
        let kube = Kube::start(Cluster {
            user,
            tls: Tls::Good,
            ..Cluster::recorded()
        })
        .await;
        let patience = Duration::from_secs(2);
        let kubectl = Kubectl {
            patience,
            login: Duration::from_secs(20),
            ..kube.kubectl(&program)
        };
        let mut followed = Followed::start(kubectl, quick());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            assert!(
                calls_in(&calls).len() <= 1,
                "one logs in, and the others wait for it"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // On a busy machine a list may take longer than its patience, and is asked for again.
        let all =
            |it: &Followed| it.view.deployments.len() == 11 && it.link == Some(ClusterLink::Live);
        followed.until("all is seen", all).await;
    }
}

#[tokio::test]
async fn a_plugin_that_fails_at_once_is_tried_again_a_few_times_by_one_kubectl() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let (user, calls) = plugin(dir.path(), "echo no network >&2\nexit 3");
    let kube = Kube::start(Cluster {
        user,
        tls: Tls::Good,
        ..Cluster::recorded()
    })
    .await;
    let mut followed = Followed::start(kube.kubectl(&kubectls()[0]), quick());
    followed
        .until("it is said", |it| {
            matches!(it.link, Some(ClusterLink::Reconnecting(_)))
        })
        .await;
    let Some(ClusterLink::Reconnecting(why)) = &followed.link else {
        unreachable!("it was looked for")
    };
    assert!(why.summary.ends_with("failed with exit code 3"), "{why:?}");
    assert!(why.details.starts_with("no network\n"), "{why:?}");
    // One kubectl starts it up to seven times.
    assert!(calls_in(&calls).len() <= 7, "{:?}", calls_in(&calls));
}

#[tokio::test]
async fn what_the_server_has_forgotten_is_listed_anew() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, quick()).await;
        kube.edit(|cluster| cluster.watch_troubles.push(("*", Trouble::Hang)));
        kube.close_watches(false);
        until("they are closed", || watches(&kube) >= 12).await;
        finish_llama_70b(&kube);
        kube.edit(|cluster| cluster.watch_troubles.clear());
        kube.close_watches(true);
        // Those that hang are let go by a crash; what they watched from is long past by then.
        let mut kube = kube;
        kube.stop().await;
        kube.restart().await;
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        followed.until_live().await;
        assert!(listed(&kube, "pods") >= 2, "it was listed anew");
    }
}

#[tokio::test]
async fn a_restart_of_the_server_is_said_and_survived() {
    for program in kubectls() {
        let mut kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, quick()).await;
        let before = followed.view.clone();
        kube.stop().await;
        followed
            .until("it is said", |it| {
                matches!(it.link, Some(ClusterLink::Reconnecting(_)))
            })
            .await;
        let Some(ClusterLink::Reconnecting(why)) = &followed.link else {
            unreachable!("it was looked for")
        };
        assert!(
            why.summary
                .starts_with("Could not reach the cluster at 127.0.0.1"),
            "{why:?}"
        );
        assert_eq!(followed.view, before, "what was there stays");
        finish_llama_70b(&kube);
        kube.restart().await;
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        followed.until_live().await;
    }
}

#[tokio::test]
async fn a_server_that_is_overloaded_leaves_what_was_there() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed(&kube, &program, quick()).await;
        let before = followed.view.clone();
        kube.edit(|cluster| cluster.troubles.push(("*", Trouble::Overloaded)));
        kube.close_watches(true);
        followed
            .until("it is said", |it| {
                matches!(it.link, Some(ClusterLink::Reconnecting(_)))
            })
            .await;
        assert_eq!(followed.view, before);
        kube.edit(|cluster| cluster.troubles.clear());
        followed.until_live().await;
        assert_eq!(followed.view, before);
    }
}

#[tokio::test]
async fn where_watching_is_forbidden_it_is_listed_again_and_again() {
    for program in kubectls() {
        let watch_troubles = vec![("pods", Trouble::Forbidden)];
        let kube = Kube::start(Cluster {
            watch_troubles,
            ..Cluster::recorded()
        })
        .await;
        let mut followed = Followed::start(kube.kubectl(&program), quick());
        followed
            .until("it polls", |it| {
                matches!(it.link, Some(ClusterLink::Polling { .. }))
            })
            .await;
        let Some(ClusterLink::Polling { every, why }) = followed.link.clone() else {
            unreachable!("it was looked for")
        };
        assert_eq!(every, quick().poll);
        assert_eq!(
            why.summary,
            "limited may not watch pods in the namespace sambastack"
        );
        finish_llama_70b(&kube);
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        assert!(
            matches!(followed.link, Some(ClusterLink::Polling { .. })),
            "{:?}",
            followed.link
        );
    }
}

#[tokio::test]
async fn where_watches_are_cut_at_once_it_is_listed_again_and_again() {
    let kube = Kube::start(Cluster {
        watch_troubles: vec![("models", Trouble::Empty)],
        ..Cluster::recorded()
    })
    .await;
    let pace = Pace {
        short_lived: Duration::from_secs(5),
        ..quick()
    };
    let mut followed = Followed::start(kube.kubectl(&kubectls()[0]), pace);
    followed
        .until("it polls", |it| {
            matches!(it.link, Some(ClusterLink::Polling { .. }))
        })
        .await;
}

#[tokio::test]
async fn what_may_not_be_listed_is_a_warning_while_the_rest_is_live() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::with(&["models"], Trouble::Forbidden)).await;
        let mut followed = Followed::start(kube.kubectl(&program), quick());
        followed.until_live().await;
        assert_eq!(followed.view.warnings.len(), 1);
        finish_llama_70b(&kube);
        followed
            .until("it is ready", |it| {
                it.state(FINISHED) == Some(DeploymentState::Deployed)
            })
            .await;
        assert_eq!(followed.view.warnings.len(), 1);
    }
}

#[tokio::test]
async fn the_first_deployment_of_the_new_generation_comes_with_its_models() {
    let kube = Kube::start(Cluster::recorded()).await;
    let gemma = kube.object("modeldeployments", "md-gemma");
    kube.edit(|cluster| {
        cluster.lists.insert(
            NEW_KINDS[0],
            "{\"kind\":\"ModelDeploymentList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}".into(),
        );
    });
    let mut followed = Followed::start(kube.kubectl(&kubectls()[0]), quick());
    followed.until_live().await;
    until("all kinds that are used are watched", || {
        watches(&kube) >= 4
    })
    .await;
    kube.change(NEW_KINDS[0], "ADDED", gemma);
    followed
        .until("its model is known", |it| {
            let models = it
                .view
                .deployments
                .iter()
                .find(|it| it.name == "md-gemma")
                .map(|it| &it.models);
            models.is_some_and(|models| {
                models
                    .iter()
                    .any(|model| model.serving_name == "gemma-4-31B-it" && model.confirmed)
            })
        })
        .await;
}

#[tokio::test]
async fn what_only_a_person_can_mend_ends_it() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let kubeconfig = Kubeconfig::File(kube.dir.path().join("nope"));
        let mut followed = Followed::start(
            Kubectl {
                kubeconfig,
                ..kube.kubectl(&program)
            },
            quick(),
        );
        while followed.next().await.is_some() {}
        let Some(ClusterLink::Stopped(why)) = &followed.link else {
            panic!("{:?}", followed.link)
        };
        assert!(why.summary.ends_with("nope does not exist"), "{why:?}");
    }
}

#[tokio::test]
async fn nobody_is_left_behind() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let followed = followed(&kube, &program, quick()).await;
        assert!(askers(&kube).len() >= 6);
        drop(followed);
        until("all kubectls are gone", || askers(&kube).is_empty()).await;
    }
}

#[tokio::test]
async fn logs_are_read_to_their_end() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let kubectl = kube.kubectl(&program);
        let read = async |pod: &str| {
            let source = LogSource {
                pod: pod.to_owned(),
                container: "cache".to_owned(),
                previous: false,
            };
            let told = std::sync::Mutex::new(Vec::new());
            let outcome = logs::follow(&kubectl, &source, |lines| {
                told.lock().expect("no panic").extend(lines)
            })
            .await;
            (told.into_inner().expect("no panic"), outcome)
        };
        let (lines, outcome) = read("inf-llama-cache-0").await;
        assert_eq!(
            (lines, outcome),
            (
                vec![
                    "inf-llama-cache-0 says one".to_owned(),
                    "and two".to_owned()
                ],
                Ok(())
            )
        );
        let (lines, outcome) = read("nope").await;
        assert!(lines.is_empty());
        assert!(
            outcome
                .expect_err("there is no such pod")
                .summary
                .contains("nope")
        );
    }
}

#[tokio::test]
async fn the_simulated_kubectl_is_followed_too() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_batida"));
    let simulated = Kubectl::simulated(
        program,
        vec!["simulated-kubectl".into()],
        "sambastack",
        Recorder::silent(EnvId::demo()),
    );
    let mut followed = Followed::start(
        simulated,
        Pace {
            watch: Duration::from_secs(1),
            ..quick()
        },
    );
    followed.until_live().await;
    assert_eq!(followed.view.deployments.len(), 13);
    // A second later the watches have come to their end, and nothing is told of that.
    let quiet = tokio::time::timeout(Duration::from_secs(3), followed.told.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}
