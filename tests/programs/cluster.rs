//! The cluster, asked through real kubectls and the demo's simulated one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use batida::domain::deployment::{ClusterView, DeploymentState, Generation};
use batida::domain::environment::EnvId;
use batida::engine::cluster::{client_version, contexts, load, server_version};
use batida::io::activity::Recorder;
use batida::io::kubectl::{Kubeconfig, Kubectl};
use batida::protocol::Failure;
use serde_json::json;

use crate::kube::{Cluster, Kube, NEW_KINDS, OLD_KINDS, Trouble, kubectls};
use crate::support::tls::Tls;

/// A deployment a line: what a person reads of it.
pub(crate) fn lines(view: &ClusterView) -> Vec<String> {
    view.deployments
        .iter()
        .map(|it| {
            let models: Vec<_> = it
                .models
                .iter()
                .map(|model| model.serving_name.as_str())
                .collect();
            let trouble = it.models_trouble.as_deref().unwrap_or("");
            format!(
                "{} | {} | {} | {} | {trouble}",
                it.name,
                it.state.label(),
                it.reason,
                models.join(", ")
            )
        })
        .collect()
}

const OLD_LINES: [&str; 8] = [
    "bd-llama-4-maverick-17b-128e-instruct-alcf | Deployed |  | Llama-4-Maverick-17B-128E-Instruct | ",
    "llama | Deployed |  | E5-Mistral-7B-Instruct, Meta-Llama-3.1-8B-Instruct | ",
    "orphan | Deployed |  |  | bundle b-does-not-exist does not exist",
    "deepseek-crash | Deploying | default pod 1/2: container inf: CrashLoopBackOff (7 restarts, last exit code 1) | DeepSeek-V3.1 | ",
    "llama-70b | Deploying | cache pod 0/1: container cache is not ready yet | Meta-Llama-3.1-8B-Instruct, Meta-Llama-3.3-70B-Instruct | ",
    "no-pods-yet | Not deployed | no pods | E5-Mistral-7B-Instruct, Meta-Llama-3.1-8B-Instruct | ",
    "qwen-pending | Deploying | default pod: unschedulable: 0/4 nodes are available: 4 Insufficient sambanova.ai/rdu | Qwen3-32B | ",
    "whisper-old | Terminating | being deleted | Whisper-Large-v3 | ",
];
const NEW_LINES: [&str; 3] = [
    "md-gemma | Deployed |  | gemma-4-31B-it | ",
    "md-mix | Deployed |  | Meta-Llama-3.3-70B-Instruct | ",
    "md-minimax | Deploying | cache pod 0/1: container cache is not ready yet; no default pod yet | MiniMax-M2.7 | ",
];

fn both_lines() -> Vec<&'static str> {
    let mut lines: Vec<_> = OLD_LINES.into_iter().chain(NEW_LINES).collect();
    lines.sort_by_key(|line| (!line.contains("| Deployed |"), *line));
    lines
}

async fn loaded(cluster: Cluster, program: &Path) -> ClusterView {
    let kube = Kube::start(cluster).await;
    load(&kube.kubectl(program))
        .await
        .unwrap_or_else(|failure| panic!("{}: {failure:?}", program.display()))
}

async fn failed(kubectl: &Kubectl) -> Failure {
    let limit = kubectl.patience + Duration::from_secs(20);
    let outcome = tokio::time::timeout(limit, load(kubectl))
        .await
        .expect("kubectl is bounded");
    let failure = outcome.expect_err("this cluster cannot be loaded");
    assert!(!failure.advice.is_empty(), "{failure:?}");
    failure
}

#[track_caller]
fn assert_summary(program: &Path, failure: &Failure, expected: &str) {
    assert_eq!(
        failure.summary,
        expected,
        "{}: {failure:?}",
        program.display()
    );
}

/// How loading fails, for each kubectl, after `change` to its settings.
async fn check_failure(
    cluster: Cluster,
    change: impl Fn(&Kube, &mut Kubectl),
    summary: impl Fn(&Kube) -> String,
) {
    for program in kubectls() {
        let kube = Kube::start(cluster.clone()).await;
        let mut kubectl = kube.kubectl(&program);
        change(&kube, &mut kubectl);
        let failure = failed(&kubectl).await;
        assert_summary(&program, &failure, &summary(&kube));
    }
}

