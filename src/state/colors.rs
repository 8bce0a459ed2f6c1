//! Colours of models.

/// Which model has which colour: one everywhere it appears, in the order in which they were first picked.
#[derive(Debug, Clone, Default)]
pub struct ModelColors {
    known: Vec<String>,
}

impl ModelColors {
    /// The model was picked: from now on it has its colour.
    pub fn note(&mut self, model: &str) {
        if !self.known.iter().any(|known| known == model) {
            self.known.push(model.to_owned());
        }
    }

    /// The place of the model's colour in the theme's order.
    pub fn index(&self, model: &str) -> usize {
        self.known
            .iter()
            .position(|known| known == model)
            .unwrap_or(self.known.len())
    }
}
