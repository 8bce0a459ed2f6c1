//! The door to kubectl: a subprocess that is asked, bounded, and never left behind.

mod stream;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::domain::environment::ClusterAccess;
use crate::domain::failure::{Advice, Failure};
use crate::protocol::ActivityKind;
use crate::wire::kubectl::{KubectlFault, asked_for_a_name, explain, may_name_a_path};

use super::activity::{Recorder, Recording};

pub use stream::Lines;

/// No list of pods comes near; without a bound a wrong path could fill the memory.
const MOST_OUTPUT: usize = 256 << 20;
/// The last words decide, and a credential plugin may chatter for long.
const MOST_WORDS: usize = 64 << 10;
/// How long what kubectl left in its pipes is waited for once it has ended. A credential plugin that lives
/// on keeps stderr open for as long as it likes.
const GRACE: Duration = Duration::from_millis(200);
/// How long a question may take unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// For Go's runtime. kubectl's start is most of its work, and several start at once: with fewer collections
/// and threads each takes a third less of the processor.
const RUNTIME: [(&str, &str); 2] = [("GOGC", "400"), ("GOMAXPROCS", "1")];

/// kubectl, and how it reaches one cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// The program.
    pub program: PathBuf,
    /// Arguments that come before all others.
    pub prefix: Vec<OsString>,
    /// Where the cluster is written down.
    pub kubeconfig: Kubeconfig,
    /// `None` for the kubeconfig's current one.
    pub context: Option<String>,
    /// The namespace that is looked at.
    pub namespace: String,
    /// Variables that are set for kubectl besides Batida's own.
    pub env: Vec<(OsString, OsString)>,
    /// How long a question may take.
    pub patience: Duration,
    /// Where each run is written down.
    pub recorder: Recorder,
}

/// Where a cluster's address and credentials are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kubeconfig {
    /// Where kubectl looks by itself: `KUBECONFIG`, then `~/.kube/config`.
    Usual,
    /// In this file.
    File(PathBuf),
    /// Nowhere: the program brings its own cluster.
    BuiltIn,
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct KubectlError {
    /// What kind it is.
    pub fault: KubectlFault,
    /// As a person reads it.
    pub failure: Failure,
}

impl KubectlError {
    /// A fault with its words.
    pub fn new(fault: KubectlFault, failure: Failure) -> Self {
        Self { fault, failure }
    }
}

impl From<KubectlError> for Failure {
    fn from(error: KubectlError) -> Self {
        error.failure
    }
}

impl Kubectl {
    /// As an environment says.
    pub fn new(access: &ClusterAccess, recorder: Recorder) -> Self {
        let ClusterAccess { kubectl, kubeconfig, context, namespace } = access;
        Self {
            program: kubectl.as_deref().map_or_else(|| PathBuf::from("kubectl"), with_home),
            prefix: Vec::new(),
            kubeconfig: match kubeconfig {
                Some(path) if !path.as_os_str().is_empty() => Kubeconfig::File(with_home(path)),
                _ => Kubeconfig::Usual,
            },
            context: context.clone().filter(|context| !context.is_empty()),
            namespace: namespace.clone(),
            env: Vec::new(),
            patience: PATIENCE,
            recorder,
        }
    }

    /// A program that answers as kubectl would, from a cluster of its own: the demo's twin.
    pub fn twin(program: PathBuf, prefix: Vec<OsString>, namespace: &str, recorder: Recorder) -> Self {
        let access = ClusterAccess { namespace: namespace.to_owned(), ..ClusterAccess::default() };
        Self { program, prefix, kubeconfig: Kubeconfig::BuiltIn, ..Self::new(&access, recorder) }
    }

