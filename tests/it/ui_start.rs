//! The first start, the side bar, the command palette, and what a restart brings back.

use std::time::{Duration, Instant};

use batida::demo::api::DEMO_KEY;
use batida::domain::environment::{EnvId, Environment, KeyPlace};
use batida::domain::workspace::Page;
use batida::protocol::{Answer, ClusterAnswer, Contexts, Event};
use batida::state::State;
use batida::state::cluster::ClusterAction;
use batida::state::history::Clock;
use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::api::Api;
use crate::support::environments::api_env;
use crate::support::window::{PATIENCE, SMALL, Setup, Window};

const DEMO: &str = "Demo: simulated models";

fn page(window: &mut Window) -> Page {
    window.state_mut().state().page
}

#[test]
fn a_first_start_offers_a_cluster_an_api_and_the_demo_until_one_is_chosen() {
    let mut window = Window::first_start();
    for title in ["Connect a cluster", "Connect an API", "Try the demo"] {
        window.see(title);
    }
    assert!(!window.shows(DEMO), "it is no page of the demo");
    let mut window = window.restart();
    window.see("Connect a cluster");
    window.click("Open the demo");
    window.see("Model: Meta-Llama-3.3-70B-Instruct");
    let mut window = window.restart();
    window.see("Model: Meta-Llama-3.3-70B-Instruct");
    assert!(!window.shows("Connect a cluster"));
    for _ in ["the button", "the key"] {
        window.click("Help");
        window.see("Connect a cluster");
        window.click("Playground");
        window.see("Chat with a deployed model");
        window.key_press(Key::F1);
        window.see("Connect a cluster");
        window.click("Playground");
    }
}

#[test]
fn the_side_bar_has_room_for_every_page_in_a_window_that_is_zoomed() {
    let mut window = Window::on_demo();
    // About 1440×900 at the zoom of 200 %.
    window.set_size(vec2(740.0, 450.0));
    window.run_steps(3);
    let page = window.button("Environments").rect();
    // Its name has a number while something runs.
    let foot = window.get_by_label_contains("Activity").rect();
    assert!(page.bottom() <= foot.top(), "{page} {foot}");
    window.see("Latency");
    // Its first letters would stand under the button beside it.
    assert!(!window.shows("deployed · live"), "{}", window.told());
}

#[test]
fn the_contexts_of_the_kubeconfig_are_offered_at_once() {
    let mut window = Window::first_start();
    let listing = EnvId("welcome#contexts".to_owned());
    let found = |window: &mut Window| {
        let state = window.state_mut().state();
        let known = state
            .environments
            .connection_of(&listing)
            .map(|it| &it.cluster.contexts);
        known.is_some_and(|contexts| contexts.failure().is_some() || contexts.value().is_some())
    };
    // The kubeconfig of the machine that runs the tests is read, or is missing; then another one is given.
    let deadline = Instant::now() + PATIENCE;
    while !found(&mut window) {
        assert!(Instant::now() < deadline, "nobody asked for the contexts");
        window.step();
    }
    let state = window.state_mut().state();
    let asked = Environment::blank(listing.clone(), "welcome");
    let list = ClusterAction::ListContexts(Box::new(asked));
    let clock = Clock {
        now: Duration::ZERO,
        today: jiff::Timestamp::UNIX_EPOCH,
    };
    state.act(list.into(), clock, &mut Vec::new());
    let contexts = |state: &State| {
        state
            .environments
            .connection_of(&listing)
            .map(|it| it.cluster.contexts.job())
    };
    let job = contexts(state).flatten().expect("it is asked");
    let names = ["east", "west"].map(str::to_owned).to_vec();
    let current = Some("west".to_owned());
    state.apply(
        Event::Answered {
            job,
            answer: Answer::Cluster(ClusterAnswer::Contexts(Ok(Contexts { names, current }))),
            took: Duration::ZERO,
        },
        Duration::ZERO,
    );
    window.see("current context");
    assert!(window.has_button("Connect west"));
    window.click("Connect east");
    window.see("The cluster, the API and the key");
    window.until("it is in the settings file", |window| {
        window.saved().environments.len() == 2
    });
    let saved = window.saved();
    let cluster = saved.current().cluster.as_ref().expect("it has a cluster");
    assert_eq!(cluster.context.as_deref(), Some("east"));
    assert_eq!(saved.current().name, "east");
}

