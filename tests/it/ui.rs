//! The window, used by label: the real engine, the demo's server, the simulated kubectl and the real kubectl.

use std::path::Path;
use std::time::Instant;

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk};
use batida::domain::environment::{ApiAddress, EnvId};
use batida::domain::failure::Failure;
use batida::domain::settings::ThemeChoice;
use batida::snippet::Language;
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::api::Api;
use crate::support::environments::{api_env, cluster_env};
use crate::support::window::{PATIENCE, Window, check_trouble};

/// The texts of the answers so far.
fn answers(window: &mut Window) -> Vec<String> {
    let turns = window.state_mut().state().panes().chat(0).turns();
    turns
        .iter()
        .map(|turn| turn.answer.reply.text.clone())
        .collect()
}

// The chat

#[test]
fn the_demo_has_a_model_picked() {
    let mut window = Window::start();
    window.see("Model: Meta-Llama-3.3-70B-Instruct");
    window.see("Deployment: bd-gpt-oss-llama70b");
    window.see("no problems");
    window.see("6 of 13 deployed · live");
    window.see("No messages yet");
    window.see("No answers yet");
    assert!(
        window.button("Send").accesskit_node().is_disabled(),
        "there is nothing to send yet"
    );
}

#[test]
fn enter_sends_and_the_answer_comes_with_its_figures() {
    let mut window = Window::on_demo();
    window.ask("Say something");
    window.see("You asked: Say something");
    window.see("Figures: ");
    window.see("server ");
    assert_eq!(window.field("Message").value().as_deref(), Some(""));
    for figure in ["Tokens/s", "TTFT", "Latency"] {
        window.until(&format!("the tile {figure} has a figure"), |window| {
            let spoken = format!("{figure} ");
            window.query_all_by_label_contains(&spoken).any(|tile| {
                let told = tile.value().unwrap_or_default();
                told.strip_prefix(&spoken)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            })
        });
    }
    window.see("Time to first token, ms. Meta-Llama-3.3-70B-Instruct: 1 answer, last TTFT");
    window.see("Tokens per second. Meta-Llama-3.3-70B-Instruct: 1 answer, last");
    assert!(window.has_button("Show Meta-Llama-3.3-70B-Instruct in the charts"));
}

