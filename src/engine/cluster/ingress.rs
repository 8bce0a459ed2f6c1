//! The limit of the ingress before an API.

use std::time::Duration;

use super::get_at;
use crate::domain::environment::ApiAddress;
use crate::domain::run::IngressLimit;
use crate::io::kubectl::Kubectl;
use crate::sambastack::ingress;

/// A session waits for it at most so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the ingress lets through that serves this address; `None` where nobody may list ingresses, none serves it or it
/// has no limit.
pub async fn limit(kubectl: &Kubectl, address: &ApiAddress) -> Option<IngressLimit> {
    ingress::limit(&list(kubectl).await?, &host(address)?)
}

/// The address as it is reached inside the cluster, past the ingress; `None` where nobody may list ingresses or none tells its
/// service.
pub async fn inside(kubectl: &Kubectl, address: &ApiAddress) -> Option<ApiAddress> {
    let service = ingress::service(&list(kubectl).await?, &host(address)?)?;
    let (host, port) = service.rsplit_once(':')?;
    let mut url = url::Url::parse(&address.chat()).ok()?;
    url.set_scheme("http").ok()?;
    url.set_host(Some(host)).ok()?;
    url.set_port(port.parse().ok()).ok()?;
    ApiAddress::parse(url.as_str()).ok()
}

/// The ingresses of the cluster, or else of the namespace.
async fn list(kubectl: &Kubectl) -> Option<Vec<u8>> {
    let everywhere = "/apis/networking.k8s.io/v1/ingresses?limit=500".to_owned();
    let own = format!(
        "/apis/networking.k8s.io/v1/namespaces/{}/ingresses?limit=500",
        kubectl.namespace
    );
    let asking = async {
        match get_at(kubectl, &everywhere).await {
            Ok(list) => Some(list),
            Err(_) => get_at(kubectl, &own).await.ok(),
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.ok()?
}

/// Without a port.
fn host(address: &ApiAddress) -> Option<String> {
    let url = url::Url::parse(&address.chat()).ok()?;
    url.host_str().map(str::to_owned)
}
