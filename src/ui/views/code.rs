//! View code: the current request as a program, with the key masked.

use egui::{Context, Id, Label, Modal, RichText, ScrollArea, TextStyle, Ui, vec2};

use crate::domain::dialect::Dialect;
use crate::domain::environment::Environment;
use crate::protocol::{Command, JobId, KeyStatus};
use crate::snippet::{self, KeyText, Language, SnippetSpec};
use crate::state::State;
use crate::ui::theme::{self, GRID};
use crate::ui::widgets::{
    caption, card, focus_when_new, from_right, primary_button, strong, tokens,
};

/// The dialog's choices; they outlive its closing.
#[derive(Debug)]
pub struct CodeUi {
    open: bool,
    language: Language,
    stream: bool,
    /// The code, with the inputs it was written from.
    written: Option<(Basis, ShownCode)>,
}

/// What the code depends on that can change while the dialog is open: nothing is typed meanwhile.
#[derive(Debug, PartialEq)]
struct Basis {
    language: Language,
    stream: bool,
    env: Environment,
    /// Where its API is, and the end of its key.
    api: Option<String>,
    tail: Option<String>,
    pane: usize,
    model: Option<String>,
    embeds: bool,
    dialect: Dialect,
    /// Turns, and the answer under way: its text is in the code once it is whole.
    turns: Vec<u64>,
    running: Option<JobId>,
    /// Attachments are read while they are waited for.
    attached: usize,
}

/// The beginning of the code.
#[derive(Debug)]
struct ShownCode {
    code: String,
    is_all: bool,
}

impl Default for CodeUi {
    fn default() -> Self {
        Self {
            open: false,
            language: Language::Curl,
            stream: true,
            written: None,
        }
    }
}

impl CodeUi {
    /// Opens the dialog.
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Draws it, if it is open.
    pub fn show(&mut self, ctx: &Context, state: &State, out: &mut Vec<Command>) {
        if !self.open {
            return;
        }
        let screen = ctx.content_rect().size();
        let size = vec2((screen.x - 80.0).min(860.0), (screen.y - 80.0).min(640.0));
        let modal = Modal::new(Id::unique("view code")).show(ctx, |ui| {
            ui.set_width(size.x);
            ui.set_height(size.y);
            self.contents_ui(ui, state, out);
        });
        if modal.should_close() {
            self.open = false;
        }
        if !self.open {
            self.written = None;
        }
    }

