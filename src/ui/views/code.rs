//! View code: the current request as a program, with the key masked.

use egui::{Context, Id, Label, Modal, RichText, ScrollArea, TextStyle, Ui, vec2};

use crate::protocol::{Command, KeyStatus};
use crate::snippet::{self, KEY_VARIABLE, KeyText, Language, SnippetSpec};
use crate::state::State;
use crate::ui::theme;
use crate::ui::widgets::{caption, card, from_right, primary_button, strong, tokens};

/// The dialog's choices; they outlive its closing.
#[derive(Debug)]
pub struct CodeUi {
    open: bool,
    language: Language,
    stream: bool,
}

impl Default for CodeUi {
    fn default() -> Self {
        Self { open: false, language: Language::Curl, stream: true }
    }
}

impl CodeUi {
    /// Opens the dialog.
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Draws it, if it is open.
    pub fn show(&mut self, ctx: &Context, state: &mut State, out: &mut Vec<Command>) {
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
    }

    fn contents_ui(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
        ui.horizontal(|ui| {
            ui.heading("View code");
            from_right(ui, |ui| {
                if ui.button("Close").clicked() {
                    self.open = false;
                }
            });
        });
        let index = state.active_pane();
        let embeds = state.pane_embeds(index);
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
        let (Some(env), ..) = state.pane_asks(index) else { return };
        let request = state.pane_request(index);
        let embed = embeds.then(|| state.pane_chat(index).embed.texts());
        let place = state.place_of(&env.id);
        let api = place.and_then(|place| place.api.clone());
        let (Some(api), Some(request), Some(place)) = (api, request, place) else {
            strong(ui, "There is nothing to show yet");
            caption(ui, "Pick a model, in an environment that has an API domain");
            return;
        };
        let spec = SnippetSpec {
            language: self.language,
            api,
            request,
            embed,
            stream: self.stream,
            ca_file: env.ca_file.clone(),
            accept_invalid_certs: env.accept_invalid_certs,
        };
        let (tail, has_key) = match &place.key {
            Some(KeyStatus::Present { tail }) => (tail.as_str(), true),
            _ => ("", false),
        };
        let shown = if has_key { KeyText::Masked { tail } } else { KeyText::Variable };
        let code = snippet::write(&spec, shown);
        let buttons = 44.0;
        card(ui).fill(tokens(ui).code).show(ui, |ui| {
            let height = ui.available_height() - buttons - 26.0;
            ScrollArea::both()
                .auto_shrink(false)
                .max_height(height)
                .show(ui, |ui| code_ui(ui, &code, self.language));
        });
        ui.add_space(4.0);
        from_right(ui, |ui| {
            if primary_button(ui, &format!("Copy with ${KEY_VARIABLE}"), true).clicked() {
                let text = snippet::write(&spec, KeyText::Variable);
                out.push(Command::Copy { what: "Code".to_owned(), text });
            }
            let with_key = ui.add_enabled(has_key, egui::Button::new("Copy with the key"));
            let with_key =
                with_key.on_hover_text("The key goes to the clipboard in the clear: mind where you paste it");
            if with_key.clicked() {
                out.push(Command::CopyWithKey { place: env, spec: Box::new(spec) });
            }
        });
    }
}

/// Highlighted while it is short enough to be laid out at once.
fn code_ui(ui: &mut Ui, code: &str, language: Language) {
    const MOST: usize = 60_000;
    let style = ui.style().clone();
    if code.len() > MOST {
        caption(ui, "The conversation is long: only its beginning is shown. Copying takes all of it");
        let end = (0..=MOST).rev().find(|at| code.is_char_boundary(*at)).unwrap_or(0);
        ui.add(Label::new(RichText::new(&code[..end]).text_style(TextStyle::Monospace)).extend());
        return;
    }
    let theme = egui_extras::syntax_highlighting::CodeTheme::from_style(&style);
    let mut job =
        egui_extras::syntax_highlighting::highlight(ui.ctx(), &style, &theme, code, language.syntax());
    let surface = theme::Tokens::of(&style).code;
    for section in &mut job.sections {
        section.format.color = theme::Tokens::of(&style).readable(section.format.color, surface);
        section.format.background = egui::Color32::TRANSPARENT;
    }
    job.wrap.max_width = f32::INFINITY;
    ui.add(Label::new(job).selectable(true));
}