#[test]
fn an_api_is_connected_from_the_welcome_page_by_its_address() {
    let api = Api::quick();
    let mut window = Window::first_start();
    window.click("Connect API");
    window.see("type the API's address");
    window.type_into("API domain", "ftp://x");
    window.see("ftp:// is not an API address");
    window.type_into("API domain", &api.address.text());
    window.state_mut().state().environments.has_keychain = Some(false);
    window.step();
    let variable = "Environment variable with the API key";
    for key in ["sk-1234567890", "sk_live_1234567890"] {
        window.type_into(variable, key);
        window.see("not the key itself");
        window.click("Connect API");
        assert_eq!(
            page(&mut window),
            Page::Welcome,
            "a key is taken for no name"
        );
    }
    window.type_into(variable, "");
    window.click("Connect API");
    window.until("the Playground is shown", |window| {
        window.shows("Chat with a deployed model")
    });
    window.until("it is in the settings file", |window| {
        window.saved().environments.len() == 2
    });
    let saved = window.saved();
    assert_eq!(saved.current().api.as_ref(), Some(&api.address));
    assert_eq!(saved.current().key, KeyPlace::None, "no key was typed");
    let mut window = window.restart();
    window.see("Chat with a deployed model");
    assert!(!window.shows("Connect a cluster"), "once is enough");
}

#[test]
fn the_demo_says_that_it_is_one_on_every_page() {
    let api = Api::quick();
    let mut window = Window::on(api_env(&api.address), Some(DEMO_KEY));
    window.see("Model: quick");
    for on_demo in [false, true] {
        if on_demo {
            window.pick("Switch environment", "Demo");
        }
        for name in [
            "Playground",
            "Benchmark",
            "History",
            "Deployments",
            "Environments",
        ] {
            window.click(name);
            window.step();
            assert_eq!(window.shows(DEMO), on_demo, "on {name}");
        }
    }
}

#[test]
fn the_environment_is_switched_on_any_page() {
    let api = Api::quick();
    let mut window = Window::open(Setup {
        size: SMALL,
        env: Some((api_env(&api.address), Some(DEMO_KEY))),
        ..Setup::default()
    });
    window.see("Model: quick");
    for name in ["Benchmark", "Deployments", "History"] {
        window.click(name);
        window.pick("Switch environment", "Demo");
        window.see("Switch environment: Demo");
        window.pick("Switch environment", "mine");
        window.see("Switch environment: mine");
    }
    assert_eq!(page(&mut window), Page::History, "the page stays");
    window.open_picker("Switch environment");
    window
        .line("Manage environments…")
        .expect("the last line")
        .click();
    window.see("The cluster, the API and the key");
}

fn open_palette(window: &mut Window, typed: &str) {
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    window.until("the palette is open", |window| {
        window.shows("Command palette search")
    });
    window.type_into("Command palette search", typed);
}

#[test]
fn the_palette_goes_to_pages_models_conversations_and_actions() {
    let mut window = Window::on_demo();
    window.ask("Say something");
    window.see("Figures: ");
    open_palette(&mut window, "hist");
    window.see("Page: History");
    window.key_press(Key::Enter);
    window.see("Every chat request");
    open_palette(&mut window, "gpt-oss-120");
    window.see("Model: gpt-oss-120b");
    window.key_press(Key::Enter);
    window.until("the model is picked", |window| {
        window.has_button("Model: gpt-oss-120b")
    });
    assert_eq!(page(&mut window), Page::Playground);
    open_palette(&mut window, "new conv");
    window.key_press(Key::Enter);
    window.see("No messages yet");
    window.click("Benchmark");
    open_palette(&mut window, "say something");
    window.see("Conversation: Say something");
    window.key_press(Key::Enter);
    window.see("You asked: Say something");
    open_palette(&mut window, "run bench");
    window.key_press(Key::Enter);
    window.see("Benchmark, running");
    open_palette(&mut window, "stop bench");
    window.key_press(Key::Enter);
    open_palette(&mut window, "light theme");
    window.key_press(Key::Enter);
    window.until("it is light", |window| {
        window.ctx.theme() == egui::Theme::Light
    });
    open_palette(&mut window, "no such thing at all");
    window.see("No matches");
    window.key_press(Key::Escape);
    window.until("it is closed", |window| {
        !window.shows("Command palette search")
    });
}

