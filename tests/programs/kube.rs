//! A small Kubernetes API server that answers with what a real one was recorded to say, or misbehaves as told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batida::domain::environment::{ClusterAccess, EnvId};
use batida::io::activity::Recorder;
use batida::io::kubectl::Kubectl;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::support::tls::{Tls, acceptor};

/// The namespace of the recorded answers.
pub(crate) const NAMESPACE: &str = "sambastack";
/// The version of the recorded lists.
const RECORDED: u64 = 20_000;
/// The kinds of SambaStack that a look at the cluster asks for, without the pods.
pub(crate) const OLD_KINDS: [&str; 2] = ["bundledeployments", "bundles"];
/// See [`OLD_KINDS`].
pub(crate) const NEW_KINDS: [&str; 3] = ["modeldeployments", "modelbundles", "models"];

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/k8s/",
            $name,
            ".json"
        ))
    };
}

/// How a request is answered otherwise than from the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404, as for a kind that does not exist.
    Missing,
    /// 503
    Overloaded,
    /// 200 with a login portal's HTML.
    WebPage,
    /// Never answers.
    Hang,
    /// Sends half an answer and stops.
    HangMidBody,
    /// Closes the connection without an answer.
    Close,
    /// Sends half an answer and closes.
    CloseMidBody,
    /// 200 with an empty list: another cluster's, say.
    Empty,
}

