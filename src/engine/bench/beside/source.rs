//! A source of metrics that was found, read again and again.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::io::api::{MAX_PAGE_BYTES, MetricsPage};
use crate::io::kubectl::Kubectl;
use crate::metrics::scrape::{self, Page, Reading};
use crate::sambastack::metrics_pods::MetricsPod;

/// The time limit of a reading through kubectl.
pub(super) const POD_TIMEOUT: Duration = Duration::from_secs(5);

/// What a page of another program has.
pub(super) const NOT_KNOWN: &str = "no metrics of vLLM, SGLang, llama.cpp or an inference router";

pub(super) enum Source {
    Page(Box<MetricsPage>),
    Pods(Box<Pods>),
}

/// Pods that are read through the API server.
pub(super) struct Pods {
    pub(super) kubectl: Kubectl,
    /// The path of the server's URL.
    pub(super) prefix: String,
    pub(super) pods: Vec<MetricsPod>,
}

impl Source {
    /// Reads it for a model. Of several pods all must answer: a sum of some would look like a queue that grew shorter.
    pub(super) async fn read(&mut self, model: &str) -> Result<Page, String> {
        match self {
            Self::Page(page) => {
                let text = page
                    .read()
                    .await
                    .map_err(|why| format!("{}: {why}", page.address()))?;
                let read = parse(text, model).await;
                read.ok_or_else(|| format!("{} has {NOT_KNOWN}", page.address()))
            }
            Self::Pods(pods) => {
                let pages = pods.pods.iter().map(|pod| pods.read(pod, model));
                let pages: Vec<Page> = try_join_all(pages).await?;
                let readings: Vec<Reading> =
                    pages.iter().map(|page| page.reading.clone()).collect();
                let mut engines = Vec::new();
                for engine in pages.into_iter().flat_map(|page| page.engines) {
                    if !engines.contains(&engine) {
                        engines.push(engine);
                    }
                }
                let reading = Reading::joined(&readings);
                Ok(Page { engines, reading })
            }
        }
    }

    /// For people.
    pub(super) fn told(&self) -> Vec<String> {
        match self {
            Self::Page(page) => vec![page.address().to_owned()],
            Self::Pods(pods) => pods.pods.iter().map(MetricsPod::told).collect(),
        }
    }
}

impl Pods {
    pub(super) async fn read(&self, pod: &MetricsPod, model: &str) -> Result<Page, String> {
        let path = format!("{}{}", self.prefix, pod.proxy_path(&self.kubectl.namespace));
        let text = self
            .kubectl
            .run(&["get", "--raw", &path], POD_TIMEOUT)
            .await;
        let told = pod.told();
        let text = text.map_err(|error| format!("{told}: {}", error.failure.summary))?;
        if text.len() > MAX_PAGE_BYTES {
            return Err(format!(
                "{told}: the page is longer than {} MiB",
                MAX_PAGE_BYTES >> 20
            ));
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        parse(text, model)
            .await
            .ok_or_else(|| format!("{told} has {NOT_KNOWN}"))
    }
}

/// On a thread that may block: five megabytes take a while.
async fn parse(text: String, model: &str) -> Option<Page> {
    let model = model.to_owned();
    let parsing = tokio::task::spawn_blocking(move || scrape::read(&text, &model));
    parsing.await.ok().flatten()
}
