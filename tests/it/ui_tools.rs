//! Functions and structured output in the window: offered, called, answered, asked again, kept; asked for and checked.

use batida::demo::api::{DemoModel, Quirk};
use egui_kittest::kittest::Queryable as _;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::tools::{offer_clock, offer_weather, pick_format, press};

/// The messages of the last request, without the system prompt, as `role: content calls`.
fn last_sent(api: &Api) -> Vec<String> {
    let body = api.bodies().pop().expect("something was sent");
    let messages = body["messages"]
        .as_array()
        .expect("there are messages")
        .clone();
    let one = |message: &Value| {
        let calls = message["tool_calls"].as_array().map_or(0, Vec::len);
        let calls = if calls > 0 {
            format!("{calls} calls")
        } else {
            String::new()
        };
        format!(
            "{}: {}{calls}",
            message["role"].as_str().unwrap_or_default(),
            message["content"].as_str().unwrap_or_default()
        )
    };
    messages.iter().skip(1).map(one).collect()
}

#[test]
fn a_function_is_called_its_result_typed_and_the_conversation_goes_on() {
    let api = Api::quick();
    let mut window = api.window();
    offer_weather(&mut window);
    window.ask("What is the weather in Paris?");
    window.see("Copy arguments of get_weather");
    window.see("\"city\": \"Paris\"");
    window.see("Figures: ");
    let tools = &api.bodies()[0]["tools"];
    assert_eq!(tools[0]["function"]["name"], "get_weather");
    assert_eq!(
        tools[0]["function"]["parameters"]["required"],
        json!(["city"])
    );
    window.click("Send result…");
    window.see("The result is empty");
    window.click("Cancel");
    window.type_into("Result of get_weather", "{\"sky\": \"clear\"}");
    window.click("Send result");
    window.see("get_weather returned {");
    window.until("it is answered", |window| window.has_button("Send"));
    window.see("Result of get_weather that was sent");
    assert_eq!(
        last_sent(&api),
        [
            "user: What is the weather in Paris?",
            "assistant: 1 calls",
            "tool: {\"sky\": \"clear\"}"
        ]
    );
    window.ask("And who are you?");
    assert_eq!(last_sent(&api).len(), 5);
}

#[test]
fn of_a_long_result_the_beginning_is_shown_and_all_of_it_is_sent() {
    let api = Api::quick();
    let mut window = api.window();
    offer_weather(&mut window);
    window.ask("What is the weather in Paris?");
    window.see("Result of get_weather");
    let long = "é".repeat(12_000);
    window
        .state_mut()
        .state()
        .panes_mut()
        .chat_mut(0)
        .type_result(0, long.clone());
    window.run_steps(4);
    press(&mut window, "Send result");
    window.see("Showing the first 20.0 kB of 24.0 kB");
    window.until("it is answered", |window| window.has_button("Send"));
    assert_eq!(last_sent(&api)[2], format!("tool: {long}"));
}

#[test]
fn several_calls_are_answered_together_and_again_and_otherwise() {
    let api = Api::quick();
    let mut window = api.window();
    offer_weather(&mut window);
    offer_clock(&mut window, "Parameters (1 set)");
    window.ask("The weather in Rome, and the time?");
    window.see("Result of clock");
    window.type_into("Result of get_weather", "rain");
    window.see("Both results are sent together");
    window.click("Send results…");
    window.see("1 of 2 results are empty");
    window.click("Cancel");
    window.type_into("Result of clock", "noon");
    window.click("Send results");
    window.until("it is answered", |window| {
        window.has_button("Send") && window.shows("returned noon")
    });
    let sent = [
        "user: The weather in Rome, and the time?",
        "assistant: 2 calls",
        "tool: rain",
        "tool: noon",
    ];
    assert_eq!(last_sent(&api), sent);
    window
        .query_all_by_label("Regenerate")
        .last()
        .expect("the last answer's")
        .click();
    window.run_steps(2);
    window.until("it is answered again", |window| {
        api.bodies().len() == 3 && window.has_button("Send")
    });
    assert_eq!(last_sent(&api), sent, "the results are sent again");
    window
        .query_all_by_label("Edit message")
        .last()
        .expect("the last turn's")
        .click();
    window.run_steps(2);
    window.see("Your next message starts a new branch here");
    assert_eq!(
        window.field("Result of clock").value().as_deref(),
        Some("noon")
    );
    window.type_into("Result of clock", "midnight");
    window.click("Send results");
    window.until("it is answered otherwise", |window| {
        window.has_button("Send") && window.shows("returned midnight")
    });
    window.see("Branch 3 of 3");
}

