//! The window, used by label: the real engine, the demo's server, kubectl's twin and the real kubectl.

use std::path::Path;
use std::time::Duration;

use batida::demo::api::{DEMO_KEY, DemoModel, DemoOptions, DemoServer, Quirk};
use batida::domain::environment::{ApiAddress, EnvId};
use batida::domain::settings::ThemeChoice;
use batida::state::Loadable;
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::kube::{Cluster, Kube, NAMESPACE, Trouble, kubectls};
use crate::support::window::{LARGE, SMALL, Setup, Window, api_env, cluster_env, runtime};

// The first start.

#[test]
fn the_first_start_is_on_the_demo_with_a_model_picked() {
    let mut window = Window::first_start();
    window.see("Model: Meta-Llama-3.3-70B-Instruct");
    window.see("Deployment: bd-gpt-oss-llama70b");
    window.see("Environment Demo, all is well");
    window.see("6 of 13 deployed · seen just now");
    window.see("Nothing said yet");
    window.see("No answers yet");
    assert!(window.button("Send").accesskit_node().is_disabled(), "there is nothing to send yet");
    window.check_accessibility();
    println!("{}", window.told());
}

// The chat.

#[test]
fn enter_sends_and_the_answer_streams_with_its_figures() {
    let mut window = Window::on_demo();
    window.say("Say something");
    assert!(window.has_button("Stop"));
    window.see("You asked: Say something");
    window.until("the answer is complete", |window| window.has_button("Send"));
    println!("{}", window.told());
    assert_eq!(window.field("Message").value().as_deref(), Some(""));
}
