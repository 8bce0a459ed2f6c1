//! A deployment's page, found and used by label: what its models are, whether they answer, and what the screen
//! says of each outage. Real kubectl asks a real API server's answers.

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk};
use batida::domain::environment::Environment;
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tokio::runtime::Runtime;

use crate::support::kube::{Cluster, Kube, NAMESPACE, Trouble, kubectls};
use crate::support::window::{Window, api_env, cluster_env, runtime};
use crate::ui::Api;
use crate::ui_bench;

/// A window on a cluster and an API, with a deployment's page open.
pub(crate) struct Page {
    pub(crate) window: Window,
    pub(crate) kube: Kube,
    pub(crate) api: Api,
    pub(crate) runtime: Runtime,
}

impl Page {
    /// The recorded cluster; the API routes these.
    pub(crate) fn open(cluster: Cluster, models: Vec<DemoModel>) -> Self {
        let runtime = runtime();
        let kube = runtime.block_on(Kube::start(cluster));
        let api = Api::start(models);
        let mut window = Window::on(env_of(&kube, &api), Some(DEMO_KEY));
        window.see("of 11 deployed · live");
        window.click("Home");
        window.click("Deployments");
        Self { window, kube, api, runtime }
    }

    fn quick(names: &[&str]) -> Self {
        Self::open(
            Cluster::recorded(),
            names.iter().map(|name| DemoModel::quick(name, Quirk::None)).collect(),
        )
    }
}

pub(crate) fn env_of(kube: &Kube, api: &Api) -> Environment {
    let cluster = cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE).cluster;
    Environment { cluster, ..api_env(&api.address) }
}

const LLAMA: &str = "Meta-Llama-3.1-8B-Instruct";
const GEMMA: &str = "gemma-4-31B-it";
const E5: &str = "E5-Mistral-7B-Instruct";

// Models

#[test]
fn each_model_says_its_sizes_and_whether_it_is_routed() {
    let mut page = Page::quick(&[LLAMA, GEMMA]);
    let window = &mut page.window;
    window.click("llama, Deployed");
    window.see("serving: routed by the API");
    window.see("deployed, but not routed yet");
    window.see("Context up to 128k · lengths 4k, 16k, 128k, each in batches of 1, 2, 4");
    window.click("md-gemma, Deployed");
    window.see("Context up to 128k · batch sizes 8k: 1, 4 · 128k: 1");
    window.see("text, vision · Model gemma-4-31b-it");
    window.click("llama-70b, Deploying");
    window.see("routed by the API, perhaps to another deployment");
    window.see("not routed yet: the deployment is not ready");
}

#[test]
fn sizes_are_asked_for_once_a_page_is_open_and_whoever_may_not_read_them_loses_nothing_else() {
    let cluster = Cluster::with(&["modelprofiles"], Trouble::Forbidden);
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(cluster));
    let api = Api::quick();
    let mut window = Window::on(env_of(&kube, &api), Some(DEMO_KEY));
    window.see("5 of 11 deployed · live");
    let asked = |kube: &Kube, kind: &str| kube.requests().iter().any(|path| path.ends_with(kind));
    assert!(!asked(&kube, "bundletemplates"), "{:?}", kube.requests());
    window.click("Home");
    window.click("Deployments");
    window.click("md-gemma, Deployed");
    window.see("Context length and batch sizes are not known: ");
    assert!(window.shows("modelprofiles") && window.shows("live"), "{}", window.told());
    window.click("llama, Deployed");
    window.see("Context up to 128k");
    assert!(asked(&kube, "bundletemplates"));
}

#[test]
fn before_the_api_was_asked_nobody_says_whether_a_model_is_routed() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let mut window = Window::on(cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE), None);
    window.see("5 of 11 deployed · live");
    window.click("Home");
    window.click("Deployments");
    window.click("md-gemma, Deployed");
    window.see("not looked at yet whether it is routed");
}

// Is it serving?

fn refusing(name: &str) -> DemoModel {
    let quirk = Quirk::Refuses {
        status: 500,
        content_type: "application/json",
        body: "{\"error\":{\"message\":\"the engine is gone\"}}",
        retry_after: None,
    };
    DemoModel::quick(name, quirk)
}

#[test]
fn a_probe_says_when_a_model_answered_or_why_it_does_not() {
    let models =
        vec![DemoModel::quick(GEMMA, Quirk::None), refusing(LLAMA), DemoModel::quick(E5, Quirk::Embeds)];
    let mut page = Page::open(Cluster::recorded(), models);
    let window = &mut page.window;
    window.click("llama, Deployed");
    window.see("serving: routed by the API");
    assert!(!window.shows("Likely cause"), "{}", window.told());
    window.click("Probe its models");
    window.see("no answer at ");
    window.see("answered at ");
    window.see("Likely cause");
    window.see(&format!("The API routes {LLAMA}, but it does not answer: "));
    window.see(" logs inf-llama-q-default-n-0 -c inf ");
    window.click("md-gemma, Deployed");
    window.click(&format!("Probe {GEMMA}"));
    window.see("TTFT ");
    let bodies = page.api.bodies();
    let chats: Vec<_> = bodies.iter().filter(|body| !body["messages"].is_null()).collect();
    assert_eq!(chats.len(), 2, "{bodies:?}");
    assert!(chats.iter().all(|body| body["max_tokens"] == 1), "{chats:?}");
    // No probe is part of the session's figures, nor of the history.
    window.click("Playground");
    window.see("No answers yet");
    window.click("History");
    window.see("Nothing measured yet");
}