#[test]
fn a_message_instead_of_a_result_is_taken_by_the_server() {
    let api = Api::quick();
    let mut window = api.window();
    offer_weather(&mut window);
    window.ask("What is the weather in Paris?");
    window.see("Result of get_weather");
    window.type_into("Message", "Never mind, who are you?");
    window.see("without function results");
    window.ask("Never mind, who are you?");
    window.see("You asked: Never mind");
    assert!(
        last_sent(&api)[2].starts_with("tool: No result"),
        "{:?}",
        last_sent(&api)
    );
}

#[test]
fn a_call_that_is_cut_cannot_be_answered_and_says_so() {
    let api = Api::quick();
    let mut window = api.window();
    offer_weather(&mut window);
    window.click("Parameters (1 set)");
    window.click("Max tokens");
    window
        .state_mut()
        .state()
        .panes_mut()
        .chat_mut(0)
        .params
        .max_tokens = Some(2);
    window.step();
    window.click("Parameters (2 set)");
    window.ask("What is the weather in Paris?");
    window.see("The answer ended inside a function call");
    window.see("The arguments are not JSON");
    assert!(!window.shows("Result of get_weather"));
    window.ask("Who are you?");
    assert_eq!(last_sent(&api), ["user: Who are you?"]);
}

#[test]
fn functions_are_checked_as_they_are_typed_and_kept_over_a_restart() {
    let api = Api::quick();
    let mut window = api.window();
    offer_weather(&mut window);
    window.click("Parameters (1 set)");
    window.type_into("Name of function 1", "get weather");
    window.see("The name may have letters, digits, _ and -: not sent");
    window.type_into("Name of function 1", "weather");
    window.type_into(
        "Arguments of function 1, as a JSON schema; empty for none",
        "{\n\"type\": object}",
    );
    window.see("Not sent. Line 2, column 9: expected value");
    window.type_into(
        "Arguments of function 1, as a JSON schema; empty for none",
        "{\"type\": \"object\"}",
    );
    window.until("it is sound", |window| !window.shows("Not sent"));
    press(&mut window, "Duplicate weather");
    window.see("Offer weather_2");
    window.type_into("Name of function 2", "weather");
    window.see("Not sent: another function has this name");
    window
        .query_all_by_label("Delete weather")
        .last()
        .expect("the second")
        .click_accesskit();
    window.run_steps(2);
    window.see("weather was deleted");
    press(&mut window, "Undo");
    window.until("both are there", |window| {
        window.query_all_by_label("Offer weather").count() == 2
    });
    window
        .query_all_by_label("Offer weather")
        .last()
        .expect("the second")
        .click_accesskit();
    window.run_steps(2);
    let mut window = window.restart();
    window.until("it is there again", |window| {
        window.has_button("Parameters (1 set)")
    });
    let tools = window
        .state_mut()
        .state()
        .panes()
        .chat(0)
        .params
        .tools
        .clone();
    assert_eq!((tools.len(), tools[0].off, tools[1].off), (2, false, true));
    window.ask("How is the weather?");
    assert_eq!(api.bodies()[0]["tools"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_answer_after_a_schema_is_checked_and_can_be_copied() {
    let api = Api::quick();
    let mut window = api.window();
    window.click("Parameters");
    pick_format(&mut window, "JSON schema");
    window.type_into("Schema", "{\"type\":\"object\",\n\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":7}},\"required\":[\"n\"]");
    window.see("Not sent. Line 2, column");
    window.type_into("Schema", "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":7}},\"required\":[\"n\"]}");
    press(&mut window, "Format JSON");
    window.click("Parameters (1 set)");
    window.ask("Give me 12");
    window.see("Valid against the schema");
    let body = &api.bodies()[0]["response_format"];
    assert_eq!(
        (&body["type"], &body["json_schema"]["strict"]),
        (&json!("json_schema"), &json!(true))
    );
    window.click("Raw");
    window.click("Formatted");
    window.click("Copy JSON");
    assert_eq!(
        window.state_mut().state().panes().chat(0).turns()[0]
            .answer
            .form
            .pretty
            .as_deref(),
        Some("{\n  \"n\": 12\n}")
    );
    let mut window = window.restart();
    window.until("it is there again", |window| {
        window.has_button("Parameters (1 set)")
    });
    assert!(
        window
            .state_mut()
            .state()
            .panes()
            .chat(0)
            .params
            .format
            .is_some()
    );
}

