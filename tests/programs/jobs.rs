//! An API server that knows Jobs, Secrets, pods and attach, with a kubelet of processes: each pod is a `batida worker` of
//! this machine. kubectl is a real one, and must speak WebSockets to attach (1.30 or later).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_util::task::AbortOnDropHandle;

/// What becomes of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Runs,
    /// Its container starts that much later.
    StartsLate(Duration),
    /// Its image cannot be pulled.
    NoImage,
    /// It is killed so long after its start, as by the kernel for its memory.
    Killed(Duration),
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<String, Value>,
    secrets: BTreeMap<String, Value>,
    pods: BTreeMap<String, Pod>,
    fates: Vec<Fate>,
    forbidden: Option<&'static str>,
    /// Every request's method and path.
    log: Vec<String>,
}

struct Pod {
    index: usize,
    job: String,
    created: Instant,
    process: Option<Process>,
    ended: Option<i32>,
}

struct Process {
    id: u32,
    stdin: Option<ChildStdin>,
    /// To whoever is attached.
    attached: Option<mpsc::UnboundedSender<Vec<u8>>>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

/// The server, until it is dropped.
pub(crate) struct Jobs {
    pub(crate) dir: TempDir,
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
    _server: AbortOnDropHandle<()>,
}

pub(crate) const NAMESPACE: &str = "load";

impl Jobs {
    /// Each pod has its fate, by its index; those without run.
    pub(crate) async fn start(fates: &[Fate]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            fates: fates.to_vec(),
            ..State::default()
        }));
        let dir = tempfile::tempdir().expect("a folder");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "u", "user": {} }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u", "namespace": NAMESPACE } }],
        });
        std::fs::write(dir.path().join("kubeconfig"), kubeconfig.to_string()).expect("written");
        let shared = Arc::clone(&state);
        let server = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // A client that goes away is none of the server's troubles.
                conversations.spawn(async move { converse(stream, state).await.ok() });
            }
        }));
        Self {
            dir,
            address,
            state,
            _server: server,
        }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Refuses to create objects of this kind.
    pub(crate) fn forbid(&self, kind: &'static str) {
        self.lock().forbidden = Some(kind);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }

    /// Jobs, Secrets, pods and processes that are there.
    pub(crate) fn left(&self) -> [usize; 4] {
        let state = self.lock();
        let running = |pod: &&Pod| pod.process.as_ref().is_some_and(|it| is_running(it.id));
        let processes = state.pods.values().filter(running).count();
        [
            state.jobs.len(),
            state.secrets.len(),
            state.pods.len(),
            processes,
        ]
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }
}

fn is_running(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // Not one that has ended and was not waited for.
    status
        .rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

async fn converse(stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut head = [0; 2_048];
    let n = stream.peek(&mut head).await?;
    let first = String::from_utf8_lossy(&head[..n]).into_owned();
    let line = first.lines().next().unwrap_or_default().to_owned();
    if let Some(name) = line.strip_prefix("RAW ") {
        return attach_raw(stream, line.len() + 1, name, &state).await;
    }
    if line.contains("/attach?") {
        attach(stream, &line, state).await;
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await? == 0 || header.trim().is_empty() {
            break;
        }
        let header = header.to_ascii_lowercase();
        chunked |= header.starts_with("transfer-encoding:") && header.contains("chunked");
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).await?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        body.resize(length, 0);
        stream.read_exact(&mut body).await?;
    }
    let (status, answer) = respond(&line, &body, &state);
    let answer = answer.to_string();
    let whole = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.get_mut().write_all(whole.as_bytes()).await?;
    stream.get_mut().shutdown().await
}

fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (
        code,
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code }),
    )
}