/// What the server is to be.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// The lists by plural name.
    pub(crate) lists: HashMap<&'static str, Arc<str>>,
    /// What pods say through the API server, by the path below the namespace's pods: `NAME:PORT/proxy/PATH`.
    pub(crate) pages: HashMap<&'static str, Arc<str>>,
    /// By plural name; `*` for every request.
    pub(crate) troubles: Vec<(&'static str, Trouble)>,
    /// What watching a kind meets, by plural name; `*` for every kind.
    pub(crate) watch_troubles: Vec<(&'static str, Trouble)>,
    /// The path before all others, as Rancher has it.
    pub(crate) path: &'static str,
    /// What is answered without that path.
    pub(crate) without_path: Trouble,
    /// Encryption.
    pub(crate) tls: Tls,
    /// The `user` of the kubeconfig.
    pub(crate) user: Value,
}

impl Cluster {
    /// As recorded: both generations, eleven deployments.
    pub(crate) fn recorded() -> Self {
        let lists = [
            ("bundledeployments", recorded!("bundledeployments")),
            ("bundles", recorded!("bundles")),
            ("modeldeployments", recorded!("modeldeployments")),
            ("modelbundles", recorded!("modelbundles")),
            ("models", recorded!("models")),
            ("bundletemplates", recorded!("bundletemplates")),
            ("modelprofiles", recorded!("modelprofiles")),
            ("pods", recorded!("pods")),
            (
                "events",
                "{\"kind\":\"EventList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}",
            ),
        ];
        Self {
            lists: lists
                .into_iter()
                .map(|(kind, list)| (kind, list.into()))
                .collect(),
            pages: HashMap::new(),
            troubles: Vec::new(),
            watch_troubles: Vec::new(),
            path: "",
            without_path: Trouble::Missing,
            tls: Tls::Off,
            user: json!({"token": "made-up"}),
        }
    }

    /// The recorded one, where `kinds` meet `trouble`.
    pub(crate) fn with(kinds: &[&'static str], trouble: Trouble) -> Self {
        Self {
            troubles: kinds.iter().map(|kind| (*kind, trouble)).collect(),
            ..Self::recorded()
        }
    }

    /// 506 deployments of the old generation and 2,012 pods, as the timings of the facts have it.
    pub(crate) fn large() -> Self {
        let deployments: Vec<String> = (0..506).map(|i| format!("bd-large-{i:03}")).collect();
        let mut cluster = Self::recorded();
        cluster.set(
            "bundledeployments",
            "BundleDeployment",
            recorded!("bundledeployments"),
            |template| {
                deployments
                    .iter()
                    .map(|name| template("llama", name).replace("b-llama", &format!("b-{name}")))
                    .collect()
            },
        );
        cluster.set("bundles", "Bundle", recorded!("bundles"), |template| {
            deployments
                .iter()
                .map(|name| template("b-llama", &format!("b-{name}")))
                .collect()
        });
        cluster.set("pods", "Pod", recorded!("pods"), |template| {
            let mut pods = Vec::new();
            for (i, name) in deployments.iter().enumerate() {
                pods.push(template(
                    "inf-llama-cache-0",
                    &format!("inf-{name}-cache-0"),
                ));
                // 506 caches and 1,506 others are 2,012.
                let replicas = if i < 494 { 3 } else { 2 };
                for replica in 0..replicas {
                    pods.push(template(
                        "inf-llama-q-default-n-0",
                        &format!("inf-{name}-q-default-n-{replica}"),
                    ));
                }
            }
            pods
        });
        for kind in NEW_KINDS {
            cluster.set(kind, "Empty", "{\"items\":[]}", |_| Vec::new());
        }
        cluster
    }

    /// Fills a list; `make` is given a function that copies a recorded object under another name.
    fn set(
        &mut self,
        plural: &'static str,
        kind: &str,
        recorded: &str,
        make: impl Fn(&dyn Fn(&str, &str) -> String) -> Vec<String>,
    ) {
        let list: Value = serde_json::from_str(recorded).expect("a recorded list is JSON");
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let texts: HashMap<String, String> = items
            .iter()
            .map(|item| {
                (
                    item["metadata"]["name"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    item.to_string(),
                )
            })
            .collect();
        let copies = make(&|from, to| {
            texts[from].replace(
                &format!("\"name\":\"{from}\""),
                &format!("\"name\":\"{to}\""),
            )
        });
        let version = if plural == "pods" {
            "v1"
        } else {
            "sambanova.ai/v1alpha1"
        };
        let text = format!(
            "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":{{\"resourceVersion\":\"1\"}},\"items\":[{}]}}",
            copies.join(",")
        );
        self.lists.insert(plural, text.into());
    }
}

/// A running server with its kubeconfig. Dropping it ends it.
pub(crate) struct Kube {
    /// Where its files are.
    pub(crate) dir: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
    live: Arc<Live>,
    address: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    task: JoinHandle<()>,
}

/// What the server serves, as it changes.
#[derive(Debug)]
struct Live {
    cluster: Mutex<Cluster>,
    changes: Mutex<Changes>,
    /// Wakes those who watch.
    told: watch::Sender<u64>,
    /// While it is, every connection is taken and none is answered.
    frozen: watch::Sender<bool>,
}

impl Live {
    async fn thawed(&self) {
        // Fails only when the server is gone, and then nobody is answered.
        let _ = self.frozen.subscribe().wait_for(|frozen| !frozen).await;
    }
}

/// What has changed since the lists were recorded.
#[derive(Debug, Default)]
struct Changes {
    log: Vec<(u64, &'static str, &'static str, Value)>,
    version: u64,
    /// Watching from before is refused.
    oldest: u64,
    /// Watches that began under another one are closed.
    generation: u64,
}

impl Drop for Kube {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kube {
    /// Starts a server on a free port of the loopback.
    pub(crate) async fn start(cluster: Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("the loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let acceptor = acceptor(cluster.tls, dir.path());
        let scheme = match cluster.tls {
            Tls::Off | Tls::TakenForHttp => "http",
            _ => "https",
        };
        write_kubeconfig(
            dir.path(),
            &format!("{scheme}://{address}{}", cluster.path),
            &cluster.user,
        );
        let requests = Arc::default();
        let changes = Changes {
            version: RECORDED,
            ..Changes::default()
        };
        let live = Arc::new(Live {
            cluster: Mutex::new(cluster),
            changes: Mutex::new(changes),
            told: watch::Sender::new(RECORDED),
            frozen: watch::Sender::new(false),
        });
        let task = tokio::spawn(serve(
            listener,
            acceptor.clone(),
            Arc::clone(&live),
            Arc::clone(&requests),
        ));
        Self {
            dir,
            requests,
            live,
            address,
            acceptor,
            task,
        }
    }

    /// An object is new, has changed or is gone: `ADDED`, `MODIFIED`, `DELETED`.
    pub(crate) fn change(&self, kind: &'static str, event: &'static str, mut object: Value) {
        let mut changes = self.live.changes.lock().expect("no test panics with it");
        changes.version += 1;
        let version = changes.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        changes.log.push((version, kind, event, object));
        drop(changes);
        self.live.told.send_replace(version);
    }

    /// An object as it was recorded.
    pub(crate) fn object(&self, kind: &str, name: &str) -> Value {
        let cluster = self.live.cluster.lock().expect("no test panics with it");
        let list: Value = serde_json::from_str(&cluster.lists[kind]).expect("a list is JSON");
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .into_iter()
            .find(|item| item["metadata"]["name"] == name)
            .expect("it was recorded")
    }

    /// Every watch is closed as the server does after some minutes; with `forget` what came before is
    /// too long ago to watch from.
    pub(crate) fn close_watches(&self, forget: bool) {
        let mut changes = self.live.changes.lock().expect("no test panics with it");
        changes.generation += 1;
        if forget {
            changes.version += 1;
            changes.oldest = changes.version;
        }
        let version = changes.version;
        drop(changes);
        self.live.told.send_replace(version);
    }

    /// It was restored from a backup: what has changed since is forgotten, and versions are counted on from an earlier
    /// one. Watches end without a word, as those of a real server.
    pub(crate) fn restore(&self) {
        let mut changes = self.live.changes.lock().expect("no test panics with it");
        changes.log.clear();
        changes.version = RECORDED - 5_000;
        changes.oldest = 0;
        changes.generation += 1;
        let version = changes.version;
        drop(changes);
        self.live.told.send_replace(version);
    }

    /// It takes connections and answers none, and says nothing more on those it has, or goes on.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.live.frozen.send_replace(frozen);
    }

    /// The rest of the server is otherwise from now on.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Cluster)) {
        edit(&mut self.live.cluster.lock().expect("no test panics with it"));
    }

    /// Crashes: every connection is cut, and nobody listens.
    pub(crate) async fn stop(&mut self) {
        self.task.abort();
        // It was cancelled, as it should be.
        let _ = (&mut self.task).await;
    }

    /// Comes back at the same address.
    pub(crate) async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address)
            .await
            .expect("its port is still free");
        let (live, requests) = (Arc::clone(&self.live), Arc::clone(&self.requests));
        self.task = tokio::spawn(serve(listener, self.acceptor.clone(), live, requests));
    }

    /// Its kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// A kubectl that asks it.
    pub(crate) fn kubectl(&self, program: &Path) -> Kubectl {
        let access = ClusterAccess {
            kubectl: Some(program.to_owned()),
            kubeconfig: Some(self.kubeconfig()),
            context: None,
            namespace: NAMESPACE.to_owned(),
        };
        Kubectl {
            env: vec![("HOME".into(), self.dir.path().into())],
            ..Kubectl::new(&access, Recorder::silent(EnvId::ad_hoc()))
        }
    }

    /// The paths that were asked, sorted.
    pub(crate) fn requests(&self) -> Vec<String> {
        let mut requests = self
            .requests
            .lock()
            .expect("no test panics with the log")
            .clone();
        requests.sort();
        requests
    }
}

/// The kubectls to test with: those of `BATIDA_TEST_KUBECTLS`, separated by `:`, or the one in `PATH`.
pub(crate) fn kubectls() -> Vec<PathBuf> {
    let listed: Vec<PathBuf> = std::env::var_os("BATIDA_TEST_KUBECTLS")
        .map(|list| std::env::split_paths(&list).collect())
        .unwrap_or_default();
    let listed: Vec<_> = listed
        .into_iter()
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !listed.is_empty() {
        for path in &listed {
            assert!(
                path.is_file(),
                "BATIDA_TEST_KUBECTLS names {}, which does not exist",
                path.display()
            );
        }
        return listed;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("kubectl"))
        .find(|program| program.is_file());
    vec![found.expect(
        "no kubectl in PATH: install one (Debian: apt-get install kubernetes-client), or name programs in BATIDA_TEST_KUBECTLS",
    )]
}

/// JSON is YAML enough.
fn write_kubeconfig(dir: &Path, server: &str, user: &Value) {
    let ca = dir.join("ca.pem");
    let mut cluster = json!({"server": server});
    if ca.exists() && server.starts_with("https") {
        cluster["certificate-authority"] = json!(ca);
    }
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "test"}},
            {"name": "another one", "context": {"cluster": "test", "user": "test"}},
        ],
        "current-context": "test",
    });
    std::fs::write(dir.join("config"), config.to_string())
        .expect("a temporary folder can be written");
}

