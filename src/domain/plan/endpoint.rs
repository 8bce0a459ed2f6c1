//! Which of a server's endpoints is measured, and the images that go with each of its requests.

use serde::{Deserialize, Serialize};

use super::{Field, LimitFigure, Plan};

/// What requests are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanEndpoint {
    /// `POST /chat/completions`, streamed.
    #[default]
    Chat,
    /// `POST /completions` with a `prompt`, streamed. The server puts no chat template around it.
    Completions,
    /// `POST /embeddings` with an `input`. There is no stream, no first token and no output token.
    Embeddings,
}

impl PlanEndpoint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Completions, Self::Embeddings];

    /// As flags and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// Which names there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let mut all = Self::ALL.into_iter();
        all.find(|endpoint| endpoint.name() == text).ok_or_else(|| {
            format!("{text:?} is not an endpoint: there are chat, completions and embeddings")
        })
    }

    /// Whether its answers are streams of tokens.
    pub fn streams(self) -> bool {
        self != Self::Embeddings
    }

    /// Whether it is the chat endpoint, which plans need not name.
    pub fn is_chat(&self) -> bool {
        *self == Self::Chat
    }
}

/// Images made up for each request, no two alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Images {
    /// In each request, 1 to 32.
    pub each: u32,
    /// In pixels, 16 to 4,096.
    pub width: u32,
    /// In pixels, 16 to 4,096.
    pub height: u32,
}

const MOST_IMAGES: u32 = 32;
const LEAST_SIDE: u32 = 16;
const MOST_SIDE: u32 = 4_096;
/// Of a request. As files they have about 10 MB then, where ingresses take 25.
const MOST_PIXELS: u64 = 32_000_000;

impl Images {
    /// Reads `2@512x512`.
    ///
    /// # Errors
    /// What it should look like, or which bound it misses.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let odd = || format!("{text:?} is not a number of images with their size: write 2@512x512");
        let (each, size) = text.split_once('@').ok_or_else(odd)?;
        let (width, height) = size.split_once(['x', '×']).ok_or_else(odd)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| odd());
        let images = Self {
            each: number(each)?,
            width: number(width)?,
            height: number(height)?,
        };
        images
            .problem()
            .map_or(Ok(images), |why| Err(why.to_owned()))
    }

    /// What of it cannot be sent.
    pub(super) fn problem(self) -> Option<&'static str> {
        let sides = LEAST_SIDE..=MOST_SIDE;
        if !(1..=MOST_IMAGES).contains(&self.each) {
            Some("a request carries 1 to 32 images")
        } else if !sides.contains(&self.width) || !sides.contains(&self.height) {
            Some("an image has 16 to 4,096 pixels on each side")
        } else if self.pixels() > MOST_PIXELS {
            Some("the images of a request have at most 32 million pixels together")
        } else {
            None
        }
    }

    /// Of all images of a request.
    pub fn pixels(self) -> u64 {
        u64::from(self.each) * u64::from(self.width) * u64::from(self.height)
    }
}

impl std::fmt::Display for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            each,
            width,
            height,
        } = self;
        write!(f, "{each}@{width}x{height}")
    }
}

impl TryFrom<String> for Images {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Images> for String {
    fn from(images: Images) -> Self {
        images.to_string()
    }
}

impl Plan {
    /// What of it the endpoint cannot do.
    pub(super) fn endpoint_problems(&self, say: &mut impl FnMut(Field, &str)) {
        if let Some(problem) = self.images.and_then(Images::problem) {
            say(Field::Images, problem);
        }
        if self.endpoint.is_chat() {
            return;
        }
        let name = self.endpoint.name();
        if self.images.is_some() {
            say(
                Field::Images,
                &format!("{name} take no images: only chat does"),
            );
        }
        if self.turns > 1 {
            say(
                Field::Turns,
                &format!("{name} have no turns: only chat does"),
            );
        }
        let params = &self.params;
        for (field, is_set) in [
            (Field::ReasoningEffort, params.reasoning_effort.is_some()),
            (Field::Thinking, params.thinking.is_some()),
        ] {
            if is_set {
                say(
                    field,
                    &format!("{name} have no reasoning to set: only chat does"),
                );
            }
        }
        if self.endpoint == PlanEndpoint::Embeddings {
            self.embeddings_problems(say);
        }
    }

