//! Which endpoint of an API requests are sent to.

use super::Api;
use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::plan::PlanEndpoint;
use crate::wire::fault::Endpoint;
use crate::wire::openai::{self, BodyForm};

impl Api {
    /// Sends [`Self::chat`] and the requests of [`Self::dialer`] to another endpoint.
    #[must_use]
    pub fn at_endpoint(mut self, endpoint: PlanEndpoint) -> Self {
        if endpoint != self.endpoint {
            self.endpoint = endpoint;
            let url = self.access.url(&self.endpoint_url());
            self.dialer = self.dialer.posting_to(&url);
        }
        self
    }

    /// Where they are sent.
    pub fn endpoint(&self) -> PlanEndpoint {
        self.endpoint
    }

    /// Without extra query parameters.
    pub(super) fn endpoint_url(&self) -> String {
        match self.endpoint {
            PlanEndpoint::Chat => self.address.chat(),
            PlanEndpoint::Completions => self.address.completions(),
            PlanEndpoint::Embeddings => self.address.embeddings(),
        }
    }

    /// As failures name it.
    pub(super) fn asked_endpoint(&self) -> Endpoint {
        match self.endpoint {
            PlanEndpoint::Chat => Endpoint::Chat,
            PlanEndpoint::Completions => Endpoint::Completions,
            PlanEndpoint::Embeddings => Endpoint::Embeddings,
        }
    }

    /// The body of a request.
    pub(super) fn body(&self, request: &ChatRequest, dialect: Dialect) -> String {
        let form = BodyForm {
            endpoint: self.endpoint,
            dialect,
            ..BodyForm::default()
        };
        let mut body = Vec::new();
        openai::write_stream_body(request, form, &mut body);
        // JSON is UTF-8.
        String::from_utf8(body).unwrap_or_default()
    }
}