async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    live: Arc<Live>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    // Dropping the set, as aborting this task does, ends the conversations.
    let mut conversations = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).ok();
        let (live, requests, acceptor) =
            (Arc::clone(&live), Arc::clone(&requests), acceptor.clone());
        conversations.spawn(async move {
            // A client that goes away is none of the server's troubles.
            match acceptor {
                // What Go's servers say to a client that speaks the other tongue.
                None if greets_in_tls(&stream).await => {
                    let mut stream = stream;
                    stream
                        .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                        .await
                        .ok()
                }
                Some(_) if !greets_in_tls(&stream).await => {
                    let mut stream = stream;
                    let words = "Client sent an HTTP request to an HTTPS server.\n";
                    let text = format!(
                        "HTTP/1.0 400 Bad Request\r\nContent-Length: {}\r\n\r\n{words}",
                        words.len()
                    );
                    stream.write_all(text.as_bytes()).await.ok()
                }
                None => converse(stream, &live, &requests).await.ok(),
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => converse(stream, &live, &requests).await.ok(),
                    Err(_refused) => None,
                },
            }
        });
    }
}

async fn greets_in_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    stream.peek(&mut first).await.is_ok_and(|count| count == 1) && first == [0x16]
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    live: &Live,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut accept, mut length) = (String::new(), 0);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await?;
            if header.trim().is_empty() {
                break;
            }
            let Some((name, value)) = header.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("accept") {
                accept = value.trim().to_owned();
            }
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let watched = watched(&target);
        let asked = if watched.is_some() {
            format!("watch {}", path_of(&target))
        } else {
            path_of(&target).to_owned()
        };
        requests
            .lock()
            .expect("no test panics with the log")
            .push(asked);
        live.thawed().await;
        let cluster = live.cluster.lock().expect("no test panics with it").clone();
        if let Some((kind, version)) = watched
            && !cluster
                .troubles
                .iter()
                .any(|(troubled, _)| *troubled == "*")
        {
            let mut troubles = cluster.watch_troubles.iter().chain(&cluster.troubles);
            let trouble = troubles.find(|(troubled, _)| *troubled == "*" || *troubled == kind);
            let Some((_, trouble)) = trouble else {
                let lasts = lasts(&target);
                let following = follow(stream.get_mut(), live, &kind, version);
                let Ok(ended) = tokio::time::timeout(lasts, following).await else {
                    return stream.get_mut().write_all(b"0\r\n\r\n").await;
                };
                return ended;
            };
            let mut answer = troubled(*trouble, path_of(&target));
            if let Answer::Whole(_, body) = &mut answer {
                *body = body.replace("cannot list", "cannot watch").into();
            }
            if !reply(stream.get_mut(), &answer).await? {
                return Ok(());
            }
            continue;
        }
        let answer = match review(&cluster, &target, &body) {
            Some(answer) => answer,
            None => answer(&cluster, &live.changes, &target, &accept),
        };
        if !reply(stream.get_mut(), &answer).await? {
            return Ok(());
        }
    }
}

