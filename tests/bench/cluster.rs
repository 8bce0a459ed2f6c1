//! From picking an environment to a filled picker, against three bare `kubectl get --raw` side by side.
//!
//! Then the same cluster is followed while ten pods a second change: what this process and its kubectls take
//! of a core, and how long a change takes to be told.
//!
//! `cargo bench --bench cluster [-- ROUNDS]`

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../programs/kube.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod kube;
#[path = "../it/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use batida::engine::cluster::load;
use batida::engine::follow::{Pace, run};
use kube::{Cluster, Kube, NAMESPACE, kubectls};
use support::tls::Tls;

fn main() {
    let rounds = std::env::args()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(15);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        for program in kubectls() {
            for tls in [Tls::Off, Tls::Good] {
                compare(&program, tls, rounds).await;
            }
            followed(&program).await;
        }
    });
}

async fn compare(program: &Path, tls: Tls, rounds: usize) {
    let kube = Kube::start(Cluster {
        tls,
        ..Cluster::large()
    })
    .await;
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

/// How long the cluster is watched while it changes.
const FOLLOWED: Duration = Duration::from_secs(20);

async fn followed(program: &Path) {
    let kube = Kube::start(Cluster {
        tls: Tls::Good,
        ..Cluster::large()
    })
    .await;
    let kubectl = kube.kubectl(program);
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let began = Instant::now();
    let following = tokio::spawn(async move {
        // Fails only when nobody listens any more.
        run(&kubectl, &Pace::default(), |told| {
            drop(sender.send((Instant::now(), told)))
        })
        .await;
    });
    let (filled, first) = told.recv().await.expect("it is followed");
    assert_eq!(first.view.map(|view| view.deployments.len()), Some(506));
    println!(
        "{} followed: filled after {:.0} ms",
        program.display(),
        (filled - began).as_secs_f64() * 1e3
    );
    // The watches begin.
    tokio::time::sleep(Duration::from_secs(3)).await;
    while told.try_recv().is_ok() {}

    let name = "inf-bd-large-000-cache-0";
    let pod = kube.object("pods", name);
    let (began, before) = (Instant::now(), own_seconds() + kubectl_seconds(&kube));
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut latencies = Vec::new();
    let (mut changed, mut ready, mut views) = (None, true, 0);
    while began.elapsed() < FOLLOWED {
        tokio::select! {
            _ = ticks.tick() => {
                let mut pod = pod.clone();
                ready = !ready;
                pod["status"]["containerStatuses"][0]["ready"] = ready.into();
                kube.change("pods", "MODIFIED", pod);
                changed.get_or_insert_with(Instant::now);
            }
            Some((at, _)) = told.recv() => {
                views += 1;
                latencies.extend(changed.take().map(|changed: Instant| at.saturating_duration_since(changed)));
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let own = own_seconds() + kubectl_seconds(&kube) - before;
    following.abort();
    latencies.sort();
    println!(
        "{} followed at ten changes a second for {took:.0} s: {:.1} % of a core (this process with the API server, \
         and its kubectls), {views} views, the oldest change in a view told after {:.0} ms (median), {:.0} ms (most)",
        program.display(),
        own / took * 100.0,
        latencies
            .get(latencies.len() / 2)
            .map_or(0.0, |it| it.as_secs_f64() * 1e3),
        latencies.last().map_or(0.0, |it| it.as_secs_f64() * 1e3),
    );
}

/// CPU seconds of this process.
fn own_seconds() -> f64 {
    seconds_of("self")
}

/// CPU seconds of the kubectls that ask this server.
fn kubectl_seconds(kube: &Kube) -> f64 {
    let kubeconfig = kube.kubeconfig().display().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains(&kubeconfig))
        })
        .map(|pid| seconds_of(&pid))
        .sum()
}

fn seconds_of(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>())
        .unwrap_or_default();
    // utime and stime, in ticks of 10 ms.
    [11, 12]
        .iter()
        .filter_map(|at| fields.get(*at)?.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

async fn three_bare(kube: &Kube, program: &Path) {
    let own = |kind: &str| format!("/apis/sambanova.ai/v1alpha1/namespaces/{NAMESPACE}/{kind}");
    let ask = |path: String| {
        let mut command = tokio::process::Command::new(program);
        command
            .arg("--kubeconfig")
            .arg(kube.kubeconfig())
            .args(["get", "--raw", &path]);
        command
            .env("HOME", kube.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        async move { command.output().await.expect("kubectl runs") }
    };
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let answers = tokio::join!(
        ask(own("bundledeployments")),
        ask(own("bundles")),
        ask(pods)
    );
    assert!(answers.0.status.success() && answers.1.status.success() && answers.2.status.success());
    assert!(
        answers.2.stdout.len() > 10_000_000,
        "{}",
        answers.2.stdout.len()
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
