//! From picking an environment to a filled picker, against three bare `kubectl get --raw` side by side.
//!
//! `cargo bench --bench cluster [-- ROUNDS]`

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../it/support/kube.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod kube;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use batida::engine::cluster::load;
use kube::{Cluster, Kube, NAMESPACE, Tls, kubectls};

fn main() {
    let rounds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(15);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be built");
    runtime.block_on(async {
        for program in kubectls() {
            for tls in [Tls::Off, Tls::Good] {
                compare(&program, tls, rounds).await;
            }
        }
    });
}

async fn compare(program: &Path, tls: Tls, rounds: usize) {
    let kube = Kube::start(Cluster { tls, ..Cluster::large() }).await;
    let kubectl = kube.kubectl(program);
    let (mut bare, mut filled) = (Vec::new(), Vec::new());
    // Once for the caches of the disk.
    three_bare(&kube, program).await;
    load(&kubectl).await.expect("the large cluster loads");
    for _ in 0..rounds {
        let began = Instant::now();
        three_bare(&kube, program).await;
        bare.push(began.elapsed());
        let began = Instant::now();
        let view = load(&kubectl).await.expect("the large cluster loads");
        filled.push(began.elapsed());
        assert_eq!(view.deployments.len(), 506);
    }
    let (bare, filled) = (median(bare), median(filled));
    println!(
        "{} {tls:?}: three bare {:.0} ms, filled view {:.0} ms, ratio {:.2} (medians of {rounds})",
        program.display(),
        bare.as_secs_f64() * 1e3,
        filled.as_secs_f64() * 1e3,
        filled.as_secs_f64() / bare.as_secs_f64(),
    );
}

async fn three_bare(kube: &Kube, program: &Path) {
    let own = |kind: &str| format!("/apis/sambanova.ai/v1alpha1/namespaces/{NAMESPACE}/{kind}");
    let ask = |path: String| {
        let mut command = tokio::process::Command::new(program);
        command.arg("--kubeconfig").arg(kube.kubeconfig()).args(["get", "--raw", &path]);
        command.env("HOME", kube.dir.path()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        async move { command.output().await.expect("kubectl runs") }
    };
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let answers = tokio::join!(ask(own("bundledeployments")), ask(own("bundles")), ask(pods));
    assert!(answers.0.status.success() && answers.1.status.success() && answers.2.status.success());
    assert!(answers.2.stdout.len() > 10_000_000, "{}", answers.2.stdout.len());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
