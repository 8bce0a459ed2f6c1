//! From a deployment to the names the API wants, and the whole view of a cluster.

use std::collections::HashMap;

use crate::domain::deployment::{
    ClusterView, Deployment, DeploymentState, Generation, ServedModel, SizesAt,
};
use crate::domain::failure::Failure;

use super::pods::{self, Matcher, OwnedPod};
use super::read::Object;
use super::resources::{
    Bundle, BundleDeployment, BundleModel, BundleStatus, Condition, Group, Meta, Model,
    ModelBundle, ModelConfig, ModelDeployment, Pod,
};
use super::sizes::own_tiers;

/// What asking for one kind gave.
#[derive(Debug, Clone, Default)]
pub enum Listed<T> {
    /// The objects.
    Present(Vec<T>),
    /// The cluster does not know the kind.
    #[default]
    Absent,
    /// It knows the kind, perhaps, and did not give the objects.
    Failed(Failure),
}

impl<T> Listed<T> {
    /// The objects; none when they could not be listed.
    pub fn items(&self) -> &[T] {
        match self {
            Self::Present(items) => items,
            Self::Absent | Self::Failed(_) => &[],
        }
    }

    /// Whether the cluster seems to know the kind.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Why the objects are not there.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Present(_) | Self::Absent => None,
        }
    }
}

/// All that one look at a cluster asks for.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields say it by name and type")]
pub struct Lists {
    pub bundle_deployments: Listed<BundleDeployment>,
    pub bundles: Listed<Bundle>,
    pub model_deployments: Listed<ModelDeployment>,
    pub model_bundles: Listed<ModelBundle>,
    pub models: Listed<Model>,
    pub pods: Listed<Pod>,
}

impl Lists {
    /// Why kinds could not be listed, in the order of the fields.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        [
            self.bundle_deployments.failure(),
            self.bundles.failure(),
            self.model_deployments.failure(),
            self.model_bundles.failure(),
            self.models.failure(),
            self.pods.failure(),
        ]
        .into_iter()
        .flatten()
    }
}

/// Puts the lists together: each deployment with its pods, its state and its models.
pub fn view(lists: &Lists) -> ClusterView {
    let catalogue = Catalogue::new(lists);
    // A deployment without a name has no pods, and cannot be asked for: it is told with what cannot be read.
    let old = named(&lists.bundle_deployments).map(|deployment| {
        let models = catalogue.of_old(deployment);
        Wanted::new(
            Generation::Old,
            &deployment.metadata,
            &deployment.spec.groups,
            models,
        )
    });
    let new = named(&lists.model_deployments).map(|deployment| {
        let models = catalogue.of_new(deployment);
        Wanted::new(
            Generation::New,
            &deployment.metadata,
            &deployment.spec.groups,
            models,
        )
    });
    let wanted: Vec<Wanted<'_>> = old.chain(new).collect();
    let mut owned = pods_of(&wanted, lists.pods.items());
    let pods_unknown = !matches!(lists.pods, Listed::Present(_));

    let mut deployments: Vec<Deployment> = wanted
        .into_iter()
        .enumerate()
        .map(|(i, wanted)| wanted.with_pods(owned.remove(&i).unwrap_or_default(), pods_unknown))
        .collect();
    deployments.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));

    let mut generations = Vec::new();
    if lists.bundle_deployments.is_known() {
        generations.push(Generation::Old);
    }
    if lists.model_deployments.is_known() {
        generations.push(Generation::New);
    }
    let is_partial = lists
        .bundle_deployments
        .failure()
        .or(lists.model_deployments.failure())
        .is_some();
    let warnings = lists.failures().cloned().collect();
    ClusterView {
        deployments,
        generations,
        warnings,
        unreadable: unreadable(lists),
        is_partial,
    }
}

fn named<T: Object>(listed: &Listed<T>) -> impl Iterator<Item = &T> {
    listed
        .items()
        .iter()
        .filter(|it| !it.meta().name.is_empty())
}