    /// Asks kubectl, with the kubeconfig and the context, and gives what it printed.
    ///
    /// Dropping the future kills kubectl and all that it has started.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        deadline: Duration,
    ) -> Result<Vec<u8>, KubectlError> {
        self.find_program()?;
        self.find_kubeconfig()?;
        let args = self.arguments(args, deadline);
        let recording = self.recorder.begin(ActivityKind::Kubectl, self.line(&args));
        self.ask(&args, deadline, recording).await
    }

    /// Asks kubectl a question that it answers with a word on standard output; its exit code may be that of
    /// a failure, as `auth can-i` has it for `no`.
    pub async fn word<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String, KubectlError> {
        let asking = async {
            let mut lines = self.follow(args)?;
            let mut first = String::new();
            loop {
                match lines.next().await {
                    Ok(Some(line)) if first.is_empty() => {
                        first = String::from_utf8_lossy(&line).trim().to_owned();
                    }
                    Ok(Some(_)) => {}
                    Err(error) if first.is_empty() => return Err(error),
                    Ok(None) | Err(_) => return Ok(first),
                }
            }
        };
        tokio::time::timeout(self.patience, asking).await.unwrap_or_else(|_| Err(too_slow(self.patience)))
    }

    /// A program that is not there is told before a kubeconfig that is not there.
    fn find_program(&self) -> Result<(), KubectlError> {
        // A bare name is looked up in PATH when it is started.
        let named = self.program.components().count() > 1;
        if named && !self.program.exists() {
            return Err(self.not_started(&std::io::ErrorKind::NotFound.into()));
        }
        Ok(())
    }

    /// Asks kubectl what needs neither a kubeconfig nor a cluster.
    pub async fn run_alone<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        deadline: Duration,
    ) -> Result<Vec<u8>, KubectlError> {
        let args: Vec<OsString> =
            self.prefix.iter().cloned().chain(args.iter().map(|arg| arg.as_ref().to_owned())).collect();
        let recording = self.recorder.begin(ActivityKind::Kubectl, self.line(&args));
        self.ask(&args, deadline, recording).await
    }

    /// kubectl's own flags, which hold for any question, and the question.
    fn arguments<A: AsRef<OsStr>>(&self, args: &[A], deadline: Duration) -> Vec<OsString> {
        let mut all = self.reach();
        // Sooner than our own deadline, so that kubectl can still say what it waited for.
        let seconds = deadline.as_secs().saturating_sub(1).max(1);
        all.extend(["--request-timeout".into(), format!("{seconds}s").into()]);
        all.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        all
    }

    /// What comes before a question: which cluster is meant.
    fn reach(&self) -> Vec<OsString> {
        let mut all = self.prefix.clone();
        if let Kubeconfig::File(path) = &self.kubeconfig {
            all.extend(["--kubeconfig".into(), path.into()]);
        }
        if let Some(context) = &self.context {
            all.extend(["--context".into(), context.into()]);
        }
        all
    }

    /// A question for the user to ask, as one can paste it in a shell: the same cluster and namespace.
    pub fn pasteable(&self, args: &[&str]) -> String {
        let mut all = self.reach();
        all.extend(["-n".into(), self.namespace.clone().into()]);
        all.extend(args.iter().map(OsString::from));
        self.line(&all)
    }

    /// The command as one can paste it in a shell.
    fn line(&self, args: &[OsString]) -> String {
        let words: Vec<_> = std::iter::once(self.program.as_os_str())
            .chain(args.iter().map(OsString::as_os_str))
            .map(OsStr::to_string_lossy)
            .collect();
        shlex::try_join(words.iter().map(AsRef::as_ref)).unwrap_or_else(|_| words.join(" "))
    }

    async fn ask(
        &self,
        args: &[OsString],
        deadline: Duration,
        recording: Recording,
    ) -> Result<Vec<u8>, KubectlError> {
        let mut child = match self.spawn(args) {
            Ok(child) => child,
            Err(error) => {
                recording.end(false, format!("not started: {error}"));
                return Err(self.not_started(&error));
            }
        };
        let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let ended = tokio::time::timeout(deadline, converse(&mut child)).await;
        let answer = match ended {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                recording.end(false, format!("lost: {error}"));
                let failure =
                    Failure::new("kubectl could not be read", "Try again").with_details(error.to_string());
                return Err(KubectlError::new(KubectlFault::Other, failure));
            }
            Err(_elapsed) => {
                recording.end(false, format!("killed after {} s", deadline.as_secs_f64().round()));
                return Err(too_slow(deadline));
            }
        };
        // It ended by itself, and what it started on purpose, such as a browser to log in with, may stay.
        group.forgive();
        self.judge(answer, recording)
    }

    fn spawn(&self, args: &[OsString]) -> io::Result<Child> {
        Command::new(&self.program)
            .args(args)
            .envs(RUNTIME.iter().filter(|(name, _)| self.variable(name).is_none()).copied())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// The exit code first: a failed question may well print a valid and empty list.
    fn judge(&self, answer: Answer, recording: Recording) -> Result<Vec<u8>, KubectlError> {
        let Answer { stdout, stderr, status } = answer;
        let told = match status.code() {
            Some(code) => format!("exit {code}"),
            None => status.to_string(),
        };
        if stdout.len() > MOST_OUTPUT {
            recording.end(false, "killed: it printed too much");
            return Err(KubectlError::new(
                KubectlFault::TooMuch,
                Failure::new(
                    format!("kubectl printed more than {} MB", MOST_OUTPUT >> 20),
                    Advice::rerun_kubectl(""),
                ),
            ));
        }
        if status.success() {
            recording.end(true, format!("{told}, {}", bytes(stdout.len())));
            return Ok(stdout);
        }
        recording.end(false, told.clone());
        let words = String::from_utf8_lossy(&stderr);
        let words = words.trim();
        let (fault, failure) = asked_for_a_name(&stdout)
            .unwrap_or_else(|| explain(if words.is_empty() { &told } else { words }));
        Err(KubectlError::new(fault, failure))
    }

    fn not_started(&self, error: &io::Error) -> KubectlError {
        let program = self.program.display();
        let (fault, summary, advice) = match error.kind() {
            io::ErrorKind::NotFound if self.program.components().count() > 1 => (
                KubectlFault::ProgramMissing,
                format!("kubectl was not found at {program}"),
                "Correct its path in the environment's settings, or leave the path empty to look in PATH".to_owned(),
            ),
            io::ErrorKind::NotFound => (
                KubectlFault::ProgramMissing,
                "kubectl was not found".to_owned(),
                format!(
                    "Install it (https://kubernetes.io/docs/tasks/tools), or set its path in the environment's \
                     settings. Looked for {program} in PATH"
                ),
            ),
            io::ErrorKind::PermissionDenied => (
                KubectlFault::ProgramBroken,
                format!("{program} is not executable"),
                format!("Make it executable (chmod +x {program}), or set another path in the environment's settings"),
            ),
            _ => (
                KubectlFault::ProgramBroken,
                format!("{program} cannot be run"),
                "Is it a kubectl for this system and this processor? Set its path in the environment's settings"
                    .to_owned(),
            ),
        };
        KubectlError::new(fault, Failure::new(summary, advice).with_details(error.to_string()))
    }

    /// kubectl takes a kubeconfig that does not exist for an empty one, and asks localhost:8080.
    fn find_kubeconfig(&self) -> Result<(), KubectlError> {
        if self.kubeconfig != Kubeconfig::Usual {
            return Ok(());
        }
        let missing = |summary: String| {
            let advice = "Choose a kubeconfig in the environment's settings";
            Err(KubectlError::new(KubectlFault::KubeconfigMissing, Failure::new(summary, advice)))
        };
        if let Some(list) = self.variable("KUBECONFIG") {
            let files: Vec<_> =
                std::env::split_paths(&list).filter(|file| !file.as_os_str().is_empty()).collect();
            if files.is_empty() || files.iter().any(|file| file.exists()) {
                return Ok(());
            }
            let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            let tilde = names.iter().any(|name| name.starts_with('~'));
            let note = if tilde { " (kubectl does not know what ~ is)" } else { "" };
            return missing(format!("KUBECONFIG names {}, which does not exist{note}", names.join(" and ")));
        }
        let Some(home) = self.variable("HOME") else { return Ok(()) };
        let usual = Path::new(&home).join(".kube/config");
        // In a pod kubectl finds the cluster by itself.
        if usual.exists() || self.variable("KUBERNETES_SERVICE_HOST").is_some() {
            return Ok(());
        }
        missing(format!("There is no kubeconfig: {} does not exist", usual.display()))
    }

    /// Whether the server's URL may have a path, as far as the kubeconfig's text tells.
    ///
    /// Most have none, and then kubectl need not be asked.
    pub fn may_have_server_path(&self) -> bool {
        let files = match &self.kubeconfig {
            Kubeconfig::BuiltIn => return true,
            Kubeconfig::File(path) => vec![path.clone()],
            Kubeconfig::Usual => match (self.variable("KUBECONFIG"), self.variable("HOME")) {
                (Some(list), _) => std::env::split_paths(&list).filter(|file| file.exists()).collect(),
                (None, Some(home)) => vec![Path::new(&home).join(".kube/config")],
                (None, None) => Vec::new(),
            },
        };
        let texts: Option<Vec<String>> =
            files.iter().map(|file| std::fs::read_to_string(file).ok()).collect();
        texts.is_none_or(|texts| texts.is_empty() || texts.iter().any(|text| may_name_a_path(text)))
    }

    /// As kubectl will see it.
    fn variable(&self, name: &str) -> Option<OsString> {
        let own = self.env.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        own.or_else(|| std::env::var_os(name)).filter(|value| !value.is_empty())
    }
}