#[test]
fn a_deployments_sign_differs_in_shape_and_it_leads_to_what_can_be_done() {
    let mut window = Window::on_demo();
    window.click("Deployments");
    window.see("live");
    let signs = |window: &Window, label: &str| window.query_all_by_label(label).count();
    window.until("all are read", |window| signs(window, "broken") >= 5);
    for (label, least) in [
        ("serving", 4),
        ("serving with problems", 2),
        ("starting", 1),
        ("not deployed", 1),
    ] {
        assert!(signs(&window, label) >= least, "{label}");
    }
    window.click("md-deepseek-canary, Deploying");
    window.see("Likely cause");
    let chat = window.button("Chat");
    assert!(chat.accesskit_node().is_disabled(), "nothing would answer");
    window.click("Copy diagnosis");
    // There is no clipboard here: either way the user is told.
    window.until("it is told", |window| {
        window.shows("Diagnosis copied") || window.shows("clipboard")
    });
    window.click("View logs");
    window.see("Log of inf in inf-md-deepseek-canary-q-default-n-0");
    window.click("md-qwen3, Deployed");
    window.click("Chat");
    window.see("Deployment: md-qwen3");
    window.see("Model: Qwen3-32B");
    assert_eq!(page(&mut window), Page::Playground);
    window.click("Deployments");
    window.until("the buttons of its details", |window| {
        window.query_all_by_label("Benchmark").count() == 2
    });
    window
        .query_all_by_label("Benchmark")
        .last()
        .expect("two")
        .click();
    window.see("Models: Qwen3-32B");
    assert_eq!(page(&mut window), Page::Benchmark);
}

#[test]
fn a_new_environment_shows_no_error_before_anything_is_typed() {
    let api = Api::quick();
    let mut window = Window::on_demo();
    window.click("Environments");
    window.click("Add");
    window.see("not configured");
    window.see("Connect to a cluster (kubectl)");
    for words in ["Enter an API key", "is not set", "is missing"] {
        assert!(!window.shows(words), "{}", window.told());
    }
    assert!(
        !window.field("Namespace").accesskit_node().is_disabled(),
        "the cluster is a section that is always seen"
    );
    window.type_into("API domain", &api.address.text());
    window.click("API key");
    window.click("No key needed");
    window.click("Save");
    window.click("Open Playground");
    window.see("Model: quick");
}

#[test]
fn a_cluster_that_is_named_is_connected_without_a_tick() {
    let mut window = Window::on_demo();
    window.click("Environments");
    window.click("Add");
    window.see("not configured");
    window.type_into("Namespace", "team-a");
    let ticked = window.button("Connect to a cluster (kubectl)");
    assert_eq!(
        ticked.accesskit_node().toggled(),
        Some(egui::accesskit::Toggled::True)
    );
}

#[test]
fn a_restart_brings_back_the_page_and_the_conversation() {
    let mut window = Window::on_demo();
    window.ask("Say something");
    window.see("Figures: ");
    window.click("Benchmark");
    let mut window = window.restart();
    window.see("Load a deployed model");
    assert_eq!(page(&mut window), Page::Benchmark);
    window.click("Playground");
    window.see("You asked: Say something");
    window.see("Figures: ");
    window.ask("And more");
    window.see("You asked: And more");
}

#[test]
fn a_restart_brings_back_a_comparison_in_its_panes() {
    let mut window = Window::on_demo();
    window.compare();
    window.ask("Say something");
    let texts = |window: &mut Window| -> Vec<Vec<String>> {
        let panes = window.state_mut().state().panes();
        let answers = |index| {
            let turns = panes.chat(index).turns().iter();
            turns.map(|turn| turn.answer.reply.text.clone()).collect()
        };
        (0..panes.count()).map(answers).collect()
    };
    let before = texts(&mut window);
    assert!(before.len() == 2 && before[0] != before[1], "{before:?}");
    let mut window = window.restart();
    window.until("both are there", |window| {
        window
            .query_all_by_label("You asked: Say something")
            .count()
            >= 1
    });
    let deadline = Instant::now() + PATIENCE;
    while texts(&mut window) != before {
        assert!(Instant::now() < deadline, "{:?}", texts(&mut window));
        window.step();
    }
}
