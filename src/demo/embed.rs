//! The demo's embeddings, computed without a model. Each word and each group of three letters maps to a direction
//! derived from its hash (a random projection). A text's vector is the sum of these, weighted by the square root of
//! their frequency and normalised to length 1. Texts that share words or parts of words are therefore closer to
//! each other than texts that do not.

use std::collections::BTreeMap;

use crate::domain::random::Random;

/// Components of a vector.
const DIMENSION: usize = 1_024;

/// The text as a vector of length 1, the same for all texts without a letter or a digit.
pub(super) fn embed(text: &str) -> Vec<f32> {
    let mut features: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    let mut add =
        |feature: String, weight: f64| features.entry(feature).or_insert((weight, 0)).1 += 1;
    let lower = text.to_lowercase();
    for word in lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        // The space keeps a word of three letters apart from the same letters in another word.
        add(format!(" {word}"), 1.0);
        let edged: Vec<char> = format!("^{word}$").chars().collect();
        for three in edged.windows(3) {
            add(three.iter().collect(), 0.5);
        }
    }
    if lower.chars().all(|c| !c.is_alphanumeric()) {
        add(String::new(), 1.0);
    }
    let mut sums = vec![0.0f64; DIMENSION];
    for (feature, (weight, times)) in features {
        // A feature that occurs nine times weighs three times as much.
        let weight = weight * f64::from(times).sqrt();
        let mut random = Random::new(hash(&feature));
        for sixty_four in sums.chunks_mut(64) {
            let signs = random.bits();
            for (at, sum) in sixty_four.iter_mut().enumerate() {
                *sum += if signs & (1 << at) == 0 {
                    weight
                } else {
                    -weight
                };
            }
        }
    }
    let norm = sums.iter().map(|value| value * value).sum::<f64>().sqrt();
    sums.into_iter()
        .map(|value| (value / norm) as f32)
        .collect()
}

/// An estimate of the number of tokens.
pub(super) fn tokens(text: &str) -> usize {
    let words = text.split_whitespace();
    words
        .map(|word| word.chars().count().div_ceil(4))
        .sum::<usize>()
        .max(1)
}

/// FNV-1a, the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        embed(a).iter().zip(embed(b)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn similar_texts_are_nearer_than_unlike_ones() {
        let text = "The cat sleeps on the warm sofa";
        assert!((cosine(text, text) - 1.0).abs() < 1e-5);
        let similar = cosine(text, "Two cats are sleeping on a sofa");
        let unlike = cosine(text, "Quarterly revenue grew by nine percent");
        assert!(
            similar > 0.3 && similar > unlike + 0.2,
            "{similar} against {unlike}"
        );
        assert!(unlike.abs() < 0.25, "{unlike}");
        assert!(
            cosine("Übermut", "ÜBERMUT!") > 0.99,
            "case and marks mean nothing"
        );
    }

    #[test]
    fn every_text_has_a_vector_of_length_1() {
        for text in ["", "…", "a", "日本語", &"word ".repeat(5_000)] {
            let norm: f32 = embed(text).iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-4, "{norm}");
            assert!(
                embed(text).iter().filter(|value| **value == 0.0).count() < DIMENSION / 2,
                "{text:.20}"
            );
        }
    }
}
