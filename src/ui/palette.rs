//! The command palette: pages, environments, models, conversations and actions, found by typing.

use std::borrow::Cow;
use std::time::Duration;

use egui::{
    Context, CornerRadius, Id, Key, Modal, Modifiers, Role, ScrollArea, Sense, TextEdit, TextStyle,
    Ui, WidgetInfo, vec2,
};

use super::keys::PAGES;
use super::widgets::{Choice, MARGIN, Section, caption, matching, shortened, tokens};
use crate::domain::environment::EnvId;
use crate::domain::history::{SessionId, SessionRow};
use crate::domain::settings::ThemeChoice;
use crate::domain::workspace::Page;
use crate::state::State;
use crate::state::action::{Action, Actions, EnvironmentAction};
use crate::state::bench::BenchAction;
use crate::state::cluster::ClusterAction;
use crate::state::history::ConversationsAction;
use crate::state::panes::PaneAction;
use crate::ui::theme::HALF;

/// Of each kind, so that no kind pushes the others out of sight.
const MAX_MATCHES_PER_KIND: usize = 8;
/// So many of the latest conversations are searched.
const SEARCHED_CONVERSATIONS: u64 = 100;

/// Whether it is open, and what is typed in it.
#[derive(Debug, Default)]
pub(super) struct Palette {
    open: bool,
    filter: String,
    /// The entry that Enter takes.
    marked: usize,
}

/// What an action of the palette asks for.
type Act = fn() -> Vec<Action>;

/// What an entry does.
enum Does<'a> {
    Go(Page),
    Switch(&'a EnvId),
    /// The deployment and the model.
    Ask(Option<&'a str>, &'a str),
    Open(&'a SessionId),
    Act(Act),
    ToggleActivity,
}

struct Entry<'a> {
    kind: &'static str,
    name: &'a str,
    /// Beside the name.
    remark: Cow<'a, str>,
    does: Does<'a>,
}

impl Entry<'_> {
    /// What is searched for what was typed.
    fn searched(&self) -> String {
        format!("{} {}", self.name, self.remark)
    }
}

impl Palette {
    pub(super) fn open(&mut self) {
        *self = Self {
            open: true,
            ..Self::default()
        };
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Draws it while it is open. Gives whether the Activity is to be shown or hidden.
    pub(super) fn show(&mut self, ctx: &Context, state: &State, out: &mut Actions) -> bool {
        if !self.open {
            return false;
        }
        out.push(ConversationsAction::Want(0..SEARCHED_CONVERSATIONS));
        let mut toggle = false;
        let modal = Modal::new(Id::unique("command palette")).show(ctx, |ui| {
            ui.set_width(520.0);
            let before = self.filter.clone();
            let edit = TextEdit::singleline(&mut self.filter)
                .hint_text("Type a page, an environment, a model, a conversation or an action")
                .desired_width(f32::INFINITY)
                .margin(MARGIN);
            let edit = ui.add(edit);
            edit.widget_info(|| {
                WidgetInfo::labeled(Role::TextInput, true, "Command palette search")
            });
            edit.request_focus();
            if self.filter != before {
                self.marked = 0;
            }
            let entries = found(state, self.filter.trim());
            if let Some(entry) = self.list_ui(ui, &entries) {
                toggle = perform(entry, out);
                self.open = false;
            }
        });
        self.open &= !modal.should_close();
        toggle
    }

    /// Gives the entry that was taken, by a click or by Enter.
    fn list_ui<'e, 'a>(&mut self, ui: &mut Ui, entries: &'e [Entry<'a>]) -> Option<&'e Entry<'a>> {
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let (up, down, enter) = (
            pressed(Key::ArrowUp),
            pressed(Key::ArrowDown),
            pressed(Key::Enter),
        );
        let last = entries.len().saturating_sub(1);
        self.marked = match (up, down) {
            (true, _) => self.marked.saturating_sub(1),
            (_, true) => self.marked + 1,
            _ => self.marked,
        }
        .min(last);
        let mut taken = entries.get(self.marked).filter(|_| enter);
        if entries.is_empty() {
            caption(ui, "No matches");
        }
        ScrollArea::vertical()
            .max_height(380.0)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = HALF;
                let mut kind = "";
                for (n, entry) in entries.iter().enumerate() {
                    if entry.kind != kind {
                        kind = entry.kind;
                        caption(ui, kind);
                    }
                    let moved = up || down;
                    if entry_ui(ui, entry, n == self.marked, moved) {
                        taken = Some(entry);
                    }
                }
            });
        taken
    }
}

