//! Names in texts that others wrote, taken out while they are hidden: of models, deployments and hosts.

use std::borrow::Cow;

use super::State;
use crate::domain::failure::Failure;

/// What stands for each name; empty while none is hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Veil {
    /// The longest first: one name may begin with another.
    names: Vec<(String, String)>,
}

impl Veil {
    /// The text without the names, however they are capitalised.
    pub fn over<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for (name, shown) in &self.names {
            if let Some(without) = replaced(&text, name, shown) {
                text = Cow::Owned(without);
            }
        }
        text
    }

    /// A failure without the names.
    pub fn over_failure<'a>(&self, failure: &'a Failure) -> Cow<'a, Failure> {
        if self.names.is_empty() {
            return Cow::Borrowed(failure);
        }
        let over = |text: &str| self.over(text).into_owned();
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

impl State {
    /// What is to be taken out of texts now.
    pub fn veil(&mut self) -> Veil {
        if !self.names_hidden() {
            return Veil::default();
        }
        let mut names: Vec<(String, String)> = Vec::new();
        for index in 0..self.panes() {
            let Some(shown) = self.hidden_name(index) else {
                continue;
            };
            let choice = self.pane_choice(index);
            names.extend(choice.model.map(|model| (model, shown.clone())));
            names.extend(
                choice
                    .deployment
                    .map(|deployment| (deployment, "…".to_owned())),
            );
            let env = self.pane_env(index);
            let host = self
                .place_of(&env)
                .and_then(|place| place.api.as_ref())
                .map(|api| api.host().to_owned());
            names.extend(host.map(|host| (host, "…".to_owned())));
        }
        names.retain(|(name, _)| !name.is_empty());
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Veil { names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;

    #[test]
    fn names_are_taken_out_however_they_are_written() {
        let mut state = State::new(Settings::default());
        state.place().cluster.pick_model("gpt");
        state.add_pane();
        state.pick_model(1, "gpt-oss");
        assert_eq!(state.veil(), Veil::default(), "nothing is hidden");
        state.begin_blind();
        let veil = state.veil();
        let (one, other) = (state.hidden_name(0), state.hidden_name(1));
        let (one, other) = (one.expect("hidden"), other.expect("hidden"));
        assert_eq!(
            veil.over("É GPT-OSS, gpt and GPT-osS"),
            format!("É {other}, {one} and {other}")
        );
        let failure =
            Failure::new("gpt is not routed", "Pick gpt-oss").with_details("{\"model\": \"gpt\"}");
        let told = veil.over_failure(&failure);
        assert!(!format!("{told:?}").contains("gpt"), "{told:?}");
        state.end_blind();
        assert_eq!(
            state.veil().over_failure(&failure).summary,
            "gpt is not routed"
        );
    }
}
