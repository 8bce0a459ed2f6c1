//! Embeddings: texts as vectors, and how near two of them are.

use std::time::Duration;

/// What is to be embedded, and by which model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The serving name.
    pub model: String,
    /// The texts; a vector comes back for each.
    pub input: Vec<String>,
}

/// A text as a vector, as the server sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(pub Vec<f64>);

impl Embedding {
    /// How many components it has.
    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// Its length (L2 norm); many models send vectors of length 1.
    pub fn norm(&self) -> f64 {
        // Scaled, so that no square overflows.
        let most = self.0.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        if most == 0.0 {
            return 0.0;
        }
        most * self
            .0
            .iter()
            .map(|x| (x / most).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    /// The cosine of the angle between two vectors, from −1 to 1; `None` where one is zero, or they have not the same
    /// dimension.
    pub fn cosine(&self, other: &Self) -> Option<f64> {
        let (a, b) = (self.norm(), other.norm());
        if self.dimension() != other.dimension() || a == 0.0 || b == 0.0 {
            return None;
        }
        let dot: f64 = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(x, y)| (x / a) * (y / b))
            .sum();
        Some(dot.clamp(-1.0, 1.0)).filter(|cosine| cosine.is_finite())
    }

    /// As a JSON list of numbers.
    pub fn json(&self) -> String {
        serde_json::Value::from(self.0.clone()).to_string()
    }
}

/// What an embeddings request gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// A vector for each text, in their order.
    pub vectors: Vec<Embedding>,
    /// Tokens of the texts, by the server's count; `None` where it does not say.
    pub prompt_tokens: Option<u64>,
    /// From sending to the last byte.
    pub took: Duration,
    /// Of it opening a connection.
    pub connect: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn norms_and_cosines_are_what_they_should_be() {
        let of = |values: &[f64]| Embedding(values.to_vec());
        assert_eq!(
            (of(&[3.0, -4.0]).norm(), of(&[]).norm(), of(&[0.0]).norm()),
            (5.0, 0.0, 0.0)
        );
        assert!(
            (of(&[3e200, 4e200]).norm() / 5e200 - 1.0).abs() < 1e-12,
            "no overflow"
        );
        assert_eq!(of(&[1.0, 0.0]).cosine(&of(&[0.0, 2.0])), Some(0.0));
        assert_eq!(of(&[1.0, 0.0]).cosine(&of(&[-3.0, 0.0])), Some(-1.0));
        assert_eq!(of(&[1.0]).cosine(&of(&[1.0, 2.0])), None);
        assert_eq!(of(&[0.0]).cosine(&of(&[1.0])), None);
        assert_eq!(of(&[0.5, -1e-3]).json(), "[0.5,-0.001]");
    }

    proptest! {
        #[test]
        fn a_cosine_is_the_same_both_ways_and_1_with_itself(
            pairs in prop::collection::vec((-1e3..1e3f64, -1e3..1e3f64), 1..50),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let (a, b) = (Embedding(a), Embedding(b));
            if let Some(cosine) = a.cosine(&b) {
                prop_assert!((-1.0..=1.0).contains(&cosine));
                prop_assert!((cosine - b.cosine(&a).expect("both ways")).abs() < 1e-9);
                prop_assert!((a.cosine(&a).expect("not zero") - 1.0).abs() < 1e-9);
            }
        }
    }
}