/// Gives whether it was clicked.
fn entry_ui(ui: &mut Ui, entry: &Entry<'_>, marked: bool, moved: bool) -> bool {
    let tokens = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 26.0), Sense::click());
    if marked || response.hovered() {
        let fill = if marked {
            tokens.selection
        } else {
            tokens.hover
        };
        ui.painter().rect_filled(rect, CornerRadius::same(6), fill);
    }
    if marked && moved {
        response.scroll_to_me(None);
    }
    let mut inside = ui.new_child(
        egui::UiBuilder::new()
            .max_rect(rect.shrink2(vec2(8.0, 3.0)))
            .layout(egui::Layout::left_to_right(egui::Align::Center)),
    );
    let width = inside.available_width();
    let name = shortened(
        &mut inside,
        entry.name,
        TextStyle::Body,
        tokens.text,
        width * 0.68,
    );
    let left = width - name.rect.width() - 16.0;
    if !entry.remark.is_empty() {
        shortened(
            &mut inside,
            &entry.remark,
            TextStyle::Small,
            tokens.dim,
            left,
        );
    }
    let spoken = format!("{}: {}", entry.kind, entry.name);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, marked, &spoken));
    response.clicked()
}

/// Gives whether the Activity is to be shown or hidden.
fn perform(entry: &Entry<'_>, out: &mut Actions) -> bool {
    match &entry.does {
        Does::Go(page) => out.push(*page),
        Does::Switch(env) => out.push(EnvironmentAction::Switch((*env).clone())),
        Does::Ask(deployment, model) => {
            out.push(PaneAction::Activate(0));
            out.push(PaneAction::PickDeployment(0, deployment.map(str::to_owned)));
            out.push(PaneAction::PickModel(0, (*model).to_owned()));
            out.push(Page::Playground);
        }
        Does::Open(id) => {
            out.push(Page::Playground);
            out.push(ConversationsAction::Open((*id).clone()));
        }
        Does::Act(actions) => out.extend(actions()),
        Does::ToggleActivity => return true,
    }
    false
}

/// The entries that match, kind by kind: the kind with the best match first.
fn found<'a>(state: &'a State, filter: &str) -> Vec<Entry<'a>> {
    let kinds = entries(state);
    // What stands beside a name is found, too.
    let texts: Vec<Vec<String>> = kinds
        .iter()
        .map(|entries| entries.iter().map(Entry::searched).collect())
        .collect();
    let sections: Vec<Section<'_>> = texts
        .iter()
        .map(|texts| Section {
            heading: "",
            choices: texts.iter().map(|text| Choice::plain(text)).collect(),
        })
        .collect();
    let places = matching(&sections, filter);
    let mut kinds: Vec<Vec<Option<Entry<'a>>>> = kinds
        .into_iter()
        .map(|entries| entries.into_iter().map(Some).collect())
        .collect();
    let mut found = Vec::new();
    for (kind, lines) in places {
        let lines = lines.into_iter().take(MAX_MATCHES_PER_KIND);
        found.extend(lines.filter_map(|line| kinds.get_mut(kind)?.get_mut(line)?.take()));
    }
    found
}

