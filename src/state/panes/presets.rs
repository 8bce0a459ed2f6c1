//! What the Playground keeps for all environments: presets, and how wide its figures are.

use crate::domain::workspace::{ChatPreset, Workspace, WorkspaceChange};
use crate::state::chat::ChatState;
use crate::state::jobs::Outbox;

/// Keeps a system prompt and parameters as a preset; one of the same name is replaced.
pub(super) fn save(
    workspace: &mut Workspace,
    name: String,
    settings: &ChatState,
    outbox: &mut Outbox<'_>,
) {
    let preset = ChatPreset {
        system: settings.system.clone(),
        params: settings.params.clone(),
    };
    let presets = &mut workspace.chat_presets;
    match presets.iter_mut().find(|(old, _)| *old == name) {
        Some((_, old)) => old.clone_from(&preset),
        None => presets.push((name.clone(), preset.clone())),
    }
    let preset = Some(Box::new(preset));
    outbox.keep(WorkspaceChange::ChatPreset { name, preset });
}

/// Deletes the preset of this name.
pub(super) fn delete(workspace: &mut Workspace, name: String, outbox: &mut Outbox<'_>) {
    workspace.chat_presets.retain(|(old, _)| *old != name);
    outbox.keep(WorkspaceChange::ChatPreset { name, preset: None });
}

/// Keeps how wide the figures are.
pub(super) fn place_figures(
    workspace: &mut Workspace,
    width: Option<f32>,
    outbox: &mut Outbox<'_>,
) {
    let layout = &mut workspace.layout;
    if layout.figures != width {
        layout.figures = width;
        outbox.keep(WorkspaceChange::Layout(*layout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;
    use crate::protocol::Command;
    use crate::state::State;
    use crate::state::panes::PaneAction;

    #[test]
    fn a_preset_is_what_the_pane_is_asked_with_and_changes_are_kept() {
        let mut state = State::new(Settings::default());
        let mut out = Vec::new();
        let mut act = |state: &mut State, action| {
            state.act_on_panes(action, Default::default(), &mut out);
            std::mem::take(&mut out)
        };
        state.panes_mut().chat_mut(0).system = "first".to_owned();
        state.add_pane(false);
        state.panes_mut().chat_mut(1).system = "second".to_owned();
        let linked = act(&mut state, PaneAction::SavePreset(1, "a".to_owned()));
        let [
            Command::Keep {
                change:
                    WorkspaceChange::ChatPreset {
                        name,
                        preset: Some(kept),
                    },
            },
        ] = linked.as_slice()
        else {
            panic!("{linked:?}")
        };
        assert_eq!((name.as_str(), kept.system.as_str()), ("a", "first"));
        state.panes_mut().chat_mut(0).params.seed = Some(7);
        act(&mut state, PaneAction::SavePreset(0, "a".to_owned()));
        let [(_, preset)] = state.workspace.chat_presets.as_slice() else {
            panic!("one of a name")
        };
        assert_eq!(preset.params.seed, Some(7));
        act(&mut state, PaneAction::DeletePreset("a".to_owned()));
        assert_eq!(state.workspace.chat_presets, []);
        let placed = PaneAction::PlaceFigures(Some(400.0));
        assert_eq!(act(&mut state, placed).len(), 1);
        let again = PaneAction::PlaceFigures(Some(400.0));
        assert_eq!(act(&mut state, again).len(), 0, "it is there already");
    }
}