    /// Nothing is generated: what limits or samples tokens, or waits for them, has no meaning.
    fn embeddings_problems(&self, say: &mut impl FnMut(Field, &str)) {
        if self.output_tokens.is_some() {
            say(
                Field::OutputTokens,
                "embeddings have no output tokens: leave it out",
            );
        }
        if self.ignore_eos {
            say(Field::IgnoreEos, "embeddings have no end of sequence");
        }
        let params = &self.params;
        for (field, is_set) in [
            (Field::Temperature, params.temperature.is_some()),
            (Field::TopP, params.top_p.is_some()),
            (Field::TopK, params.top_k.is_some()),
            (Field::Stop, !params.stop.is_empty()),
            (Field::SamplingSeed, params.seed.is_some()),
        ] {
            if is_set {
                say(field, "embeddings are not sampled");
            }
        }
        let [ttft, itl, tpot, _] = self.objectives.all();
        if ttft.or(itl).or(tpot).is_some() {
            say(
                Field::Goodput,
                "embeddings have no tokens to wait for: only latency can be an objective",
            );
        }
        let limits = self.load.find().map_or(&[][..], |find| &find.limits);
        if limits
            .iter()
            .any(|limit| limit.figure != LimitFigure::Latency)
        {
            say(
                Field::Find,
                "embeddings have no tokens to wait for: only latency can be a limit",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{Find, Limit, Load, Objectives, Target};

    #[test]
    fn images_are_read_within_their_bounds() {
        let read = Images::parse(" 2@512x384 ").expect("reads");
        assert_eq!((read.each, read.width, read.height), (2, 512, 384));
        assert_eq!(
            (read.to_string().as_str(), read.pixels()),
            ("2@512x384", 393_216)
        );
        assert_eq!(Images::parse("2@512×384"), Ok(read));
        for (text, why) in [
            ("2", "write 2@512x512"),
            ("2@512", "write 2@512x512"),
            ("x@1x1", "write 2@512x512"),
            ("0@64x64", "1 to 32 images"),
            ("33@64x64", "1 to 32 images"),
            ("1@15x64", "16 to 4,096 pixels"),
            ("1@64x4097", "16 to 4,096 pixels"),
            ("3@4096x4096", "32 million pixels"),
        ] {
            let told = Images::parse(text).expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    fn plan(endpoint: PlanEndpoint) -> Plan {
        Plan {
            targets: vec![Target {
                deployment: None,
                model: "m".to_owned(),
            }],
            endpoint,
            output_tokens: None,
            ..Plan::default()
        }
    }

    #[track_caller]
    fn check(plan: &Plan, wrong: &[Field]) {
        let found: Vec<Field> = plan.problems().iter().map(|it| it.field).collect();
        assert_eq!(found, wrong, "{:?}", plan.problems());
    }

    #[test]
    fn what_an_endpoint_cannot_do_is_refused() {
        for endpoint in PlanEndpoint::ALL {
            check(&plan(endpoint), &[]);
            assert_eq!(PlanEndpoint::parse(endpoint.name()), Ok(endpoint));
        }
        assert!(PlanEndpoint::parse("audio").is_err());
        let full = |endpoint| {
            let mut full = plan(endpoint);
            (full.turns, full.ignore_eos) = (3, true);
            full.images = Images::parse("1@64x64").ok();
            full.output_tokens = Some(crate::domain::plan::Lengths::Fixed(9));
            full.params = crate::domain::params::tests::all_set();
            full.objectives = Objectives::parse("ttft=1s,latency=2s").expect("reads");
            full
        };
        check(&full(PlanEndpoint::Chat), &[]);
        let of_chat = [
            Field::Images,
            Field::Turns,
            Field::ReasoningEffort,
            Field::Thinking,
        ];
        check(&full(PlanEndpoint::Completions), &of_chat);
        let of_tokens = [
            Field::OutputTokens,
            Field::IgnoreEos,
            Field::Temperature,
            Field::TopP,
            Field::TopK,
            Field::Stop,
            Field::SamplingSeed,
            Field::Goodput,
        ];
        check(
            &full(PlanEndpoint::Embeddings),
            &[&of_chat[..], &of_tokens].concat(),
        );
        let mut search = plan(PlanEndpoint::Embeddings);
        let limit = |text| Limit::parse(text).expect("reads");
        search.load = Load::Find(Find::of(vec![limit("latency_p95<1s")]));
        check(&search, &[]);
        search.load = Load::Find(Find::of(vec![limit("ttft_p95<1s")]));
        check(&search, &[Field::Find]);
    }
}