async fn check_answer(cluster: Cluster, summary: &str) {
    check_failure(cluster, |_, _| {}, |_| summary.to_owned()).await;
}

#[tokio::test]
async fn the_recorded_cluster_reads_as_its_pods_say() {
    for program in kubectls() {
        let view = loaded(Cluster::recorded(), &program).await;
        assert_eq!(lines(&view), both_lines());
        assert_eq!(view.generations, [Generation::Old, Generation::New]);
        assert_eq!(view.warnings, []);
    }
}

#[tokio::test]
async fn it_reads_the_same_over_tls() {
    for program in kubectls() {
        let view = loaded(
            Cluster {
                tls: Tls::Good,
                ..Cluster::recorded()
            },
            &program,
        )
        .await;
        assert_eq!(lines(&view), both_lines());
    }
}

#[tokio::test]
async fn a_cluster_may_have_either_generation() {
    for program in kubectls() {
        let view = loaded(Cluster::with(&NEW_KINDS, Trouble::Missing), &program).await;
        assert_eq!(
            (lines(&view), view.generations),
            (sorted(&OLD_LINES), vec![Generation::Old])
        );
        assert_eq!(view.warnings, []);
        let view = loaded(Cluster::with(&OLD_KINDS, Trouble::Missing), &program).await;
        assert_eq!(
            (lines(&view), view.generations),
            (sorted(&NEW_LINES), vec![Generation::New])
        );
        assert_eq!(view.warnings, []);
    }
}

fn sorted(lines: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    lines.sort_by_key(|line| (!line.contains("| Deployed |"), line.clone()));
    lines
}

#[tokio::test]
async fn a_cluster_with_neither_generation_says_so() {
    let kinds: Vec<_> = OLD_KINDS.into_iter().chain(NEW_KINDS).collect();
    check_answer(
        Cluster::with(&kinds, Trouble::Missing),
        "This cluster has no SambaStack resources: neither BundleDeployment nor ModelDeployment \
exists",
    )
    .await;
}

#[tokio::test]
async fn what_is_forbidden_is_a_warning_while_the_rest_is_kept() {
    for program in kubectls() {
        let view = loaded(Cluster::with(&["pods"], Trouble::Forbidden), &program).await;
        assert_eq!(view.deployments.len(), 11);
        let unknown = view
            .deployments
            .iter()
            .filter(|it| it.state == DeploymentState::Unknown)
            .count();
        assert_eq!(unknown, 10, "all but the one that is being deleted");
        assert_eq!(view.warnings.len(), 1);
        assert_summary(
            &program,
            &view.warnings[0],
            "limited may not list pods in the namespace sambastack",
        );

        let view = loaded(
            Cluster::with(&["modeldeployments"], Trouble::Forbidden),
            &program,
        )
        .await;
        assert_eq!(lines(&view), sorted(&OLD_LINES));
        assert_eq!(view.generations, [Generation::Old, Generation::New]);
        let view = loaded(Cluster::with(&["models"], Trouble::Forbidden), &program).await;
        let gemma = view
            .deployments
            .iter()
            .find(|it| it.name == "md-gemma")
            .expect("it is there");
        assert!(!gemma.models[0].confirmed);
    }
    let all = [
        "pods",
        "bundledeployments",
        "bundles",
        "modeldeployments",
        "modelbundles",
        "models",
    ];
    check_answer(
        Cluster::with(&all, Trouble::Forbidden),
        "limited may not list bundledeployments.sambanova.ai in the namespace sambastack",
    )
    .await;
}

#[tokio::test]
async fn a_kind_that_does_not_answer_is_a_warning_while_the_rest_is_kept() {
    for program in kubectls() {
        for trouble in [Trouble::Overloaded, Trouble::Hang, Trouble::CloseMidBody] {
            let kube = Kube::start(Cluster::with(&["models"], trouble)).await;
            let kubectl = Kubectl {
                patience: Duration::from_secs(3),
                ..kube.kubectl(&program)
            };
            let view = load(&kubectl).await.expect("the rest is kept");
            assert_eq!(view.deployments.len(), 11);
            assert!(
                view.warnings[0]
                    .summary
                    .starts_with("The models could not be listed: "),
                "{trouble:?}: {:?}",
                view.warnings
            );
        }
    }
}