/// A leading `~/` is the home folder: no shell stands between to expand it.
pub(crate) fn with_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn too_slow(deadline: Duration) -> KubectlError {
    KubectlError::new(
        KubectlFault::Deadline,
        Failure::new(
            format!("kubectl had no answer after {} s and was stopped", deadline.as_secs_f64().round()),
            Advice::rerun_kubectl(
                "Is the VPN on? A credential plugin that waits for somebody looks like this too",
            ),
        ),
    )
}

fn bytes(count: usize) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// A process group that is killed when this is dropped: kubectl and the plugins it has started.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn forgive(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails only when nobody is left to kill.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

struct Answer {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: std::process::ExitStatus,
}

/// Reads both pipes until kubectl has ended and nothing more comes.
async fn converse(child: &mut Child) -> io::Result<Answer> {
    let mut out = Pipe::new(child.stdout.take());
    let mut err = Pipe::new(child.stderr.take());
    let mut status = None;
    let mut last_heard = Instant::now();
    loop {
        if let Some(status) = status
            && (out.is_done() && err.is_done() || last_heard.elapsed() >= GRACE)
        {
            return Ok(Answer { stdout: out.data, stderr: err.data, status });
        }
        let grace = tokio::time::sleep_until(last_heard + GRACE);
        tokio::select! {
            biased;
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                last_heard = Instant::now();
            }
            read = out.read(), if !out.is_done() => {
                read?;
                last_heard = Instant::now();
                if out.data.len() > MOST_OUTPUT {
                    child.start_kill()?;
                    let status = child.wait().await?;
                    return Ok(Answer { stdout: out.data, stderr: err.data, status });
                }
            }
            read = err.read(), if !err.is_done() => {
                read?;
                err.keep_last(MOST_WORDS);
                // What has ended may leave a chatterbox behind: only stdout prolongs the wait.
                if status.is_none() {
                    last_heard = Instant::now();
                }
            }
            () = grace, if status.is_some() => {}
        }
    }
}

