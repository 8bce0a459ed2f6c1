//! The History page over a store that is made up, found and used by label.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use batida::protocol::Command;
use egui::accesskit::Role;
use egui::{Key, Modifiers, Theme, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::history::{Stage, rows};
use super::window::{LARGE, PATIENCE};

/// The page over a store of so many sessions.
pub(crate) struct Page(Harness<'static, Stage>);

impl Deref for Page {
    type Target = Harness<'static, Stage>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Page {
    pub(crate) fn over(stage: Stage, size: Vec2) -> Self {
        let harness = Harness::builder()
            .with_size(size)
            .with_theme(Theme::Dark)
            .with_step_dt(1.0 / 30.0)
            .with_max_steps(8)
            .with_render_cursor(false)
            .build_ui_state(|ui, stage: &mut Stage| stage.frame(ui), stage);
        Self(harness)
    }

    pub(crate) fn with(count: u64) -> Self {
        let mut page = Self::over(Stage::new(rows(count)), LARGE);
        page.until("the rows are there", |page| {
            page.state().state.history.rows.total().is_some()
        });
        page.run_steps(8);
        page
    }

    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.step();
            if so(self) {
                return self.run_steps(2);
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}. On the screen:\n{}",
                self.told()
            );
        }
    }

    #[track_caller]
    pub(crate) fn see(&mut self, text: &str) {
        self.until(&format!("{text:?} is seen"), |page| page.shows(text));
    }

    pub(crate) fn shows(&self, text: &str) -> bool {
        self.query_all_by_label_contains(text).next().is_some()
    }

    #[track_caller]
    pub(crate) fn click(&mut self, label: &str) {
        self.until(&format!("{label:?} can be clicked"), |page| {
            page.control(label).is_some()
        });
        self.control(label).expect("it was there").click();
        self.run_steps(3);
    }

    pub(crate) fn control<'a>(&'a self, label: &'a str) -> Option<egui_kittest::Node<'a>> {
        let roles = [
            Role::Button,
            Role::CheckBox,
            Role::RadioButton,
            Role::ComboBox,
            Role::ListBoxOption,
        ];
        self.query_all_by_label(label).find(|node| {
            let node = node.accesskit_node();
            roles.contains(&node.role()) && !node.is_disabled()
        })
    }

    pub(crate) fn key(&mut self, key: Key) {
        self.key_press(key);
        self.run_steps(3);
    }

    #[track_caller]
    pub(crate) fn type_into(&mut self, label: &str, text: &str) {
        self.get_by_role_and_label(Role::TextInput, label).focus();
        self.step();
        self.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.step();
        self.get_by_role_and_label(Role::TextInput, label)
            .type_text(text);
        self.run_steps(2);
    }

    /// Opens a picker and takes a line of it.
    #[track_caller]
    pub(crate) fn pick(&mut self, picker: &str, name: &str) {
        self.click(picker);
        self.until("the list is open", |page| page.control(name).is_some());
        self.click(name);
    }

    pub(crate) fn told(&self) -> String {
        let nodes = self.root().children_recursive();
        nodes
            .filter_map(|node| {
                node.accesskit_node()
                    .label()
                    .map(|label| format!("  {label}\n"))
            })
            .collect()
    }

    /// The rows that are drawn, as a screen reader hears them.
    pub(crate) fn drawn(&self) -> Vec<String> {
        let rows = self.query_all_by_role(Role::ListBoxOption);
        rows.filter_map(|node| node.accesskit_node().label())
            .collect()
    }

    pub(crate) fn selected(&self) -> String {
        self.state()
            .state
            .history
            .selected()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    pub(crate) fn chosen(&self) -> Vec<&str> {
        self.state()
            .state
            .history
            .chosen
            .iter()
            .map(|id| id.0.as_str())
            .collect()
    }

    #[track_caller]
    pub(crate) fn sent(&self, what: impl Fn(&Command) -> bool) {
        assert!(
            self.state().sent.iter().any(what),
            "{:?}",
            self.state().sent
        );
    }
}
