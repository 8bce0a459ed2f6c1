//! The metrics of a cluster's pods beside a benchmark, read through real kubectls.

use std::sync::Arc;
use std::time::Duration;

use batida::domain::environment::{ApiAddress, EnvId};
use batida::domain::plan::{Ends, Lengths, Load, Plan, Prompts, Target};
use batida::domain::run::{BenchProgress, BenchReport, Steer};
use batida::engine::bench::{self, Controls, Listener};
use batida::io::access::Access;
use batida::io::activity::Recorder;
use batida::io::api::{Api, Trust};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::kube::{Cluster, Kube, Trouble, kubectls};
use crate::support::scripted::{ScriptedServer, Then};

const LONG: Duration = Duration::from_secs(60);
const MODEL: &str = "gpt-oss-120b";

struct Quiet;

impl Listener for Quiet {
    fn advanced(&mut self, _: BenchProgress) {}
}

/// The recorded cluster, where a pod of `llama-70b` and a router publish metrics.
fn cluster() -> Cluster {
    let mut cluster = Cluster::recorded();
    let mut list: Value = serde_json::from_str(&cluster.lists["pods"]).expect("a list is JSON");
    let pods = list["items"].as_array_mut().expect("pods");
    for pod in pods.iter_mut() {
        // Another deployment's pod publishes as well, and is not looked at.
        if ["inf-llama-70b-q-default-n-0", "inf-llama-q-default-n-0"]
            .contains(&pod["metadata"]["name"].as_str().unwrap_or(""))
        {
            pod["metadata"]["annotations"] =
                json!({"prometheus.io/port": "8000", "prometheus.io/path": "/stats"});
        }
    }
    let ports = json!([{"name": "metrics", "containerPort": 9090}]);
    pods.push(json!({"metadata": {"name": "inference-router-5f"}, "spec": {"containers": [{"name": "r", "ports": ports}]},
        "status": {"phase": "Running"}}));
    cluster.lists.insert("pods", list.to_string().into());
    let page = |text: &str| Arc::<str>::from(text);
    let vllm = include_str!("../fixtures/metrics/vllm.txt").replace("openai/", "");
    cluster
        .pages
        .insert("inf-llama-70b-q-default-n-0:8000/proxy/stats", page(&vllm));
    let router = include_str!("../fixtures/metrics/router.txt");
    cluster
        .pages
        .insert("inference-router-5f:9090/proxy/metrics", page(router));
    cluster
}

