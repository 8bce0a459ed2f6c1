//! Names in texts that others wrote, taken out while they are hidden: of models, deployments and hosts.

use std::borrow::Cow;

use super::panes::PaneTargets;
use crate::domain::failure::Failure;

/// What stands for each name; empty while none is hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// The longest first: one name may begin with another.
    names: Vec<(String, String)>,
}

impl Redaction {
    /// The text without the names, however they are capitalised.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for (name, shown) in &self.names {
            if let Some(without) = replaced(&text, name, shown) {
                text = Cow::Owned(without);
            }
        }
        text
    }

    /// A failure without the names.
    pub fn failure<'a>(&self, failure: &'a Failure) -> Cow<'a, Failure> {
        if self.names.is_empty() {
            return Cow::Borrowed(failure);
        }
        let over = |text: &str| self.text(text).into_owned();
        Cow::Owned(Failure {
            summary: over(&failure.summary),
            advice: over(&failure.advice),
            cli_advice: failure.cli_advice.as_deref().map(|text| over(text).into()),
            details: over(&failure.details),
            ..failure.clone()
        })
    }

    /// Bytes of the longest name.
    pub fn longest(&self) -> usize {
        self.names.first().map_or(0, |(name, _)| name.len())
    }
}

/// `None` where the name does not occur.
fn replaced(text: &str, name: &str, shown: &str) -> Option<String> {
    // ASCII alone is folded, so that places in the one are places in the other.
    let (haystack, needle) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut out = String::new();
    let mut from = 0;
    for (at, _) in haystack.match_indices(&needle) {
        out.push_str(&text[from..at]);
        out.push_str(shown);
        from = at + needle.len();
    }
    (from > 0).then(|| out + &text[from..])
}

impl PaneTargets<'_> {
    /// What is to be taken out of texts now.
    pub fn redaction(self) -> Redaction {
        let panes = self.panes;
        if !panes.names_hidden() {
            return Redaction::default();
        }
        let mut names: Vec<(String, String)> = Vec::new();
        for (index, pane) in panes.all().iter().enumerate() {
            let Some(shown) = panes.hidden_name(index) else {
                continue;
            };
            let model = pane.choice.model.clone();
            names.extend(model.map(|model| (model, shown)));
            let deployment = pane.choice.deployment.clone();
            let api = self
                .environments
                .connection_of(&pane.env)
                .and_then(|connection| connection.api.as_ref());
            let others = deployment
                .into_iter()
                .chain(api.map(|api| api.host().to_owned()));
            names.extend(others.map(|name| (name, "…".to_owned())));
        }
        names.retain(|(name, _)| !name.is_empty());
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Redaction { names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;
    use crate::state::State;

    #[test]
    fn names_are_taken_out_however_they_are_written() {
        let mut state = State::new(Settings::default());
        state.panes_mut().get_mut(0).pick_model("gpt");
        state.add_pane(false);
        state.panes_mut().get_mut(1).pick_model("gpt-oss");
        assert_eq!(
            state.pane_targets().redaction(),
            Redaction::default(),
            "nothing is hidden"
        );
        state.panes_mut().begin_blind();
        let redaction = state.pane_targets().redaction();
        let (one, other) = (state.panes().hidden_name(0), state.panes().hidden_name(1));
        let (one, other) = (one.expect("hidden"), other.expect("hidden"));
        assert_eq!(
            redaction.text("É GPT-OSS, gpt and GPT-osS"),
            format!("É {other}, {one} and {other}")
        );
        let failure =
            Failure::new("gpt is not routed", "Pick gpt-oss").with_details("{\"model\": \"gpt\"}");
        let told = redaction.failure(&failure);
        assert!(!format!("{told:?}").contains("gpt"), "{told:?}");
        state.panes_mut().end_blind();
        assert_eq!(
            state.pane_targets().redaction().failure(&failure).summary,
            "gpt is not routed"
        );
    }
}
