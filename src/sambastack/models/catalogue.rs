//! Which models a deployment serves, looked up in the bundles and models of its namespace.

use std::collections::HashMap;

use super::notes::notes;
use crate::domain::deployment::{ServedModel, SizesAt};
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::resources::{
    Bundle, BundleDeployment, BundleModel, BundleStatus, Meta, Model, ModelBundle, ModelConfig,
    ModelDeployment,
};
use crate::sambastack::sizes::own_tiers;

/// The models that a deployment serves.
#[derive(Default)]
pub(super) struct Served {
    pub(super) bundle: Option<String>,
    pub(super) models: Vec<ServedModel>,
    pub(super) notes: Vec<String>,
    pub(super) trouble: Option<String>,
}

/// Bundles and models by name.
pub(super) struct Catalogue<'a> {
    lists: &'a Lists,
    bundles: HashMap<&'a str, &'a Bundle>,
    model_bundles: HashMap<&'a str, &'a ModelBundle>,
    models: HashMap<&'a str, &'a Model>,
    by_serving_name: HashMap<&'a str, &'a Model>,
}

impl<'a> Catalogue<'a> {
    pub(super) fn new(lists: &'a Lists) -> Self {
        let models = lists.models.items();
        Self {
            lists,
            bundles: lists
                .bundles
                .items()
                .iter()
                .map(|it| (it.metadata.name.as_str(), it))
                .collect(),
            model_bundles: lists
                .model_bundles
                .items()
                .iter()
                .map(|it| (it.metadata.name.as_str(), it))
                .collect(),
            models: models
                .iter()
                .map(|it| (it.metadata.name.as_str(), it))
                .collect(),
            by_serving_name: models
                .iter()
                .map(|it| (it.spec.name.as_str(), it))
                .collect(),
        }
    }

    /// Old: deployment → bundle → the keys of its models.
    pub(super) fn of_old(&self, deployment: &BundleDeployment) -> Served {
        let Some(name) = bundle_name(deployment.spec.bundle.as_deref()) else {
            return Served {
                trouble: Some("it names no bundle".to_owned()),
                ..Served::default()
            };
        };
        let bundle = Some(name.to_owned());
        let Some(found) = self.bundles.get(name) else {
            return Served {
                bundle,
                trouble: Some(missing(name, &self.lists.bundles)),
                ..Served::default()
            };
        };
        let models: Vec<_> = found
            .spec
            .models
            .iter()
            .map(|(name, model)| self.old_model(name, model, found))
            .collect();
        let trouble = invalid(name, &found.status)
            .or_else(|| odd_bundle(name, &found.metadata))
            .or_else(|| {
                models
                    .is_empty()
                    .then(|| format!("bundle {name} lists no models"))
            });
        Served {
            bundle,
            models: sorted(models),
            notes: notes(&found.status),
            trouble,
        }
    }

    /// The old generation has only serving names. If the cluster also has `Model`s, they add aliases and
    /// capabilities.
    fn old_model(&self, serving_name: &str, wanted: &BundleModel, bundle: &Bundle) -> ServedModel {
        let (template, called) = (&bundle.spec.template, &wanted.template);
        let sizes = (!template.is_empty()).then(|| SizesAt::Template {
            template: template.clone(),
            model: if called.is_empty() {
                serving_name.to_owned()
            } else {
                called.clone()
            },
        });
        let model = self.by_serving_name.get(serving_name);
        ServedModel {
            serving_name: serving_name.to_owned(),
            resource: None,
            aliases: model
                .map(|model| model.spec.aliases.clone())
                .unwrap_or_default(),
            capabilities: model
                .map(|model| model.spec.metadata.capabilities.clone())
                .unwrap_or_default(),
            confirmed: true,
            sizes: sizes.into_iter().collect(),
        }
    }

    /// New: deployment → its own model configurations or its bundle's → `Model` → its serving name.
    pub(super) fn of_new(&self, deployment: &ModelDeployment) -> Served {
        let own = &deployment.spec.models.model_configs;
        let Some(name) = bundle_name(deployment.spec.bundle.as_deref()) else {
            let (models, trouble) = self.new_models(own, "it");
            let is_left_out = |remark: &String| remark.starts_with("spec.models");
            let trouble =
                match own.is_empty() && deployment.metadata.unreadable.iter().any(is_left_out) {
                    true => Some("its list of models cannot be read".to_owned()),
                    false => trouble,
                };
            return Served {
                models,
                trouble,
                ..Served::default()
            };
        };
        let bundle = Some(name.to_owned());
        if !own.is_empty() {
            let (models, trouble) = self.new_models(own, "it");
            return Served {
                bundle,
                models,
                trouble,
                ..Served::default()
            };
        }
        let Some(found) = self.model_bundles.get(name) else {
            return Served {
                bundle,
                trouble: Some(missing(name, &self.lists.model_bundles)),
                ..Served::default()
            };
        };
        let (models, trouble) =
            self.new_models(&found.spec.model_configs, &format!("bundle {name}"));
        let trouble = invalid(name, &found.status)
            .or_else(|| odd_bundle(name, &found.metadata))
            .or(trouble);
        Served {
            bundle,
            models,
            notes: notes(&found.status),
            trouble,
        }
    }

