//! kubectl runs: exit codes, output, limits, and processes that are left behind.

use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use tokio::time::Instant;

use super::*;
use crate::domain::environment::EnvId;
use crate::protocol::Activity;

fn shell(script: &str) -> Kubectl {
    let prefix = ["-c".into(), script.into(), "kubectl".into()].into();
    Kubectl::simulated(
        "/bin/sh".into(),
        prefix,
        "n",
        Recorder::silent(EnvId::demo()),
    )
}

async fn run(kubectl: &Kubectl) -> Result<Vec<u8>, KubectlError> {
    kubectl.run(&["get"], Duration::from_secs(10)).await
}

#[tokio::test]
async fn the_exit_code_counts_before_what_was_printed() {
    let error = run(&shell(
        "echo '{\"items\":[]}'; echo 'error: no' >&2; exit 1",
    ))
    .await
    .unwrap_err();
    assert_eq!(error.failure.summary, "kubectl failed: no");
    let error = run(&shell("echo rubbish; exit 3")).await.unwrap_err();
    assert_eq!(
        error.failure.summary,
        "kubectl failed without an error message (exit 3)"
    );
    assert!(!error.failure.advice.contains("details"), "{error:?}");
    assert_eq!(
        run(&shell("echo yes; echo 'Warning: x' >&2"))
            .await
            .unwrap(),
        b"yes\n"
    );
}

#[tokio::test]
async fn what_goes_on_is_read_line_by_line() {
    let mut lines = shell("echo a; printf 'b\\n\\nlast'; echo noise >&2")
        .follow(&["get"])
        .await
        .unwrap();
    let mut told = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        told.push(String::from_utf8(line).unwrap());
    }
    assert_eq!(told, ["a", "b", "", "last"]);
    let mut lines = shell("echo a; echo 'error: no' >&2; exit 1")
        .follow(&["get"])
        .await
        .unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), b"a");
    assert_eq!(
        lines.next().await.unwrap_err().failure.summary,
        "kubectl failed: no"
    );
    let mut endless = shell("while :; do echo on; sleep 0.01; done")
        .follow(&["get"])
        .await
        .unwrap();
    assert_eq!(endless.next().await.unwrap().unwrap(), b"on");
}

#[tokio::test]
async fn standard_input_is_closed() {
    assert_eq!(run(&shell("cat; echo done")).await.unwrap(), b"done\n");
}

#[tokio::test]
async fn what_kubectl_leaves_behind_does_not_hold_us() {
    let began = Instant::now();
    let error = run(&shell("(sleep 20 & echo $! >&2); exit 1"))
        .await
        .unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    let pid: i32 = error.failure.details.trim().parse().unwrap();
    // Ours to end: it was started by this test.
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).ok();
}

#[tokio::test]
async fn much_is_read_whole_and_stderr_by_its_end() {
    let kubectl = shell("head -c 3000000 /dev/zero; yes word | head -c 1000000 >&2; echo last >&2");
    assert_eq!(run(&kubectl).await.unwrap().len(), 3_000_000);
    let error = run(&shell(
        "yes word | head -c 1000000 >&2; echo last >&2; exit 1",
    ))
    .await
    .unwrap_err();
    assert_eq!(error.failure.summary, "kubectl failed: last");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_apart() {
    let access = ClusterAccess {
        kubectl: Some("/nowhere/kubectl".into()),
        ..ClusterAccess::default()
    };
    let kubectl = Kubectl {
        kubeconfig: Kubeconfig::BuiltIn,
        ..Kubectl::new(&access, Recorder::silent(EnvId::demo()))
    };
    let error = run(&kubectl).await.unwrap_err();
    assert_eq!(
        (error.fault, error.failure.summary.as_str()),
        (
            KubectlFault::ProgramMissing,
            "kubectl was not found at /nowhere/kubectl"
        )
    );
    let kubectl = Kubectl {
        program: "no-such-kubectl".into(),
        ..kubectl
    };
    assert_eq!(
        run(&kubectl).await.unwrap_err().failure.summary,
        "kubectl was not found"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let kubectl = Kubectl {
        program: file.path().to_owned(),
        ..kubectl
    };
    assert_eq!(
        run(&kubectl).await.unwrap_err().fault,
        KubectlFault::ProgramBroken
    );
}

#[tokio::test]
async fn a_kubeconfig_that_is_not_there_is_said_before_kubectl_asks_localhost() {
    let usual = |env: &[(&str, &str)]| {
        let env = env
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Kubectl {
            kubeconfig: Kubeconfig::Default,
            env,
            ..shell("echo asked")
        }
    };
    let error = run(&usual(&[("KUBECONFIG", "~/x:/nowhere")]))
        .await
        .unwrap_err();
    assert_eq!(
        error.failure.summary,
        "KUBECONFIG points to ~/x and /nowhere, which does not exist (kubectl does not expand ~)"
    );
    let error = run(&usual(&[("KUBECONFIG", ""), ("HOME", "/nowhere")])).await;
    // Set to nothing is as good as not set, but the tests' own environment may have one.
    if std::env::var_os("KUBECONFIG").is_none()
        && std::env::var_os("KUBERNETES_SERVICE_HOST").is_none()
    {
        assert_eq!(
            error.unwrap_err().failure.summary,
            "No kubeconfig found: /nowhere/.kube/config does not exist"
        );
    }
    assert!(
        run(&usual(&[("KUBECONFIG", "/nowhere:/dev/null")]))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn each_run_is_written_down_as_a_line_to_paste() {
    let told: Arc<Mutex<Vec<Activity>>> = Arc::default();
    let recorder = {
        let told = Arc::clone(&told);
        Recorder::new(EnvId::demo(), move |activity| told.lock().push(activity))
    };
    let access = ClusterAccess {
        kubectl: Some("/bin/echo".into()),
        kubeconfig: Some("/tmp/my config".into()),
        context: Some("it's".into()),
        ..ClusterAccess::default()
    };
    run(&Kubectl::new(&access, recorder)).await.unwrap();
    let told = told.lock();
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
