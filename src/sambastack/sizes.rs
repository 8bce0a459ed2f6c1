//! The context lengths and batch sizes that a model is configured for.
//!
//! The old generation defines them in a `BundleTemplate` (a model's `experts`, by context length), the new one in a
//! `ModelProfile`, which a bundle may override. Both are large and rarely needed, so they are loaded on demand.
//! Fields of an unexpected type are ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::lists::Listed;
use super::resources::Meta;
use crate::domain::deployment::{SizesAt, Tier};

/// A `BundleTemplate` or a `ModelProfile`, mostly unparsed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SizeSource {
    /// Its name.
    #[serde(deserialize_with = "super::resources::map")]
    pub metadata: Meta,
    /// The specification.
    pub spec: Value,
    /// The status that the operator published.
    pub status: Value,
}

/// The templates and profiles of a namespace.
#[derive(Debug, Clone, Default)]
pub struct Sizes {
    /// The old generation's `BundleTemplate`s.
    pub templates: Listed<SizeSource>,
    /// The new generation's `ModelProfile`s.
    pub profiles: Listed<SizeSource>,
}

impl Sizes {
    /// The context lengths of a model, shortest first, from the resources that define them. Empty if they define
    /// none.
    ///
    /// # Errors
    /// A sentence on why they are unknown.
    pub fn tiers(&self, at: &[SizesAt]) -> Result<Vec<Tier>, String> {
        let mut tiers = Tiers::default();
        let mut unknown = None;
        for at in at {
            match self.at(at) {
                Ok(more) => tiers.merge(more),
                Err(why) => unknown = Some(why),
            }
        }
        match (tiers.0.is_empty(), unknown) {
            (true, Some(why)) => Err(why),
            _ => Ok(tiers.sorted()),
        }
    }

    fn at(&self, at: &SizesAt) -> Result<Tiers, String> {
        match at {
            SizesAt::Template { template, model } => {
                let found = find(&self.templates, "BundleTemplate", template)?;
                Ok(experts(&found.spec["models"][model.as_str()]["experts"]))
            }
            SizesAt::Profile {
                profile,
                chosen,
                own,
            } => {
                let found = profile
                    .as_deref()
                    .map(|name| find(&self.profiles, "ModelProfile", name));
                if own.is_empty() {
                    return Ok(found
                        .transpose()?
                        .map(|it| of_profile(it, chosen.as_deref()))
                        .unwrap_or_default());
                }
                let mut tiers = Tiers::default();
                let all = found
                    .and_then(Result::ok)
                    .map(|it| of_profile(it, Some("all")))
                    .unwrap_or_default();
                for tier in own {
                    // `*` stands for every batch size that the profile has for this length.
                    let sizes = match tier.batch_sizes.is_empty() {
                        true => all.0.get(&tier.context).cloned().unwrap_or_default(),
                        false => tier.batch_sizes.clone(),
                    };
                    tiers.add(&tier.context, sizes);
                }
                Ok(tiers)
            }
        }
    }
}

fn find<'a>(
    listed: &'a Listed<SizeSource>,
    kind: &str,
    name: &str,
) -> Result<&'a SizeSource, String> {
    match listed {
        Listed::Failed(failure) => Err(failure.summary.clone()),
        Listed::Absent => Err(format!("the cluster has no {kind}s")),
        Listed::Present(items) => items
            .iter()
            .find(|it| it.metadata.name == name)
            .ok_or_else(|| format!("the {kind} {name} does not exist")),
    }
}

/// Batch sizes by context length in its original notation.
#[derive(Default)]
struct Tiers(BTreeMap<String, Vec<u32>>);

impl Tiers {
    fn add(&mut self, context: &str, mut sizes: Vec<u32>) {
        let known = self.0.entry(context.to_owned()).or_default();
        known.append(&mut sizes);
        known.sort_unstable();
        known.dedup();
    }

    fn merge(&mut self, other: Self) {
        other
            .0
            .into_iter()
            .for_each(|(context, sizes)| self.add(&context, sizes));
    }

    fn sorted(self) -> Vec<Tier> {
        let mut tiers: Vec<Tier> = self
            .0
            .into_iter()
            .map(|(context, batch_sizes)| Tier {
                context,
                batch_sizes,
            })
            .collect();
        tiers.sort_by_key(|tier| (tier.tokens().is_none(), tier.tokens()));
        tiers
    }
}

