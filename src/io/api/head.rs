//! The parts of a response's head that are kept.

use crate::domain::redact::Redactor;
use crate::io::http1::ResponseHead;
use crate::wire::fault::HttpResponse;

/// The headers that faults and clocks need.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    content_type: String,
    retry_after: Option<String>,
    date: Option<String>,
    location: Option<String>,
    proxy_error: Option<String>,
    pub(super) rate_limit: Vec<(String, String)>,
}

impl Head {
    pub(super) fn of(head: &ResponseHead, redactor: &Redactor) -> Self {
        let text = |name: &str| {
            head.get(name)
                .map(|value| redactor.clean(value).into_owned())
        };
        let rate_limit = head
            .headers()
            .filter(|(name, _)| name.starts_with("x-ratelimit-"));
        // Drop headers in which the server repeats the key.
        let clean = rate_limit.filter(|(_, value)| !redactor.finds_in(value));
        Self {
            status: head.status,
            content_type: text("content-type")
                .unwrap_or_default()
                .to_ascii_lowercase(),
            retry_after: text("retry-after"),
            date: text("date"),
            location: text("location"),
            proxy_error: text("x-squid-error")
                .or_else(|| text("proxy-status").filter(|status| status.contains("error="))),
            rate_limit: clean
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    pub(super) fn reply<'a>(&'a self, body: &'a str) -> HttpResponse<'a> {
        HttpResponse {
            status: self.status,
            content_type: &self.content_type,
            retry_after: self.retry_after.as_deref(),
            date: self.date.as_deref(),
            location: self.location.as_deref(),
            proxy_error: self.proxy_error.as_deref(),
            rate_limit: &self.rate_limit,
            body,
        }
    }

    /// How far the server's clock is ahead of this machine's, in whole seconds.
    pub(super) fn clock_skew(&self) -> Option<i64> {
        let theirs = jiff::fmt::rfc2822::parse(self.date.as_deref()?)
            .ok()?
            .timestamp();
        Some(theirs.as_second() - jiff::Timestamp::now().as_second())
    }
}