fn respond(line: &str, body: &[u8], state: &Arc<Mutex<State>>) -> (u16, Value) {
    let mut words = line.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let path = target.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let mut locked = state.lock().expect("no test panics with it");
    locked.log.push(format!("{method} {path}"));
    if method == "POST" && locked.forbidden.is_some_and(|kind| path.ends_with(kind)) {
        let message = format!(
            "{} is forbidden: User \"limited\" cannot create resource",
            parts[parts.len() - 1]
        );
        return status(403, "Forbidden", &message);
    }
    let object = || serde_json::from_slice::<Value>(body).expect("an object is JSON");
    match (method, &parts[..]) {
        ("POST", [.., "selfsubjectaccessreviews"]) => {
            let forbidden = locked.forbidden.unwrap_or("nothing");
            // Newer kubectls ask in protobuf, which has the words as they are.
            let asked = String::from_utf8_lossy(body).contains(forbidden);
            let review = json!({ "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
                "spec": {}, "status": { "allowed": !asked } });
            (201, review)
        }
        ("GET", ["version"]) => (
            200,
            json!({ "major": "1", "minor": "32", "gitVersion": "v1.32.0" }),
        ),
        ("GET", ["api"]) => (200, json!({ "kind": "APIVersions", "versions": ["v1"] })),
        ("GET", ["apis"]) => (
            200,
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] }),
        ),
        ("GET", ["api", "v1"]) => {
            let resource = |name: &str, verbs: &[&str]| json!({ "name": name, "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": verbs });
            let resources = [
                resource("pods", &["get", "list"]),
                resource("pods/attach", &["create", "get"]),
            ];
            (
                200,
                json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": resources }),
            )
        }
        ("POST", ["apis", "batch", "v1", "namespaces", NAMESPACE, "jobs"]) => {
            let mut job = object();
            job["metadata"]["uid"] = json!("uid-1");
            let name = job["metadata"]["name"].as_str().expect("named").to_owned();
            let n = job["spec"]["completions"].as_u64().expect("indexed") as usize;
            for index in 0..n {
                let pod = Pod {
                    index,
                    job: name.clone(),
                    created: Instant::now(),
                    process: None,
                    ended: None,
                };
                locked.pods.insert(format!("{name}-{index}-x"), pod);
            }
            locked.jobs.insert(name, job.clone());
            (201, job)
        }
        ("POST", ["api", "v1", "namespaces", NAMESPACE, "secrets"]) => {
            let secret = object();
            let name = secret["metadata"]["name"]
                .as_str()
                .expect("named")
                .to_owned();
            locked.secrets.insert(name, secret.clone());
            (201, secret)
        }
        ("DELETE", ["apis", "batch", "v1", "namespaces", NAMESPACE, "jobs", name]) => {
            if locked.jobs.remove(*name).is_none() {
                return status(404, "NotFound", &format!("jobs.batch \"{name}\" not found"));
            }
            // What belongs to it goes with it.
            locked
                .secrets
                .retain(|_, secret| secret["metadata"]["ownerReferences"][0]["name"] != *name);
            let pods = std::mem::take(&mut locked.pods);
            for pod in pods.into_values().filter_map(|pod| pod.process) {
                kill(pod.id, rustix::process::Signal::TERM);
            }
            (200, json!({ "kind": "Status", "status": "Success" }))
        }
        ("GET", ["api", "v1", "namespaces", NAMESPACE, "pods"]) => {
            start_due(&mut locked, state);
            let items: Vec<Value> = locked
                .pods
                .iter()
                .map(|(name, pod)| shown(name, pod, &locked))
                .collect();
            (
                200,
                json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items }),
            )
        }
        ("GET", ["api", "v1", "namespaces", NAMESPACE, "pods", name]) => {
            match locked.pods.get(*name) {
                Some(pod) => (200, shown(name, pod, &locked)),
                None => status(404, "NotFound", "pods not found"),
            }
        }
        _ => status(
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
    }
}

fn kill(id: u32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(id.cast_signed()) {
        // It may have ended.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn fate(state: &State, pod: &Pod) -> Fate {
    state.fates.get(pod.index).copied().unwrap_or(Fate::Runs)
}

fn shown(name: &str, pod: &Pod, state: &State) -> Value {
    let (phase, container) = match (&pod.ended, &pod.process, fate(state, pod)) {
        (Some(code), ..) => (
            "Failed",
            json!({ "terminated": { "exitCode": code, "reason": "Error" } }),
        ),
        (None, Some(_), _) => ("Running", json!({ "running": {} })),
        (None, None, Fate::NoImage) => (
            "Pending",
            json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } }),
        ),
        (None, None, _) => (
            "Pending",
            json!({ "waiting": { "reason": "ContainerCreating" } }),
        ),
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "containers": [{ "name": "worker", "image": "i", "stdin": true }] },
        "status": { "phase": phase, "containerStatuses": [{ "name": "worker", "state": container }] },
    })
}