/// A benchmark of three seconds whose API has no metrics of its own.
async fn run(kube: &Kube, program: &std::path::Path) -> BenchReport {
    let server = ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            reply.full(404, &[], "");
        } else {
            reply.pause(Duration::from_millis(50));
            reply.answer(&["one", " two"]);
        }
        Then::KeepOpen
    });
    let target = Target {
        deployment: Some("llama-70b".to_owned()),
        model: MODEL.to_owned(),
    };
    let plan = Plan {
        targets: vec![target],
        load: Load::Concurrency(vec![1]),
        level_ends: Ends {
            after: Some(Duration::from_secs(4)),
            ..Ends::default()
        },
        warmup: 0,
        prompts: Prompts::Synthetic {
            input_tokens: Lengths::Fixed(32),
            prefix_tokens: 0,
        },
        ..Plan::default()
    };
    let address = ApiAddress::parse(&server.url()).expect("an address");
    let recorder = Recorder::silent(EnvId::ad_hoc());
    let api = Api::new(address, Access::default(), Trust::default(), recorder).expect("an API");
    let kubectl = kube.kubectl(program);
    let (_steer, steer) = watch::channel(Steer::Resume);
    let controls = Controls {
        cancel: CancellationToken::new(),
        steer,
    };
    let mut listener = Quiet;
    let running = bench::run_beside(Some(&kubectl), &plan, &api, "test", controls, &mut listener);
    tokio::time::timeout(LONG, running)
        .await
        .expect("it ends")
        .expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_the_deployment_and_the_router_are_read_through_kubectl() {
    for program in kubectls() {
        // As behind Rancher too, where kubectl leaves out the path of the server's address.
        for path in ["", "/k8s/clusters/c-1"] {
            let kube = Kube::start(Cluster { path, ..cluster() }).await;
            let report = run(&kube, &program).await;
            let origin = report.server_metrics.expect("it was looked for");
            let pods = [
                "pod inference-router-5f, port 9090",
                "pod inf-llama-70b-q-default-n-0, port 8000",
            ];
            assert_eq!(origin.from, pods, "{origin:?}");
            assert_eq!(origin.engines, ["SambaStack's inference router", "vLLM"]);
            let metrics = report.levels[0]
                .server_metrics
                .as_ref()
                .expect("they were read");
            // 11 + 3 wait at the router, 5 + 2 at the engine.
            assert_eq!(metrics.queue.max, Some(21.0), "{metrics:?}");
            assert_eq!(
                (metrics.running.max, metrics.cache_use.max),
                (Some(30.0), Some(0.9712))
            );
            assert_eq!(
                (metrics.workers_busy.mean, metrics.longest_wait_ms.max),
                (Some(0.95), Some(1_800.0))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_gives_no_pods_is_said_in_one_line_and_harms_nothing() {
    for program in kubectls() {
        for (cluster, why) in [
            (
                Cluster::recorded(),
                "no pod of the deployment or of the router in namespace sambastack",
            ),
            (Cluster::with(&["pods"], Trouble::Forbidden), "pods: "),
            (
                Cluster {
                    pages: Default::default(),
                    ..cluster()
                },
                "pod inference-router-5f, port 9090: ",
            ),
        ] {
            let kube = Kube::start(cluster).await;
            let report = run(&kube, &program).await;
            let note = report
                .server_metrics
                .and_then(|origin| origin.note)
                .expect("why");
            assert!(
                note.starts_with("none: http://") && note.contains(why) && !note.contains('\n'),
                "{note}"
            );
            assert_eq!(
                (
                    report.levels[0].requests.failed,
                    &report.levels[0].server_metrics
                ),
                (0, &None)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_the_ingress_is_read_through_kubectl() {
    let snippet = "proxy_read_timeout 600;\nlimit_req zone=240_req_min_header burst=360 nodelay;";
    let ingress = json!({"metadata": {"name": "gateway", "namespace": "sambastack",
            "annotations": {"nginx.ingress.kubernetes.io/configuration-snippet": snippet}},
        "spec": {"rules": [{"host": "api.example.com"}]}});
    for program in kubectls() {
        let mut cluster = Cluster::recorded();
        let list = json!({"kind": "IngressList", "apiVersion": "networking.k8s.io/v1", "items": [ingress]});
        cluster.lists.insert("ingresses", list.to_string().into());
        let kube = Kube::start(cluster).await;
        let kubectl = kube.kubectl(&program);
        let limit = async |url: &str| {
            let address = ApiAddress::parse(url).expect("an address");
            batida::engine::cluster::ingress::limit(&kubectl, &address).await
        };
        let found = limit("https://api.example.com/v1").await.expect("a limit");
        assert_eq!(
            (found.name.as_str(), found.per_minute, found.burst),
            ("sambastack/gateway", Some(240.0), Some(360))
        );
        assert_eq!(limit("https://elsewhere.example.com").await, None);
        let many = Plan {
            load: Load::Rate {
                per_sec: vec![10.0],
                arrivals: batida::domain::plan::Arrivals::Constant,
                most_in_flight: None,
            },
            ..Plan::default()
        };
        let report = BenchReport {
            ingress: Some(found),
            plan: Plan {
                level_ends: Ends {
                    after: Some(Duration::from_secs(120)),
                    ..Ends::default()
                },
                ..many
            },
            ..BenchReport::blank()
        };
        let told = report.told_before();
        assert!(
            told[0].contains("from about request 601 on it would measure the ingress"),
            "{told:?}"
        );
        // Where nobody may list those of the whole cluster, those of the namespace tell, and without any right nobody knows.
        kube.edit(|cluster| cluster.troubles.push(("ingresses", Trouble::Forbidden)));
        assert_eq!(limit("https://api.example.com").await, None);
    }
}
