//! The door to kubectl: a subprocess that is asked, bounded, and never left behind.

mod process;
mod start;
mod stream;
mod turns;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use self::process::{Answer, Ended, Patience, converse, words_of};
use super::activity::{Recorder, Recording};
use crate::domain::environment::{ClusterAccess, KEY_VARIABLE};
use crate::domain::failure::{Advice, Failure};
use crate::domain::units;
use crate::protocol::ActivityKind;
use crate::wire::kubectl::{KubectlFault, credentials, explain, missing_credentials};

pub(crate) use process::Group;
pub use stream::Lines;
pub use turns::Turns;

/// No list of pods comes near; without a bound a wrong path could fill the memory.
const MOST_OUTPUT: usize = 256 << 20;
/// How long a question may take unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a credential plugin may wait for somebody who sees what it says: long enough to open a page, type a code and
/// confirm it on a telephone.
pub const LOGIN: Duration = Duration::from_secs(180);
/// A plugin that failed after less has waited for nobody.
const QUICK: Duration = Duration::from_secs(5);

/// For Go's runtime: kubectl's start is most of its work, and several start at once. With fewer collections and threads
/// each takes a third less of the processor. And for its connections: a silent one is tested, so that a server that has
/// stopped answering, or a connection that a firewall has forgotten, ends a watch after 13 s instead of 45.
const RUNTIME: [(&str, &str); 4] = [
    ("GOGC", "400"),
    ("GOMAXPROCS", "1"),
    ("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "8"),
    ("HTTP2_PING_TIMEOUT_SECONDS", "5"),
];

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
    /// Variables that hold API keys and the like: neither kubectl nor the plugins it runs are given them.
    pub hidden: Vec<String>,
    /// How long a question may take.
    pub patience: Duration,
    /// The same while a credential plugin waits for somebody to log in.
    pub login: Duration,
    /// Whose turn it is where a credential plugin may ask for a login; shared by all kubectls of an environment.
    pub turns: Turns,
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
                _ => Kubeconfig::Usual,
            },
            context: context.clone().filter(|context| !context.is_empty()),
            namespace: namespace.clone(),
            env: Vec::new(),
            hidden: vec![KEY_VARIABLE.to_owned()],
            patience: PATIENCE,
            login: LOGIN,
            turns: Turns::default(),
            recorder,
        }
    }

    /// A program that answers as kubectl would, from a cluster of its own: the demo's twin.
    pub fn twin(
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
        // What reads only files starts no plugin.
        let local = args.first().is_some_and(|arg| arg.as_ref() == "config");
        let plugin = !local && self.may_start_a_plugin();
        let turn = if plugin {
            self.turns.take().await?
        } else {
            None
        };
        // kubectl's own time-out would go on while somebody logs in.
        let told = if turn.is_some() {
            deadline.max(self.login)
        } else {
            deadline
        };
        let args = self.arguments(args, told);
        let recording = self.recorder.begin(ActivityKind::Kubectl, self.line(&args));
        let patience = Patience {
            deadline,
            login: plugin.then_some(self.login),
        };
        let outcome = self.ask(&args, patience, recording).await;
        if plugin {
            self.turns.ended(turn, &outcome);
        }
        match outcome {
            Err(error) if error.fault == KubectlFault::Unauthorized => {
                Err(self.with_expiry(error).await)
            }
            outcome => outcome,
        }
    }

    /// Says what in the kubeconfig has expired, if that is why the server refused it.
    async fn with_expiry(&self, mut error: KubectlError) -> KubectlError {
        let mut args = self.reach();
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
        let patience = Patience {
            deadline: Duration::from_secs(5),
            login: None,
        };
        // What cannot be read is said by others.
        let printed = self
            .ask(&args, patience, recording)
            .await
            .unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        if let Some(expired) = credentials::expired(&printed, jiff::Timestamp::now()) {
            error.failure.summary = format!("{}: {expired}", error.failure.summary);
        }
        error
    }

    /// Asks kubectl a question that it answers with a word on standard output; its exit code may be that of
    /// a failure, as `auth can-i` has it for `no`.
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

    /// Asks kubectl what needs neither a kubeconfig nor a cluster.
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
        self.ask(
            &args,
            Patience {
                deadline,
                login: None,
            },
            recording,
        )
        .await
    }

    /// Whether other programs may ask the same cluster beside kubectl: no credential plugin would ask for a login.
    pub fn needs_no_login(&self) -> bool {
        self.turns.is_fresh() || !self.may_start_a_plugin()
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
        patience: Patience,
        mut recording: Recording,
    ) -> Result<Vec<u8>, KubectlError> {
        let (mut child, mut group) = match self.spawn(args) {
            Ok(started) => started,
            Err(error) => {
                recording.end(false, format!("not started: {error}"));
                return Err(self.not_started(&error));
            }
        };
        let answer = match converse(&mut child, &group, &mut recording, patience).await {
            Ok(Ended::Answered(answer)) => answer,
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
                let failure = Failure::new("kubectl could not be read", "Try again")
                    .with_details(error.to_string());
                return Err(KubectlError::new(KubectlFault::Other, failure));
            }
        };
        group.forgive();
        self.judge(answer, recording)
    }

    fn spawn(&self, args: &[OsString]) -> io::Result<(Child, Group)> {
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
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Group::start(&mut command)
    }

    /// Takes the variables with secrets out of a program's environment.
    pub(super) fn hide_from(&self, command: &mut Command) {
        for name in &self.hidden {
            command.env_remove(name);
        }
    }

    /// The exit code first: a failed question may well print a valid and empty list.
    fn judge(&self, answer: Answer, recording: Recording) -> Result<Vec<u8>, KubectlError> {
        let Answer {
            stdout,
            stderr,
            status,
        } = answer;
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
        // It told somebody what to do, and waited for it.
        let waited = recording.has_spoken() && recording.elapsed() >= QUICK;
        recording.end(false, told.clone());
        let words = words_of(&stderr);
        let (fault, failure) = missing_credentials(&stdout).unwrap_or_else(|| {
            self.explained(if words.is_empty() { &told } else { &words }, waited)
        });
        Err(KubectlError::new(fault, failure))
    }

    /// kubectl's words, with what Batida knows besides. `waited`: what was said was told while kubectl waited.
    fn explained(&self, words: &str, waited: bool) -> (KubectlFault, Failure) {
        let (fault, mut failure) = explain(words);
        match fault {
            KubectlFault::PluginFailed if waited => {
                failure.summary =
                    format!("The login was not finished: {}", lowered(&failure.summary));
                let told = Failure::new(failure.summary, LOG_IN).with_details(failure.details);
                (KubectlFault::LoginUnfinished, told)
            }
            KubectlFault::Refused | KubectlFault::ProxyAuth | KubectlFault::ProxyRefused => {
                if let Some((variable, proxy)) = self.proxy() {
                    let before = format!("kubectl may go through the proxy {proxy} ({variable}). ");
                    failure.advice.insert_str(0, &before);
                    failure.cli_advice = failure
                        .cli_advice
                        .map(|advice| format!("{before}{advice}").into());
                }
                (fault, failure)
            }
            fault => (fault, failure),
        }
    }

    /// The proxy that kubectl is told of, without a password, and by which variable.
    fn proxy(&self) -> Option<(&'static str, String)> {
        let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
        let (name, value) = names
            .iter()
            .find_map(|name| Some((*name, self.variable(name)?)))?;
        let value = value.to_string_lossy();
        let place = value.rsplit('@').next().unwrap_or_default();
        let place = place.split_once("://").map_or(place, |(_, place)| place);
        Some((name, place.trim_end_matches('/').to_owned()))
    }

    /// As kubectl will see it.
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

/// A leading `~/` is the home folder: no shell stands between to expand it.
pub(crate) fn with_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// What to do about a login that was not finished.
const LOG_IN: &str = "Try again and do what the plugin says (see the details), or log in once in a terminal, e.g. with kubectl \
                      get pods";

/// `login`: a credential plugin was waiting for somebody. `words` is what was said until then.
fn too_slow(waited: Duration, words: String, login: bool) -> KubectlError {
    let seconds = units::counted(waited.as_secs_f64().round() as usize, "second");
    let (fault, summary, advice): (_, _, Advice) = if login {
        (
            KubectlFault::LoginUnfinished,
            format!(
                "The kubeconfig's credential plugin waited {seconds} for a login that nobody finished"
            ),
            LOG_IN.into(),
        )
    } else {
        (
            KubectlFault::Deadline,
            format!(
                "kubectl had no answer after {} s and was stopped",
                waited.as_secs_f64().round()
            ),
            Advice::rerun_kubectl(
                "Is the VPN on? A credential plugin that waits without a word looks like this too",
            ),
        )
    };
    KubectlError::new(fault, Failure::new(summary, advice).with_details(words))
}

/// To go on a sentence with.
fn lowered(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

fn bytes(count: usize) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests;