    fn new_models(
        &self,
        configs: &[ModelConfig],
        whose: &str,
    ) -> (Vec<ServedModel>, Option<String>) {
        let models: Vec<_> = configs
            .iter()
            .filter(|config| config.is_routable() && !config.resource().is_empty())
            .map(|config| self.new_model(config))
            .collect();
        let models = sorted(models);
        let trouble = if configs.is_empty() {
            Some(format!("{whose} lists no models"))
        } else if models.is_empty() {
            Some(format!("{whose} lists no model that can be requested"))
        } else {
            self.unconfirmed(&models)
        };
        (models, trouble)
    }

    fn new_model(&self, config: &ModelConfig) -> ServedModel {
        let resource = config.resource();
        let model = self
            .models
            .get(resource)
            .filter(|model| !model.spec.name.is_empty());
        ServedModel {
            serving_name: model.map_or(resource, |model| &model.spec.name).to_owned(),
            resource: Some(resource.to_owned()),
            aliases: model
                .map(|model| model.spec.aliases.clone())
                .unwrap_or_default(),
            capabilities: model
                .map(|model| model.spec.metadata.capabilities.clone())
                .unwrap_or_default(),
            confirmed: model.is_some(),
            sizes: sizes_of(config).into_iter().collect(),
        }
    }

    fn unconfirmed(&self, models: &[ServedModel]) -> Option<String> {
        let names: Vec<&str> = models
            .iter()
            .filter(|model| !model.confirmed)
            .filter_map(|model| model.resource.as_deref())
            .collect();
        let (&first, more) = names.split_first()?;
        let odd = self
            .models
            .get(first)
            .filter(|model| !model.metadata.unreadable.is_empty());
        if let Some(model) = odd {
            let (why, more) = (model.metadata.unreadable.join(", "), more.len());
            let others = if more > 0 {
                format!(", and so are {more} more")
            } else {
                String::new()
            };
            return Some(format!(
                "model {first} cannot be read ({why}), so its serving name is a guess{others}"
            ));
        }
        if self.models.contains_key(first) {
            let others = match more.len() {
                0 => String::new(),
                n => format!(", and {n} more are guesses, too"),
            };
            return Some(format!(
                "model {first} has no serving name (its spec.name is empty), so its serving name is a guess{others}"
            ));
        }
        if !matches!(self.lists.models, Listed::Present(_)) {
            return Some(
                "the models could not be listed, so their serving names are guesses".to_owned(),
            );
        }
        Some(match more.len() {
            0 => format!("model {first} does not exist, so its serving name is a guess"),
            n => format!(
                "model {first} and {n} more do not exist, so their serving names are guesses"
            ),
        })
    }
}

/// Where the sizes of a model of the new generation are defined; `None` if its bundle does not say.
fn sizes_of(config: &ModelConfig) -> Option<SizesAt> {
    let own = own_tiers(&config.batching_config);
    let profile = Some(&config.profile)
        .filter(|name| !name.is_empty())
        .cloned();
    let chosen = config.batching_config.as_str().map(str::to_owned);
    (profile.is_some() || !own.is_empty()).then_some(SizesAt::Profile {
        profile,
        chosen,
        own,
    })
}

fn bundle_name(bundle: Option<&str>) -> Option<&str> {
    bundle.filter(|name| !name.is_empty())
}

fn missing<T>(bundle: &str, bundles: &Listed<T>) -> String {
    match bundles {
        Listed::Present(_) | Listed::Absent => format!("bundle {bundle} does not exist"),
        Listed::Failed(_) => format!("bundle {bundle} could not be read"),
    }
}

fn odd_bundle(bundle: &str, metadata: &Meta) -> Option<String> {
    let remarks = metadata.unreadable.join(", ");
    (!remarks.is_empty()).then(|| format!("bundle {bundle} cannot be read in full: {remarks}"))
}

fn invalid(bundle: &str, status: &BundleStatus) -> Option<String> {
    let refused = status
        .conditions
        .iter()
        .find(|it| it.kind == "Valid" && it.status == "False")?;
    let message = if refused.message.is_empty() {
        &refused.reason
    } else {
        &refused.message
    };
    let message = message.trim().trim_end_matches('.');
    Some(match message {
        "" => format!("bundle {bundle} is not valid"),
        message => format!("bundle {bundle} is not valid: {message}"),
    })
}

/// Sorts by serving name and merges duplicates: a bundle may list a model with several profiles.
fn sorted(mut models: Vec<ServedModel>) -> Vec<ServedModel> {
    models.sort_by(|a, b| a.serving_name.cmp(&b.serving_name));
    models.dedup_by(|again, first| {
        let same = again.serving_name == first.serving_name;
        if same {
            let more = std::mem::take(&mut again.sizes).into_iter();
            let new: Vec<_> = more.filter(|at| !first.sizes.contains(at)).collect();
            first.sizes.extend(new);
        }
        same
    });
    models
}
