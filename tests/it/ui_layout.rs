//! Every page at every size and in both themes: nothing is cut, nothing overlaps, all inputs have names.
//! And a few pictures.

use std::collections::HashMap;

use batida::demo::api::DEMO_KEY;
use batida::domain::environment::{ApiAddress, EnvId, Environment};
use egui::accesskit::{NodeId, Role};
use egui::epaint::ClippedShape;
use egui::{Key, Modifiers, Rect, Shape, Theme, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::bench::{run, tell};
use crate::support::dropped::sambawiz;
use crate::support::environments::api_env;
use crate::support::history::Stage;
use crate::support::page::Page;
use crate::support::tools::{
    offer_clock, pick_format, press, with_conversations, with_embeddings, with_prompts,
};
use crate::support::window::{LARGE, SMALL, Window, on_benchmark};

// Claims

#[test]
fn the_playground_fits() {
    let mut window = Window::on_demo();
    check(&mut window, "Playground, empty");
    window.ask("Compare them in a table, with code, and list the steps");
    window.pick("Model", "gpt-oss-120b");
    window.ask("And you?");
    check(&mut window, "Playground, two answers");
    window.click("Parameters");
    for parameter in ["Max tokens", "Temperature", "Seed", "Top p", "Top k"] {
        window.click(parameter);
    }
    check(&mut window, "Playground, parameters");
    window.click("Parameters (5 set)");
    window.type_into("Message", &"a long question ".repeat(80));
    check(&mut window, "Playground, a long draft");
    window.open_picker("Deployment");
    check(&mut window, "Playground, deployments");
    window.key_press(Key::Escape);
    window.step();
    window.open_picker("Model");
    check(&mut window, "Playground, models");
}

#[test]
fn panes_side_by_side_fit() {
    let mut window = Window::on_demo();
    window.compare();
    check(&mut window, "Panes, two empty");
    window.ask("Compare them in a table, with code, and list the steps");
    check(&mut window, "Panes, two answers");
    window.click("Parameters of gpt-oss-120b");
    window.click("Linked to the first pane");
    check(&mut window, "Panes, parameters");
    window.click("Parameters of gpt-oss-120b");
    window.set_size(LARGE);
    for _ in 0..2 {
        window.compare();
    }
    window.ask("And you?");
    check(&mut window, "Panes, four");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Blind vote");
    window.ask("Who are you?");
    check(&mut window, "Panes, blind");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Equal");
    check(&mut window, "Panes, voted");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Figures");
    check(&mut window, "Panes, four beside the figures");
}

#[test]
fn the_conversations_fit() {
    let mut window = with_conversations();
    check(&mut window, "Conversations");
    window.key_press(Key::F2);
    window.step();
    check(&mut window, "Conversations, a new title");
    window.key_press(Key::Escape);
    window.step();
    window.key_press_modifiers(Modifiers::SHIFT, Key::Delete);
    window.see("Deleted: ");
    check(&mut window, "Conversations, one deleted");
    window.click("Undo delete");
    window.key_press(Key::Enter);
    window.see("Opened: ");
    check(&mut window, "Playground, one opened");
}

#[test]
fn the_prompts_fit() {
    let mut window = with_prompts();
    check(&mut window, "Prompts, none");
    window.click("Add starter prompts");
    window.see("Prompt Translate");
    check(&mut window, "Prompts");
    window.click("Prompt Summarise");
    window.see("Preview");
    check(&mut window, "Prompts, values");
    window.click("Back");
    window.key_press(Key::F2);
    window.see("Edit prompt");
    check(&mut window, "Prompts, edited");
}

#[test]
fn embeddings_fit() {
    let mut window = with_embeddings();
    check(&mut window, "Embeddings");
    window.set_size(LARGE);
    window.run_steps(2);
    window.compare();
    window.see("Pane 2: ");
    check(&mut window, "Embeddings beside a chat");
}

#[test]
fn functions_and_formats_fit() {
    let mut window = Window::on_demo();
    window.click("Parameters");
    press(&mut window, "Add function");
    window.see("Offer get_weather");
    pick_format(&mut window, "JSON schema");
    check(&mut window, "Functions, in the parameters");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Parameters (2 set)");
    offer_clock(&mut window, "Parameters (2 set)");
    window.ask("What is the weather in Paris, and the time?");
    window.type_into("Result of get_weather", "rain");
    check(&mut window, "Functions, called");
    window.set_size(LARGE);
    window.run_steps(2);
    window.type_into("Result of clock", "noon");
    window.click("Send results");
    window.see("Valid against the schema");
    window.until("it is complete", |window| window.has_button("Send"));
    check(&mut window, "Functions, answered");
    window.set_size(LARGE);
    window.run_steps(2);
    window.compare();
    window.ask("The time?");
    check(&mut window, "Functions, side by side");
}

#[test]
fn the_welcome_page_fits() {
    let mut window = Window::first_start();
    window.see("Connect a cluster");
    window.type_into("API domain", "ftp://x");
    window.see("ftp:// is not an API address");
    check(&mut window, "Welcome");
    window.click("Keyboard shortcuts");
    check(&mut window, "Welcome, with the keys");
}

#[test]
fn the_command_palette_fits() {
    let mut window = Window::on_demo();
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    window.see("Command palette search");
    check(&mut window, "Palette");
    window.type_into("Command palette search", "nothing is called that");
    check(&mut window, "Palette, nothing found");
}

#[test]
fn view_code_fits() {
    let mut window = Window::on_demo();
    window.click("View code");
    check(&mut window, "View code");
}

#[test]
fn the_activity_drawer_fits() {
    let mut window = Window::on_demo();
    window.key_press_modifiers(Modifiers::COMMAND, Key::J);
    window.step();
    check(&mut window, "Activity on the Playground");
    window.click("Environments");
    check(&mut window, "Activity in Environments");
}

#[test]
fn the_deployments_page_fits() {
    let mut window = Window::on_demo();
    window.click("Deployment details");
    window.click("md-deepseek-canary, Deploying");
    window.see("Likely cause");
    check(&mut window, "Deployments");
    window.click("View log of inf in inf-md-deepseek-canary-q-default-n-0");
    window.see("inf: waiting");
    check(&mut window, "Deployments, with a log");
    window.click("Close log");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("bd-gpt-oss-llama70b, Deployed");
    window.click("Probe these models");
    window.until("both have answered", |window| {
        window.query_all_by_label_contains("answered at").count() == 2
    });
    check(&mut window, "Deployments, models that were probed");
}

#[test]
fn home_fits() {
    let mut window = Window::on_demo();
    window.click("Environments");
    check(&mut window, "Environments, demo");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Import…");
    check(&mut window, "Environments, nothing imported yet");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = sambawiz(folder.path(), "prod.yaml", "https://api.example.com");
    window.type_into("File to import", &file.display().to_string());
    window.click("Read file");
    window.see("3 environments");
    check(&mut window, "Environments, an import");
    window.run_steps(4);
    window.click("Cancel");
    window.click("Run checks");
    window.until("all checks ended", |window| {
        window.has_button("Run checks again")
    });
    check(&mut window, "Environments, checks");
    window.click("Add");
    // What is found out about the key moves the fields below it.
    window.see("not configured");
    window.click("Connect to a cluster (kubectl)");
    check(&mut window, "Environments, a new environment");
    window.click("Delete…");
    check(&mut window, "Environments, about to delete");
}

#[test]
fn the_benchmark_fits() {
    let mut window = on_benchmark();
    check(&mut window, "Benchmark, empty");
    window.type_into("Concurrent clients per level", "1, two");
    window.type_into("Requests per level", "0");
    check(&mut window, "Benchmark, problems");
    window.open_picker("Models");
    check(&mut window, "Benchmark, models");
    window.key_press(Key::Escape);
    window.step();
    window.click("More");
    check(&mut window, "Benchmark, more");
    let job = run(&mut window, "Concurrency sweep");
    check(&mut window, "Benchmark, starting");
    tell(&mut window, job, |script| {
        (0..6).for_each(|level| script.level(level, level < 5))
    });
    check(&mut window, "Benchmark, running");
}

#[test]
fn the_history_fits() {
    let empty = Stage::new(Vec::new());
    check(&mut Page::over(empty, LARGE), "History, empty");
    let mut page = Page::with(300);
    page.until("the charts are there", |page| {
        page.shows("Output tokens/s by level")
    });
    check(&mut page, "History");
    page.click("More filters");
    page.click("Tags…");
    check(&mut page, "History, filters and tags");
    page.key(Key::Escape);
    page.click("Trend");
    page.see("TTFT p50 over time, ms. ");
    check(&mut page, "History, trend");
    page.click("Figures");
    page.click("More filters");
    for _ in 0..3 {
        page.key(Key::Space);
        page.key(Key::ArrowDown);
    }
    page.see("compared with the baseline");
    check(&mut page, "History, two laid over each other");
    page.click("Compare 2");
    page.see("Different conditions\n");
    check(&mut page, "History, compared");
    page.click("Back");
    page.key(Key::ArrowUp);
    page.key(Key::Enter);
    page.see("Continue");
    check(&mut page, "History, a conversation");
    page.click("Delete…");
    check(&mut page, "History, about to delete");
    page.click("Cancel");
    page.key(Key::Escape);
    page.key(Key::Home);
    page.key(Key::Enter);
    page.see("Run again");
    check(&mut page, "History, a benchmark");
}

#[test]
fn long_names_and_failures_fit() {
    let name = "an-environment-whose-name-somebody-made-very-long-indeed-and-then-some";
    let dead = format!("http://127.0.0.1:1/{}", "a-long-prefix/".repeat(12));
    let env = Environment {
        name: name.to_owned(),
        accept_invalid_certs: true,
        cluster: Some(Default::default()),
        ..api_env(&ApiAddress::parse(&dead).expect("it is an address"))
    };
    let env = Environment {
        id: EnvId("long".to_owned()),
        ..env
    };
    let mut window = Window::on(with_missing_kubectl(env), Some(DEMO_KEY));
    window.see("connection refused");
    window.see("kubectl was not found at /nowhere/kubectl");
    check(&mut window, "Playground, failures");
    window.click("Open Environments");
    window.click("Run checks");
    window.until("all checks ended", |window| {
        window.has_button("Run checks again")
    });
    check(&mut window, "Environments, failures");
}

fn with_missing_kubectl(env: Environment) -> Environment {
    let cluster = env
        .cluster
        .map(|cluster| batida::domain::environment::ClusterAccess {
            kubectl: Some("/nowhere/kubectl".into()),
            kubeconfig: Some("/dev/null".into()),
            ..cluster
        });
    Environment { cluster, ..env }
}

/// The sizes in points: the smallest window, 1440×900 and 2560×1440, and these two at scales 1.5 and 2. The last one
/// is the size that the test goes on with.
const SIZES: [Vec2; 6] = [
    SMALL,
    vec2(960.0, 600.0),
    vec2(1_280.0, 720.0),
    vec2(1_707.0, 960.0),
    vec2(2_560.0, 1_440.0),
    LARGE,
];

/// Looks at what is open in all sizes and both themes.
#[track_caller]
pub(crate) fn check<S>(window: &mut Harness<'static, S>, what: &str) {
    let mut all = Vec::new();
    for size in SIZES {
        // Colours do not move anything.
        let themes: &[Theme] = if [SMALL, LARGE].contains(&size) {
            &[Theme::Dark, Theme::Light]
        } else {
            &[Theme::Dark]
        };
        for theme in themes {
            window.set_size(size);
            window.ctx.set_theme(*theme);
            // The first frame of a grid, a popup or a table measures.
            window.run_steps(4);
            window.check_accessibility();
            let found = faults(window);
            all.extend(
                found
                    .into_iter()
                    .map(|fault| format!("{what}, {size:?}, {theme:?}: {fault}")),
            );
        }
    }
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
}

/// What is drawn outside of the window or cut, and which controls overlap.
fn faults<S>(window: &Harness<'static, S>) -> Vec<String> {
    let screen = window.ctx.content_rect();
    let mut faults = Vec::new();
    let typed: Vec<String> = window
        .query_all_by_role(Role::TextInput)
        .filter_map(|node| node.value())
        .collect();
    let mut seen: Vec<(String, Rect)> = Vec::new();
    for ClippedShape {
        clip_rect, shape, ..
    } in &window.output().shapes
    {
        texts(shape, &mut |text, rect| {
            // A field of one line shows the part around its cursor.
            if !typed.iter().any(|typed| typed == text) {
                faults.extend(text_fault(text, rect, *clip_rect, screen));
            }
            seen.push((text.chars().take(60).collect(), rect.intersect(*clip_rect)));
        });
    }
    let overlay = window.ctx.memory(|memory| {
        memory
            .areas()
            .visible_layer_ids()
            .iter()
            .any(|layer| layer.order != egui::Order::Background)
    });
    for (n, (one, one_rect)) in seen.iter().enumerate().filter(|_| !overlay) {
        for (other, other_rect) in &seen[n + 1..] {
            // Words that touch read as one.
            let both = one_rect
                .expand2(egui::vec2(2.0, 0.0))
                .intersect(*other_rect);
            if both.width() > 0.0 && both.height() > 2.0 {
                faults.push(format!(
                    "{one:?} is written over {other:?}: {one_rect:?} {other_rect:?}"
                ));
            }
        }
    }
    let controls = controls(window);
    assert!(controls.len() > 5, "there are controls");
    for (n, one) in controls.iter().enumerate() {
        // The attachments of a draft are scrolled sideways.
        let scrolls = one.name.contains("\"Remove ");
        let is_cut = one.rect.width() > one.seen.width() + 1.0 && !scrolls;
        if is_cut || !screen.expand(0.5).contains_rect(one.seen) {
            faults.push(format!(
                "{} is cut: {:?} of {:?}",
                one.name, one.seen, one.rect
            ));
        }
        for other in &controls[n + 1..] {
            let both = one.seen.intersect(other.seen);
            if one.layer == other.layer && both.width() > 1.0 && both.height() > 1.0 {
                faults.push(format!(
                    "{} overlaps {}: {:?} {:?}",
                    one.name, other.name, one.seen, other.seen
                ));
            }
        }
    }
    faults
}

fn text_fault(text: &str, rect: Rect, clip: Rect, screen: Rect) -> Option<String> {
    let clip = clip.intersect(screen);
    let short: String = text.chars().take(60).collect();
    // Only what can be scrolled sideways has lines of its own: code.
    let scrolls = text.contains('\n') || text.len() > 200;
    let seen = rect.intersect(clip);
    if !seen.is_positive() {
        // A list that is scrolled ends before the window does.
        let beyond = (clip.bottom() >= screen.bottom() - 0.5 && rect.top() >= clip.bottom())
            || (clip.right() >= screen.right() - 0.5 && rect.left() >= clip.right());
        return beyond.then(|| format!("{short:?} is outside of the window: {rect:?}"));
    }
    if !scrolls && (rect.left() < clip.left() - 1.0 || rect.right() > clip.right() + 1.0) {
        return Some(format!("{short:?} is cut sideways: {rect:?} in {clip:?}"));
    }
    let below = clip.bottom() >= screen.bottom() - 0.5 && rect.bottom() > screen.bottom() + 1.0;
    below.then(|| format!("{short:?} is cut by the window's edge: {rect:?}"))
}

fn texts(shape: &Shape, each: &mut impl FnMut(&str, Rect)) {
    match shape {
        Shape::Vec(shapes) => shapes.iter().for_each(|shape| texts(shape, each)),
        Shape::Text(text) if !text.galley.text().trim().is_empty() => {
            each(text.galley.text(), text.visual_bounding_rect());
        }
        _ => {}
    }
}

struct Control {
    name: String,
    rect: Rect,
    seen: Rect,
    layer: egui::LayerId,
}

fn controls<S>(window: &Harness<'static, S>) -> Vec<Control> {
    let named: HashMap<NodeId, String> = window
        .root()
        .children_recursive()
        .filter_map(|node| {
            let node = node.accesskit_node();
            let is_control = matches!(
                node.role(),
                Role::Button
                    | Role::CheckBox
                    | Role::RadioButton
                    | Role::ComboBox
                    | Role::DisclosureTriangle
                    | Role::Link
                    | Role::MultilineTextInput
                    | Role::PasswordInput
                    | Role::SpinButton
                    | Role::TextInput
            );
            let name = format!("{:?} {:?}", node.role(), node.label().unwrap_or_default());
            is_control.then(|| (node.locate().0, name))
        })
        .collect();
    window.ctx.viewport(|viewport| {
        let widgets = viewport
            .prev_pass
            .widgets
            .layers()
            .flat_map(|(_, widgets)| widgets);
        widgets
            .filter(|widget| widget.visible && widget.interact_rect.is_positive())
            .filter_map(|widget| {
                let name = named.get(&widget.id.accesskit_id())?.clone();
                let (rect, seen, layer) = (widget.rect, widget.interact_rect, widget.layer_id);
                Some(Control {
                    name,
                    rect,
                    seen,
                    layer,
                })
            })
            .collect()
    })
}

// Pictures
