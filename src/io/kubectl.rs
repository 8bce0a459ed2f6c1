//! Runs kubectl as a subprocess, with limits on time and output. It never outlives its caller.

mod logins;
mod outcome;
mod process;
mod start;
mod stream;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

use self::outcome::too_slow;
use self::process::{Ended, TimeLimits, read_output, words_of};
use super::activity::{Recorder, Recording};
use super::group::Group;
use crate::domain::environment::{ClusterAccess, KEY_VARIABLE};
use crate::domain::failure::Failure;
use crate::protocol::ActivityKind;
use crate::wire::kubectl::{KubectlFault, credentials};

pub use logins::LoginQueue;
pub use stream::OutputLines;

/// Far more than any list of pods; a wrong path must not fill the memory.
const MAX_OUTPUT_BYTES: usize = 256 << 20;
/// The default time limit of a command.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a credential plugin may wait for the user to log in: enough to open a page, type a code and confirm it on a
/// phone.
pub const LOGIN: Duration = Duration::from_secs(180);
/// A plugin that fails sooner did not wait for the user.
const MIN_LOGIN_WAIT: Duration = Duration::from_secs(5);

/// Settings of Go's runtime and HTTP/2 client. Starting is most of kubectl's work, and several start at once: fewer
/// garbage collections and threads save a third of the CPU time. Pings on silent connections end a watch after 13 s
/// instead of 45 if the server stops responding or a firewall drops the connection.
const RUNTIME: [(&str, &str); 4] = [
    ("GOGC", "400"),
    ("GOMAXPROCS", "1"),
    ("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "8"),
    ("HTTP2_PING_TIMEOUT_SECONDS", "5"),
];

/// A kubectl program with the settings for one cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// A path, or a name to look up in `PATH`.
    pub program: PathBuf,
    /// Arguments before all others.
    pub prefix: Vec<OsString>,
    /// The kubeconfig with the cluster.
    pub kubeconfig: Kubeconfig,
    /// `None` for the kubeconfig's current context.
    pub context: Option<String>,
    /// The namespace of all commands; empty if it is not resolved yet.
    pub namespace: String,
    /// Why the context's namespace could not be read. No command contacts the cluster then: it would be asked about
    /// another namespace.
    pub no_namespace: Option<KubectlError>,
    /// Environment variables set for kubectl, in addition to Batida's own.
    pub env: Vec<(OsString, OsString)>,
    /// Environment variables with secrets, which are removed for kubectl and its plugins.
    pub hidden: Vec<String>,
    /// The time limit of a command.
    pub patience: Duration,
    /// The time limit while a credential plugin waits for a login.
    pub login: Duration,
    /// Makes sure that only one credential plugin asks for a login; shared by all kubectls of an environment.
    pub turns: LoginQueue,
    /// Records each run for the Activity list.
    pub recorder: Recorder,
}

/// The source of the cluster's address and credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kubeconfig {
    /// kubectl's default: `KUBECONFIG`, then `~/.kube/config`.
    Default,
    /// This file.
    File(PathBuf),
    /// None: the program simulates its own cluster.
    BuiltIn,
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct KubectlError {
    /// The kind of the failure.
    pub fault: KubectlFault,
    /// The failure as it is shown.
    pub failure: Failure,
}

impl KubectlError {
    /// Combines a kind with its message.
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
    /// kubectl with the settings of an environment and the default time limits.
    pub fn new(access: &ClusterAccess, recorder: Recorder) -> Self {
        let ClusterAccess {
            kubectl,
            kubeconfig,
            context,
            namespace,
        } = access;
        Self {
            program: kubectl
                .as_deref()
                .map_or_else(|| PathBuf::from("kubectl"), with_home),
            prefix: Vec::new(),
            kubeconfig: match kubeconfig {
                Some(path) if !path.as_os_str().is_empty() => Kubeconfig::File(with_home(path)),
                _ => Kubeconfig::Default,
            },
            context: context.clone().filter(|context| !context.is_empty()),
            namespace: namespace.clone(),
            no_namespace: None,
            env: Vec::new(),
            hidden: vec![KEY_VARIABLE.to_owned()],
            patience: PATIENCE,
            login: LOGIN,
            turns: LoginQueue::default(),
            recorder,
        }
    }

    /// A program that simulates kubectl and a cluster, for the demo.
    pub fn simulated(
        program: PathBuf,
        prefix: Vec<OsString>,
        namespace: &str,
        recorder: Recorder,
    ) -> Self {
        let access = ClusterAccess {
            namespace: namespace.to_owned(),
            ..ClusterAccess::default()
        };
        Self {
            program,
            prefix,
            kubeconfig: Kubeconfig::BuiltIn,
            ..Self::new(&access, recorder)
        }
    }

