//! The whole window without a display: the real [`App`] on the real engine, found and used by label.

use std::cell::Cell;
use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::{Duration, Instant};

use batida::domain::environment::Environment;
use batida::domain::settings::Settings;
use batida::domain::workspace::Workspace;
use batida::engine::{Engine, Options};
use batida::io::history::Store;
use batida::io::settings::SettingsStore;
use batida::ui::app::App;
use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, Node};
use tempfile::TempDir;

use super::environments::remember;

/// Longer than anything takes on a busy machine, and not for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The smallest window there is.
pub(crate) const SMALL: Vec2 = vec2(900.0, 600.0);
/// The size of the pictures.
pub(crate) const LARGE: Vec2 = vec2(1_440.0, 900.0);

/// How a window is opened.
pub(crate) struct Setup {
    /// In points.
    pub(crate) size: Vec2,
    /// Dark or light.
    pub(crate) theme: egui::Theme,
    /// Beside the demo, and selected; with its key.
    pub(crate) env: Option<(Environment, Option<&'static str>)>,
    /// On the welcome page, as if nothing was ever connected and the demo never chosen.
    pub(crate) welcome: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            size: LARGE,
            theme: egui::Theme::Dark,
            env: None,
            welcome: false,
        }
    }
}

/// An open window with settings of its own.
pub(crate) struct Window {
    harness: Harness<'static, App>,
    config: TempDir,
}

impl Deref for Window {
    type Target = Harness<'static, App>;
    fn deref(&self) -> &Self::Target {
        &self.harness
    }
}

impl DerefMut for Window {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.harness
    }
}

impl Window {
    /// As on the very first start, on the welcome page.
    pub(crate) fn first_start() -> Self {
        Self::open(Setup {
            welcome: true,
            ..Setup::default()
        })
    }

    /// With nothing connected, and the demo chosen.
    pub(crate) fn start() -> Self {
        Self::open(Setup::default())
    }

    /// On the demo, with a deployment and a model picked.
    pub(crate) fn on_demo() -> Self {
        let mut window = Self::start();
        window.until("a model is picked", |window| {
            window.has_button("Model: Meta-Llama-3.3-70B-Instruct")
        });
        window
    }

    /// In an environment of one's own.
    pub(crate) fn on(env: Environment, key: Option<&'static str>) -> Self {
        Self::open(Setup {
            env: Some((env, key)),
            ..Setup::default()
        })
    }

    /// With all that can be chosen.
    pub(crate) fn open(setup: Setup) -> Self {
        let Setup {
            size,
            theme,
            env,
            welcome,
        } = setup;
        let config = tempfile::tempdir().expect("a temporary folder can be made");
        if let Some((env, key)) = env {
            remember(config.path(), env, key);
        }
        Self::over(config, size, theme, !welcome)
    }

    /// Closed, and opened again with the same settings.
    pub(crate) fn restart(self) -> Self {
        let Self { harness, config } = self;
        drop(harness);
        Self::over(config, LARGE, egui::Theme::Dark, false)
    }

    /// The same; this is done while it is closed.
    pub(crate) fn restart_after(self, meanwhile: impl FnOnce()) -> Self {
        let Self { harness, config } = self;
        drop(harness);
        meanwhile();
        Self::over(config, LARGE, egui::Theme::Dark, false)
    }

    fn over(config: TempDir, size: Vec2, theme: egui::Theme, welcomed: bool) -> Self {
        let options = Options {
            config: Some(config.path().to_owned()),
            simulated_kubectl: Some(env!("CARGO_BIN_EXE_batida").into()),
        };
        let harness = Harness::builder()
            .with_size(size)
            .with_theme(theme)
            .with_step_dt(1.0 / 60.0)
            .with_max_steps(8)
            .with_render_cursor(false)
            .build_eframe(move |cc| {
                let ctx = cc.egui_ctx.clone();
                let started = Engine::start(options, move || ctx.request_repaint());
                let mut app = App::new(&cc.egui_ctx, started.expect("the engine starts"));
                if welcomed {
                    app.state().end_welcome();
                }
                app
            });
        Self { harness, config }
    }

    /// The folder of the settings.
    pub(crate) fn config(&self) -> &Path {
        self.config.path()
    }

    /// What is in the settings file now.
    pub(crate) fn saved(&self) -> Settings {
        SettingsStore::in_dir(self.config.path()).load().settings
    }