#[test]
fn probe_all_asks_each_routed_model_of_what_is_ready_and_can_be_cancelled() {
    let models = vec![
        DemoModel::quick(GEMMA, Quirk::Hangs),
        DemoModel::quick(LLAMA, Quirk::None),
        DemoModel::quick("another", Quirk::None),
    ];
    let mut page = Page::open(Cluster::recorded(), models);
    let window = &mut page.window;
    window.click("md-gemma, Deployed");
    window.see("serving: routed by the API");
    window.click("Probe all");
    window.until("gemma is asked", |window| window.has_button("Cancel"));
    window.click("Cancel probes");
    window.until("nobody is asked", |window| window.has_button("Probe all") && !window.has_button("Cancel"));
    assert!(!window.shows("no answer at"), "who was not waited for is not blamed: {}", window.told());
    let asked: Vec<String> =
        page.api.bodies().iter().filter_map(|body| body["model"].as_str().map(str::to_owned)).collect();
    assert!(asked.iter().all(|model| model != "another"), "{asked:?}");
}

#[test]
fn probes_go_on_by_themselves_when_asked_and_stay_asked() {
    let mut page = Page::quick(&[GEMMA]);
    let window = &mut page.window;
    window.click("md-gemma, Deployed");
    window.see("serving: routed by the API");
    let minutes = |window: &Window| window.field("Minutes between probes").accesskit_node().is_disabled();
    assert!(minutes(window), "off until asked for");
    window.click("Probe every");
    window.see("answered at ");
    window.type_into("Minutes between probes", "3");
    window.key_press(egui::Key::Enter);
    window.run_steps(3);
    let id = window.state_mut().state().env().id.clone();
    window.until("it is saved", |window| window.saved().care.probe_minutes.get(&id) == Some(&3));
    let Page { window, kube: _kube, api: _api, runtime: _runtime } = page;
    let mut window = window.restart();
    window.until("it was probed again", |window| window.shows("of 11 deployed · live"));
    window.click("Home");
    window.click("Deployments");
    window.click("md-gemma, Deployed");
    window.see("answered at ");
    window.click("Probe every");
    window.until("it is saved", |window| window.saved().care.probe_minutes.is_empty());
}

#[test]
fn while_a_benchmark_runs_nothing_is_probed_and_the_page_says_so() {
    let mut window = ui_bench_window();
    let job = ui_bench::run(&mut window, "Concurrency sweep");
    ui_bench::tell(&mut window, job, |script| script.level(0, false));
    window.click("Home");
    window.click("Deployments");
    window.click("md-deepseek-r1, Deployed");
    window.click("Probe every");
    window.see("probes wait for the benchmark");
    let disabled = |window: &Window, name: &str| {
        let all = window.query_all_by_label(name).filter(|node| node.accesskit_node().role() == Role::Button);
        all.into_iter().all(|node| node.accesskit_node().is_disabled())
    };
    assert!(disabled(&window, "Probe all") && disabled(&window, "Probe DeepSeek-R1-0528"));
    assert!(!window.shows("answered at"));
}

fn ui_bench_window() -> Window {
    crate::support::window::on_benchmark()
}

/// `BATIDA_LOOK=DIR cargo test --test it ui_cluster::look` draws the pages there, to be looked at.
#[test]
fn look() {
    let Some(dir) = std::env::var_os("BATIDA_LOOK").map(std::path::PathBuf::from) else { return };
    let mut window = Window::on_demo();
    window.click("Why?");
    window.click("bd-gpt-oss-llama70b, Deployed");
    window.click("Probe its models");
    window
        .until("all have answered", |window| window.query_all_by_label_contains("answered at").count() == 2);
    crate::ui_layout::draw(&mut window, &dir, "models");
    let mut window = Window::on_demo();
    window.see("SambaStack 2.3.2");
    window.click("Home");
    window.click("Run checks");
    window.until("all checks ended", |window| window.has_button("Check again"));
    crate::ui_layout::draw(&mut window, &dir, "home");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = crate::imports::sambawiz(folder.path(), "prod.yaml", "https://api.example.com");
    window.click("Import…");
    crate::ui_layout::draw(&mut window, &dir, "import-empty");
    window.type_into("File to import", &file.display().to_string());
    window.click("Read");
    window.see("3 environments");
    crate::ui_layout::draw(&mut window, &dir, "import");
}