/// All entries, kind by kind.
fn entries(state: &State) -> [Vec<Entry<'_>>; 5] {
    fn plain<'a>(kind: &'static str, name: &'a str, remark: &'a str, does: Does<'a>) -> Entry<'a> {
        Entry {
            kind,
            name,
            remark: remark.into(),
            does,
        }
    }
    let pages = PAGES.iter().map(|(page, name, key)| Entry {
        kind: "Page",
        name,
        remark: format!("Ctrl+{}", key.symbol_or_name()).into(),
        does: Does::Go(*page),
    });
    let others = state.environments.settings.environments.iter();
    let others = others.filter(|env| env.id != state.environments.settings.selected);
    let environments = others.map(|env| {
        plain(
            "Environment",
            &env.name,
            "switch to it",
            Does::Switch(&env.id),
        )
    });
    let models = models(state).map(|(deployment, model)| {
        let remark = deployment.unwrap_or("routed by the API");
        plain("Model", model, remark, Does::Ask(deployment, model))
    });
    let conversations = known_conversations(state).map(|row| {
        plain(
            "Conversation",
            &row.title,
            &row.environment,
            Does::Open(&row.id),
        )
    });
    let actions = actions().map(|(name, remark, does)| plain("Action", name, remark, does));
    [
        pages.collect(),
        environments.collect(),
        models.collect(),
        conversations.collect(),
        actions.collect(),
    ]
}

/// The models that one can chat with, each with its deployment; those of the API alone are last.
fn models(state: &State) -> impl Iterator<Item = (Option<&str>, &str)> {
    let cluster = &state.connection().cluster;
    let view = cluster.view.value();
    let deployed = move || view.into_iter().flat_map(|view| &view.deployments);
    let is_deployed = move |id: &str| {
        let mut models = deployed().flat_map(|it| &it.models);
        models.any(|model| model.is_called(id))
    };
    let own = deployed().flat_map(|it| it.models.iter().map(move |model| (it, model)));
    let own = own
        .filter(|(_, model)| model.chats())
        .map(|(it, model)| (Some(it.name.as_str()), model.serving_name.as_str()));
    let routed = cluster.api_models.value().into_iter().flatten();
    let others = routed
        .filter(move |id| !is_deployed(id))
        .map(|id| (None, id.as_str()));
    own.chain(others)
}

/// The latest conversations, as far as they are here.
fn known_conversations(state: &State) -> impl Iterator<Item = &SessionRow> {
    let conversations = &state.conversations;
    let is_there =
        |row: &&SessionRow| !conversations.is_removed(&row.id) && !conversations.is_gone(&row.id);
    conversations.rows.known().filter(is_there)
}

/// Name, keys and what is done.
fn actions() -> impl Iterator<Item = (&'static str, &'static str, Does<'static>)> {
    let list: [(&str, &str, Act); 10] = [
        ("New conversation", "Ctrl+N", || {
            vec![Page::Playground.into(), PaneAction::Clear.into()]
        }),
        ("Run benchmark", "", || {
            vec![Page::Benchmark.into(), BenchAction::Run.into()]
        }),
        ("Stop benchmark", "", || vec![BenchAction::Stop.into()]),
        ("Refresh", "F5", || vec![ClusterAction::Refresh.into()]),
        ("Run checks", "", || {
            vec![Page::Environments.into(), EnvironmentAction::Check.into()]
        }),
        ("Probe all models", "", || {
            vec![Page::Deployments.into(), ClusterAction::ProbeAll.into()]
        }),
        ("Use the light theme", "", || {
            vec![Action::SetTheme(ThemeChoice::Light)]
        }),
        ("Use the dark theme", "", || {
            vec![Action::SetTheme(ThemeChoice::Dark)]
        }),
        ("Use the system's theme", "", || {
            vec![Action::SetTheme(ThemeChoice::System)]
        }),
        ("Help", "F1", || vec![Page::Welcome.into()]),
    ];
    let last = ("Show or hide Activity", "Ctrl+J", Does::ToggleActivity);
    list.into_iter()
        .map(|(name, keys, act)| (name, keys, Does::Act(act)))
        .chain([last])
}

/// The conversations are read while the palette is open. Gives when to look again.
pub(super) fn work(
    state: &mut State,
    now: Duration,
    out: &mut Vec<crate::protocol::Command>,
) -> Option<Duration> {
    state.conversations_due(true, now, out)
}