#[tokio::test]
async fn what_the_server_answers_has_its_own_sentence() {
    for (trouble, summary) in [
        (
            Trouble::Unauthorized,
            "The cluster rejected your credentials",
        ),
        (
            Trouble::Overloaded,
            "The cluster's API server is unavailable",
        ),
        (
            Trouble::WebPage,
            "A web page (“Log in”) answered instead of the Kubernetes API",
        ),
        (
            Trouble::Close,
            "The connection to the cluster closed before the response was complete",
        ),
        (
            Trouble::CloseMidBody,
            "The connection to the cluster closed before the response was complete",
        ),
    ] {
        check_answer(Cluster::with(&["*"], trouble), summary).await;
    }
    for program in kubectls() {
        for trouble in [Trouble::Hang, Trouble::HangMidBody] {
            let kube = Kube::start(Cluster::with(&["*"], trouble)).await;
            let kubectl = Kubectl {
                patience: Duration::from_secs(3),
                ..kube.kubectl(&program)
            };
            let began = Instant::now();
            let failure = failed(&kubectl).await;
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{:?}",
                began.elapsed()
            );
            // Google's kubectl asks for the server's version first, and so waits longer than its own timeout.
            let own = "kubectl did not finish within 3 s and was stopped";
            assert!(
                failure.summary == "The cluster did not answer in time" || failure.summary == own,
                "{failure:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_tls_has_its_own_sentence() {
    for (tls, summary) in [
        (
            Tls::UnknownCa,
            "The server's certificate is not signed by the certificate authority in the kubeconfig",
        ),
        (
            Tls::HttpTakenForHttps,
            "The kubeconfig says https, but the server speaks http",
        ),
        (
            Tls::TakenForHttp,
            "The server rejected the request, probably because it speaks https where the kubeconfig says http",
        ),
    ] {
        check_answer(
            Cluster {
                tls,
                ..Cluster::recorded()
            },
            summary,
        )
        .await;
    }
    for program in kubectls() {
        let kube = Kube::start(Cluster {
            tls: Tls::Expired,
            ..Cluster::recorded()
        })
        .await;
        let failure = failed(&kube.kubectl(&program)).await;
        assert!(
            failure
                .summary
                .starts_with("The server's certificate expired on "),
            "{failure:?}"
        );
        let kube = Kube::start(Cluster {
            tls: Tls::WrongName,
            ..Cluster::recorded()
        })
        .await;
        let failure = failed(&kube.kubectl(&program)).await;
        assert!(
            failure
                .summary
                .starts_with("The server's certificate is not for 127.0.0.1"),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_address_has_its_own_sentence() {
    check_failure(
        Cluster::recorded(),
        |kube, _| {
            edit_kubeconfig(kube, |config| {
                config["clusters"][0]["cluster"]["server"] = json!("http://127.0.0.1:1")
            })
        },
        |_| "Could not reach the cluster at 127.0.0.1:1: connection refused".to_owned(),
    )
    .await;
    check_failure(
        Cluster::recorded(),
        |kube, _| {
            edit_kubeconfig(kube, |config| {
                config["clusters"][0]["cluster"]["server"] = json!("https://nope.invalid")
            });
        },
        |_| "Could not resolve the cluster's host name nope.invalid".to_owned(),
    )
    .await;
}

fn edit_kubeconfig(kube: &Kube, edit: impl Fn(&mut serde_json::Value)) {
    let text = std::fs::read(kube.kubeconfig()).expect("it was written");
    let mut config = serde_json::from_slice(&text).expect("it is JSON");
    edit(&mut config);
    std::fs::write(kube.kubeconfig(), config.to_string()).expect("it can be written again");
}

#[tokio::test]
async fn what_is_wrong_with_the_kubeconfig_has_its_own_sentence() {
    let file =
        |name: &'static str| move |kube: &Kube| kube.dir.path().join(name).display().to_string();
    check_failure(
        Cluster::recorded(),
        |_, kubectl| kubectl.context = Some("prod".to_owned()),
        |_| "The kubeconfig has no context prod".to_owned(),
    )
    .await;
    check_failure(
        Cluster::recorded(),
        |kube, kubectl| kubectl.kubeconfig = Kubeconfig::File(kube.dir.path().join("nope")),
        |kube| format!("The kubeconfig {} does not exist", file("nope")(kube)),
    )
    .await;
    check_failure(
        Cluster::recorded(),
        |kube, _| std::fs::write(kube.kubeconfig(), "a: b: c").expect("it can be written"),
        |kube| format!("The kubeconfig {} is not valid", file("config")(kube)),
    )
    .await;
    check_failure(
        Cluster {
            tls: Tls::Good,
            ..Cluster::recorded()
        },
        |kube, _| std::fs::remove_file(kube.dir.path().join("ca.pem")).expect("it was there"),
        |kube| {
            format!(
                "The kubeconfig names a certificate authority file that cannot be read: {}",
                file("ca.pem")(kube)
            )
        },
    )
    .await;
    check_failure(
        Cluster {
            user: json!({"client-certificate": "/nowhere/c.crt", "client-key": "/nowhere/c.key"}),
            ..Cluster::recorded()
        },
        |_, _| {},
        |_| {
            "The kubeconfig names a client certificate file that cannot be read: /nowhere/c.crt"
                .to_owned()
        },
    )
    .await;
    check_failure(
        Cluster::recorded(),
        |kube, kubectl| {
            kubectl.kubeconfig = Kubeconfig::Default;
            kubectl
                .env
                .push(("KUBECONFIG".into(), kube.dir.path().join("nope").into()));
        },
        |kube| {
            format!(
                "KUBECONFIG points to {}, which does not exist",
                file("nope")(kube)
            )
        },
    )
    .await;
    check_failure(
        Cluster::recorded(),
        |kube, _| std::fs::write(kube.kubeconfig(), "").expect("it can be written"),
        |kube| format!("The kubeconfig {} is empty", file("config")(kube)),
    )
    .await;
    check_failure(
        Cluster::recorded(),
        |_, kubectl| kubectl.kubeconfig = Kubeconfig::File("/dev/null".into()),
        |_| {
            "The kubeconfig does not name a cluster, so kubectl tried localhost:8080, where nothing answers"
                .to_owned()
        },
    )
    .await;
    check_failure(
        Cluster::recorded(),
        |kube, kubectl| kubectl.kubeconfig = Kubeconfig::File(kube.dir.path().to_owned()),
        |kube| format!("The kubeconfig {} is a folder", kube.dir.path().display()),
    )
    .await;
}

#[tokio::test]
async fn a_program_that_cannot_be_kubectl_is_told_by_what_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let kube = Kube::start(Cluster::recorded()).await;
    let file = |name: &str, mode: u32, content: &[u8]| {
        let path = kube.dir.path().join(name);
        std::fs::write(&path, content).expect("it can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        path
    };
    let summary = async |program: &Path| failed(&kube.kubectl(program)).await;
    let folder = kube.dir.path().to_owned();
    let told = summary(&folder).await;
    assert_eq!(
        told.summary,
        format!("{} is a folder, not the kubectl program", folder.display())
    );
    file("kubectl", 0o755, b"#!/bin/sh\n");
    let told = summary(&folder).await;
    assert_eq!(
        told.advice,
        format!("Use the program in it: {}/kubectl", folder.display())
    );
    let told = summary(&file("plain", 0o644, b"#!/bin/sh\n")).await;
    assert!(
        told.summary.ends_with("plain is not executable"),
        "{told:?}"
    );
    let mut other = [0; 64];
    other[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
    other[18] = if std::env::consts::ARCH == "aarch64" {
        62
    } else {
        183
    };
    let told = summary(&file("foreign", 0o755, &other)).await;
    assert!(
        told.summary.contains("foreign is built for linux "),
        "{told:?}"
    );
    let told = summary(&file("script", 0o755, b"#!/no/such/shell\n")).await;
    assert!(
        told.summary.ends_with("its interpreter is missing"),
        "{told:?}"
    );
    assert!(told.advice.contains("/no/such/shell"), "{told:?}");
}

#[tokio::test]
async fn a_plugin_of_another_time_says_what_to_do() {
    for program in kubectls() {
        let user = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "sh",
            "args": ["-c", "echo '{}'"]}});
        let kube = Kube::start(Cluster {
            user,
            tls: Tls::Good,
            ..Cluster::recorded()
        })
        .await;
        let failure = failed(&kube.kubectl(&program)).await;
        assert!(
            failure
                .summary
                .contains("client.authentication.k8s.io/v1alpha1"),
            "{failure:?}"
        );
        assert!(
            failure.advice.contains("aws eks update-kubeconfig"),
            "{failure:?}"
        );
        let user = json!({"auth-provider": {"name": "no-such-cloud", "config": {}}});
        check_answer(
            Cluster { user, tls: Tls::Good, ..Cluster::recorded() },
            "The kubeconfig logs in with the auth-provider no-such-cloud, which this kubectl no longer supports",
        )
        .await;
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_or_refuses_is_told_as_the_proxy() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for (status, summary) in [
        (
            "407 Proxy Authentication Required",
            "The proxy in front of the cluster requires a user name and a password (407)",
        ),
        (
            "403 Forbidden",
            "The proxy in front of the cluster refused to connect to it: Forbidden",
        ),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let proxy = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 4096];
                // kubectl may have gone.
                let _ = stream.read(&mut asked).await;
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        for program in kubectls() {
            let kube = Kube::start(Cluster {
                tls: Tls::Good,
                ..Cluster::recorded()
            })
            .await;
            // The loopback is never asked through a proxy.
            let config = std::fs::read_to_string(kube.kubeconfig()).expect("it was written");
            let config = config.replace("https://127.0.0.1", "https://10.99.99.99");
            std::fs::write(kube.kubeconfig(), config).expect("it can be written");
            let mut kubectl = kube.kubectl(&program);
            kubectl.env.push((
                "HTTPS_PROXY".into(),
                format!("http://me:secret-word@{proxy}").into(),
            ));
            let failure = failed(&kubectl).await;
            assert_summary(&program, &failure, summary);
            assert!(
                failure
                    .advice
                    .contains(&format!("use the proxy {proxy} (from HTTPS_PROXY)")),
                "{failure:?}"
            );
            assert!(!format!("{failure:?}").contains("secret-word"));
        }
        serving.abort();
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_told_with_its_day() {
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode("{\"exp\":1735700000}");
    let user = json!({"token": format!("e30.{claims}.sig")});
    check_answer(
        Cluster {
            user,
            tls: Tls::Good,
            ..Cluster::with(&["*"], Trouble::Unauthorized)
        },
        "The cluster rejected your credentials: the token in the kubeconfig expired on 2025-01-01",
    )
    .await;
}

#[tokio::test]
async fn an_address_that_has_no_kubernetes_says_so() {
    check_answer(
        Cluster::with(&["*"], Trouble::Missing),
        "The server has no Kubernetes API at this address (404)",
    )
    .await;
    for program in kubectls() {
        let kube = Kube::start(Cluster::with(&["*"], Trouble::WebPage)).await;
        let failure = failed(&kube.kubectl(&program)).await;
        assert!(failure.advice.contains("/k8s/clusters/"), "{failure:?}");
    }
}

#[tokio::test]
async fn a_kubeconfig_without_credentials_says_so_instead_of_asking() {
    check_answer(
        Cluster {
            user: json!({}),
            tls: Tls::Good,
            ..Cluster::recorded()
        },
        "The kubeconfig has no credentials for this cluster",
    )
    .await;
}

/// A user whose credentials come from a script.
fn plugin(command: &Path) -> serde_json::Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1", "command": command, "interactiveMode": "IfAvailable",
    }})
}

fn script(dir: &Path, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("plugin");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("it can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[tokio::test]
async fn what_is_wrong_with_a_credential_plugin_has_its_own_sentence() {
    check_failure(
        Cluster {
            user: plugin(Path::new("no-such-plugin")),
            tls: Tls::Good,
            ..Cluster::recorded()
        },
        |_, _| {},
        |_| "The kubeconfig's credential plugin no-such-plugin is not installed".to_owned(),
    )
    .await;
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = script(dir.path(), "echo log in first >&2\nexit 3");
    let expected = format!(
        "The kubeconfig's credential plugin {} failed with exit code 3",
        path.display()
    );
    check_failure(
        Cluster {
            user: plugin(&path),
            tls: Tls::Good,
            ..Cluster::recorded()
        },
        |_, _| {},
        |_| expected.clone(),
    )
    .await;
}

/// Whether a process runs; one that is dead and not yet buried does not.
pub(crate) fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    status.is_ok_and(|stat| {
        !stat
            .rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with(['Z', 'X']))
    })
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{what} within ten seconds"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_credential_plugin_that_hangs_is_killed_with_its_group() {
    for program in kubectls() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let pids = dir.path().join("pids");
        let path = script(
            dir.path(),
            &format!("sleep 300 &\necho $$ $! >> {}\nwait", pids.display()),
        );
        let kube = Kube::start(Cluster {
            user: plugin(&path),
            tls: Tls::Good,
            ..Cluster::recorded()
        })
        .await;
        let kubectl = Kubectl {
            patience: Duration::from_secs(2),
            ..kube.kubectl(&program)
        };
        let began = Instant::now();
        let failure = failed(&kubectl).await;
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{:?}",
            began.elapsed()
        );
        assert_summary(
            &program,
            &failure,
            "kubectl did not finish within 2 s and was stopped",
        );
        let pids = std::fs::read_to_string(pids).expect("the plugin was started");
        assert!(pids.split_whitespace().count() >= 2);
        until("the plugin and its child are gone", || {
            !pids.split_whitespace().any(is_alive)
        })
        .await;
    }
}

