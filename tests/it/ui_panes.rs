//! Panes side by side in the window: asked at once or in turn, each on its own, of one environment or several.

use std::time::Duration;

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk, Thinks};
use batida::domain::environment::ApiAddress;
use egui::accesskit::{Role, Toggled};
use egui::{Key, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use serde_json::json;

use crate::support::api::Api;
use crate::support::environments::api_env;
use crate::support::scripted::{ScriptedServer, Then};
use crate::support::window::{LARGE, Window};

const LLAMA: &str = "Meta-Llama-3.3-70B-Instruct";

/// An API with models of these names, each of so many milliseconds a token; one pane each.
fn side_by_side(models: &[(&str, u64)]) -> (Api, Window) {
    let model = |&(name, per_token): &(&'static str, u64)| DemoModel {
        per_token: Duration::from_millis(per_token),
        ..DemoModel::quick(name, Quirk::None)
    };
    let models: Vec<(&'static str, u64)> = models
        .iter()
        .map(|(name, ms)| (&*name.to_string().leak(), *ms))
        .collect();
    let api = Api::start(models.iter().map(model).collect());
    let mut window = api.window();
    window.set_size(vec2(1_900.0, 900.0));
    window.pick("Model", models[0].0);
    for (index, (name, _)) in models.iter().enumerate().skip(1) {
        window.compare();
        window.pick(&format!("Model of pane {}", index + 1), name);
        window.see(&format!("Pane {}: {name}", index + 1));
    }
    (api, window)
}

fn ends(window: &mut Window) {
    window.until("all have answered", |window| window.has_button("Send"));
}

fn text(window: &mut Window, pane: usize) -> String {
    let chat = window.state_mut().state().panes().chat(pane);
    chat.turns()
        .last()
        .map(|turn| turn.answer.reply.text.clone())
        .unwrap_or_default()
}

fn prompts(window: &mut Window, pane: usize) -> Vec<String> {
    let turns = window.state_mut().state().panes().chat(pane).turns();
    turns.iter().map(|turn| turn.said.prompt.clone()).collect()
}

#[test]
fn one_message_goes_to_two_models_and_the_fastest_is_marked() {
    let mut window = Window::on_demo();
    window.compare();
    window.see("Pane 1: Meta-Llama-3.3-70B-Instruct");
    window.see("Pane 2: gpt-oss-120b");
    window.see("Model of pane 1: Meta-Llama-3.3-70B-Instruct");
    window.see("Model of pane 2: gpt-oss-120b");
    window.ask("Say something");
    assert_eq!(
        window
            .query_all_by_label_contains("You asked: Say something")
            .count(),
        2
    );
    let marks = window.query_all_by_label_contains("Fastest: ").count();
    assert!((1..=2).contains(&marks), "{}", window.told());
    window.see(&format!("{LLAMA}: 1 answer, last"));
    window.see("gpt-oss-120b: 1 answer, last");
    let tile = window
        .query_by_label_contains("TTFT: Meta-Llama")
        .expect("a tile of both");
    let told = tile.accesskit_node().value().unwrap_or_default();
    assert!(
        told.contains(LLAMA) && told.contains("gpt-oss-120b") && !told.contains('–'),
        "{told}"
    );
    window.click("Pane 1: Meta-Llama-3.3-70B-Instruct");
    assert_eq!(window.state_mut().state().panes().active(), 0);
    window.click("Close gpt-oss-120b");
    window.until("one alone looks as it always did", |window| {
        window.has_button("Parameters")
    });
    assert!(!window.shows("Pane 1"), "{}", window.told());
    assert!(
        window.shows("gpt-oss-120b: 1 answer, last"),
        "the charts stay"
    );
}

#[test]
fn each_pane_stops_and_asks_again_on_its_own() {
    let (api, mut window) = side_by_side(&[("one", 15), ("two", 15)]);
    window.say("Write 3000 tokens");
    window.until("both stream", |window| {
        window.query_all_by_label_contains("Figures: ").count() == 2
    });
    window.click("Stop one");
    window.see("Stopped");
    let stopped = text(&mut window, 0);
    window.click("Retry");
    window.until(
        "the first asks again while the second still answers",
        |window| window.has_button("Stop one") && window.has_button("Stop two"),
    );
    window.until("three were asked", |_| api.bodies().len() == 3);
    assert!(!stopped.is_empty() && !text(&mut window, 1).is_empty());
    window.see("Branch 2 of 2");
    window.click("Stop");
    ends(&mut window);
    assert_eq!(window.query_all_by_label("Stopped").count(), 2);
}

#[test]
fn only_the_ticked_are_asked_and_a_pane_may_have_its_own_system_prompt() {
    let (api, mut window) = side_by_side(&[("one", 0), ("two", 0), ("three", 0)]);
    window.click("Send to one");
    assert_eq!(
        window.button("Send to one").accesskit_node().toggled(),
        Some(Toggled::False)
    );
    window.click("Parameters of two");
    window.see("Uses the first pane's system prompt and parameters");
    window.click("Linked to the first pane");
    window.type_into("System prompt", "Answer in rhyme");
    window.click("Max tokens");
    window.click("Parameters of two");
    window.ask("Hello");
    let mut asked: Vec<(String, String, bool)> = api
        .bodies()
        .iter()
        .map(|body| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (
                text(&body["model"]),
                text(&body["messages"][0]["content"]),
                body.get("max_tokens").is_some(),
            )
        })
        .collect();
    asked.sort();
    let wanted = [
        ("three", "You are a helpful assistant", false),
        ("two", "Answer in rhyme", true),
    ];
    assert_eq!(
        asked,
        wanted.map(|(model, system, cut)| (model.to_owned(), system.to_owned(), cut))
    );
    window.click("Send to two");
    window.click("Send to three");
    window.type_into("Message", "To nobody");
    window.see("Select a pane to send to");
    assert!(window.button("Send").accesskit_node().is_disabled());
}

#[test]
fn one_after_the_other_when_asked() {
    let (api, mut window) = side_by_side(&[("one", 10), ("two", 10)]);
    window.click("Run sequentially");
    window.say("Write 3000 tokens");
    window.see("Figures: ");
    window.see("Waiting for the previous pane");
    assert_eq!(api.bodies().len(), 1, "the second waits");
    window.click("Stop one");
    window.until("the second's turn has come", |_| api.bodies().len() == 2);
    window.until("it answers", |window| {
        !window.shows("Waiting for the previous pane")
    });
    window.click("Stop");
    ends(&mut window);
    window.say("Write 3000 tokens");
    window.see("Waiting for the previous pane");
    window.click("Stop two");
    window.until("who waits can be stopped", |window| {
        !window.shows("Waiting for the previous pane")
    });
    assert_eq!(api.bodies().len(), 3, "it was never asked");
}

#[test]
fn a_pane_may_ask_another_environment() {
    let api = Api::quick();
    let mut window = api.window();
    window.compare();
    window.see("quick · 2");
    window.pick("Environment of pane 2", "Demo");
    window.see("Pane 2: Meta-Llama-3.3-70B-Instruct");
    window.see("Deployment of pane 2: bd-gpt-oss-llama70b");
    window.ask("Hello");
    assert_eq!(
        window
            .query_all_by_label_contains("You asked: Hello")
            .count(),
        2
    );
    assert_eq!(api.bodies().len(), 1);
    window.see(&format!("{LLAMA} · bd-gpt-oss-llama70b"));
}

#[test]
fn an_edit_in_a_pane_is_its_own_and_clear_empties_all() {
    let (api, mut window) = side_by_side(&[("one", 0), ("two", 0)]);
    window.ask("Hello");
    window
        .query_all_by_label("Edit message")
        .last()
        .expect("there are two")
        .click();
    window.run_steps(3);
    window.ask("Good day");
    assert_eq!(api.bodies().len(), 3);
    assert_eq!(api.bodies()[2]["model"], "two");
    window.see("Branch 2 of 2");
    assert_eq!(
        window.query_all_by_label("Hello").count(),
        1,
        "the first keeps its own"
    );
    window.click("Clear");
    window.until("all are empty", |window| {
        window.query_all_by_label("No messages yet").count() == 2
    });
    window.click("Undo clear");
    window.see("You asked: Good day");
}

#[test]
fn four_are_the_most_and_the_figures_can_make_room() {
    let (_api, mut window) = side_by_side(&[("one", 0), ("two", 0), ("three", 0), ("four", 0)]);
    assert!(window.button("+ Compare").accesskit_node().is_disabled());
    window.ask("Hello");
    assert_eq!(
        window
            .query_all_by_label_contains("You asked: Hello")
            .count(),
        4
    );
    window.see("This session, median");
    window.set_size(LARGE);
    window.until("they hide no pane", |window| {
        !window.shows("This session, median")
    });
    let four = |window: &Window| (1..5).all(|pane| window.shows(&format!("Pane {pane}: ")));
    assert!(four(&window));
    window.click("Figures");
    window.see("This session, median");
    window.click("Figures");
    window.until("they are gone", |window| {
        !window.shows("This session, median")
    });
    assert!(four(&window));
}

/// What is written on each picker, and its whole name.
fn on_pickers(window: &Window) -> Vec<(String, String)> {
    let mut written = Vec::new();
    for clipped in &window.output().shapes {
        texts_of(&clipped.shape, &mut |text, at| {
            written.push((text.to_owned(), at))
        });
    }
    let pickers = window.query_all_by_role(Role::ComboBox);
    let named = pickers.filter_map(|picker| {
        let label = picker.accesskit_node().label()?;
        let (_, name) = label.split_once(": ")?;
        let (text, _) = written
            .iter()
            .find(|(_, at)| picker.rect().contains(*at))?
            .clone();
        Some((text, name.to_owned()))
    });
    named.collect()
}

fn texts_of(shape: &egui::Shape, each: &mut impl FnMut(&str, egui::Pos2)) {
    match shape {
        egui::Shape::Vec(shapes) => shapes.iter().for_each(|shape| texts_of(shape, each)),
        egui::Shape::Text(text) => each(text.galley.text(), text.visual_bounding_rect().center()),
        _ => {}
    }
}

#[test]
fn names_keep_18_characters_in_four_panes() {
    let long = "Meta-Llama-4-Maverick-17B-128E-Instruct-FP8-";
    let names: Vec<String> = (1..5).map(|n| format!("{long}{n}")).collect();
    let models: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    let (_api, mut window) = side_by_side(&models);
    window.set_size(LARGE);
    window.run_steps(4);
    for what in ["without", "with"] {
        // Three panes fit beside the figures, the fourth is scrolled to.
        if what == "with" {
            window.click("Figures");
            window.run_steps(4);
        }
        let shown = on_pickers(&window);
        let of_models = shown.iter().filter(|(_, name)| name.starts_with(long));
        assert!(of_models.clone().count() >= 3, "{shown:?}");
        for (text, name) in &shown {
            let kept = text.chars().filter(|c| *c != '…').count();
            assert!(
                text == name || kept >= 18,
                "{what} figures: {text:?} of {name:?}"
            );
        }
    }
    window.click("Figures");
    // With all three pickers, of the demo's deployments too.
    for pane in 2..5 {
        window.click(&format!("Pane {pane}: {long}{pane}"));
        window.pick(&format!("Environment of pane {pane}"), "Demo");
    }
    window.see("Deployment of pane 4: bd-gpt-oss-llama70b");
    let shown = on_pickers(&window);
    assert!(shown.len() >= 8, "{shown:?}");
    for (text, name) in shown {
        let kept = text.chars().filter(|c| *c != '…').count();
        assert!(text == name || kept >= 18, "{text:?} of {name:?}");
    }
}

#[test]
fn a_click_anywhere_in_a_pane_selects_it() {
    let (_api, mut window) = side_by_side(&[("one", 0), ("two", 0)]);
    assert_eq!(window.state_mut().state().panes().active(), 1);
    let empty = window.query_all_by_label("No messages yet").next();
    let at = empty.expect("the first pane is empty").rect().center();
    window.hover_at(at);
    window.event(egui::Event::PointerButton {
        pos: at,
        button: egui::PointerButton::Primary,
        pressed: true,
        modifiers: egui::Modifiers::NONE,
    });
    window.run_steps(2);
    assert_eq!(window.state_mut().state().panes().active(), 0);
}

#[test]
fn a_new_pane_may_continue_a_copy_of_the_conversation() {
    let (api, mut window) = side_by_side(&[("one", 0)]);
    window.ask("Hello");
    window.click("+ Compare");
    assert!(!window.shows("Pane 2: "), "it asks first");
    window.click("Copy the conversation");
    window.see("Pane 2: one · 2");
    assert_eq!(prompts(&mut window, 1), ["Hello"]);
    window.ask("And you?");
    let bodies = api.bodies();
    let said = |body: &serde_json::Value| body["messages"].as_array().map(Vec::len);
    let lengths: Vec<_> = bodies.iter().map(said).collect();
    assert_eq!(
        lengths,
        [Some(2), Some(4), Some(4)],
        "each with what was said"
    );
    window.click("+ Compare");
    window.click("Start empty");
    window.see("Pane 3: ");
    window.see("No messages yet");
    assert_eq!(prompts(&mut window, 2), [""; 0]);
}

#[test]
fn a_comparison_is_one_conversation_and_opens_in_its_panes() {
    let (api, mut window) = side_by_side(&[("one", 0), ("two", 0)]);
    window.ask("Which bridge?");
    window.ask("How long?");
    window.click("Clear");
    window.until("they are empty", |window| window.shows("No messages yet"));
    window.click("Close two");
    window.until("one pane", |window| !window.shows("Pane 1: "));
    window.click("Conversations");
    window.see(" and 1 more · ");
    window.see("1 conversation");
    window.key_press(Key::Enter);
    window.see("Pane 2: two");
    for pane in 0..2 {
        assert_eq!(prompts(&mut window, pane), ["Which bridge?", "How long?"]);
    }
    window.ask("And now?");
    let bodies = api.bodies();
    let last: Vec<_> = bodies[4..]
        .iter()
        .map(|body| body["messages"].as_array().map(Vec::len))
        .collect();
    assert_eq!(last, [Some(6), Some(6)], "both go on");
    window.click("Conversations");
    window.see("6 answers");
    window.see("1 conversation");
    window.click("Close");
    window.click("History");
    window.until("it is one session there, too", |window| {
        window.line("Which bridge?").is_some() || window.shows("Which bridge?")
    });
    let total = window.state_mut().state().history.rows.total();
    assert_eq!(total, Some(1));
}

#[test]
fn opening_a_comparison_is_undone_in_all_its_panes() {
    let (_api, mut window) = side_by_side(&[("one", 0), ("two", 0)]);
    window.ask("Which bridge?");
    window.click("Clear");
    window.ask("Which ship?");
    window.click("Conversations");
    window.see("2 conversations");
    window.key_press(Key::ArrowDown);
    window.step();
    window.key_press(Key::Enter);
    window.until("it is open in both", |window| {
        window.query_all_by_label_contains("Opened: ").count() == 2
    });
    let undo = window.query_all_by_label("Undo opening").next();
    undo.expect("there is one a pane").click();
    window.until("it is undone", |window| !window.shows("Opened: "));
    for pane in 0..2 {
        assert_eq!(prompts(&mut window, pane), ["Which ship?"]);
    }
}

#[test]
fn a_stalled_answer_says_so_and_its_speed_falls() {
    let server = ScriptedServer::start(|asked, reply| {
        if asked.target.contains("/models") {
            reply.json(200, &json!({"data": [{"id": "m"}]}));
            return Then::KeepOpen;
        }
        reply.stream();
        for _ in 0..20 {
            reply.text("word ");
            reply.pause(Duration::from_millis(10));
        }
        reply.wait_for_next();
        Then::Close
    });
    let url = ApiAddress::parse(&server.url()).expect("it is an address");
    let mut window = Window::on(api_env(&url), Some(DEMO_KEY));
    window.see("Model: m");
    window.say("Hello");
    window.see("no data for 1 s");
    let speed = |window: &Window| -> f64 {
        let figures = window.query_by_label_contains("Figures: ");
        let told = figures.and_then(|node| node.accesskit_node().value());
        let told = told.unwrap_or_default();
        let number = told.trim_start_matches("Figures: ").split(' ').next();
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{told:?}"))
    };
    let before = speed(&window);
    window.see("no data for 2 s");
    let after = speed(&window);
    assert!(after < before && before < 30.0, "{before:?} {after:?}");
    window.click("Stop");
    window.see("Stopped");
    assert!(!window.shows("no data for"), "{}", window.told());
}

#[test]
fn blind_hides_all_that_tells_models_apart() {
    let thinks = DemoModel {
        thinks: Thinks::Reasoning,
        ..DemoModel::quick("m-one", Quirk::None)
    };
    let slow = DemoModel {
        per_token: Duration::from_millis(20),
        ..DemoModel::quick("m-two", Quirk::None)
    };
    let api = Api::start(vec![thinks, slow]);
    let mut window = api.window();
    window.set_size(vec2(1_900.0, 900.0));
    window.pick("Model", "m-one");
    window.click("+ Compare");
    window.pick("Model of pane 2", "m-two");
    window.click("Blind vote");
    window.say("Write 60 tokens");
    window.until("the fast one is complete", |window| {
        window
            .query_all_by_label_contains("Shown when all models")
            .count()
            == 2
            && api.bodies().len() == 2
    });
    let panes = window.state_mut().state().panes();
    let answered = |index: usize| panes.chat(index).turns()[0].answer.status_is_final();
    assert!(!(answered(0) && answered(1)));
    assert!(!window.has_button("Stop Model A"), "{}", window.told());
    window.see("Which answer is best?");
    let told = window.told();
    for tells in [
        "Figures: ",
        "Fastest",
        "tok/s",
        "TTFT: ",
        "Reasoning",
        "Parameters of",
        "Pane 1",
        "m-one",
        "m-two",
        "Model of pane",
    ] {
        assert!(!told.contains(tells), "{tells:?} in\n{told}");
    }
    assert_eq!(window.query_all_by_label("Copy answer").count(), 2);
    window.click("Equal");
    window.see("Figures: ");
    window.see("Reasoning");
}

#[test]
fn blind_hides_the_names_until_the_vote_which_is_kept() {
    let (api, mut window) = side_by_side(&[("m-one", 0), ("m-two", 0)]);
    window.ask("Before");
    window.click("Blind vote");
    window.see("Models are revealed after you vote; you");
    let told = |window: &Window| {
        ["m-one", "m-two"]
            .iter()
            .any(|name| window.told().contains(name))
    };
    assert!(!told(&window), "{}", window.told());
    window.say("Write 20 tokens");
    window.see("Which answer is best?");
    assert_eq!(api.bodies().len(), 4);
    assert!(window.shows("Send to Model A") && window.shows("Send to Model B"));
    assert!(!told(&window), "{}", window.told());
    assert!(window.button("View code").accesskit_node().is_disabled());
    window.click("Model A");
    window.see("Your vote: ");
    window.see("Pane 1: m-one");
    window.see("Blind votes");
    window.until("it is kept", |window| !window.kept().votes.is_empty());
    let votes = window.kept().votes;
    let pair = &votes[0];
    assert_eq!(
        (votes.len(), pair.one.as_str(), pair.other.as_str()),
        (1, "m-one", "m-two")
    );
    assert_eq!((pair.wins + pair.losses, pair.ties), (1, 0));
    window.click("Start another vote");
    window.ask("Again");
    window.click("Equal");
    window.see("Your vote: equal");
    window.until("both are kept", |window| {
        window.kept().votes.iter().any(|pair| pair.ties == 1)
    });
    window.click("Blind vote");
    window.until("it is over", |window| !window.shows("Your vote: equal"));
}

#[test]
fn blind_hides_the_names_in_failures_and_in_the_activity_too() {
    let body = r#"{"error": {"message": "M-TWO is overloaded, try m-one", "code": "overloaded"}}"#;
    let refuses = Quirk::Refuses {
        status: 503,
        content_type: "application/json",
        body,
        retry_after: None,
    };
    let api = Api::start(vec![
        DemoModel::quick("m-one", Quirk::None),
        DemoModel::quick("m-two", refuses),
    ]);
    let mut window = api.window();
    window.set_size(vec2(1_900.0, 900.0));
    window.pick("Model", "m-one");
    window.compare();
    window.pick("Model of pane 2", "m-two");
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::J);
    window.click("Blind vote");
    window.see("Models are revealed after you vote; you");
    // The demo's usual answer says who it is.
    window.ask("Write 20 tokens");
    window.see("HTTP 503");
    window.see("/v1/chat/completions");
    window.click("Details");
    window.see("is overloaded");
    let told = window.told().to_lowercase();
    assert!(!told.contains("m-one") && !told.contains("m-two"), "{told}");
    window.click("Blind vote");
    window.until("they are seen again", |window| {
        window.told().contains("m-two")
    });
}

#[test]
fn panes_and_drafts_survive_a_restart() {
    let (api, mut window) = side_by_side(&[("one", 0), ("two", 0)]);
    window.click("Parameters of two");
    window.click("Linked to the first pane");
    window.type_into("System prompt", "Answer in rhyme");
    window.click("Parameters of two");
    window.type_into("Message", "half a question");
    let mut window = window.restart();
    window.see("Pane 1: one");
    window.see("Pane 2: two");
    assert_eq!(
        window.field("Message").value().as_deref(),
        Some("half a question")
    );
    window.click("Send");
    window.until("both were asked", |_| api.bodies().len() == 2);
    ends(&mut window);
    let first =
        |body: &serde_json::Value| body["messages"][0]["content"].as_str().map(str::to_owned);
    let mut said: Vec<_> = api.bodies().iter().filter_map(first).collect();
    said.sort();
    assert_eq!(said, ["Answer in rhyme", "You are a helpful assistant"]);
    window.click("Close two");
    window.until("one is left", |window| window.has_button("Parameters"));
    let mut window = window.restart();
    window.see("Model: one");
    assert!(window.has_button("Parameters"), "{}", window.told());
}
