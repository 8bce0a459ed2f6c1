//! `batida bench --in-cluster`: the real program and a real kubectl against the server of [`crate::jobs`].

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk};
use serde_json::Value;

use crate::jobs::{Fate, Jobs, NAMESPACE};
use crate::kube::kubectls;
use crate::support::demo::options;

const LIMIT: Duration = Duration::from_secs(90);

struct Bench {
    jobs: Jobs,
    server: DemoServer,
    kubectl: PathBuf,
}

impl Bench {
    async fn start(fates: &[Fate]) -> Self {
        Self::start_with(&kubectls()[0], fates).await
    }

    async fn start_with(kubectl: &Path, fates: &[Fate]) -> Self {
        let server = DemoServer::start(options(vec![DemoModel::quick("m", Quirk::None)])).await;
        let jobs = Jobs::start(fates).await;
        Self {
            kubectl: jobs.kubectl(kubectl),
            jobs,
            server: server.expect("it listens"),
        }
    }

    /// A command of Batida's in the server's cluster.
    fn batida(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
        command
            .args(args)
            .args(["--api", self.server.address().root()])
            .arg("--kubectl")
            .arg(&self.kubectl)
            .arg("--kubeconfig")
            .arg(self.jobs.kubeconfig())
            .arg("--config")
            .arg(self.jobs.dir.path().join("config"))
            .env("SAMBANOVA_API_KEY", DEMO_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn command(&self, args: &[&str]) -> Command {
        let usual = "bench --model m --json --quiet --in-cluster --image registry.example/batida:1 \
                     --output-tokens 8 --input-tokens 32 --warmup 0 --no-history";
        let mut command = self.batida(&usual.split_whitespace().collect::<Vec<_>>());
        command.args(args);
        command
    }

    async fn run(&self, args: &[&str]) -> Output {
        let child = self.command(args).spawn().expect("the program starts");
        let waiting = tokio::task::spawn_blocking(move || child.wait_with_output());
        let ended = tokio::time::timeout(LIMIT, waiting).await.expect("it ends");
        ended.expect("waited for").expect("its output")
    }

    /// Nothing of it is left, soon.
    async fn is_clean(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while self.jobs.left() != [0; 4] {
            assert!(Instant::now() < until, "left: {:?}", self.jobs.left());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_pods_measures_and_nothing_is_left() {
    let seven = vec![Fate::Runs; 7];
    let all = kubectls();
    let cases = [
        ("1", vec![]),
        (
            "3",
            vec![Fate::Runs, Fate::StartsLate(Duration::from_millis(1_500))],
        ),
        ("7", seven),
    ];
    for (kubectl, (workers, fates)) in all
        .iter()
        .flat_map(|it| cases.iter().map(move |case| (it, case)))
    {
        let bench = Bench::start_with(kubectl, fates).await;
        let output = bench
            .run(&[
                "--workers",
                workers,
                "--concurrency",
                "3,6",
                "--requests",
                "24",
            ])
            .await;
        let report = report(&output);
        assert_eq!(
            (&report["ended"], output.status.code()),
            (&"complete".into(), Some(0)),
            "{report}"
        );
        for level in report["levels"].as_array().expect("levels") {
            assert_eq!(level["requests"]["ok"], 24);
        }
        let of = report["workers"].as_array().expect("workers");
        assert_eq!(of.len().to_string(), *workers);
        assert_eq!(of[0]["node"], "node-1");
        assert!(
            of[0]["host"]
                .as_str()
                .is_some_and(|it| it.starts_with("batida-r")),
            "{of:?}"
        );
        let bearer = format!("Bearer {DEMO_KEY}");
        assert!(
            bench
                .server
                .received()
                .iter()
                .all(|it| it.authorization.as_deref() == Some(&bearer))
        );
        bench.is_clean().await;
        let log = bench.jobs.log();
        let jobs = format!("POST /apis/batch/v1/namespaces/{NAMESPACE}/jobs");
        let first = log.iter().position(|it| *it == jobs).expect("a Job");
        let secret = log
            .iter()
            .position(|it| it.ends_with("/secrets"))
            .expect("a Secret");
        assert!(first < secret, "the Secret belongs to the Job: {log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_cannot_start_is_told_with_its_reason_and_everything_is_removed() {
    let bench = Bench::start(&[Fate::Runs, Fate::NoImage]).await;
    let output = bench
        .run(&["--workers", "2", "--requests", "4", "--workers-wait", "2s"])
        .await;
    assert_eq!(output.status.code(), Some(1));
    let told = report(&output)["failure"]["summary"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(told.contains("1 of 2 workers in the cluster run"), "{told}");
    assert!(
        told.contains("waits (ImagePullBackOff: Back-off pulling image)"),
        "{told}"
    );
    bench.is_clean().await;

    let bench = Bench::start(&[]).await;
    bench.jobs.forbid("secrets");
    let output = bench.run(&["--requests", "4"]).await;
    let told = report(&output)["failure"]["summary"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        told.starts_with("The Secret with the key of the workers could not be created in load"),
        "{told}"
    );
    bench.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_killed_is_lost_and_the_others_go_on() {
    let bench = Bench::start(&[Fate::Runs, Fate::Killed(Duration::from_secs(4)), Fate::Runs]).await;
    let output = bench
        .run(&[
            "--workers",
            "3",
            "--concurrency",
            "6",
            "--duration",
            "8s",
            "--strict",
        ])
        .await;
    let report = report(&output);
    let level = &report["levels"][0];
    assert_eq!(
        (&level["ended"], output.status.code()),
        (&"worker_lost".into(), Some(4)),
        "{report}"
    );
    assert!(
        report["workers"][1]["lost"].is_string(),
        "{}",
        report["workers"]
    );
    bench.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_deletes_the_job() {
    let bench = Bench::start(&[]).await;
    let child = bench
        .command(&["--workers", "2", "--duration", "60s"])
        .spawn()
        .expect("it starts");
    let until = Instant::now() + Duration::from_secs(40);
    while bench.server.received().len() < 20 {
        assert!(Instant::now() < until, "it never began");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = tokio::time::timeout(LIMIT, waiting)
        .await
        .expect("it ends")
        .expect("waited for")
        .expect("its output");
    let report = report(&output);
    assert_eq!(report["ended"], "stopped");
    assert!(
        report["levels"][0]["requests"]["ok"]
            .as_u64()
            .is_some_and(|ok| ok > 0),
        "{report}"
    );
    bench.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_is_printed_and_nothing_is_created() {
    let bench = Bench::start(&[]).await;
    let output = bench
        .run(&[
            "--workers",
            "5",
            "--manifest",
            "--worker-namespace",
            "other",
        ])
        .await;
    let job = report(&output);
    assert_eq!(
        (&job["kind"], &job["spec"]["completions"]),
        (&"Job".into(), &5.into())
    );
    assert_eq!(job["metadata"]["namespace"], "other");
    assert!(!job.to_string().contains(DEMO_KEY));
    assert!(
        bench.jobs.log().iter().all(|it| !it.starts_with("POST")),
        "{:?}",
        bench.jobs.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_is_checked_and_the_role_is_printed() {
    for kubectl in kubectls() {
        let bench = Bench::start_with(&kubectl, &[]).await;
        let check = async |more: &[&str]| {
            let args = [&["check", "--in-cluster"], more].concat();
            let mut command = bench.batida(&args);
            let running = tokio::task::spawn_blocking(move || command.output());
            running.await.expect("waited for").expect("it runs")
        };
        let output = check(&["--json"]).await;
        let all = report(&output);
        let all = all["checks"].as_array().expect("checks");
        assert_eq!((all.len(), output.status.code()), (8, Some(0)), "{all:?}");
        bench.jobs.forbid("secrets");
        let output = check(&["--json"]).await;
        assert_eq!(output.status.code(), Some(1));
        let all = report(&output);
        let bad = all["checks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|it| it["verdict"] == "bad");
        let bad: Vec<&Value> = bad.collect();
        assert_eq!(bad.len(), 1, "{all}");
        assert_eq!(bad[0]["title"], "create secrets");
        assert_eq!(
            bad[0]["finding"],
            format!("not allowed in {NAMESPACE}: hands them the API key")
        );
        let output = check(&["--rbac", "--worker-namespace", "other"]).await;
        let role = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            role.contains("namespace: other\nrules:\n- {apiGroups: [\"batch\"]"),
            "{role}"
        );
    }
}