    /// What is kept of the workspace now.
    pub(crate) fn kept(&self) -> Workspace {
        let store = Store::open(self.config.path()).expect("it opens").store;
        store.workspace().expect("it can be read")
    }

    /// Draws frames until it is so, and once more.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.step();
            if so(self) {
                return self.step();
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}. On the screen:\n{}",
                self.told()
            );
            std::thread::sleep(Duration::from_millis(4));
        }
    }

    /// Waits for a text that has this in it.
    #[track_caller]
    pub(crate) fn see(&mut self, text: &str) {
        self.until(&format!("{text:?} is seen"), |window| window.shows(text));
    }

    /// Whether a text or a control has this in its name.
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.query_all_by_label_contains(text).next().is_some()
    }

    /// Whether there is a control that can be clicked with this name.
    pub(crate) fn has_button(&self, label: &str) -> bool {
        self.buttons(label).next().is_some()
    }

    fn buttons<'a>(&'a self, label: &'a str) -> impl Iterator<Item = Node<'a>> + 'a {
        self.query_all_by_label(label)
            .filter(|node| is_control(node.accesskit_node().role()))
    }

    /// The control with this name.
    #[track_caller]
    pub(crate) fn button<'a>(&'a self, label: &'a str) -> Node<'a> {
        let found: Vec<_> = self.buttons(label).collect();
        assert_eq!(
            found.len(),
            1,
            "controls named {label:?}. On the screen:\n{}",
            self.told()
        );
        found[0]
    }

    /// Clicks the control with this name as soon as it is there, can be used, and rests: a click goes to where a control
    /// was drawn, and a page that still grows moves it away. One that never rests is clicked after a while.
    #[track_caller]
    pub(crate) fn click(&mut self, label: &str) {
        const MOST_FRAMES: u32 = 100;
        let (before, frames) = (Cell::new(None), Cell::new(0));
        self.until(&format!("{label:?} can be clicked"), |window| {
            let mut usable = window
                .buttons(label)
                .filter(|node| !node.accesskit_node().is_disabled());
            let now = usable.next().map(|node| node.rect());
            frames.set(frames.get() + u32::from(now.is_some()));
            now.is_some() && (before.replace(now) == now || frames.get() > MOST_FRAMES)
        });
        self.button(label).click();
        self.step();
        // What a click changed is drawn, and what that asked for is too.
        self.run_steps(2);
    }

    /// Clicks in the window's corner, where no dialog is.
    pub(crate) fn click_beside(&mut self) {
        let at = egui::pos2(3.0, 3.0);
        self.hover_at(at);
        for pressed in [true, false] {
            let button = egui::PointerButton::Primary;
            self.event(egui::Event::PointerButton {
                pos: at,
                button,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
        self.step();
        self.run_steps(2);
    }

    /// The text field with this name.
    #[track_caller]
    pub(crate) fn field<'a>(&'a self, label: &'a str) -> Node<'a> {
        let fields = [
            Role::TextInput,
            Role::MultilineTextInput,
            Role::PasswordInput,
            Role::SpinButton,
        ];
        let found: Vec<_> = self
            .query_all_by_label(label)
            .filter(|node| fields.contains(&node.accesskit_node().role()))
            .collect();
        assert_eq!(
            found.len(),
            1,
            "fields named {label:?}. On the screen:\n{}",
            self.told()
        );
        found[0]
    }

    /// Replaces what is in a text field, as a person does: all of it is selected and typed over.
    #[track_caller]
    pub(crate) fn type_into(&mut self, label: &str, text: &str) {
        self.field(label).focus();
        self.step();
        self.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.step();
        if text.is_empty() {
            self.key_press(Key::Delete);
        } else {
            self.field(label).type_text(text);
        }
        self.step();
        self.step();
    }

    /// Types a message and presses Enter.
    #[track_caller]
    pub(crate) fn say(&mut self, text: &str) {
        self.type_into("Message", text);
        self.key_press(Key::Enter);
        self.step();
    }

    /// Says something and waits for the whole answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, text: &str) {
        self.say(text);
        self.until("the answer is complete", |window| window.has_button("Send"));
    }

    /// Opens a picker and takes a line that begins with `name`.
    #[track_caller]
    pub(crate) fn pick(&mut self, picker: &str, name: &str) {
        self.open_picker(picker);
        self.until(&format!("{name:?} is in the list"), |window| {
            window.line(name).is_some()
        });
        // The list may still move: the window goes on starting around it. A click that went beside the line is made
        // again, as a person does.
        let picked = format!("{picker}: {name}");
        let deadline = Instant::now() + PATIENCE;
        let mut before = None;
        while !self.has_button(&picked) {
            let Some(line) = self.line(name) else {
                break;
            };
            let at = Some(line.rect());
            if at == before {
                line.click();
                self.step();
                // What was picked is drawn before another click is thought of.
                self.run_steps(3);
                before = None;
                continue;
            }
            before = at;
            self.step();
            assert!(
                Instant::now() < deadline,
                "{name:?} cannot be picked. On the screen:\n{}",
                self.told()
            );
        }
        self.until(&format!("{name:?} is picked"), |window| {
            window.has_button(&picked)
        });
    }

    /// Picks a model of the API, whichever deployment it is of.
    #[track_caller]
    pub(crate) fn pick_of_api(&mut self, model: &str) {
        self.pick("Deployment", "None: any model of the API");
        self.pick("Model", model);
    }

    /// Adds a pane without a copy of the conversation.
    #[track_caller]
    pub(crate) fn compare(&mut self) {
        self.click("+ Compare");
        if self.has_button("Start empty") {
            self.click("Start empty");
        }
    }

    /// Opens a picker's list.
    #[track_caller]
    pub(crate) fn open_picker(&mut self, picker: &str) {
        let begins = format!("{picker}: ");
        let button = |window: &Self| {
            let mut all = window.query_all_by_role(Role::ComboBox);
            all.find(|node| {
                node.accesskit_node()
                    .label()
                    .is_some_and(|label| label.starts_with(&begins))
            })
            .map(|node| node.rect())
        };
        let at = button(self)
            .unwrap_or_else(|| panic!("no picker {picker}:\n{}", self.told()))
            .center();
        self.hover_at(at);
        for pressed in [true, false] {
            self.event(egui::Event::PointerButton {
                pos: at,
                button: egui::PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
        self.step();
        self.run_steps(2);
    }

    /// A line of the open list, by how it begins.
    pub(crate) fn line(&self, name: &str) -> Option<Node<'_>> {
        let with_remark = format!("{name}, ");
        self.query_all_by_role(Role::Button).find(|node| {
            let label = node.accesskit_node().label().unwrap_or_default();
            label == name || label.starts_with(&with_remark)
        })
    }

    /// What a screen reader finds, for the words of a failing test.
    pub(crate) fn told(&self) -> String {
        let mut told = String::new();
        for node in self.root().children_recursive() {
            let node = node.accesskit_node();
            let (label, value) = (node.label(), node.value());
            if label.is_some()
                || value
                    .as_ref()
                    .is_some_and(|value| node.role() == Role::Label && !value.is_empty())
            {
                let _ = writeln!(
                    told,
                    "  {:?} {:?} {:?}",
                    node.role(),
                    label.unwrap_or_default(),
                    value.unwrap_or_default()
                );
            }
        }
        told
    }
}

/// On the demo's Benchmark page, with a model taken over.
pub(crate) fn on_benchmark() -> Window {
    let mut window = Window::on_demo();
    window.click("Benchmark");
    window.see("Models: Meta-Llama-3.3-70B-Instruct");
    window
}

fn is_control(role: Role) -> bool {
    matches!(
        role,
        Role::Button
            | Role::CheckBox
            | Role::RadioButton
            | Role::ComboBox
            | Role::DisclosureTriangle
            | Role::Link
            | Role::ListBoxOption
    )
}

#[track_caller]
/// Opens the Playground on an environment that does not work; it says so, says what to do, and keeps the
/// other program's words one click away.
pub(crate) fn check_trouble(
    env: Environment,
    key: Option<&'static str>,
    summary: &str,
    advice: &str,
    details: &str,
) {
    let mut window = Window::on(env, key);
    window.see(summary);
    window.see(advice);
    window.see("connection problem");
    if !details.is_empty() {
        assert!(!window.shows(details), "{details:?} is folded at first");
        let fold = window
            .query_all_by_label("Details")
            .next()
            .expect("there are details");
        fold.click();
        window.see(details);
    }
    window.click("Open Environments");
    window.see("The cluster, the API and the key");
}