    /// Runs kubectl with the kubeconfig and the context, and returns its output.
    ///
    /// Dropping the future kills kubectl and the programs it has started.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        deadline: Duration,
    ) -> Result<Vec<u8>, KubectlError> {
        self.run_with(args, None, deadline).await
    }

    /// Creates an object by its JSON, at the path of its collection. It goes over standard input: an object may be a secret. Gives
    /// the object as the cluster made it.
    ///
    /// # Errors
    /// Any failure of kubectl, or the cluster's refusal.
    pub async fn create_raw(&self, path: &str, json: Vec<u8>) -> Result<Vec<u8>, KubectlError> {
        let args = ["create", "--raw", path, "-f", "-"];
        self.run_with(&args, Some(json), self.patience).await
    }

    /// Deletes an object by its path.
    ///
    /// # Errors
    /// As [`Self::create_raw`].
    pub async fn delete_raw(&self, path: &str) -> Result<Vec<u8>, KubectlError> {
        self.run(&["delete", "--raw", path], self.patience).await
    }

    /// kubectl with the kubeconfig, the context and these arguments, in words for another program to start.
    pub fn words(&self, args: &[&str]) -> Vec<String> {
        let program = std::iter::once(self.program.as_os_str().to_owned());
        let own = self.cluster_args().into_iter();
        let all = program.chain(own).chain(args.iter().map(OsString::from));
        all.map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// With `input` on its standard input.
    async fn run_with<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        input: Option<Vec<u8>>,
        deadline: Duration,
    ) -> Result<Vec<u8>, KubectlError> {
        // `kubectl config` reads only files. Google's kubectl asks the server for its version first all the same, which
        // starts the credential plugin.
        let local = args.first().is_some_and(|arg| arg.as_ref() == "config");
        self.find_program()?;
        self.find_kubeconfig()?;
        if !local {
            self.expect_namespace()?;
        }
        let plugin = self.may_start_a_plugin();
        let turn = if plugin {
            self.turns.take().await?
        } else {
            None
        };
        let deadline = if local && plugin {
            deadline.max(self.patience)
        } else {
            deadline
        };
        // kubectl's own timeout also runs during a login.
        let told = if turn.is_some() {
            deadline.max(self.login)
        } else {
            deadline
        };
        let args = self.arguments(args, told);
        let recording = self.recorder.begin(ActivityKind::Kubectl, self.line(&args));
        let login = plugin.then_some(self.login);
        let patience = TimeLimits { deadline, login };
        let outcome = match self.execute(&args, input, patience, recording).await {
            Err(error) if error.fault == KubectlFault::Unauthorized => {
                Err(self.with_expiry(error, login).await)
            }
            outcome => outcome,
        };
        if plugin {
            self.turns.ended(turn, &outcome, local);
        }
        outcome
    }

    /// Fails if the namespace could not be read.
    pub(super) fn expect_namespace(&self) -> Result<(), KubectlError> {
        self.no_namespace.clone().map_or(Ok(()), Err)
    }

    /// Adds which credential has expired, if that is why the server refused them.
    async fn with_expiry(&self, mut error: KubectlError, login: Option<Duration>) -> KubectlError {
        let mut args = self.cluster_args();
        let view = [
            "config",
            "view",
            "--raw",
            "--flatten",
            "--minify",
            "-o",
            credentials::TEMPLATE,
        ];
        args.extend(view.map(OsString::from));
        let recording = self.recorder.begin(ActivityKind::Kubectl, self.line(&args));
        let patience = TimeLimits {
            deadline: Duration::from_secs(5),
            login,
        };
        // A failure here adds nothing to the original error.
        let printed = self
            .execute(&args, None, patience, recording)
            .await
            .unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        if let Some(expired) = credentials::expired(&printed, jiff::Timestamp::now()) {
            error.failure.summary = format!("{}: {expired}", error.failure.summary);
        }
        error
    }

    /// Runs kubectl and returns the first word of its output, even if it exits with a failure, as `auth can-i` does
    /// for `no`.
    pub async fn word<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String, KubectlError> {
        let mut lines = self.follow(args).await?;
        let asking = async {
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
        let outcome = tokio::time::timeout(self.patience, asking).await;
        outcome.unwrap_or_else(|_| Err(too_slow(self.patience, lines.words(), false)))
    }

    /// Runs kubectl without a kubeconfig and a cluster.
    pub async fn run_alone<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        deadline: Duration,
    ) -> Result<Vec<u8>, KubectlError> {
        let args: Vec<OsString> = self
            .prefix
            .iter()
            .cloned()
            .chain(args.iter().map(|arg| arg.as_ref().to_owned()))
            .collect();
        let recording = self.recorder.begin(ActivityKind::Kubectl, self.line(&args));
        self.execute(
            &args,
            None,
            TimeLimits {
                deadline,
                login: None,
            },
            recording,
        )
        .await
    }

    /// Whether other programs can use the same cluster without a credential plugin asking for a login.
    pub fn needs_no_login(&self) -> bool {
        self.turns.is_fresh() || !self.may_start_a_plugin()
    }

    /// The arguments with the flags that select the cluster and limit the time.
    fn arguments<A: AsRef<OsStr>>(&self, args: &[A], deadline: Duration) -> Vec<OsString> {
        let mut all = self.cluster_args();
        // Shorter than our own limit, so that kubectl can report what it waited for.
        let seconds = deadline.as_secs().saturating_sub(1).max(1);
        all.extend(["--request-timeout".into(), format!("{seconds}s").into()]);
        all.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        all
    }

    /// The arguments that select the cluster.
    fn cluster_args(&self) -> Vec<OsString> {
        let mut all = self.prefix.clone();
        if let Kubeconfig::File(path) = &self.kubeconfig {
            all.extend(["--kubeconfig".into(), path.into()]);
        }
        if let Some(context) = &self.context {
            all.extend(["--context".into(), context.into()]);
        }
        all
    }

    /// A command for the user to paste into a shell, with the same cluster and namespace.
    pub fn pasteable(&self, args: &[&str]) -> String {
        let mut all = self.cluster_args();
        all.extend(["-n".into(), self.namespace.clone().into()]);
        all.extend(args.iter().map(OsString::from));
        self.line(&all)
    }

    /// The command as text to paste into a shell.
    fn line(&self, args: &[OsString]) -> String {
        let words: Vec<_> = std::iter::once(self.program.as_os_str())
            .chain(args.iter().map(OsString::as_os_str))
            .map(OsStr::to_string_lossy)
            .collect();
        shlex::try_join(words.iter().map(AsRef::as_ref)).unwrap_or_else(|_| words.join(" "))
    }

    async fn execute(
        &self,
        args: &[OsString],
        input: Option<Vec<u8>>,
        patience: TimeLimits,
        mut recording: Recording,
    ) -> Result<Vec<u8>, KubectlError> {
        let (mut child, mut group) = match self.spawn(args, input.is_some()) {
            Ok(started) => started,
            Err(error) => {
                recording.end(false, format!("not started: {error}"));
                return Err(self.not_started(&error));
            }
        };
        let _writing = child.stdin.take().zip(input).map(|(mut stdin, input)| {
            AbortOnDropHandle::new(tokio::spawn(async move {
                // Fails only when kubectl has ended, which says why.
                let _ = stdin.write_all(&input).await;
            }))
        });
        let answer = match read_output(&mut child, &group, &mut recording, patience).await {
            Ok(Ended::Finished(answer)) => answer,
            Ok(Ended::TooSlow {
                waited,
                stderr,
                login,
            }) => {
                recording.end(
                    false,
                    format!("killed after {} s", waited.as_secs_f64().round()),
                );
                return Err(too_slow(waited, words_of(&stderr), login));
            }
            Err(error) => {
                recording.end(false, format!("lost: {error}"));
                let failure = Failure::new("The output of kubectl could not be read", "Try again")
                    .with_details(error.to_string());
                return Err(KubectlError::new(KubectlFault::Other, failure));
            }
        };
        group.release();
        self.evaluate(answer, recording)
    }

    fn spawn(&self, args: &[OsString], with_input: bool) -> io::Result<(Child, Group)> {
        let mut command = Command::new(&self.program);
        self.hide_from(&mut command);
        command
            .args(args)
            .envs(
                RUNTIME
                    .iter()
                    .filter(|(name, _)| self.variable(name).is_none())
                    .copied(),
            )
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(if with_input {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Group::start(&mut command)
    }

    /// Removes the variables with secrets from a program's environment.
    pub(super) fn hide_from(&self, command: &mut Command) {
        for name in &self.hidden {
            command.env_remove(name);
        }
    }

    /// The value of a variable in kubectl's environment.
    fn variable(&self, name: &str) -> Option<OsString> {
        let own = self
            .env
            .iter()
            .rev()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.clone());
        own.or_else(|| std::env::var_os(name))
            .filter(|value| !value.is_empty())
    }
}

/// Expands a leading `~/`, since no shell does.
pub(crate) fn with_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