/// Whether the user may do something: what meets no trouble is allowed.
fn review(cluster: &Cluster, target: &str, body: &[u8]) -> Option<Answer> {
    if !path_of(target).ends_with("/selfsubjectaccessreviews") {
        return None;
    }
    // Newer kubectls ask in protobuf, where a field is its number, its length and its text.
    let says = |json: &str, field: u8, text: &str| {
        let quoted = format!("\"{json}\":\"{text}\"");
        let framed = [&[field << 3 | 2, text.len() as u8], text.as_bytes()].concat();
        memchr::memmem::find(body, quoted.as_bytes()).is_some()
            || memchr::memmem::find(body, &framed).is_some()
    };
    let troubles = if says("verb", 2, "watch") {
        &cluster.watch_troubles
    } else {
        &cluster.troubles
    };
    let forbidden = troubles
        .iter()
        .any(|(kind, trouble)| *trouble == Trouble::Forbidden && says("resource", 5, kind));
    let review = json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
        "spec": {}, "status": {"allowed": !forbidden}});
    Some(Answer::Whole(201, review.to_string().into()))
}

/// Which kind is to be watched, from which version on; `None` for any other question.
fn watched(target: &str) -> Option<(String, u64)> {
    let (path, query) = target.split_once('?')?;
    query.split('&').find(|part| *part == "watch=true")?;
    let version = query
        .split('&')
        .find_map(|part| part.strip_prefix("resourceVersion="))?;
    Some((path.rsplit('/').next()?.to_owned(), version.parse().ok()?))
}

/// How long a watch is to be kept open.
fn lasts(target: &str) -> Duration {
    let asked = target
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("timeoutSeconds="));
    Duration::from_secs(
        asked
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(3_600),
    )
}