#[test]
fn an_answer_is_seen_while_it_streams() {
    let api = Api::slow();
    let mut window = api.window();
    window.say("Write 2000 tokens");
    window.until("a part of it is there", |window| {
        window.shows("Figures: ") && window.has_button("Stop")
    });
    let early = answers(&mut window)[0].len();
    window.until("there is more of it", |window| window.has_button("Stop"));
    for _ in 0..40 {
        window.step();
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let later = answers(&mut window)[0].len();
    assert!(0 < early && early < later, "{early} {later}");
}

#[test]
fn shift_and_enter_breaks_the_line() {
    let api = Api::quick();
    let mut window = api.window();
    window.type_into("Message", "one");
    window.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    window.step();
    window.field("Message").type_text("two");
    window.step();
    assert_eq!(window.field("Message").value().as_deref(), Some("one\ntwo"));
    assert_eq!(api.bodies().len(), 0, "nothing was sent");
    window.key_press(Key::Enter);
    window.until("the answer is complete", |window| window.has_button("Send"));
    assert_eq!(api.bodies()[0]["messages"][1]["content"], "one\ntwo");
}

#[test]
fn send_sends_as_enter_does() {
    let mut window = Api::quick().window_and_self();
    window.1.type_into("Message", "by button");
    window.1.click("Send");
    window.1.see("You asked: by button");
}

/// Stops an answer midway and checks that what had arrived stays.
fn check_stop(stop: impl Fn(&mut Window)) {
    let api = Api::slow();
    let mut window = api.window();
    window.say("Write 2000 tokens");
    window.see("Figures: ");
    stop(&mut window);
    window.see("Stopped");
    let kept = answers(&mut window);
    assert!(!kept[0].is_empty(), "what had arrived stays");
    window.until("the connection is closed", |_| api.last_was_aborted());
    window.run_steps(10);
    assert_eq!(answers(&mut window), kept, "nothing comes after the end");
    assert!(window.has_button("Send") && !window.has_button("Stop"));
    assert!(
        window.shows("No answers yet"),
        "a stopped answer is no figure"
    );
}

#[test]
fn stop_stops_and_keeps_what_arrived() {
    check_stop(|window| window.click("Stop"));
}

#[test]
fn escape_stops_too() {
    check_stop(|window| {
        window.key_press(Key::Escape);
        window.step();
    });
}

#[test]
fn retry_after_a_failure_keeps_the_prompt() {
    let mut window = Window::on_demo();
    window.pick_of_api("gemma-4-31B-it");
    window.ask("one");
    window.ask("two");
    window.ask("three");
    window.see("Too many requests");
    assert_eq!(
        window.query_all_by_label("three").count(),
        1,
        "the prompt stays"
    );
    window.click("Retry");
    window.see("You asked: three");
    assert_eq!(window.query_all_by_label("three").count(), 1);
    assert!(
        !window.shows("Too many requests"),
        "the answer takes the failure's place"
    );
}

#[test]
fn reasoning_folds_and_unfolds() {
    let mut window = Window::on_demo();
    window.pick("Model", "gpt-oss-120b");
    window.ask("Think");
    let thoughts = "there is nothing to work out";
    let head = |window: &Window| {
        let mut folds = window.query_all_by_role(Role::Button);
        let head = folds.find_map(|node| {
            let label = node.accesskit_node().label().unwrap_or_default();
            label.starts_with("Reasoning · ").then_some(label)
        });
        head.unwrap_or_else(|| panic!("no reasoning:\n{}", window.told()))
    };
    let head = head(&window);
    assert!(
        head.contains(" tokens · ") && head.ends_with(" s"),
        "{head}"
    );
    assert!(!window.shows(thoughts), "it is folded at first");
    window.click(&head);
    window.see(thoughts);
    window.click(&head);
    window.until("it is folded again", |window| !window.shows(thoughts));
}

#[test]
fn only_the_parameters_that_are_set_are_sent_and_max_tokens_cuts() {
    let api = Api::quick();
    let mut window = api.window();
    window.click("Parameters");
    window.click("Max tokens");
    window.type_into("Max tokens value", "5");
    window.key_press(Key::Enter);
    window.step();
    window.see("Parameters (1 set)");
    window.click("Parameters (1 set)");
    window.ask("Write 100 tokens");
    window.see("Cut: max tokens or the context's end was reached");
    let body = &api.bodies()[0];
    assert_eq!(body["max_tokens"], 5);
    for unset in [
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "seed",
        "reasoning_effort",
        "chat_template_kwargs",
    ] {
        assert_eq!(body.get(unset), None, "{body}");
    }
}

#[test]
fn the_system_prompt_can_be_edited_and_left_out() {
    let api = Api::quick();
    let mut window = api.window();
    window.ask("one");
    window.click("Parameters");
    window.type_into("System prompt", "Answer in rhyme");
    window.ask("two");
    window.type_into("System prompt", "");
    window.ask("three");
    window.click("Restore default system prompt");
    window.ask("four");
    let first: Vec<_> = api
        .bodies()
        .iter()
        .map(|body| body["messages"][0]["content"].clone())
        .collect();
    assert_eq!(
        first,
        [
            "You are a helpful assistant",
            "Answer in rhyme",
            "one",
            "You are a helpful assistant"
        ]
    );
}

#[test]
fn clear_can_be_undone_and_the_charts_stay() {
    let mut window = Api::quick().window_and_self();
    let window = &mut window.1;
    assert!(
        window.button("Clear").accesskit_node().is_disabled(),
        "there is nothing to clear"
    );
    window.ask("one");
    window.click("Clear");
    window.see("No messages yet");
    assert!(window.has_button("Show quick in the charts"));
    window.click("Undo clear");
    window.see("You asked: one");
    window.click("Clear");
    window.ask("two");
    assert!(
        window.has_button("Clear"),
        "what was begun anew cannot be undone away"
    );
}

#[test]
fn the_legend_hides_and_shows_a_line() {
    let mut window = Window::on_demo();
    window.ask("one");
    window.pick("Model", "gpt-oss-120b");
    window.ask("two");
    let second = "Show gpt-oss-120b in the charts";
    assert!(window.shows("Tokens per second. Meta-Llama-3.3-70B-Instruct: 1 answer"));
    window.see("gpt-oss-120b: 1 answer, last");
    window.click(second);
    window.until("its line is gone", |window| {
        !window.shows("gpt-oss-120b: 1 answer, last")
    });
    assert_eq!(
        window.button(second).accesskit_node().toggled(),
        Some(Toggled::False)
    );
    window.click(second);
    window.see("gpt-oss-120b: 1 answer, last");
    window.click("Reset zoom");
}

/// Drags a chart to the right, so that its newest points are out of sight.
fn drag(window: &mut Window, chart: &str) {
    let at = window
        .query_by_label_contains(chart)
        .expect("there is a chart")
        .rect()
        .center();
    let press = |window: &mut Window, pos: egui::Pos2, pressed: bool| {
        window.event(egui::Event::PointerButton {
            pos,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
        window.step();
    };
    window.hover_at(at);
    window.step();
    press(window, at, true);
    let to = at + egui::vec2(160.0, 0.0);
    for step in 1..5 {
        window.hover_at(at + (to - at) * (step as f32 / 4.0));
        window.step();
    }
    press(window, to, false);
    window.run_steps(2);
}

#[test]
fn a_zoom_is_of_one_environment_and_says_what_came_outside_of_it() {
    let (_api, mut window) = Api::quick().window_and_self();
    for question in ["one", "two", "three", "four"] {
        window.ask(question);
    }
    drag(&mut window, "Tokens per second. ");
    assert!(!window.shows("outside the view"), "nothing has come since");
    window.ask("five");
    window.see("Tokens per second. 1 new answer outside the view");
    assert!(
        !window.shows("Time to first token, ms. 1 new"),
        "the other chart shows all"
    );
    window.ask("six");
    window.see("2 new answers outside the view");
    window.click("Environments");
    window.click("Environment Demo");
    window.click("Playground");
    window.see("Deployment: bd-gpt-oss-llama70b");
    window.ask("to the demo");
    window.ask("to the demo again");
    assert!(!window.shows("outside the view"), "{}", window.told());
    window.click("Environments");
    window.click("Environment mine");
    window.click("Playground");
    window.see("2 new answers outside the view");
    window.click("Reset zoom");
    window.until("all is shown", |window| !window.shows("outside the view"));
}

// What there is to pick from

#[test]
fn deployments_that_are_not_ready_say_why_and_cannot_be_picked() {
    let mut window = Window::on_demo();
    window.open_picker("Deployment");
    window.see("Not ready");
    let waits = window.line("bd-qwen-nightly").expect("it is listed");
    assert!(waits.accesskit_node().is_disabled());
    let told = waits.accesskit_node().label().unwrap_or_default();
    assert!(told.contains("cache pod 0/1: ImagePullBackOff"), "{told}");
    waits.click();
    window.run_steps(3);
    assert!(
        window.has_button("Deployment: bd-gpt-oss-llama70b"),
        "{}",
        window.told()
    );
}

#[test]
fn picking_a_deployment_brings_its_model_and_keeps_the_conversation() {
    let mut window = Window::on_demo();
    window.ask("before");
    window.pick("Deployment", "md-deepseek-r1");
    window.see("Model: DeepSeek-R1-0528");
    assert!(window.shows("You asked: before"));
    window.ask("after");
    window.see("DeepSeek-R1-0528 · md-deepseek-r1");
    assert!(window.has_button("Show DeepSeek-R1-0528 in the charts"));
}

#[test]
fn a_picker_offers_only_models_that_the_deployment_has() {
    let mut window = Window::on_demo();
    window.open_picker("Model");
    window.see("In this deployment");
    assert!(window.line("gpt-oss-120b").is_some(), "{}", window.told());
    assert!(window.line("gemma-4-31B-it").is_none(), "{}", window.told());
    window.key_press(Key::Escape);
    window.step();
    window.pick_of_api("gemma-4-31B-it");
    window.open_picker("Model");
    window.see("Models on this API");
    assert!(window.line("DeepSeek-R1-0528").is_some());
    window.key_press(Key::Escape);
    window.step();
    window.pick("Deployment", "md-deepseek-r1");
    window.see("Model: DeepSeek-R1-0528");
}

#[test]
fn long_lists_can_be_filtered_by_typing() {
    let mut window = Window::on_demo();
    window.open_picker("Model");
    window.see("In this deployment");
    assert!(!window.shows("Filter Model"), "two lines need no filter");
    window.key_press(Key::Escape);
    window.step();
    window.open_picker("Deployment");
    window.until("the filter can be typed into", |window| {
        window.field("Filter Deployment").is_focused()
    });
    window.field("Filter Deployment").type_text("QWEN3");
    window.run_steps(3);
    assert!(window.line("md-qwen3").is_some() && window.line("bd-retrieval").is_none());
    window.key_press(Key::Enter);
    window.see("Deployment: md-qwen3");
    window.see("Model: Qwen3-32B");
    window.open_picker("Deployment");
    window.until("the filter is empty again", |window| {
        window.line("bd-retrieval").is_some()
    });
}

/// Filters the list of deployments, closes it, and opens it anew.
fn check_forgotten(window: &mut Window, way: &str, close: impl Fn(&mut Window)) {
    window.open_picker("Deployment");
    window.until("it can be typed", |window| {
        window.query_by_label("Filter Deployment").is_some()
    });
    window.type_into("Filter Deployment", "qwen3");
    window.until("it filters", |window| window.line("bd-retrieval").is_none());
    close(window);
    window.until("it is closed", |window| !window.shows("Filter Deployment"));
    window.open_picker("Deployment");
    window.until(way, |window| window.line("bd-retrieval").is_some());
    let typed = window.field("Filter Deployment").value();
    assert_eq!(typed.unwrap_or_default(), "", "{way}");
    window.key_press(Key::Escape);
    window.step();
}

#[test]
fn a_filter_is_forgotten_however_the_list_is_closed() {
    let mut window = Window::on_demo();
    check_forgotten(&mut window, "after Escape", |window| {
        window.key_press(Key::Escape);
        window.step();
    });
    check_forgotten(&mut window, "after a click elsewhere", Window::click_beside);
    check_forgotten(&mut window, "after its button", |window| {
        window.open_picker("Deployment");
    });
}

#[test]
fn a_model_is_found_among_many_by_parts_of_its_name() {
    let names = (0..303).map(|n| format!("gpt-variant-{n}"));
    let names = names.chain(["Meta-Llama-3.3-70B-Instruct".to_owned()]);
    let models = names.map(|name| DemoModel::quick(&name, Quirk::None));
    let api = Api::start(models.collect());
    let mut window = api.window();
    window.see("304 models");
    window.open_picker("Model");
    window.until("it can be typed", |window| window.shows("Filter Model"));
    window.type_into("Filter Model", "llama 3");
    window.until("it is found", |window| {
        window.line("gpt-variant-0").is_none()
            && window.line("Meta-Llama-3.3-70B-Instruct").is_some()
    });
    window.type_into("Filter Model", "gpt-variant-30");
    window.until("the exact one is the first", |window| {
        let top = |name: &str| window.line(name).map(|line| line.rect().top());
        top("gpt-variant-30")
            .zip(top("gpt-variant-300"))
            .is_some_and(|(exact, longer)| exact < longer)
    });
    window.key_press(Key::Enter);
    window.see("Model: gpt-variant-30");
}

#[test]
fn a_deployments_page_says_why_it_does_not_serve_and_what_would_confirm_it() {
    let mut window = Window::on_demo();
    window.click("Deployment details");
    window.see("Deployments on Demo: state, pods, models and events");
    window.see("live");
    window.click("bd-qwen-nightly, Deploying");
    window.see("Likely cause");
    window.see("The image of container cache in the cache pod cannot be pulled");
    window.see("-n sambastack describe pod inf-bd-qwen-nightly-cache-0");
    window.see("Pods (2)");
    window.see("container cache: ImagePullBackOff");
    window.click("bd-gpt-oss-llama70b, Deployed");
    window.see("Models (2)");
    window.until("its models are routed", |window| {
        window.query_all_by_label_contains("routed").count() == 2 && !window.shows("not routed")
    });
    window.click("md-deepseek-canary, Deploying");
    window.see(
        "Container inf in the default pod crashes (restarted 7 times): it needs more memory than its limit",
    );
    window.see("7 restarts · last ended with OOMKilled");
    window.type_into("Filter deployments", "spare");
    window.until("only that is listed", |window| {
        !window.has_button("bd-qwen-nightly, Deploying")
    });
    window.click("md-qwen3-spare, Not deployed");
    window.see("The pods would exceed the namespace's quota team-a");
    window.see("Events (1)");
    window.see("FailedCreate (31 times) · StatefulSet inf-md-qwen3-spare-cache");
}

#[test]
fn a_containers_log_is_followed_searched_and_copied() {
    let mut window = Window::on_demo();
    window.click("Deployment details");
    window.click("md-deepseek-canary, Deploying");
    window.click("View log of inf in inf-md-deepseek-canary-q-default-n-0");
    window.see("Log of inf in inf-md-deepseek-canary-q-default-n-0");
    window.see("inf: waiting");
    window.see("following");
    window.type_into("Search the log", "CHECKPOINT");
    window.see("1 line");
    window.see("reading the checkpoint");
    assert!(!window.shows("inf: waiting"), "{}", window.told());
    window.click("Close log");
    window.until("it is closed", |window| !window.has_button("Close log"));
    window.click("View previous log of inf in inf-md-deepseek-canary-q-default-n-0");
    window.see("inf: out of memory");
    window.see("ended");
}

// View code

#[test]
fn view_code_shows_each_language_and_masks_the_key() {
    const KEY: &str = "sk-0123456789-abcdef";
    let api = Api::quick();
    let mut window = Window::on(api_env(&api.address), Some(KEY));
    window.see("Model: quick");
    window.type_into("Message", "What's in the code?");
    window.click("View code");
    for (language, words) in Language::ALL.into_iter().zip([
        "chat/completions",
        "from openai import OpenAI",
        "from sambanova import SambaNova",
        "new OpenAI({",
        "reqwest",
    ]) {
        window.click(language.label());
        window.see(words);
        let told = window.told();
        assert!(told.contains(api.address.root()), "{told}");
        assert!(told.contains("in the code?"), "the draft is in it: {told}");
        assert!(
            !told.contains(KEY) && !told.contains("0123456789"),
            "{told}"
        );
    }
    window.see("stream");
    window.click("Stream the answer");
    window.until("it is not streamed", |window| {
        !window.shows("\"stream\": true")
    });
    window.click("Copy with $MINE_API_KEY");
    see_copied(&mut window, "Code copied");
    window.click("Copy with API key");
    window.click("Close");
    window.until("the dialog is closed", |window| !window.has_button("Close"));
}

#[test]
fn view_code_ends_with_the_users_turn() {
    let mut window = Window::on_demo();
    window.say("Write 250 tokens");
    let deadline = Instant::now() + PATIENCE;
    while window
        .state_mut()
        .state()
        .panes()
        .chat(0)
        .running()
        .is_some()
    {
        assert!(Instant::now() < deadline, "it did not end");
        window.step();
    }
    let length = window.state_mut().state().panes().chat(0).turns()[0]
        .answer
        .reply
        .text
        .len();
    assert!(length > 600, "{length}");
    window.click("View code");
    window.until("the question is in the code, its answer is not", |window| {
        let mut code = window.query_all_by_label_contains("chat/completions");
        let written = code
            .find_map(|node| node.accesskit_node().value())
            .unwrap_or_default();
        written.contains("Write 250 tokens") && written.len() < length
    });
}

#[test]
fn view_code_ends_with_a_message_that_was_not_answered() {
    let (mut api, mut window) = Api::quick().window_and_self();
    window.ask("the first question");
    api.stop();
    window.say("the second question");
    window.until("it failed", |window| window.has_button("Retry"));
    window.click("View code");
    window.until("both questions are in the code", |window| {
        let mut code = window.query_all_by_label_contains("chat/completions");
        let written = code
            .find_map(|node| node.accesskit_node().value())
            .unwrap_or_default();
        let end = written.rfind("the second question");
        end > written.rfind("\"assistant\"") && written.contains("the first question")
    });
}

/// Without a display nothing can be copied, and that is told.
fn see_copied(window: &mut Window, told: &str) {
    let display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if display {
        return window.see(told);
    }
    window.see("The clipboard is not available");
    window.see("Select the text and copy it manually");
    window.click("Dismiss");
    window.until("it is dismissed", |window| {
        !window.shows("The clipboard is not available")
    });
}

#[test]
fn a_failure_collapses_into_the_status_bar_and_follows_to_no_page() {
    let mut window = Window::on_demo();
    let failure = |what: &str| Failure::new(format!("{what} was not saved"), "Try another folder");
    window.state_mut().state().notices.fail(failure("Chart"));
    window.see("Chart was not saved");
    window.see("Try another folder");
    window.click("History");
    window.until("its advice is out of the way", |window| {
        !window.shows("Try another folder")
    });
    window.see("1 problem");
    window.click("Show problems");
    window.see("Try another folder");
    window.state_mut().state().notices.fail(failure("Log"));
    window.click("Playground");
    window.see("2 problems");
    window.see("Log was not saved");
    window.click("Show problems");
    // The list is placed once its size is known.
    window.run_steps(3);
    window.click("Dismiss: Chart was not saved");
    window.see("1 problem");
    assert!(!window.shows("Chart was not saved"), "{}", window.told());
    window.click("Dismiss problems");
    window.until("the bar is gone", |window| !window.shows("1 problem"));
}

#[test]
fn an_answer_can_be_copied() {
    let (_api, mut window) = Api::quick().window_and_self();
    window.ask("Copy this");
    window.click("Copy answer");
    see_copied(&mut window, "Answer copied");
    window.click("Copy table");
    see_copied(&mut window, "Table copied");
}

// Home

#[test]
fn an_environment_is_added_and_nonsense_is_refused_as_it_is_typed() {
    let mut window = Window::on_demo();
    window.click("Environments");
    window.click("Add");
    window.see("not configured");
    window.type_into("Name", "Demo");
    window.see("another environment has this name");
    window.type_into("Name", "prod");
    for (typed, reason) in [
        ("ftp://api.example.com", "ftp:// is not an API address"),
        (
            "https://api.example.com?token=1",
            "an address is shown in the clear",
        ),
        (
            "https://me:secret@api.example.com",
            "leave out the user name and password",
        ),
        ("api example", "an address has no spaces in it"),
    ] {
        window.type_into("API domain", typed);
        window.see(reason);
        assert!(window.button("Save").accesskit_node().is_disabled());
    }
    window.type_into("API domain", "api.example.com/v1/");
    window.see("Chat endpoint: https://api.example.com/v1/chat/completions");
    window.click("API key");
    window.click("No key needed");
    window.see("Environment New environment");
    window.click("Save");
    window.see("Environment prod");
    window.until("it is in the settings file", |window| {
        let saved = window.saved();
        let env = saved.current();
        env.name == "prod"
            && env
                .api
                .as_ref()
                .is_some_and(|api| api.root() == "https://api.example.com")
    });
    assert_eq!(
        window.button("Environment prod").accesskit_node().toggled(),
        Some(Toggled::True)
    );
}

#[test]
fn environments_are_duplicated_and_deleted_with_a_question() {
    let (_api, mut window) = Api::quick().window_and_self();
    window.click("Environments");
    window.click("Duplicate");
    window.see("Environment mine copy");
    window.until("it is saved", |window| {
        window.saved().environments.len() == 3
    });
    window.click("Delete…");
    window.see("Delete mine copy?");
    window.click("Cancel");
    window.until("the question is gone", |window| {
        !window.shows("Delete mine copy?")
    });
    assert!(window.has_button("Environment mine copy"));
    window.click("Delete…");
    window.click("Delete environment");
    window.until("it is gone", |window| {
        !window.has_button("Environment mine copy")
    });
    window.until("it is saved", |window| {
        window.saved().environments.len() == 2
    });
    assert_eq!(window.saved().selected, EnvId::demo());
    assert!(
        window.button("Delete…").accesskit_node().is_disabled(),
        "the demo stays"
    );
    assert!(window.button("Duplicate").accesskit_node().is_disabled());
}

#[test]
fn half_an_edit_is_kept_and_can_be_discarded() {
    let (_api, mut window) = Api::quick().window_and_self();
    window.click("Environments");
    window.type_into("Name", "renamed");
    window.click("Environment Demo");
    window.click("Environment mine");
    assert_eq!(window.field("Name").value().as_deref(), Some("renamed"));
    window.see("unsaved changes");
    window.click("Discard");
    assert_eq!(window.field("Name").value().as_deref(), Some("mine"));
    assert!(window.button("Save").accesskit_node().is_disabled());
}

#[test]
fn each_environment_keeps_its_chat_its_draft_and_its_charts() {
    let (_api, mut window) = Api::quick().window_and_self();
    window.ask("to mine");
    window.type_into("Message", "half a question");
    window.click("Environments");
    window.click("Environment Demo");
    window.click("Playground");
    window.see("Deployment: bd-gpt-oss-llama70b");
    assert!(!window.shows("to mine") && window.shows("No answers yet"));
    assert_eq!(window.field("Message").value().as_deref(), Some(""));
    window.ask("to the demo");
    window.click("Environments");
    window.click("Environment mine");
    window.click("Playground");
    window.see("You asked: to mine");
    assert!(!window.shows("to the demo"));
    assert!(window.has_button("Show quick in the charts"));
    assert_eq!(
        window.field("Message").value().as_deref(),
        Some("half a question")
    );
    assert!(window.has_button("Model: quick"));
}

#[test]
fn an_api_alone_offers_its_models() {
    let api = Api::start(DemoModel::all());
    let mut window = api.window();
    assert!(!window.shows("Deployment: "), "there is no cluster");
    window.see("6 models · updated");
    window.open_picker("Model");
    window.see("Models on this API");
    assert!(window.line("gpt-oss-120b").is_some());
    window.key_press(Key::Escape);
    window.step();
    window.pick("Model", "gpt-oss-120b");
    window.ask("Hello there");
    window.see("You asked: Hello there");
    assert_eq!(api.bodies()[0]["model"], "gpt-oss-120b");
}

#[test]
fn the_checks_run_and_tell_what_to_do() {
    let mut window = Window::on_demo();
    window.click("Environments");
    window.click("Run checks");
    window.until("all checks ended", |window| {
        window.has_button("Run checks again")
    });
    for check in [
        "Cluster reachable: good",
        "Resources: good",
        "API reachable: good",
        "API key accepted: good",
    ] {
        window.see(check);
    }
    let commands = window.query_all_by_label_contains("simulated-kubectl -n sambastack");
    let by_name = |it: &str| it.starts_with("batida ");
    let labels: Vec<String> = commands
        .filter(|it| it.accesskit_node().role() == Role::Label)
        .filter_map(|it| it.value().or_else(|| it.accesskit_node().label()))
        .collect();
    assert!(!labels.is_empty(), "{}", window.told());
    assert!(labels.iter().all(|it| by_name(it)), "{labels:?}");
    window.see("bd-qwen-nightly is not deployed: warning");
    window.see("cache pod 0/1: ImagePullBackOff");
    window.see("-n sambastack describe pod inf-bd-qwen-nightly-cache-0");
    assert!(window.query_all_by_label("Copy command").count() > 1);
}

// What can fail

#[test]
fn a_kubectl_that_is_missing_is_told() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let kubeconfig = dir.path().join("config");
    std::fs::write(&kubeconfig, "{}").expect("a temporary folder can be written");
    let env = cluster_env(Path::new("/nowhere/kubectl"), &kubeconfig, "sambastack");
    check_trouble(
        env,
        None,
        "kubectl was not found at /nowhere/kubectl",
        "Correct its path",
        "",
    );
}

#[test]
fn a_dead_api_is_told() {
    let dead = ApiAddress::parse("http://127.0.0.1:1").expect("it is an address");
    check_trouble(
        api_env(&dead),
        Some(DEMO_KEY),
        "Could not reach 127.0.0.1:1: connection refused",
        "Check the address and its port",
        "Connection refused",
    );
}

#[test]
fn a_wrong_key_is_told_and_never_shown() {
    const KEY: &str = "sk-wrong-0123456789";
    let api = Api::quick();
    let mut window = Window::on(api_env(&api.address), Some(KEY));
    window.see("Model: quick");
    window.ask("Hello");
    window.see("The API rejected the key, HTTP 401: Invalid API key");
    window.see("Check this environment's key in Environments");
    window.click("Details");
    window.see("Invalid API key");
    window.key_press_modifiers(Modifiers::COMMAND, Key::J);
    window.step();
    window.see("$MINE_API_KEY");
    assert!(!window.told().contains(KEY), "{}", window.told());
}

#[test]
fn a_missing_key_is_told_before_it_is_needed() {
    let api = Api::quick();
    let mut window = Window::on(api_env(&api.address), None);
    window.see("There is no API key in the settings file");
    window.see("Enter the key in the environment's settings");
    window.see("API key missing");
    window.ask("Hello");
    window.until("the answer says it too", |window| {
        window
            .query_all_by_label("There is no API key in the settings file")
            .count()
            == 2
    });
    assert_eq!(api.bodies().len(), 0, "nothing was asked without it");
}

#[test]
fn a_failed_refresh_keeps_what_was_there_and_says_how_old_it_is() {
    let mut api = Api::quick();
    let mut window = api.window();
    api.stop();
    // The stopped server may still answer once, on a connection that was open.
    let deadline = std::time::Instant::now() + PATIENCE;
    while !window.shows("Showing data from") {
        assert!(
            std::time::Instant::now() < deadline,
            "it never failed: {}",
            window.told()
        );
        window.key_press(Key::F5);
        window.run_steps(4);
        window.step();
    }
    // A connection that was open breaks; a new one is refused.
    window.until("it says why", |window| {
        window.shows("connection refused") || window.shows(" was lost")
    });
    window.see("1 model · updated");
    window.open_picker("Model");
    assert!(window.line("quick").is_some(), "{}", window.told());
}

// The rest of the window

#[test]
fn the_activity_drawer_lists_what_went_through_the_doors_and_no_key() {
    let api = Api::quick();
    let mut window = Window::on_demo();
    window.key_press_modifiers(Modifiers::COMMAND, Key::J);
    window.step();
    window.see("batida simulated-kubectl");
    let program = env!("CARGO_BIN_EXE_batida");
    assert!(!window.shows(program), "its folders are on hover");
    window.see("exit 0");
    assert!(!window.told().contains(DEMO_KEY));
    window.click("Clear list");
    window.until("only what goes on is left", |window| {
        !window.shows("exit 0") && window.shows("following")
    });
    window.click("Close");
    window.until("it is closed", |window| !window.shows("newest first"));
    drop(window);

    let mut window = api.window();
    window.ask("Hello");
    window.click("Activity");
    window.see("/v1/models");
    window.see("HTTP 200");
    window.see("chat/completions");
    window.see("$MINE_API_KEY");
    assert!(!window.told().contains(DEMO_KEY), "{}", window.told());
}

#[test]
fn the_theme_is_switched_and_remembered() {
    let mut window = Window::start();
    for (label, theme, choice) in [
        ("Light theme", egui::Theme::Light, ThemeChoice::Light),
        ("Dark theme", egui::Theme::Dark, ThemeChoice::Dark),
    ] {
        window.click(label);
        assert_eq!(window.ctx.theme(), theme);
        window.until("it is saved", |window| window.saved().theme == choice);
        assert_eq!(
            window.button(label).accesskit_node().toggled(),
            Some(Toggled::True)
        );
    }
}

#[test]
fn shortcuts_do_what_their_buttons_do() {
    let mut window = Window::on_demo();
    let press = |window: &mut Window, modifiers: Modifiers, key: Key| {
        window.key_press_modifiers(modifiers, key);
        window.step();
        window.step();
    };
    for (key, purpose) in [
        (Key::Num2, "Load a deployed model"),
        (Key::Num3, "Every chat request"),
        (Key::Num4, "Deployments on Demo"),
        (Key::Num5, "The cluster, the API and the key"),
        (Key::Num1, "Chat with a deployed model"),
    ] {
        press(&mut window, Modifiers::COMMAND, key);
        window.see(purpose);
    }
    press(&mut window, Modifiers::COMMAND, Key::J);
    assert!(window.shows("newest first"));
    press(&mut window, Modifiers::COMMAND, Key::J);
    assert!(!window.shows("newest first"));
    for (modifiers, key) in [(Modifiers::NONE, Key::F5), (Modifiers::COMMAND, Key::R)] {
        let before = window.state_mut().state().activity.entries().len();
        press(&mut window, modifiers, key);
        window.until("it was asked again", |window| window.has_button("Refresh"));
        assert!(window.state_mut().state().activity.entries().len() > before);
    }
}

#[test]
fn a_key_is_in_the_clear_only_while_it_is_looked_at() {
    let api = Api::quick();
    let mut window = Window::on(api_env(&api.address), Some(DEMO_KEY));
    window.see("Model: quick");
    window.click("Environments");
    window.click("Reveal key");
    window.until("it is shown", |window| window.has_button("Hide key"));
    window.click("Playground");
    window.click("Environments");
    window.until("it is masked again", |window| {
        window.has_button("Reveal key") && !window.has_button("Hide key")
    });
}
