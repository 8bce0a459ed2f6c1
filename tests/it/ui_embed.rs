//! Embeddings in the window: a text becomes a vector, two are compared, and what goes wrong is told.

use batida::demo::api::{DemoModel, Quirk};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::api::Api;
use crate::support::window::Window;

const E5: &str = "E5-Mistral-7B-Instruct";

/// On the demo, with its embedding model picked: the cluster says what it is.
fn on_embedder() -> Window {
    let mut window = Window::on_demo();
    window.pick_of_api(E5);
    window.see("Text to embed");
    window
}

/// What a tile says.
fn tile(window: &Window, title: &str) -> String {
    let begins = format!("{title} ");
    let node = window.query_by_label_contains(&begins);
    node.and_then(|node| {
        node.accesskit_node()
            .label()
            .or(node.accesskit_node().value())
    })
    .unwrap_or_default()
}

#[test]
fn a_text_becomes_a_vector_and_two_are_compared() {
    let mut window = on_embedder();
    window.see("Embedding models cannot chat");
    assert!(
        !window.has_button("Chat instead"),
        "the cluster knows what it makes"
    );
    assert!(window.button("Embed").accesskit_node().is_disabled());
    window.type_into("Text to embed", "The cat sleeps on the sofa");
    window.click("Embed");
    window.see("Dimension 1,024");
    window.see("L2 norm 1.0000");
    window.see("… 1,012 more");
    assert!(
        !tile(&window, "Prompt tokens").contains('–'),
        "{}",
        window.told()
    );
    assert!(!window.shows("Cosine similarity"));
    let near = |window: &mut Window, other: &str| -> f64 {
        window.type_into("Second text, to compare", other);
        window.see("The result below is for other texts");
        window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
        // While it is on its way what came before is still shown.
        window.until("it came", |window| {
            window.has_button("Embed") && !window.shows("The result below is for other texts")
        });
        window.see("Second vector");
        let told = tile(window, "Cosine similarity");
        told.trim_start_matches("Cosine similarity ")
            .parse()
            .unwrap_or_else(|_| panic!("{told:?}"))
    };
    assert_eq!(near(&mut window, "The cat sleeps on the sofa"), 1.0);
    let alike = near(&mut window, "Cats are sleeping on a sofa");
    let unlike = near(&mut window, "Revenue grew by nine percent");
    assert!(alike > unlike + 0.2, "{alike} against {unlike}");
    window.click("View code");
    window.see("these texts and this model");
    assert!(
        window.query_by_label_contains("/v1/embeddings").is_some()
            || window.told().contains("v1/embeddings")
    );
    window.click("Close");
    window.pick("Model", "gpt-oss-120b");
    window.ask("One can chat with others");
}

#[test]
fn the_user_knows_what_a_model_of_an_api_makes() {
    let api = Api::start(vec![
        DemoModel::quick("my-vectors", Quirk::Embeds),
        DemoModel::quick("bge-who-chats", Quirk::None),
    ]);
    let mut window = api.window();
    window.pick("Model", "my-vectors");
    window.ask("Hello?");
    window.see("This model creates embeddings and cannot chat");
    window.click("Parameters");
    window.click("This model makes embeddings");
    window.see("Text to embed");
    window.type_into("Text to embed", "Hello");
    window.click("Embed");
    window.see("Dimension 1,024");
    window.pick("Model", "bge-who-chats");
    window.see("Text to embed");
    window.type_into("Text to embed", "Hello again");
    window.click("Embed");
    window.see("This model does not create embeddings");
    window.click("Chat instead");
    window.until("one can chat", |window| !window.shows("Text to embed"));
    window.ask("Hello");
    let mut window = window.restart();
    window.see("Model: bge-who-chats");
    assert!(!window.shows("Text to embed"), "what was said is kept");
    window.pick("Model", "my-vectors");
    window.see("Text to embed");
}

#[test]
fn what_hangs_can_be_cancelled() {
    let api = Api::start(vec![DemoModel::quick("e5-stuck", Quirk::Hangs)]);
    let mut window = api.window();
    window.see("Text to embed");
    window.type_into("Text to embed", "Hello");
    window.click("Embed");
    window.see("Embedding, ");
    window.until("it is on its way", |_| !api.bodies().is_empty());
    window.click("Cancel");
    window.until("it is over", |window| window.has_button("Embed"));
    window.until("the server was left", |_| api.last_was_aborted());
    assert_eq!(api.bodies()[0]["encoding_format"], "float");
}

#[test]
fn beside_others_it_is_not_chatted_with() {
    let api = Api::start(vec![
        DemoModel::quick("chats", Quirk::None),
        DemoModel::quick("e5-embeds", Quirk::Embeds),
    ]);
    let mut window = api.window();
    window.pick("Model", "chats");
    window.compare();
    window.pick("Model of pane 2", "e5-embeds");
    window.see("Text to embed");
    window.ask("Hello");
    assert_eq!(api.bodies().len(), 1);
    assert_eq!(api.bodies()[0]["model"], "chats");
}