/// The old generation: `{"128k": {"configs": [{"pef": …, "batch_size" or "dynamic_dims": …}]}}`.
fn experts(experts: &Value) -> Tiers {
    let mut tiers = Tiers::default();
    for (context, expert) in experts.as_object().into_iter().flatten() {
        let configs = expert["configs"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let usual = &expert["default_config_values"];
        tiers.add(
            context,
            configs
                .iter()
                .flat_map(|config| sizes_of_config(config, usual))
                .collect(),
        );
    }
    tiers
}

fn sizes_of_config(config: &Value, usual: &Value) -> Vec<u32> {
    let dynamic = numbers(&config["dynamic_dims"]["batch_size"]["values"]);
    let own = [&config["batch_size"], &usual["batch_size"]]
        .into_iter()
        .filter_map(number)
        .next();
    match (dynamic.is_empty(), own) {
        (false, _) => dynamic,
        (true, Some(size)) => vec![size],
        (true, None) => config["pef"]
            .as_str()
            .and_then(|pef| after(pef, "bs"))
            .into_iter()
            .collect(),
    }
}

/// The new generation. A profile may list `recommended` lengths and `all` possible ones; older profiles have a
/// single list; without any, the operator publishes one in the status.
fn of_profile(profile: &SizeSource, chosen: Option<&str>) -> Tiers {
    let SizeSource { spec, status, .. } = profile;
    let named = &spec["batchingConfigs"];
    let wanted = chosen.map(|name| &named[name]);
    let candidates = [
        wanted.unwrap_or(&Value::Null),
        &named["recommended"],
        &named["all"],
        &spec["defaultBatchingConfig"],
        &status["batchingConfig"],
    ];
    let found = candidates
        .into_iter()
        .filter_map(Value::as_object)
        .find(|it| !it.is_empty());
    found
        .map(of_batching)
        .unwrap_or_else(|| of_pefs(&spec["pefs"]))
}

fn of_batching(batching: &Map<String, Value>) -> Tiers {
    let mut tiers = Tiers::default();
    for (context, settings) in batching {
        tiers.add(context, numbers(&settings["batch_sizes"]));
    }
    tiers
}

/// Without a list, the names of the compiled programs contain the sizes: `gemma4-31b-ss262144-bs2-dyt-1:2`.
fn of_pefs(pefs: &Value) -> Tiers {
    let mut tiers = Tiers::default();
    for pef in pefs
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if let Some(tokens) = after(pef, "ss") {
            let context = if tokens.is_multiple_of(1_024) {
                format!("{}k", tokens / 1_024)
            } else {
                tokens.to_string()
            };
            tiers.add(&context, after(pef, "bs").into_iter().collect());
        }
    }
    tiers
}

/// A bundle's own lengths for one of its models; empty if it uses the profile's.
pub(super) fn own_tiers(batching: &Value) -> Vec<Tier> {
    batching
        .as_object()
        .map(|map| of_batching(map).sorted())
        .unwrap_or_default()
}

/// The number after these letters in a part of a program's name.
fn after(pef: &str, letters: &str) -> Option<u32> {
    let name = pef.split(':').next().unwrap_or(pef);
    name.split(['-', '_'])
        .find_map(|part| part.strip_prefix(letters)?.parse().ok())
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64().and_then(|n| n.try_into().ok()),
    }
}