#[test]
fn what_is_not_as_it_was_asked_for_is_told() {
    let api = Api::start(vec![
        DemoModel::quick("disobeys", Quirk::Disobeys),
        DemoModel::quick("fences", Quirk::Fences),
    ]);
    let mut window = api.window();
    window.click("Parameters");
    pick_format(&mut window, "JSON schema");
    window.click("Parameters (1 set)");
    window.ask("Go");
    window.see("Does not match the schema in 1 place");
    window.see("is not of type \"object\"");
    window.pick("Model", "fences");
    window.ask("Go");
    window.see("JSON inside a code fence: not what was asked");
}

#[test]
fn a_schema_is_made_from_an_example() {
    let api = Api::quick();
    let mut window = api.window();
    window.click("Parameters");
    pick_format(&mut window, "JSON schema");
    press(&mut window, "From an example");
    window.type_into("Example answer, in JSON", "{\"a\": [1, }");
    window.see("Line 1, column 11");
    window.type_into("Example answer, in JSON", "{\"a\": [1]}");
    press(&mut window, "Create schema");
    let schema = window.field("Schema").value().expect("there is one");
    assert!(schema.contains("\"integer\""), "{schema}");
}

#[test]
fn each_pane_has_calls_of_its_own() {
    let api = Api::start(vec![
        DemoModel::quick("one", Quirk::None),
        DemoModel::quick("two", Quirk::None),
    ]);
    let mut window = api.window();
    offer_weather(&mut window);
    window.compare();
    window.ask("What is the weather in Paris?");
    window.until("both call", |window| {
        window
            .query_all_by_label_contains("Copy arguments of")
            .count()
            == 2
    });
    window.until("both wait", |window| {
        window.query_all_by_label("Send result…").count() == 2
    });
    window
        .state_mut()
        .state()
        .panes_mut()
        .chat_mut(1)
        .type_result(0, "rain".to_owned());
    window.step();
    window.click("Send result");
    window.until("one has its answer", |window| {
        window.has_button("Send") && window.shows("returned rain")
    });
    assert!(window.has_button("Send result…"), "the other still waits");
}

#[test]
fn the_history_keeps_calls_and_results_and_takes_them_up() {
    let api = Api::quick();
    let mut window = api.window();
    offer_weather(&mut window);
    window.ask("What is the weather in Paris?");
    window.type_into("Result of get_weather", "rain");
    window.click("Send result");
    window.until("it is answered", |window| {
        window.has_button("Send") && window.shows("returned rain")
    });
    window.click("Clear");
    window.see("No messages yet");
    window.click("History");
    window.click("Open");
    window.see("Copy arguments of get_weather");
    window.see("Result of get_weather that was sent");
    assert!(!window.has_button("Send result…"), "here it is read");
    window.click("Continue");
    window.ask("Thank you");
    let sent = last_sent(&api);
    assert_eq!(
        sent[..3],
        [
            "user: What is the weather in Paris?",
            "assistant: 1 calls",
            "tool: rain"
        ]
    );
    assert_eq!(sent.len(), 5);
}
