//! The demo's embeddings: no model, but a real computation. Each word and each three letters of it are hashed to a
//! component of the vector and a sign, weighed by how often they occur, and the vector is brought to length 1. Texts that
//! share words and parts of words are therefore nearer to each other than texts that do not.

/// Components of a vector.
const DIMENSION: usize = 1_024;

/// The text as a vector of length 1; of a text without a letter or a digit, one that is the same for all such texts.
pub(super) fn embed(text: &str) -> Vec<f32> {
    let mut sums = vec![0.0f64; DIMENSION];
    let mut add = |feature: &str, weight: f64| {
        let hash = hash(feature);
        let sign = if hash & (1 << 63) == 0 { 1.0 } else { -1.0 };
        sums[(hash % DIMENSION as u64) as usize] += sign * weight;
    };
    let lower = text.to_lowercase();
    let mut any = false;
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        any = true;
        add(word, 1.0);
        let edged: Vec<char> = format!("^{word}$").chars().collect();
        for three in edged.windows(3) {
            add(&three.iter().collect::<String>(), 0.5);
        }
    }
    if !any {
        add("", 1.0);
    }
    // What occurs ten times is not ten times as important.
    let dampened = |sum: f64| sum.signum() * sum.abs().sqrt();
    let values: Vec<f64> = sums.into_iter().map(|sum| if sum == 0.0 { 0.0 } else { dampened(sum) }).collect();
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    if norm == 0.0 {
        // All features cancelled each other out.
        return embed("");
    }
    values.into_iter().map(|value| (value / norm) as f32).collect()
}

/// Words and marks, roughly as a tokenizer would count them.
pub(super) fn tokens(text: &str) -> usize {
    let words = text.split_whitespace();
    words.map(|word| word.chars().count().div_ceil(4)).sum::<usize>().max(1)
}

/// FNV-1a, the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    // Its low bits alone are not well mixed.
    hash ^ (hash >> 32)
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
        assert!(similar > 0.3 && similar > unlike + 0.2, "{similar} against {unlike}");
        assert!(unlike.abs() < 0.25, "{unlike}");
        assert!(cosine("Übermut", "ÜBERMUT!") > 0.99, "case and marks mean nothing");
    }

    #[test]
    fn every_text_has_a_vector_of_length_1() {
        for text in ["", "…", "a", "日本語", &"word ".repeat(5_000)] {
            let norm: f32 = embed(text).iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-4, "{norm}");
        }
    }
}