/// Sends what changes until the watches are closed.
async fn follow<S: AsyncWrite + Unpin>(
    stream: &mut S,
    live: &Live,
    kind: &str,
    mut seen: u64,
) -> std::io::Result<()> {
    async fn chunk<S: AsyncWrite + Unpin>(
        stream: &mut S,
        event: &str,
        object: &Value,
    ) -> std::io::Result<()> {
        let line = json!({"type": event, "object": object}).to_string() + "\n";
        stream
            .write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes())
            .await?;
        stream.flush().await
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    stream.flush().await?;
    let mut told = live.told.subscribe();
    let generation = live
        .changes
        .lock()
        .expect("no test panics with it")
        .generation;
    loop {
        let (closed, expired, news) = {
            let changes = live.changes.lock().expect("no test panics with it");
            let news: Vec<_> = changes
                .log
                .iter()
                .filter(|(version, of, ..)| *version > seen && *of == kind)
                .cloned()
                .collect();
            (
                changes.generation != generation,
                seen < changes.oldest,
                news,
            )
        };
        if closed {
            break;
        }
        if expired {
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "too old resource version", "reason": "Expired", "code": 410});
            chunk(stream, "ERROR", &status).await?;
            break;
        }
        live.thawed().await;
        for (version, _, event, object) in news {
            chunk(stream, event, &object).await?;
            seen = version;
        }
        if told.changed().await.is_err() {
            break;
        }
    }
    stream.write_all(b"0\r\n\r\n").await?;
    stream.flush().await
}

/// The list with what has changed since.
fn current(list: &Arc<str>, kind: &str, changes: &Mutex<Changes>) -> Arc<str> {
    let changes = changes.lock().expect("no test panics with it");
    if changes.version == RECORDED {
        return Arc::clone(list);
    }
    let mut list: Value = serde_json::from_str(list).expect("a list is JSON");
    list["metadata"]["resourceVersion"] = changes.version.to_string().into();
    if let Some(items) = list["items"].as_array_mut() {
        for (_, _, event, object) in changes.log.iter().filter(|(_, of, ..)| *of == kind) {
            items.retain(|item| item["metadata"]["name"] != object["metadata"]["name"]);
            if *event != "DELETED" {
                items.push(object.clone());
            }
        }
    }
    list.to_string().into()
}

/// Without kubectl's own `?timeout=29s`.
fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}

enum Answer {
    Whole(u16, Arc<str>),
    Cut(Trouble),
}

fn answer(cluster: &Cluster, changes: &Mutex<Changes>, target: &str, accept: &str) -> Answer {
    let path = path_of(target);
    let Some(path) = path.strip_prefix(cluster.path) else {
        return troubled(cluster.without_path, path);
    };
    if let Some((_, trouble)) = cluster.troubles.iter().find(|(kind, _)| *kind == "*") {
        return troubled(*trouble, path);
    }
    let ok = |text: &str| Answer::Whole(200, text.into());
    let aggregated = accept.contains("apidiscovery");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["version"] => ok(recorded!("version")),
        ["api"] if aggregated => ok(recorded!("api-aggregated")),
        ["api"] => ok(recorded!("api")),
        ["apis"] if aggregated => ok(recorded!("apis-aggregated")),
        ["apis"] => ok(recorded!("apis")),
        ["api", "v1"] => ok(recorded!("api-v1")),
        ["apis", "sambanova.ai", "v1alpha1"] => ok(recorded!("sambanova-v1alpha1")),
        ["api", "v1", "namespaces", NAMESPACE] => ok(
            "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"sambastack\"}}",
        ),
        ["api", "v1", "namespaces", name] => {
            let message = format!("namespaces \"{name}\" not found");
            let details = json!({"name": name, "kind": "namespaces"});
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": "NotFound", "details": details, "code": 404});
            Answer::Whole(404, status.to_string().into())
        }
        ["api", "v1", "namespaces", NAMESPACE, "pods", rest @ ..]
            if cluster.pages.contains_key(rest.join("/").as_str()) =>
        {
            ok(&cluster.pages[rest.join("/").as_str()])
        }
        ["api", "v1", "namespaces", NAMESPACE, "pods", name] => {
            let list = current(&cluster.lists["pods"], "pods", changes);
            let list: Value = serde_json::from_str(&list).expect("a list is JSON");
            let mut pods = list["items"].as_array().cloned().unwrap_or_default();
            pods.retain(|pod| pod["metadata"]["name"] == *name);
            match pods.pop() {
                Some(mut pod) => {
                    (pod["apiVersion"], pod["kind"]) = ("v1".into(), "Pod".into());
                    Answer::Whole(200, pod.to_string().into())
                }
                None => {
                    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                        "message": format!("pods \"{name}\" not found"), "reason": "NotFound",
                        "details": {"name": name, "kind": "pods"}, "code": 404});
                    Answer::Whole(404, status.to_string().into())
                }
            }
        }
        ["api", "v1", "namespaces", NAMESPACE, "pods", name, "log"] => {
            Answer::Whole(200, format!("{name} says one\nand two\n").into())
        }
        [
            "api",
            "v1",
            "namespaces",
            namespace,
            kind @ ("pods" | "events"),
        ]
        | [
            "apis",
            "networking.k8s.io",
            "v1",
            "namespaces",
            namespace,
            kind @ "ingresses",
        ]
        | [
            "apis",
            "sambanova.ai",
            "v1alpha1",
            "namespaces",
            namespace,
            kind,
        ] => {
            if let Some((_, trouble)) = cluster
                .troubles
                .iter()
                .find(|(troubled, _)| troubled == kind)
            {
                return troubled(*trouble, path);
            }
            match cluster.lists.get(kind) {
                Some(_) if *namespace != NAMESPACE => troubled(Trouble::Empty, path),
                Some(list) => Answer::Whole(200, current(list, kind, changes)),
                None => troubled(Trouble::Missing, path),
            }
        }
        _ => troubled(Trouble::Missing, path),
    }
}