/// One end of a pipe with what came through it.
#[derive(Debug)]
struct Pipe<R> {
    end: Option<R>,
    data: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(end: Option<R>) -> Self {
        Self { end, data: Vec::new() }
    }

    fn is_done(&self) -> bool {
        self.end.is_none()
    }

    async fn read(&mut self) -> io::Result<()> {
        let Some(end) = &mut self.end else { return Ok(()) };
        if self.data.capacity() - self.data.len() < 64 << 10 {
            self.data.reserve(self.data.len().max(128 << 10));
        }
        if end.read_buf(&mut self.data).await? == 0 {
            self.end = None;
        }
        Ok(())
    }

    fn keep_last(&mut self, most: usize) {
        if self.data.len() > 2 * most {
            self.data.drain(..self.data.len() - most);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::environment::EnvId;
    use crate::protocol::Activity;

    fn shell(script: &str) -> Kubectl {
        let prefix = ["-c".into(), script.into(), "kubectl".into()].into();
        Kubectl::twin("/bin/sh".into(), prefix, "n", Recorder::silent(EnvId::demo()))
    }

    async fn run(kubectl: &Kubectl) -> Result<Vec<u8>, KubectlError> {
        kubectl.run(&["get"], Duration::from_secs(10)).await
    }

    #[tokio::test]
    async fn the_exit_code_counts_before_what_was_printed() {
        let error = run(&shell("echo '{\"items\":[]}'; echo 'error: no' >&2; exit 1")).await.unwrap_err();
        assert_eq!(error.failure.summary, "kubectl failed: no");
        assert_eq!(run(&shell("echo yes; echo 'Warning: x' >&2")).await.unwrap(), b"yes\n");
    }

    #[tokio::test]
    async fn what_goes_on_is_read_line_by_line() {
        let mut lines = shell("echo a; printf 'b\\n\\nlast'; echo noise >&2").follow(&["get"]).unwrap();
        let mut told = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            told.push(String::from_utf8(line).unwrap());
        }
        assert_eq!(told, ["a", "b", "", "last"]);
        let mut lines = shell("echo a; echo 'error: no' >&2; exit 1").follow(&["get"]).unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), b"a");
        assert_eq!(lines.next().await.unwrap_err().failure.summary, "kubectl failed: no");
        let mut endless = shell("while :; do echo on; sleep 0.01; done").follow(&["get"]).unwrap();
        assert_eq!(endless.next().await.unwrap().unwrap(), b"on");
    }

    #[tokio::test]
    async fn standard_input_is_closed() {
        assert_eq!(run(&shell("cat; echo done")).await.unwrap(), b"done\n");
    }

    #[tokio::test]
    async fn what_kubectl_leaves_behind_does_not_hold_us() {
        let began = Instant::now();
        let error = run(&shell("(sleep 20 & echo $! >&2); exit 1")).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        let pid: i32 = error.failure.details.trim().parse().unwrap();
        // Ours to end: it was started by this test.
        rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).ok();
    }

    #[tokio::test]
    async fn much_is_read_whole_and_stderr_by_its_end() {
        let kubectl = shell("head -c 3000000 /dev/zero; yes word | head -c 1000000 >&2; echo last >&2");
        assert_eq!(run(&kubectl).await.unwrap().len(), 3_000_000);
        let error = run(&shell("yes word | head -c 1000000 >&2; echo last >&2; exit 1")).await.unwrap_err();
        assert_eq!(error.failure.summary, "kubectl failed: last");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_apart() {
        let access = ClusterAccess { kubectl: Some("/nowhere/kubectl".into()), ..ClusterAccess::default() };
        let kubectl = Kubectl {
            kubeconfig: Kubeconfig::BuiltIn,
            ..Kubectl::new(&access, Recorder::silent(EnvId::demo()))
        };
        let error = run(&kubectl).await.unwrap_err();
        assert_eq!(
            (error.fault, error.failure.summary.as_str()),
            (KubectlFault::ProgramMissing, "kubectl was not found at /nowhere/kubectl")
        );
        let kubectl = Kubectl { program: "no-such-kubectl".into(), ..kubectl };
        assert_eq!(run(&kubectl).await.unwrap_err().failure.summary, "kubectl was not found");
        let file = tempfile::NamedTempFile::new().unwrap();
        let kubectl = Kubectl { program: file.path().to_owned(), ..kubectl };
        assert_eq!(run(&kubectl).await.unwrap_err().fault, KubectlFault::ProgramBroken);
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_said_before_kubectl_asks_localhost() {
        let usual = |env: &[(&str, &str)]| {
            let env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
            Kubectl { kubeconfig: Kubeconfig::Usual, env, ..shell("echo asked") }
        };
        let error = run(&usual(&[("KUBECONFIG", "~/x:/nowhere")])).await.unwrap_err();
        assert_eq!(
            error.failure.summary,
            "KUBECONFIG names ~/x and /nowhere, which does not exist (kubectl does not know what ~ is)"
        );
        let error = run(&usual(&[("KUBECONFIG", ""), ("HOME", "/nowhere")])).await;
        // Set to nothing is as good as not set, but the tests' own environment may have one.
        if std::env::var_os("KUBECONFIG").is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
            assert_eq!(
                error.unwrap_err().failure.summary,
                "There is no kubeconfig: /nowhere/.kube/config does not exist"
            );
        }
        assert!(run(&usual(&[("KUBECONFIG", "/nowhere:/dev/null")])).await.is_ok());
    }

    #[tokio::test]
    async fn each_run_is_written_down_as_a_line_to_paste() {
        let told: Arc<Mutex<Vec<Activity>>> = Arc::default();
        let recorder = {
            let told = Arc::clone(&told);
            Recorder::new(EnvId::demo(), move |activity| told.lock().unwrap().push(activity))
        };
        let access = ClusterAccess {
            kubectl: Some("/bin/echo".into()),
            kubeconfig: Some("/tmp/my config".into()),
            context: Some("it's".into()),
            ..ClusterAccess::default()
        };
        run(&Kubectl::new(&access, recorder)).await.unwrap();
        let told = told.lock().unwrap();
        assert_eq!(
            &*told[0].line,
            "/bin/echo --kubeconfig '/tmp/my config' --context \"it's\" --request-timeout 9s get"
        );
        assert_eq!(told[1].ending.as_ref().unwrap().outcome, "exit 0, 68 B");
    }

    #[test]
    fn a_leading_tilde_is_the_home_folder() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(with_home(Path::new("~/a/b")), home.join("a/b"));
        assert_eq!(with_home(Path::new("/a/~/b")), Path::new("/a/~/b"));
        assert_eq!(with_home(Path::new("~a/b")), Path::new("~a/b"));
    }
}
