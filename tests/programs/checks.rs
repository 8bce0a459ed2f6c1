//! the checks against a real API server's answers, asked by real kubectls.

use std::path::Path;
use std::sync::Mutex;

use batida::engine::{Options, check, connections};
use batida::protocol::{Check, Verdict};
use tokio_util::sync::CancellationToken;

use crate::kube::{Cluster, Kube, NAMESPACE, Trouble, kubectls};
use crate::support::batida::{finish, program, start};
use crate::support::environments::cluster_env;

async fn checks(kube: &Kube, program: &Path) -> Vec<Check> {
    let options = Options {
        config: Some(kube.dir.path().join("batida")),
        simulated_kubectl: None,
    };
    let (connections, ..) = connections(&options, |_| {}).expect("a folder of its own");
    let connection = connections
        .open(&cluster_env(program, &kube.kubeconfig(), NAMESPACE))
        .await;
    let told = Mutex::new(Vec::new());
    check::run(&connection, &CancellationToken::new(), |check| {
        told.lock().expect("no panic").push(check)
    })
    .await;
    told.into_inner().expect("no panic")
}

fn find<'a>(checks: &'a [Check], title: &str) -> &'a Check {
    let found = checks.iter().find(|check| check.title.starts_with(title));
    found.unwrap_or_else(|| panic!("{title} is not among {checks:#?}"))
}

#[tokio::test]
async fn what_works_is_told_in_the_order_of_the_page() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let checks = checks(&kube, &program).await;
        let indices: Vec<usize> = [
            "kubectl 1.",
            "Cluster reachable",
            "Namespace sambastack",
            "Rights",
            "Resources",
            "SambaStack",
        ]
        .into_iter()
        .map(|title| {
            checks
                .iter()
                .position(|check| check.title.starts_with(title))
                .expect(title)
        })
        .collect();
        assert_eq!(indices, [0, 1, 2, 3, 4, 5]);
        let found = |title| {
            (
                find(&checks, title).verdict,
                find(&checks, title).finding.as_str(),
            )
        };
        assert_eq!(found("Namespace"), (Verdict::Good, "exists"));
        assert_eq!(found("Rights").0, Verdict::Good);
        assert_eq!(
            found("Resources"),
            (
                Verdict::Good,
                "ModelDeployments (new): 3 · BundleDeployments (old): 8"
            )
        );
        assert_eq!(
            found("Deployments"),
            (Verdict::Good, "5 of 11 are deployed")
        );
        assert!(checks[..5].iter().all(|check| check.took.is_some()));
    }
}

#[tokio::test]
async fn rights_that_lack_are_named_with_what_becomes_of_it() {
    for program in kubectls() {
        let watch_troubles = vec![("pods", Trouble::Forbidden)];
        let kube = Kube::start(Cluster {
            watch_troubles,
            ..Cluster::recorded()
        })
        .await;
        let all = checks(&kube, &program).await;
        let rights = find(&all, "Rights");
        assert_eq!(rights.verdict, Verdict::Warning);
        assert_eq!(
            rights.finding,
            "may not watch pods: pods are listed every 10 s instead"
        );
        assert!(
            rights
                .command
                .ends_with("-n sambastack auth can-i watch pods"),
            "{}",
            rights.command
        );

        let kube = Kube::start(Cluster::with(&["pods"], Trouble::Forbidden)).await;
        let all = checks(&kube, &program).await;
        assert_eq!(
            find(&all, "Rights").verdict,
            Verdict::Warning,
            "a model may answer all the same"
        );
    }
}

#[tokio::test]
async fn a_cluster_that_is_not_reached_is_told_once() {
    for program in kubectls() {
        let mut kube = Kube::start(Cluster::recorded()).await;
        kube.stop().await;
        let checks = checks(&kube, &program).await;
        assert_eq!(find(&checks, "Cluster unreachable").verdict, Verdict::Bad);
        for title in ["Namespace", "Rights", "Resources", "SambaStack"] {
            let check = find(&checks, title);
            assert_eq!(
                (check.verdict, check.finding.as_str()),
                (Verdict::Skipped, "The cluster is unreachable")
            );
        }
    }
}

/// As the window says it: what is deployed, and not routed.
#[test]
fn a_model_that_the_api_does_not_route_is_told_by_the_checks() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = finish(start(
        program(dir.path()).args(["check", "--demo", "--config", "config"]),
    ));
    assert!(
        said.out
            .contains("but the API does not list Llama-4-Maverick-17B-128E-Instruct"),
        "{said:?}"
    );
}