/// Starts the containers whose time has come.
fn start_due(locked: &mut State, state: &Arc<Mutex<State>>) {
    let names: Vec<String> = locked.pods.keys().cloned().collect();
    for name in names {
        let pod = &locked.pods[&name];
        let fate = fate(locked, pod);
        let late = match fate {
            Fate::NoImage => continue,
            Fate::StartsLate(late) => late,
            Fate::Runs | Fate::Killed(_) => Duration::ZERO,
        };
        if pod.process.is_some() || pod.ended.is_some() || pod.created.elapsed() < late {
            continue;
        }
        let spec = &locked.jobs[&pod.job]["spec"]["template"]["spec"]["containers"][0];
        let mut variables = Vec::new();
        for variable in spec["env"].as_array().into_iter().flatten() {
            let from = &variable["valueFrom"];
            let value = match from["secretKeyRef"]["name"].as_str() {
                // As kubelet, it waits for the Secret.
                Some(secret) => match locked.secrets.get(secret) {
                    Some(secret) => secret["stringData"]["key"].as_str().map(str::to_owned),
                    None => return,
                },
                None if from["fieldRef"]["fieldPath"] == "metadata.name" => Some(name.clone()),
                None => Some("node-1".to_owned()),
            };
            variables.extend(variable["name"].as_str().map(str::to_owned).zip(value));
        }
        let args = spec["args"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let mut child = Command::new(env!("CARGO_BIN_EXE_batida"))
            .args(args)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the worker starts");
        let (id, stdin, stdout) = (
            child.id().expect("running"),
            child.stdin.take(),
            child.stdout.take(),
        );
        let (reading, of) = (Arc::clone(state), name.clone());
        let reading = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut stdout = BufReader::new(stdout.expect("piped"));
            let mut buffer = vec![0; 16 << 10];
            while let Ok(n @ 1..) = stdout.read(&mut buffer).await {
                let mut state = reading.lock().expect("no test panics with it");
                let process = state.pods.get_mut(&of).and_then(|pod| pod.process.as_mut());
                // What nobody is attached to hear goes to the log, which nobody reads here.
                if let Some(attached) = process.and_then(|it| it.attached.as_ref()) {
                    let _ = attached.send(buffer[..n].to_vec());
                }
            }
        }));
        let (waiting, of) = (Arc::clone(state), name.clone());
        let waiting = tokio::spawn(async move {
            if let Fate::Killed(after) = fate {
                tokio::select! {
                    () = tokio::time::sleep(after) => { let _ = child.start_kill(); }
                    _ = child.wait() => {}
                }
            }
            let code = child
                .wait()
                .await
                .ok()
                .and_then(|it| it.code())
                .unwrap_or(137);
            let mut state = waiting.lock().expect("no test panics with it");
            if let Some(pod) = state.pods.get_mut(&of) {
                pod.ended = Some(code);
                // Whoever is attached learns so.
                if let Some(process) = &mut pod.process {
                    process.attached = None;
                }
            }
        });
        // It waits for its child also when the pod is gone.
        drop(waiting);
        let process = Process {
            id,
            stdin,
            attached: None,
            _tasks: vec![reading],
        };
        locked.pods.get_mut(&name).expect("it is there").process = Some(process);
    }
}