/// What was listed and cannot be read in full, kind by kind.
fn unreadable(lists: &Lists) -> Vec<Failure> {
    [
        odd_ones("bundledeployments", &lists.bundle_deployments),
        odd_ones("bundles", &lists.bundles),
        odd_ones("modeldeployments", &lists.model_deployments),
        odd_ones("modelbundles", &lists.model_bundles),
        odd_ones("models", &lists.models),
        odd_ones("pods", &lists.pods),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn odd_ones<T: Object>(kind: &str, listed: &Listed<T>) -> Option<Failure> {
    const MAX_LINES: usize = 50;
    let remark = |meta: &Meta| match (meta.name.as_str(), meta.unreadable.as_slice()) {
        ("", []) => Some("one without a name".to_owned()),
        (_, []) => None,
        ("", remarks) => Some(format!("one without a name: {}", remarks.join(", "))),
        (name, remarks) => Some(format!("{name}: {}", remarks.join(", "))),
    };
    let odd: Vec<String> = listed
        .items()
        .iter()
        .filter_map(|it| remark(it.meta()))
        .collect();
    let first = odd.first()?;
    let (n, all) = (odd.len(), listed.items().len());
    let more = if n > 1 {
        format!(" (and {} more)", n - 1)
    } else {
        String::new()
    };
    let full = if kind == "pods" {
        kind.to_owned()
    } else {
        format!("{kind}.sambanova.ai")
    };
    let failure = Failure::new(
        format!("{n} of {all} {kind} cannot be read in full: {first}{more}"),
        format!("Correct the object: `kubectl get {full} NAME -o yaml` shows it"),
    );
    Some(match n {
        1 => failure,
        _ => failure.with_details(
            odd.iter()
                .take(MAX_LINES)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    })
}

fn sort_key(deployment: &Deployment) -> (bool, &str, Generation) {
    (
        deployment.state != DeploymentState::Deployed,
        &deployment.name,
        deployment.generation,
    )
}

/// A deployment before its pods are known.
struct Wanted<'a> {
    generation: Generation,
    metadata: &'a Meta,
    groups: &'a [Group],
    models: Served,
}

impl<'a> Wanted<'a> {
    fn new(
        generation: Generation,
        metadata: &'a Meta,
        groups: &'a [Group],
        models: Served,
    ) -> Self {
        Self {
            generation,
            metadata,
            groups,
            models,
        }
    }

    fn with_pods(self, mut pods: Vec<OwnedPod>, pods_unknown: bool) -> Deployment {
        let Self {
            generation,
            metadata,
            groups,
            models,
        } = self;
        pods.sort_by(|a, b| (!a.is_cache, &a.brief.name).cmp(&(!b.is_cache, &b.brief.name)));
        let (state, reason) = if pods_unknown && !metadata.is_terminating() {
            (
                DeploymentState::Unknown,
                "the pods could not be listed".to_owned(),
            )
        } else {
            pods::state(metadata, groups, &pods)
        };
        Deployment {
            name: metadata.name.clone(),
            generation,
            bundle: models.bundle,
            state,
            reason,
            since: pods::state_since(metadata, state, &pods),
            pods: pods.into_iter().map(|pod| pod.brief).collect(),
            models: models.models,
            bundle_notes: models.notes,
            models_trouble: models.trouble,
            replicas: pods::replicas(groups),
            unreadable: metadata.unreadable.clone(),
        }
    }
}

fn pods_of(wanted: &[Wanted<'_>], pods: &[Pod]) -> HashMap<usize, Vec<OwnedPod>> {
    let mut matcher = Matcher::new(
        wanted
            .iter()
            .map(|wanted| (wanted.metadata.name.as_str(), wanted.groups)),
    );
    let mut owned: HashMap<usize, Vec<OwnedPod>> = HashMap::new();
    for pod in pods {
        for owner in matcher.owners(&pod.metadata.name) {
            owned
                .entry(owner.deployment)
                .or_default()
                .push(OwnedPod::new(pod, &owner));
        }
    }
    owned
}

/// What a deployment serves.
#[derive(Default)]
struct Served {
    bundle: Option<String>,
    models: Vec<ServedModel>,
    notes: Vec<String>,
    trouble: Option<String>,
}

/// Bundles and models by name.
struct Catalogue<'a> {
    lists: &'a Lists,
    bundles: HashMap<&'a str, &'a Bundle>,
    model_bundles: HashMap<&'a str, &'a ModelBundle>,
    models: HashMap<&'a str, &'a Model>,
    by_serving_name: HashMap<&'a str, &'a Model>,
}

impl<'a> Catalogue<'a> {
    fn new(lists: &'a Lists) -> Self {
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
    fn of_old(&self, deployment: &BundleDeployment) -> Served {
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

    /// The old generation knows serving names only; where there are `Model`s too, they tell more.
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
    fn of_new(&self, deployment: &ModelDeployment) -> Served {
        let own = &deployment.spec.models.model_configs;
        let Some(name) = bundle_name(deployment.spec.bundle.as_deref()) else {
            let (models, trouble) = self.new_models(own, "it");
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
            Some(format!("{whose} lists no model that can be addressed"))
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

/// Where the sizes of a model of the new generation are written; `None` where its bundle names nothing.
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

/// What the operator says of a bundle, a line each: its conditions, then the legalizer's report.
fn notes(status: &BundleStatus) -> Vec<String> {
    let mut notes: Vec<String> = status
        .conditions
        .iter()
        .map(
            |Condition {
                 kind,
                 status,
                 reason,
                 message,
                 ..
             }| {
                let words = [reason.as_str(), message.as_str()]
                    .into_iter()
                    .filter(|text| !text.is_empty());
                format!("{kind} {status}: {}", words.collect::<Vec<_>>().join(", "))
            },
        )
        .collect();
    if let Some(report) = &status.legalizer_info {
        legalizer(report, &mut notes);
    }
    notes
}

/// What is known of the report's form in words, and the rest as it comes.
fn legalizer(report: &serde_json::Value, out: &mut Vec<String>) {
    use serde_json::Value;
    let mut rest = report.clone();
    // What has another form than is known stays, and is told as it comes.
    let mut take = |name: &str, is_known: fn(&Value) -> bool| {
        let fields = rest
            .as_object_mut()
            .filter(|fields| fields.get(name).is_some_and(is_known));
        fields.and_then(|fields| fields.shift_remove(name))
    };
    let status = take("status", Value::is_string);
    let (errors, warnings) = (
        take("errors", Value::is_array),
        take("warnings", Value::is_array),
    );
    let utilization = take("utilization", Value::is_object);
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    out.extend(status.map(|status| format!("Legalizer: {}", text(&status))));
    for (title, said) in [("error", errors), ("warning", warnings)] {
        let said = said
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        out.extend(said.map(|it| format!("Legalizer {title}: {}", text(it))));
    }
    if let Some(Value::Object(used)) = utilization
        && !used.is_empty()
    {
        let each = used
            .iter()
            .map(|(name, value)| format!("{} {value}", name.replace('_', " ")));
        out.push(format!(
            "Memory use: {}",
            each.collect::<Vec<_>>().join(" · ")
        ));
    }
    flatten("legalizer", &rest, out);
}

/// `legalizer.memory.used: 12`: its form is SambaStack's own and may change.
fn flatten(path: &str, value: &serde_json::Value, out: &mut Vec<String>) {
    const MOST: usize = 60;
    if out.len() >= MOST {
        return;
    }
    match value {
        serde_json::Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(name, value)| flatten(&format!("{path}.{name}"), value, out));
        }
        serde_json::Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, value)| flatten(&format!("{path}[{i}]"), value, out));
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => out.push(format!("{path}: {text}")),
        other => out.push(format!("{path}: {other}")),
    }
}

/// By serving name, each once: a bundle may list a model in several profiles.
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

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn present<T: DeserializeOwned>(items: Value) -> Listed<T> {
        Listed::Present(serde_json::from_value(items).unwrap())
    }

    fn models() -> Listed<Model> {
        present(json!([
            {"metadata": {"name": "gemma-4-31b-it"}, "spec": {"name": "gemma-4-31B-it", "aliases": ["gemma"],
                "metadata": {"capabilities": ["text", "vision"]}}},
            {"metadata": {"name": "e5"}, "spec": {"name": "E5", "metadata": {"capabilities": ["embeddings"]}}},
        ]))
    }

    fn old(bundle: Value, bundles: Listed<Bundle>) -> Deployment {
        let deployments = present(json!([{"metadata": {"name": "d"}, "spec": {"bundle": bundle}}]));
        let lists = Lists {
            bundle_deployments: deployments,
            bundles,
            models: models(),
            ..Lists::default()
        };
        view(&lists).deployments.remove(0)
    }

    fn new(spec: Value, bundles: Value, models: Listed<Model>) -> Deployment {
        let deployments = present(json!([{"metadata": {"name": "d"}, "spec": spec}]));
        let lists = Lists {
            model_deployments: deployments,
            model_bundles: present(bundles),
            models,
            ..Lists::default()
        };
        view(&lists).deployments.remove(0)
    }

    fn names(deployment: &Deployment) -> Vec<&str> {
        deployment
            .models
            .iter()
            .map(|model| model.serving_name.as_str())
            .collect()
    }

    #[test]
    fn old_deployments_serve_the_keys_of_their_bundle() {
        let bundles = || {
            present(json!([{"metadata": {"name": "b"}, "spec": {"models": {"Z": {}, "E5": {}}}}]))
        };
        let deployment = old(json!("b"), bundles());
        assert_eq!(names(&deployment), ["E5", "Z"]);
        assert!(
            !deployment.models[0].chats(),
            "where there is a Model, it tells that E5 embeds"
        );
        assert_eq!(deployment.models_trouble, None);
        let trouble = |deployment: Deployment| deployment.models_trouble.unwrap();
        assert_eq!(
            trouble(old(json!("x"), bundles())),
            "bundle x does not exist"
        );
        assert_eq!(trouble(old(json!(null), bundles())), "it names no bundle");
        assert_eq!(
            trouble(old(json!("b"), Listed::Failed(Failure::default()))),
            "bundle b could not be read"
        );
    }

    #[test]
    fn a_refused_bundle_says_why_and_still_lists_its_models() {
        let deployment = old(
            json!("b"),
            present(
                json!([{"metadata": {"name": "b"}, "spec": {"models": {"Z": {}}}, "status": {"conditions":
                [{"type": "Valid", "status": "False", "reason": "ValidationFailed", "message": "no such checkpoint."}]}}]),
            ),
        );
        assert_eq!(names(&deployment), ["Z"]);
        assert_eq!(
            deployment.models_trouble.unwrap(),
            "bundle b is not valid: no such checkpoint"
        );
    }

    #[test]
    fn what_the_operator_says_of_a_bundle_is_kept() {
        let bundle = json!([{"metadata": {"name": "mb"}, "spec": {"modelConfigs": [{"model": "e5"}]},
            "status": {"conditions": [{"type": "Valid", "status": "True", "reason": "ok", "message": ""}],
                "legalizerInfo": {"messages": ["fits"], "memory": {"used": 12, "limit": null}}}}]);
        let deployment = new(json!({"bundle": "mb"}), bundle, models());
        let notes = [
            "Valid True: ok",
            "legalizer.messages[0]: fits",
            "legalizer.memory.used: 12",
        ];
        assert_eq!(deployment.bundle_notes, notes);
        let known = json!({"status": "failed", "errors": ["too large", 5], "warnings": [], "utilization":
            {"ddr": 0.62, "hbm_resident": 1.1}, "more": true});
        let bundle =
            json!([{"metadata": {"name": "mb"}, "spec": {}, "status": {"legalizerInfo": known}}]);
        let notes = [
            "Legalizer: failed",
            "Legalizer error: too large",
            "Legalizer error: 5",
            "Memory use: ddr 0.62 · hbm resident 1.1",
            "legalizer.more: true",
        ];
        assert_eq!(
            new(json!({"bundle": "mb"}), bundle, models()).bundle_notes,
            notes
        );
        let unknown = json!({"status": 3, "errors": "too large", "warnings": {"tight": "hbm"}, "utilization": [0.5]});
        let bundle =
            json!([{"metadata": {"name": "mb"}, "spec": {}, "status": {"legalizerInfo": unknown}}]);
        let notes = [
            "legalizer.status: 3",
            "legalizer.errors: too large",
            "legalizer.warnings.tight: hbm",
            "legalizer.utilization[0]: 0.5",
        ];
        assert_eq!(
            new(json!({"bundle": "mb"}), bundle, models()).bundle_notes,
            notes
        );
    }

    #[test]
    fn new_deployments_serve_what_the_models_are_called() {
        let bundle = json!([{"metadata": {"name": "mb"}, "spec": {"modelConfigs": [
            {"model": "gemma-4-31b-it:1", "profile": "p"},
            {"model": "gemma-4-31b-it:arch:2", "profile": "q"},
            {"model": "draft:1", "modelSettings": {"routable": false}},
            {"model": "e5", "modelSettings": null},
        ]}}]);
        let deployment = new(json!({"bundle": "mb"}), bundle, models());
        assert_eq!(names(&deployment), ["E5", "gemma-4-31B-it"]);
        assert_eq!(
            deployment.models[1].resource.as_deref(),
            Some("gemma-4-31b-it")
        );
        assert_eq!(deployment.models[1].aliases, ["gemma"]);
        assert_eq!(deployment.models_trouble, None);
        assert_eq!(deployment.bundle.as_deref(), Some("mb"));

        let own = json!({"models": {"modelConfigs": [{"model": "gemma-4-31b-it:1"}]}});
        let deployment = new(own, json!([]), models());
        assert_eq!(
            (names(&deployment), deployment.bundle.as_deref()),
            (vec!["gemma-4-31B-it"], None)
        );
    }

    #[test]
    fn a_model_that_is_missing_leaves_its_name_unconfirmed() {
        let own = || json!({"models": {"modelConfigs": [{"model": "minimax-m2-7:x:1"}]}});
        let deployment = new(own(), json!([]), models());
        assert_eq!(names(&deployment), ["minimax-m2-7"]);
        assert!(!deployment.models[0].confirmed);
        assert_eq!(
            deployment.models_trouble.unwrap(),
            "model minimax-m2-7 does not exist, so its serving name is a guess"
        );
        let deployment = new(own(), json!([]), Listed::Failed(Failure::default()));
        assert_eq!(
            deployment.models_trouble.unwrap(),
            "the models could not be listed, so their serving names are guesses"
        );
        let drafts = json!({"models": {"modelConfigs": [{"model": "a", "modelSettings": {"routable": false}}]}});
        let deployment = new(drafts, json!([]), models());
        assert_eq!(
            deployment.models_trouble.unwrap(),
            "it lists no model that can be addressed"
        );
    }

    #[test]
    fn what_is_odd_is_told_and_hides_nothing_else() {
        use crate::sambastack::read::parse_list;
        fn listed<T: Object>(items: Value) -> Listed<T> {
            let list = json!({"kind": "XList", "items": items}).to_string();
            Listed::Present(parse_list(list.as_bytes()).unwrap())
        }
        let lists = Lists {
            bundle_deployments: listed(json!([
                {"metadata": {"name": "good"}, "spec": {"bundle": "b"}},
                {"metadata": {"name": "minus"}, "spec": {"bundle": "b", "groups": [{"name": "default", "minReplicas": -1}]}},
                {"metadata": {"name": "of-odd"}, "spec": {"bundle": "b-odd"}},
                {"metadata": null, "spec": {"bundle": "b"}},
            ])),
            bundles: listed(json!([
                {"metadata": {"name": "b"}, "spec": {"models": {"M": {}}}},
                {"metadata": {"name": "b-odd"}, "spec": {"models": ["M"]}},
            ])),
            model_deployments: listed(json!([
                {"metadata": {"name": "md"}, "spec": {"models": {"modelConfigs": [{"model": "e5"}, {"model": "odd"}]}}},
            ])),
            models: listed(json!([
                {"metadata": {"name": "e5"}, "spec": {"name": "E5"}},
                {"metadata": {"name": "odd"}, "spec": {"name": 5}},
            ])),
            pods: listed(json!([
                {"metadata": {"name": "inf-good-cache-0"}, "status": []},
                {"metadata": {"name": "inf-minus-cache-0"}},
            ])),
            ..Lists::default()
        };
        let seen = view(&lists);
        let told: Vec<String> = seen
            .deployments
            .iter()
            .map(|it| format!("{} | {}", it.name, it.why()))
            .collect();
        let waits = "cache pod 0/0: its state is not known yet; no default pod yet";
        assert_eq!(
            told,
            [
                format!("good | {waits}"),
                "md | no pods; model odd cannot be read (spec.name is 5, not a text), so its serving name is a guess".to_owned(),
                format!(
                    "minus | {waits}; its resource cannot be read in full: spec.groups[0].minReplicas is -1, not a whole number from 0"
                ),
                "of-odd | no pods; bundle b-odd cannot be read in full: spec.models is a list, not a map".to_owned(),
            ]
        );
        let names: Vec<&str> = seen.deployments[1]
            .models
            .iter()
            .map(|it| it.serving_name.as_str())
            .collect();
        assert_eq!(
            names,
            ["E5", "odd"],
            "the odd model makes no other name wrong"
        );
        assert_eq!(
            seen.deployments[0].pods[0].unreadable,
            ["status is a list, not a map"]
        );
        let told: Vec<&str> = seen
            .unreadable
            .iter()
            .map(|it| it.summary.as_str())
            .collect();
        assert_eq!(
            told,
            [
                "2 of 4 bundledeployments cannot be read in full: minus: spec.groups[0].minReplicas is -1, not a whole \
                 number from 0 (and 1 more)",
                "1 of 2 bundles cannot be read in full: b-odd: spec.models is a list, not a map",
                "1 of 2 models cannot be read in full: odd: spec.name is 5, not a text",
                "1 of 2 pods cannot be read in full: inf-good-cache-0: status is a list, not a map",
            ]
        );
        assert!(seen.warnings.is_empty() && !seen.is_partial);
    }

    #[test]
    fn without_pods_nobody_knows_the_state() {
        let mut lists = Lists {
            bundle_deployments: present(json!([{"metadata": {"name": "d"}}])),
            pods: Listed::Failed(Failure::new("Forbidden", "")),
            ..Lists::default()
        };
        let seen = view(&lists);
        assert_eq!(seen.deployments[0].state, DeploymentState::Unknown);
        assert_eq!(seen.warnings.len(), 1);
        assert_eq!(seen.generations, [Generation::Old]);
        lists.pods = Listed::Present(Vec::new());
        assert_eq!(
            view(&lists).deployments[0].state,
            DeploymentState::NotDeployed
        );
    }
}