    fn contents_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
        ui.horizontal(|ui| {
            ui.heading("View code");
            from_right(ui, |ui| {
                let close = ui.button("Close");
                focus_when_new(&close);
                if close.clicked() {
                    self.open = false;
                }
            });
        });
        let index = state.panes().active();
        let embeds = state.pane_targets().of(index).embeds();
        let told = match embeds {
            true => "The same request as a program: these texts and this model",
            false => "The same request as a program: this conversation, model and parameters",
        };
        caption(ui, told);
        ui.horizontal_wrapped(|ui| {
            for language in Language::ALL {
                ui.selectable_value(&mut self.language, language, language.label());
            }
            if !embeds {
                ui.checkbox(&mut self.stream, "Stream the answer");
            }
        });
        let Some(env) = state.pane_targets().of(index).env else {
            return;
        };
        let basis = self.basis(state, index, env);
        let has_key = basis.tail.is_some();
        // A conversation with files in it is megabytes of code: it is not written for each frame.
        if self.written.as_ref().is_none_or(|(old, _)| *old != basis) {
            let code = self.spec(state, index, env).map(|spec| {
                let key = basis
                    .tail
                    .as_deref()
                    .map_or(KeyText::Variable, |tail| KeyText::Masked { tail });
                ShownCode::of(snippet::write(&spec, key))
            });
            self.written = code.map(|code| (basis, code));
        }
        let Some((_, code)) = &self.written else {
            strong(ui, "No request to show yet");
            caption(ui, "Pick a model in an environment that has an API domain");
            return;
        };
        // A shell that is typed in may run comments, so the code itself does not say it.
        if self.language == Language::Curl && code.code.contains("base64 < ") {
            caption(
                ui,
                "The code reads pictures from files next to it. To save a picture, click it, then Save…",
            );
        }
        let buttons = 44.0;
        card(ui).fill(tokens(ui).code).show(ui, |ui| {
            let height = ui.available_height() - buttons - 26.0;
            ScrollArea::both()
                .auto_shrink(false)
                .max_height(height)
                .show(ui, |ui| code_ui(ui, code, self.language));
        });
        ui.add_space(GRID);
        self.copy_buttons_ui(ui, state, (index, env, has_key), out);
    }

    fn copy_buttons_ui(
        &self,
        ui: &mut Ui,
        state: &State,
        (index, env, has_key): (usize, &Environment, bool),
        out: &mut Vec<Command>,
    ) {
        from_right(ui, |ui| {
            let label = match env.key_variable() {
                Some(variable) => format!("Copy with ${variable}"),
                None => "Copy code".to_owned(),
            };
            if primary_button(ui, &label, true).clicked() {
                let text = self
                    .spec(state, index, env)
                    .map(|spec| snippet::write(&spec, KeyText::Variable));
                out.extend(text.map(|text| Command::Copy {
                    what: "Code".to_owned(),
                    text,
                }));
            }
            let with_key = ui.add_enabled(has_key, egui::Button::new("Copy with API key"));
            let with_key =
                with_key.on_hover_text("Copies the key unencrypted: be careful where you paste it");
            if with_key.clicked() {
                let spec = self.spec(state, index, env).map(Box::new);
                out.extend(spec.map(|spec| Command::CopyWithKey {
                    place: env.clone(),
                    spec,
                }));
            }
        });
    }

    fn basis(&self, state: &State, pane: usize, env: &Environment) -> Basis {
        let drafting = state.panes().drafting();
        let attached = state.panes().chat(drafting).attached.len();
        let place = state.environments.connection_of(&env.id);
        let api = place.and_then(|place| Some(place.api.as_ref()?.text()));
        let tail = place.and_then(|place| match &place.key {
            Some(KeyStatus::Present { tail }) => Some(tail.clone()),
            _ => None,
        });
        let model = state.panes().get(pane).choice.model.clone();
        let dialect = state
            .environments
            .dialect(&env.id, model.as_deref().unwrap_or_default());
        let embeds = state.pane_targets().of(pane).embeds();
        let chat = state.panes().chat(pane);
        Basis {
            language: self.language,
            stream: self.stream,
            env: env.clone(),
            api,
            tail,
            pane,
            model,
            embeds,
            dialect,
            turns: chat.turns().iter().map(|turn| turn.id).collect(),
            running: chat.running(),
            attached,
        }
    }

    /// All that the code says; `None` while something is missing.
    fn spec(&self, state: &State, index: usize, env: &Environment) -> Option<SnippetSpec> {
        let api = state.environments.connection_of(&env.id)?.api.clone()?;
        let request = state.panes().request_shown(index)?;
        let dialect = state.environments.dialect(&env.id, &request.model);
        let embed = state
            .pane_targets()
            .of(index)
            .embeds()
            .then(|| state.panes().chat(index).embed.texts());
        let spec = SnippetSpec {
            language: self.language,
            api,
            request,
            embed,
            stream: self.stream,
            ca_file: None,
            accept_invalid_certs: false,
            key_variable: None,
            key_header: None,
            extras: Vec::new(),
            dialect,
        };
        Some(spec.of(env))
    }
}

impl ShownCode {
    /// Cuts code that is too long to be laid out in a frame.
    fn of(mut code: String) -> Self {
        const MAX_SHOWN_BYTES: usize = 60_000;
        let end = code.floor_char_boundary(MAX_SHOWN_BYTES);
        let is_all = end == code.len();
        code.truncate(end);
        Self { code, is_all }
    }
}

/// Highlighted while it is short enough to be laid out at once.
fn code_ui(ui: &mut Ui, ShownCode { code, is_all }: &ShownCode, language: Language) {
    let style = ui.style().clone();
    if !is_all {
        caption(
            ui,
            "The conversation is long, so only its beginning is shown. Copying includes all of it",
        );
        ui.add(Label::new(RichText::new(code).text_style(TextStyle::Monospace)).extend());
        return;
    }
    let theme = egui_extras::syntax_highlighting::CodeTheme::from_style(&style);
    let mut job = egui_extras::syntax_highlighting::highlight(
        ui.ctx(),
        &style,
        &theme,
        code,
        language.syntax(),
    );
    let surface = theme::Tokens::of(&style).code;
    for section in &mut job.sections {
        section.format.color = theme::Tokens::of(&style).readable(section.format.color, surface);
        section.format.background = egui::Color32::TRANSPARENT;
    }
    job.wrap.max_width = f32::INFINITY;
    ui.add(Label::new(job).selectable(true));
}