fn troubled(trouble: Trouble, path: &str) -> Answer {
    let kind = path.rsplit('/').next().unwrap_or_default();
    let group = if path.starts_with("/apis/") {
        "sambanova.ai"
    } else {
        ""
    };
    match trouble {
        Trouble::Unauthorized => Answer::Whole(401, recorded!("status-401").into()),
        Trouble::Forbidden => {
            let full = if group.is_empty() {
                kind.to_owned()
            } else {
                format!("{kind}.{group}")
            };
            let message = format!(
                "{full} is forbidden: User \"limited\" cannot list resource \"{kind}\" in API group \"{group}\" in the namespace \"{NAMESPACE}\""
            );
            let mut status: Value =
                serde_json::from_str(recorded!("status-403")).expect("it was recorded");
            status["message"] = message.into();
            status["details"] = json!({"group": group, "kind": kind});
            Answer::Whole(403, status.to_string().into())
        }
        // What the API server says where it has no handler is no Status.
        Trouble::Missing => Answer::Whole(404, "404 page not found\n".into()),
        Trouble::Overloaded => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "the server is currently unable to handle the request", "reason": "ServiceUnavailable",
                "code": 503});
            Answer::Whole(503, status.to_string().into())
        }
        Trouble::WebPage => Answer::Whole(
            200,
            "<!doctype html><html><head><title>Log in</title></head><body></body></html>".into(),
        ),
        Trouble::Empty => Answer::Whole(
            200,
            "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}".into(),
        ),
        Trouble::Hang | Trouble::HangMidBody | Trouble::Close | Trouble::CloseMidBody => {
            Answer::Cut(trouble)
        }
    }
}

/// Whether the connection may be used again.
async fn reply<S: AsyncWrite + Unpin>(stream: &mut S, answer: &Answer) -> std::io::Result<bool> {
    match answer {
        Answer::Whole(status, body) => {
            let kind = match body.as_bytes().first() {
                // kubectl believes this form only under its own name.
                Some(b'{') if body.contains("\"APIGroupDiscoveryList\"") => {
                    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                }
                Some(b'{') => "application/json",
                Some(b'<') => "text/html",
                _ => "text/plain; charset=utf-8",
            };
            let reason = match status {
                200 => "OK",
                201 => "Created",
                401 => "Unauthorized",
                403 => "Forbidden",
                404 => "Not Found",
                _ => "Service Unavailable",
            };
            let head = format!(
                "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
            stream.flush().await?;
            Ok(true)
        }
        Answer::Cut(trouble) => {
            if matches!(trouble, Trouble::HangMidBody | Trouble::CloseMidBody) {
                let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"kind\":";
                stream.write_all(half.as_bytes()).await?;
                stream.flush().await?;
            }
            if matches!(trouble, Trouble::Hang | Trouble::HangMidBody) {
                // Longer than any test waits; ends with the server.
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            Ok(false)
        }
    }
}
