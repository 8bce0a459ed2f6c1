//! The objects of a cluster, as listing each kind of resource returned them.

use super::resources::{Bundle, BundleDeployment, Model, ModelBundle, ModelDeployment, Pod};
use crate::domain::failure::Failure;

/// The result of listing one kind of resource.
#[derive(Debug, Clone, Default)]
pub enum Listed<T> {
    /// The objects.
    Present(Vec<T>),
    /// The cluster does not have this kind.
    #[default]
    Absent,
    /// The objects could not be listed.
    Failed(Failure),
}

impl<T> Listed<T> {
    /// The objects; empty if they could not be listed.
    pub fn items(&self) -> &[T] {
        match self {
            Self::Present(items) => items,
            Self::Absent | Self::Failed(_) => &[],
        }
    }

    /// Whether the cluster may have this kind.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Why the objects could not be listed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Present(_) | Self::Absent => None,
        }
    }
}

/// Everything that Batida lists to show a cluster.
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
    /// The failures of the lists, in the order of the fields.
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