/// The kubectls that ask a server, found by its kubeconfig on their command lines.
pub(crate) fn askers(kube: &Kube) -> Vec<String> {
    let kubeconfig = kube.kubeconfig().display().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains(&kubeconfig))
        })
        .filter(|pid| is_alive(pid))
        .collect()
}

#[tokio::test]
async fn dropping_the_question_kills_kubectl_at_once() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::with(&["*"], Trouble::Hang)).await;
        let kubectl = kube.kubectl(&program);
        let question = tokio::spawn(async move { load(&kubectl).await });
        until("the first lists are asked for", || {
            kube.requests().len() >= 4
        })
        .await;
        assert!(askers(&kube).len() >= 4);
        let began = Instant::now();
        question.abort();
        assert!(question.await.is_err_and(|error| error.is_cancelled()));
        until("all kubectls are gone", || askers(&kube).is_empty()).await;
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn the_path_of_the_servers_url_is_kept() {
    for program in kubectls() {
        for without_path in [
            Trouble::Missing,
            Trouble::Empty,
            Trouble::WebPage,
            Trouble::Unauthorized,
            Trouble::Hang,
        ] {
            let cluster = Cluster {
                path: "/k8s/clusters/c-1",
                without_path,
                ..Cluster::recorded()
            };
            let kube = Kube::start(cluster).await;
            let kubectl = kube.kubectl(&program);
            let view = load(&kubectl).await.expect("the path leads there");
            assert_eq!(lines(&view), both_lines(), "{without_path:?}");
            assert_eq!(
                server_version(&kubectl).await.expect("it answers"),
                "v1.33.13"
            );
        }
    }
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_said_to_be_missing() {
    check_failure(
        Cluster::recorded(),
        |_, kubectl| kubectl.namespace = "nowhere".to_owned(),
        |_| "The namespace nowhere does not exist".to_owned(),
    )
    .await;
}

#[tokio::test]
async fn only_what_is_needed_is_asked() {
    let asked = async |cluster: Cluster, program: &Path| {
        let kube = Kube::start(cluster).await;
        load(&kube.kubectl(program)).await.expect("it loads");
        // Google's kubectl asks for the version too.
        let own = kube
            .requests()
            .into_iter()
            .filter(|path| path != "/version");
        own.map(|path| path.replace("/namespaces/sambastack/", " "))
            .collect::<Vec<_>>()
    };
    let pods = "/api/v1 pods".to_owned();
    let own = |kind: &str| format!("/apis/sambanova.ai/v1alpha1 {kind}");
    for program in kubectls() {
        let all = [
            "bundledeployments",
            "bundles",
            "modelbundles",
            "modeldeployments",
            "models",
        ]
        .map(own);
        let expected: Vec<_> = [pods.clone()].into_iter().chain(all).collect();
        assert_eq!(asked(Cluster::recorded(), &program).await, expected);
        let old = ["bundledeployments", "bundles", "modeldeployments"].map(own);
        let expected: Vec<_> = [pods.clone()].into_iter().chain(old).collect();
        assert_eq!(
            asked(Cluster::with(&NEW_KINDS, Trouble::Missing), &program).await,
            expected
        );
    }
}

#[tokio::test]
async fn contexts_and_versions_are_told() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let kubectl = Kubectl {
            context: Some("prod".to_owned()),
            ..kube.kubectl(&program)
        };
        let found = contexts(&kubectl).await.expect("the kubeconfig is fine");
        assert_eq!(found.names, ["another one", "test"]);
        assert_eq!(found.current.as_deref(), Some("test"));
        let kubectl = kube.kubectl(&program);
        assert_eq!(
            server_version(&kubectl).await.expect("it answers"),
            "v1.33.13"
        );
        assert!(
            client_version(&kubectl)
                .await
                .expect("it answers")
                .starts_with("v1.")
        );
    }
}

