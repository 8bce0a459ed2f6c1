//! What tokens cost, and what a level's answers cost by that.

use serde::{Deserialize, Serialize};

/// Prices in the user's currency.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price {
    /// Of a million prompt tokens.
    pub input: Option<f64>,
    /// Of a million prompt tokens that were in the server's cache; `None`: as any other.
    pub cached: Option<f64>,
    /// Of a million output tokens.
    pub output: Option<f64>,
    /// Of an hour of the deployment, however many tokens it answers.
    pub hour: Option<f64>,
}

/// What was answered, as far as it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answered {
    /// Prompt tokens of all answers together; `None` where the server did not count each.
    pub prompt_tokens: Option<f64>,
    /// Of them from a cache; `None` where the server does not say.
    pub cached_tokens: Option<f64>,
    /// Output tokens of all answers together.
    pub output_tokens: f64,
    /// Output tokens per second of the whole server, over the steady part.
    pub output_per_s: Option<f64>,
}

const MILLION: f64 = 1e6;
const SECONDS_AN_HOUR: f64 = 3_600.0;

impl Price {
    /// Reads `in=0.60,out=1.20`, `cached=0.30` and `hour=42.5`, in any order.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut price = Self::default();
        for part in text.split(',').map(str::trim) {
            let amount = part
                .split_once('=')
                .and_then(|(name, amount)| Some((name.trim(), amount.trim().parse::<f64>().ok()?)))
                .filter(|(_, amount)| amount.is_finite() && *amount >= 0.0);
            let Some((name, amount)) = amount else {
                return Err(format!(
                    "{part:?} is not a price: write in=0.60,out=1.20 per million tokens, or hour=42.5"
                ));
            };
            let slot = match name {
                "in" => &mut price.input,
                "cached" => &mut price.cached,
                "out" => &mut price.output,
                "hour" => &mut price.hour,
                _ => {
                    return Err(format!(
                        "{name:?} has no price: write in, cached, out or hour"
                    ));
                }
            };
            if slot.replace(amount).is_some() {
                return Err(format!("{name} has two prices"));
            }
        }
        if price.cached.is_some() && price.input.is_none() {
            return Err("a price of cached tokens needs one of prompt tokens: in=0.60".to_owned());
        }
        Ok(price)
    }

    /// What a million output tokens cost, their prompts included: all that was paid, divided by the output tokens.
    /// `None` where a count that has a price is unknown, or nothing was answered.
    pub fn per_million_output(self, answered: Answered) -> Option<f64> {
        let Answered {
            prompt_tokens,
            cached_tokens,
            output_tokens,
            output_per_s,
        } = answered;
        if output_tokens <= 0.0 {
            return None;
        }
        let mut cost = self.output.unwrap_or_default();
        if let Some(input) = self.input {
            let prompts = prompt_tokens?;
            let cached = match self.cached {
                Some(_) => cached_tokens?.min(prompts),
                None => 0.0,
            };
            let paid = input * (prompts - cached) + self.cached.unwrap_or_default() * cached;
            cost += paid / output_tokens;
        }
        if let Some(hour) = self.hour {
            let per_hour = output_per_s.filter(|rate| *rate > 0.0)? * SECONDS_AN_HOUR;
            cost += hour / per_hour * MILLION;
        }
        Some(cost)
    }
}

impl std::fmt::Display for Price {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            ("in", self.input),
            ("cached", self.cached),
            ("out", self.output),
            ("hour", self.hour),
        ];
        let set = parts
            .iter()
            .filter_map(|(name, amount)| Some(format!("{name}={}", (*amount)?)));
        f.write_str(&set.collect::<Vec<_>>().join(","))
    }
}

impl TryFrom<String> for Price {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered() -> Answered {
        Answered {
            prompt_tokens: Some(3e6),
            cached_tokens: Some(1e6),
            output_tokens: 1e6,
            output_per_s: Some(100.0),
        }
    }

    #[test]
    fn a_price_is_read_as_it_is_written() {
        for text in [
            "in=0.6,out=1.2",
            "hour=42.5",
            "in=1,cached=0.1,out=2,hour=3",
        ] {
            assert_eq!(Price::parse(text).expect(text).to_string(), text);
        }
        for (wrong, why) in [
            ("", "not a price"),
            ("in", "not a price"),
            ("in=-1", "not a price"),
            ("in=NaN", "not a price"),
            ("gpu=1", "no price"),
            ("in=1,in=2", "two prices"),
            ("cached=1", "needs one of prompt tokens"),
        ] {
            let told = Price::parse(wrong).expect_err(wrong);
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }

    #[test]
    fn all_that_is_paid_is_divided_by_the_output_tokens() {
        let cost =
            |text: &str, answered| Price::parse(text).expect(text).per_million_output(answered);
        assert_eq!(cost("out=1.2", answered()), Some(1.2));
        // Three million prompt tokens for a million of output.
        assert_eq!(cost("in=0.5,out=1", answered()), Some(2.5));
        assert_eq!(cost("in=0.5,cached=0.1,out=1", answered()), Some(2.1));
        // 360,000 tokens an hour.
        let hour = cost("hour=36", answered()).expect("it is known");
        assert!((hour - 100.0).abs() < 1e-9, "{hour}");
        let uncounted = Answered {
            prompt_tokens: None,
            cached_tokens: None,
            ..answered()
        };
        assert_eq!(cost("in=0.5,out=1", uncounted), None);
        assert_eq!(cost("out=1", uncounted), Some(1.0));
        assert_eq!(
            cost(
                "in=0.5,cached=0.1",
                Answered {
                    cached_tokens: None,
                    ..answered()
                }
            ),
            None
        );
        assert_eq!(
            cost(
                "out=1",
                Answered {
                    output_tokens: 0.0,
                    ..answered()
                }
            ),
            None
        );
    }
}
