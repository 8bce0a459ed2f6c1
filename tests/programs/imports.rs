//! Environments of SambaWiz and of kubeconfigs, which real kubectl reads.

use std::fs;
use std::path::{Path, PathBuf};

use batida::domain::environment::KeyPlace;
use batida::engine::imports::read;
use egui_kittest::kittest::NodeT as _;

use crate::kube::{Cluster, Kube, kubectls};
use crate::support::api::Api;
use crate::support::dropped::{KEY, drop_file, sambawiz, ticked};
use crate::support::environments::{cluster_env, runtime};
use crate::support::window::Window;

#[test]
fn sambawiz_environments_are_looked_at_before_they_are_added() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let api = Api::quick();
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::copy(kube.kubeconfig(), dir.path().join("prod.yaml")).expect("it can be copied");
    let file = sambawiz(dir.path(), "prod.yaml", api.address.root());
    let mut window = Window::start();
    window.see("Switch environment: Demo");
    // There may or may not be a keychain: the test knows what becomes of a key without one.
    window.state_mut().state().environments.has_keychain = Some(false);
    window.click("Environments");
    window.click("Import…");
    window.type_into("File to import", &file.display().to_string());
    window.click("Read file");
    window.see("3 environments in SambaWiz's app-config.json");
    assert_eq!(
        (ticked(&window, "prod"), ticked(&window, "broken")),
        (Some(true), Some(false))
    );
    assert_eq!(ticked(&window, "Demo"), Some(false), "{}", window.told());
    window.see("An environment with this name exists; this one is added as Demo 2");
    window.see("gone.yaml does not exist");
    window.see("Cannot be added: its namespace is not valid");
    assert!(window.button("broken").accesskit_node().is_disabled());
    assert!(
        window.shows("includes its key") && !window.told().contains(KEY),
        "{}",
        window.told()
    );
    window.click("Demo");
    window.click("Add 2 environments");
    window.see("2 environments added. Without a keychain their keys are kept until Batida ends");
    window.until("they are saved", |window| {
        window.saved().environments.len() == 3
    });
    let saved = window.saved();
    let prod = saved.by_name("prod").expect("it is there");
    assert!(saved.by_name("Demo 2").is_some());
    let kubeconfig = prod
        .cluster
        .as_ref()
        .and_then(|cluster| cluster.kubeconfig.clone());
    assert_eq!(
        kubeconfig.as_deref(),
        Some(dir.path().join("prod.yaml").as_path())
    );
    assert_eq!(
        prod.key,
        KeyPlace::Variable("SAMBANOVA_API_KEY_PROD".to_owned()),
        "one of its own"
    );
    window.click("Environment prod");
    window.click("Run checks");
    window.see("API key not accepted");
    window.until(
        "the key is not accepted, since it is not the demo's",
        |window| window.shows("The API rejected the key"),
    );
    assert!(!window.told().contains(KEY));
}

#[test]
fn the_contexts_of_a_kubeconfig_are_environments() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let env = cluster_env(&kubectls()[0], &kube.kubeconfig(), "sambastack");
    let mut window = Window::on(env, None);
    window.see("5 of 11 deployed");
    window.click("Environments");
    drop_file(&mut window, &kube.kubeconfig());
    window.see("2 environments in a kubeconfig");
    window.see("its context has no namespace: enter the one that SambaStack runs in");
    window.click("another one");
    window.click("Add 1 environment");
    window.until("it is saved", |window| {
        window.saved().by_name("test").is_some()
    });
    let saved = window.saved();
    let access = saved
        .by_name("test")
        .and_then(|env| env.cluster.clone())
        .expect("it has a cluster");
    assert_eq!(
        (access.context.as_deref(), access.kubeconfig),
        (Some("test"), Some(kube.kubeconfig()))
    );
    assert!(saved.by_name("another one").is_none());
}