#[tokio::test]
async fn a_large_cluster_is_read_whole() {
    let program = &kubectls()[0];
    let view = loaded(Cluster::large(), program).await;
    assert_eq!(view.deployments.len(), 506);
    assert_eq!(
        view.deployments
            .iter()
            .map(|it| it.pods.len())
            .sum::<usize>(),
        2_012
    );
    assert!(
        view.deployments
            .iter()
            .all(|it| it.state == DeploymentState::Deployed)
    );
}

#[tokio::test]
async fn the_simulated_cluster_shows_each_state() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_batida"));
    let recorder = Recorder::silent(EnvId::demo());
    let simulated = Kubectl::simulated(
        program,
        vec!["simulated-kubectl".into()],
        "sambastack",
        recorder,
    );
    let view = load(&simulated).await.expect("it answers");
    assert_eq!(view.warnings, []);
    assert_eq!(
        lines(&view),
        [
            "bd-gpt-oss-llama70b | Deployed |  | Meta-Llama-3.3-70B-Instruct, gpt-oss-120b | ",
            "bd-llama-4-maverick-17b-128e-instruct-alcf | Deployed |  | Llama-4-Maverick-17B-128E-Instruct | ",
            "bd-retrieval | Deployed |  | E5-Mistral-7B-Instruct | ",
            "md-deepseek-r1 | Deployed |  | DeepSeek-R1-0528 | ",
            "md-gemma-vision | Deployed | 1 of 2 default pods ready: default pod …-1 1/2: container inf: ImagePullBackOff | gemma-4-31B-it | ",
            "md-qwen3 | Deployed |  | Qwen3-32B | ",
            "bd-minimax | Not deployed | no pods | MiniMax-M2.7 | bundle b-minimax is not valid: checkpoint MINIMAX_M2_7_CKPT: no such object in gs://example-bucket",
            "bd-qwen-nightly | Deploying | cache pod 0/1: ImagePullBackOff | Qwen3-32B | ",
            "bd-whisper-old | Terminating | being deleted | Whisper-Large-v3 | ",
            "md-deepseek-canary | Deploying | default pod 1/2: container inf: CrashLoopBackOff (7 restarts, last OOMKilled) | DeepSeek-R1-0528 | ",
            "md-gpt-oss-long-context | Deploying | default pod 0/2: PodInitializing: init container fetch-checkpoint is running | gpt-oss-120b | ",
            "md-llama70b-speculative | Deploying | default pod: unschedulable: 0/4 nodes are available: 4 Insufficient sambanova.ai/rdu | Meta-Llama-3.3-70B-Instruct | ",
            "md-qwen3-spare | Not deployed | no pods | Qwen3-32B | ",
        ]
    );
    let embeds = &view.deployments[2].models[0];
    assert!(!embeds.chats());
    assert_eq!(
        contexts(&simulated).await.expect("it has one").names,
        ["demo"]
    );
    assert_eq!(
        server_version(&simulated).await.expect("it answers"),
        "v1.33.0-demo"
    );
    assert_eq!(
        client_version(&simulated).await.expect("it answers"),
        "v1.33.0-demo"
    );
    let elsewhere = Kubectl {
        namespace: "elsewhere".to_owned(),
        ..simulated
    };
    assert_eq!(
        failed(&elsewhere).await.summary,
        "The namespace elsewhere does not exist"
    );
}
