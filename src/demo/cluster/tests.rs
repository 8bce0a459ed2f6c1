//! The made-up cluster answers kubectl commands as a real one does.

use super::objects::OLD;
use super::*;

fn ask(line: &str) -> KubectlOutput {
    answer(
        &line
            .split_whitespace()
            .map(OsString::from)
            .collect::<Vec<_>>(),
    )
}

fn ask_json(line: &str) -> Value {
    let answer = ask(line);
    assert_eq!(answer.code, 0, "{line}: {}", answer.stderr);
    serde_json::from_slice(&answer.stdout).unwrap()
}

#[test]
fn the_handbooks_questions_are_answered() {
    let list = ask_json("-n sambastack get bundledeployment -o json");
    assert_eq!(list["items"].as_array().unwrap().len(), OLD.len());
    let one = ask_json("get bundledeployment bd-retrieval -n sambastack -o json");
    assert_eq!(one["spec"]["bundle"], "b-retrieval");
    let bundle = ask_json("get bundle b-retrieval --namespace=sambastack -o=json");
    assert!(bundle["spec"]["models"]["E5-Mistral-7B-Instruct"].is_object());
    let table = String::from_utf8(ask("-nsambastack get pods").stdout).unwrap();
    let row = table
        .lines()
        .find(|line| line.starts_with("inf-bd-qwen-nightly-cache-0 "))
        .unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>()[1..],
        ["0/1", "ImagePullBackOff", "0", "21d"]
    );
    assert!(table.contains("inf-bd-llama-4-maverick-17b-128-f0968391-q-default-n-0"));
}

#[test]
fn what_is_not_there_is_refused_as_kubectl_refuses_it() {
    for (line, stderr) in [
        (
            "get nope",
            "error: the server doesn't have a resource type \"nope\"\n",
        ),
        (
            "get bundle nope -o json",
            "Error from server (NotFound): bundles.sambanova.ai \"nope\" not found\n",
        ),
        (
            "get pods --context prod",
            "Error in configuration: context was not found for specified context: prod\n",
        ),
        (
            "get --raw /apis/nope",
            "Error from server (NotFound): the server could not find the requested resource\n",
        ),
        (
            "get --raw /api/v1/namespaces/x",
            "Error from server (NotFound): namespaces \"x\" not found\n",
        ),
        ("frob", "error: unknown command \"frob\" for \"kubectl\"\n"),
        ("get pods -n", "error: flag needs an argument: -n\n"),
        ("get --frob", "error: unknown flag: --frob\n"),
    ] {
        assert_eq!(
            ask(line),
            KubectlOutput {
                stderr: stderr.to_owned(),
                code: 1,
                ..KubectlOutput::default()
            },
            "{line}"
        );
    }
    let empty = ask("-n elsewhere get pods");
    assert_eq!(
        (empty.code, empty.stderr.as_str()),
        (0, "No resources found in elsewhere namespace.\n")
    );
}

#[test]
fn configuration_and_versions_are_told() {
    assert_eq!(
        ask_json("config view -o json --minify")["clusters"][0]["cluster"]["server"],
        SERVER
    );
    assert_eq!(ask("config get-contexts -o name").stdout, b"demo\n");
    assert_eq!(
        ask_json("version --client -o json")["clientVersion"]["gitVersion"],
        VERSION
    );
    assert_eq!(
        ask_json("get --raw /version --request-timeout 5s")["gitVersion"],
        VERSION
    );
    assert_eq!(ask("auth can-i list pods").code, 0);
}

#[test]
fn a_watch_goes_on_from_the_list_and_refuses_any_other_version() {
    let watching = |query: &str| {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?{query}");
        watch(&["get".into(), "--raw".into(), path.into()])
    };
    let from = |version: &str| {
        watching(&format!(
            "watch=true&resourceVersion={version}&timeoutSeconds=9"
        ))
        .unwrap()
    };
    assert_eq!(
        (from("1").first.len(), from("1").lasts),
        (0, Duration::from_secs(9))
    );
    assert_eq!(from("0").first.len(), pods().len());
    assert!(from("77").first[0].contains("\"code\":410") && from("77").lasts.is_zero());
    assert_eq!(watching("limit=5"), None);
    assert_eq!(watch(&["get".into(), "pods".into()]), None);
}