#[tokio::test]
async fn files_that_are_something_else_are_told_apart() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let at = |name: &str| dir.path().join(name);
    for (name, text, summary) in [
        ("a.json", "{\"kubeconfigs\":{}}", "has no environments"),
        (
            "b.json",
            "{\"kubeconfigs\":",
            "is not valid JSON, or is truncated",
        ),
        ("c.json", "[1]", "is not a file that Batida recognizes"),
        ("d.yaml", "contexts: {{{", "d.yaml"),
        ("e.yaml", "clusters:\n- name: a\n", "has no contexts"),
        (
            "f.toml",
            "version = 99\n",
            "it was written by a newer version of Batida (file version 99)",
        ),
        (
            "g.toml",
            "version = 1\nselected = \"demo\"\n",
            "has no environments",
        ),
        ("h.txt", "", "is empty"),
    ] {
        std::fs::write(at(name), text).expect("a temporary folder can be written");
        let failure = read(&at(name), Some(kubectls()[0].clone()))
            .await
            .expect_err(name);
        assert!(failure.summary.contains(summary), "{name}: {failure:?}");
        assert!(!failure.advice.is_empty(), "{name}: {failure:?}");
    }
    let failure = read(&at("nowhere"), None)
        .await
        .expect_err("it is not there");
    assert!(
        failure
            .summary
            .ends_with("nowhere cannot be read: it does not exist"),
        "{failure:?}"
    );
    assert!(
        read(dir.path(), None)
            .await
            .expect_err("a folder")
            .summary
            .ends_with("it is a folder")
    );
}

#[tokio::test]
async fn what_kubectl_reads_import_reads_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let kubectl = kubectls()[0].clone();
    let one = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: https://{name}:1\n  name: {name}\ncontexts:\n\
             - context: {{cluster: {name}, user: u, namespace: ns}}\n  name: {name}\nusers: []\n"
        )
    };
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff)
            .chain(one("east").replace('\n', "\r\n").encode_utf16())
            .flat_map(bytes)
            .collect()
    };
    let flow = "{apiVersion: v1, kind: Config, clusters: [{name: east, cluster: {server: \
\"https://a\"}}], contexts: \
                [{name: east, context: {cluster: east, user: u}}]}\n";
    let indented = one("east").replace('\n', "\n  ");
    for (name, content) in [
        ("plain.yaml", one("east").into_bytes()),
        ("le.yaml", utf16(u16::to_le_bytes)),
        ("be.yaml", utf16(u16::to_be_bytes)),
        (
            "bom.yaml",
            [b"\xef\xbb\xbf", one("east").as_bytes()].concat(),
        ),
        (
            "two.yaml",
            format!("---\n{}---\n{}", one("east"), one("west")).into_bytes(),
        ),
        ("flow.yaml", flow.as_bytes().to_vec()),
        (
            "indented.yaml",
            format!("  {}", indented.trim_end()).into_bytes(),
        ),
        (
            "quoted.yaml",
            one("east")
                .replace("contexts:", "\"contexts\" :")
                .replace("clusters:", "'clusters':")
                .into_bytes(),
        ),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, content).expect("it is written");
        let found = read(&path, Some(kubectl.clone()))
            .await
            .unwrap_or_else(|why| panic!("{name}: {why:?}"));
        let names: Vec<&str> = found
            .offers
            .iter()
            .map(|offer| offer.env.name.as_str())
            .collect();
        assert_eq!(names, ["east"], "{name}");
        let told = found.offers[0]
            .remarks
            .iter()
            .any(|remark| remark.contains("2 YAML documents"));
        assert_eq!(
            told,
            name == "two.yaml",
            "{name}: {:?}",
            found.offers[0].remarks
        );
    }
    // As KUBECONFIG has it; kubectl passes over files that are not there.
    fs::write(dir.path().join("west.yaml"), one("west")).expect("it is written");
    let list = ["plain.yaml", "gone.yaml", "west.yaml"]
        .map(|name| dir.path().join(name).display().to_string());
    let found = read(&PathBuf::from(list.join(":")), Some(kubectl.clone()))
        .await
        .expect("both");
    let places: Vec<_> = found
        .offers
        .iter()
        .map(|offer| {
            let kubeconfig = offer
                .env
                .cluster
                .as_ref()
                .and_then(|cluster| cluster.kubeconfig.clone());
            (
                offer.env.name.clone(),
                kubeconfig.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
            )
        })
        .collect();
    let some = |name: &str, file: &str| (name.to_owned(), Some(file.to_owned()));
    assert_eq!(
        places,
        [some("east", "plain.yaml"), some("west", "west.yaml")]
    );
    let none = read(Path::new("/nowhere/a:/nowhere/b"), Some(kubectl))
        .await
        .expect_err("none is there");
    assert!(none.summary.contains("None of the files"), "{none:?}");
}