fn numbers(values: &Value) -> Vec<u32> {
    values
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(number)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::failure::Failure;

    fn written(items: Value) -> Listed<SizeSource> {
        Listed::Present(serde_json::from_value(items).unwrap())
    }

    fn told(tiers: Result<Vec<Tier>, String>) -> Result<String, String> {
        let line = |tier: &Tier| format!("{}:{:?}", tier.context, tier.batch_sizes);
        tiers.map(|tiers| tiers.iter().map(line).collect::<Vec<_>>().join(" "))
    }

    fn template(expert: Value) -> Result<String, String> {
        let templates = written(
            json!([{"metadata": {"name": "bt"}, "spec": {"models": {"M": {"experts": expert}}}}]),
        );
        let at = SizesAt::Template {
            template: "bt".to_owned(),
            model: "M".to_owned(),
        };
        told(
            Sizes {
                templates,
                ..Sizes::default()
            }
            .tiers(&[at]),
        )
    }

    #[test]
    fn a_template_tells_in_each_of_its_forms() {
        let values = json!({"batch_size": {"values": [4, 1, 2]}});
        let told = template(json!({
            "128k": {"configs": [{"pef": "p-128k-bs1:1", "dynamic_dims": values}]},
            "4k": {"configs": [{"batch_size": "8", "num_tokens_at_a_time": 20}, {"batch_size": 1}]},
            "448": {"configs": [{"pef": "COE_p_ss448_bs16:2"}]},
            "default": {"default_config_values": {"batch_size": 2}, "configs": [{}]},
        }));
        assert_eq!(
            told.unwrap(),
            "448:[16] 4k:[1, 8] 128k:[1, 2, 4] default:[2]"
        );
        assert_eq!(template(json!(null)).unwrap(), "");
        assert_eq!(
            template(json!({"4k": 5, "8k": {"configs": {"pef": 1}}})).unwrap(),
            "4k:[] 8k:[]"
        );
    }

    fn profile(
        spec: Value,
        status: Value,
        chosen: Option<&str>,
        own: Value,
    ) -> Result<String, String> {
        let profiles =
            written(json!([{"metadata": {"name": "p"}, "spec": spec, "status": status}]));
        let at = SizesAt::Profile {
            profile: Some("p".to_owned()),
            chosen: chosen.map(str::to_owned),
            own: own_tiers(&own),
        };
        told(
            Sizes {
                profiles,
                ..Sizes::default()
            }
            .tiers(&[at]),
        )
    }

    #[test]
    fn a_profile_tells_in_the_order_in_which_the_operator_looks() {
        let tier = |sizes: Value| json!({"8k": {"batch_sizes": sizes}});
        let (one, two, three) = (tier(json!([1])), tier(json!([2])), tier(json!([3])));
        let named = json!({"batchingConfigs": {"recommended": one, "all": two, "small": three}});
        assert_eq!(
            profile(named.clone(), json!(null), None, json!(null)).unwrap(),
            "8k:[1]"
        );
        assert_eq!(
            profile(named.clone(), json!(null), Some("small"), json!(null)).unwrap(),
            "8k:[3]"
        );
        let own = json!({"8k": {"batch_sizes": "*"}, "32k": {"batch_sizes": [2]}});
        assert_eq!(
            profile(named, json!(null), None, own).unwrap(),
            "8k:[2] 32k:[2]"
        );
        let older = json!({"defaultBatchingConfig": {"128k": {"batch_sizes": [1]}, "8k": {"batch_sizes": [1, 4]}}});
        assert_eq!(
            profile(older, json!(null), None, json!(null)).unwrap(),
            "8k:[1, 4] 128k:[1]"
        );
        let published = json!({"batchingConfig": tier(json!([6]))});
        assert_eq!(
            profile(json!({}), published, None, json!(null)).unwrap(),
            "8k:[6]"
        );
        let pefs = json!({"pefs": ["gemma4-31b-ss262144-bs2-dyt-1-cd:2", "gemma4-31b-ss262144-bs4:1", "x"]});
        assert_eq!(
            profile(pefs, json!(null), None, json!(null)).unwrap(),
            "256k:[2, 4]"
        );
    }

    #[test]
    fn what_is_missing_is_said_and_the_rest_is_kept() {
        let at = |name: &str| SizesAt::Profile {
            profile: Some(name.to_owned()),
            chosen: None,
            own: Vec::new(),
        };
        let profiles = written(
            json!([{"metadata": {"name": "p"}, "spec": {"defaultBatchingConfig": {"8k": {"batch_sizes": [1]}}}}]),
        );
        let sizes = Sizes {
            profiles,
            ..Sizes::default()
        };
        assert_eq!(
            told(sizes.tiers(&[at("q")])).unwrap_err(),
            "the ModelProfile q does not exist"
        );
        assert_eq!(told(sizes.tiers(&[at("q"), at("p")])).unwrap(), "8k:[1]");
        assert_eq!(told(sizes.tiers(&[])).unwrap(), "");
        let refused = Listed::Failed(Failure::new("You may not", ""));
        let sizes = Sizes {
            profiles: refused,
            ..Sizes::default()
        };
        assert_eq!(told(sizes.tiers(&[at("p")])).unwrap_err(), "You may not");
        assert_eq!(
            told(Sizes::default().tiers(&[at("p")])).unwrap_err(),
            "the cluster has no ModelProfiles"
        );
    }

    #[test]
    fn lengths_are_read_as_they_are_written() {
        let tokens = |context: &str| {
            Tier {
                context: context.to_owned(),
                batch_sizes: Vec::new(),
            }
            .tokens()
        };
        assert_eq!(
            (tokens("128k"), tokens("448"), tokens("8K")),
            (Some(131_072), Some(448), Some(8_192))
        );
        assert_eq!(
            (tokens("10t"), tokens("default"), tokens("k")),
            (None, None, None)
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z0-9*:k-]{0,8}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("batchingConfigs".to_owned()),
            Just("all".to_owned()),
            Just("batch_sizes".to_owned()),
            Just("configs".to_owned()),
            Just("pefs".to_owned()),
            "[a-z0-9]{1,5}",
        ];
        leaf.prop_recursive(5, 60, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_form_of_them_panics(spec in any_json(), status in any_json(), own in any_json()) {
            let _ = profile(spec.clone(), status, Some("all"), own);
            let _ = template(spec);
        }
    }
}