/// `v5.channel.k8s.io`: binary messages, the first byte says which stream.
#[expect(clippy::result_large_err, reason = "the handshake's own type")]
async fn attach(stream: TcpStream, line: &str, state: Arc<Mutex<State>>) {
    let path = line
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .split('?')
        .next()
        .unwrap_or_default();
    let name = path
        .trim_end_matches("/attach")
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let choose = |request: &Request, mut response: Response| {
        let offered = request
            .headers()
            .get("Sec-WebSocket-Protocol")
            .and_then(|it| it.to_str().ok());
        if offered.is_some_and(|it| it.contains("v5.channel.k8s.io")) {
            let chosen = "v5.channel.k8s.io".parse().expect("a header");
            response
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", chosen);
        }
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, choose).await else {
        return;
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    let stdin = {
        let mut state = state.lock().expect("no test panics with it");
        state.log.push(format!("attach {name}"));
        let Some(process) = state
            .pods
            .get_mut(&name)
            .and_then(|pod| pod.process.as_mut())
        else {
            return;
        };
        process.attached = Some(tell);
        process.stdin.take()
    };
    let Some(mut stdin) = stdin else { return };
    let (mut to, mut from) = socket.split();
    loop {
        tokio::select! {
            bytes = told.recv() => match bytes {
                Some(mut bytes) => {
                    bytes.insert(0, 1);
                    if to.send(Message::binary(bytes)).await.is_err() { break }
                }
                None => {
                    let mut ended = vec![3];
                    ended.extend(br#"{"status":"Success"}"#);
                    let _ = to.send(Message::binary(ended)).await;
                    let _ = to.close().await;
                    break;
                }
            },
            message = from.next() => match message {
                Some(Ok(Message::Binary(bytes))) if bytes.first() == Some(&0) => {
                    if stdin.write_all(&bytes[1..]).await.is_err() { break }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    // The container's input stays open, as with stdinOnce: false.
    let mut state = state.lock().expect("no test panics with it");
    if let Some(process) = state
        .pods
        .get_mut(&name)
        .and_then(|pod| pod.process.as_mut())
    {
        process.stdin = Some(stdin);
        process.attached = None;
    }
}

/// What stands for `kubectl attach` where kubectl is older than 1.30 and speaks SPDY, which this server does not: everything
/// else is that kubectl's own.
const SHIM: &str = r#"#!/usr/bin/env python3
import os, socket, sys, threading
args = sys.argv[1:]
if "attach" not in args:
    os.execv(KUBECTL, [KUBECTL] + args)
name = args[args.index("-q") + 1]
pod = socket.create_connection(ADDRESS)
pod.sendall(("RAW %s\n" % name).encode())
def pump():
    while data := os.read(0, 65536):
        pod.sendall(data)
    pod.shutdown(socket.SHUT_WR)
threading.Thread(target=pump, daemon=True).start()
while data := pod.recv(65536):
    os.write(1, data)
"#;

impl Jobs {
    /// The kubectl to be used: this one, or one whose attach this server understands.
    pub(crate) fn kubectl(&self, program: &std::path::Path) -> PathBuf {
        if speaks_web_sockets(program) {
            return program.to_owned();
        }
        let (host, port) = (self.address.ip(), self.address.port());
        let shim = SHIM
            .replace("KUBECTL", &format!("{:?}", program.display().to_string()))
            .replace("ADDRESS", &format!("({:?}, {port})", host.to_string()));
        let path = self.dir.path().join("kubectl");
        std::fs::write(&path, shim).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("it is ours");
        path
    }
}

fn speaks_web_sockets(kubectl: &std::path::Path) -> bool {
    let said = std::process::Command::new(kubectl)
        .args(["version", "--client", "-o", "json"])
        .output();
    let said: Value = serde_json::from_slice(&said.expect("kubectl runs").stdout).expect("JSON");
    let minor = said["clientVersion"]["minor"].as_str().expect("a version");
    let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().expect("a number") >= 30
}

async fn attach_raw(
    mut stream: TcpStream,
    line: usize,
    name: &str,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    stream.read_exact(&mut vec![0; line]).await?;
    let (tell, mut told) = mpsc::unbounded_channel::<Vec<u8>>();
    let stdin = {
        let mut state = state.lock().expect("no test panics with it");
        let process = state
            .pods
            .get_mut(name)
            .and_then(|pod| pod.process.as_mut());
        process.and_then(|process| {
            process.attached = Some(tell);
            process.stdin.take()
        })
    };
    let Some(mut stdin) = stdin else {
        return Ok(());
    };
    let (mut from, mut to) = stream.split();
    let orders = async {
        let _ = tokio::io::copy(&mut from, &mut stdin).await;
        // Its input stays open.
        std::future::pending::<()>().await;
    };
    let answers = async {
        while let Some(bytes) = told.recv().await {
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = orders => {}
        () = answers => {}
    }
    Ok(())
}
