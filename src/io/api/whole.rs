//! Responses that are read whole.

use std::time::Duration;

use super::head::Head;
use super::{Api, MAX_BODY_BYTES, Opened, RECONNECTED, end, faults};
use crate::io::http1::{Ask, Response, Unpacker};
use crate::protocol::ActivityKind;
use crate::wire::certificate::Certificate;
use crate::wire::fault::{self, Fault, RequestInfo, TransportError};

/// How long to wait for the body of a refusal.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ERROR_BYTES: usize = 64 << 10;

/// A request whose response is read whole.
pub(super) struct WholeRequest<'a> {
    pub(super) asked: RequestInfo<'a>,
    /// The request as a curl command.
    pub(super) line: String,
    pub(super) ask: Ask<'a>,
    /// From sending to the last byte.
    pub(super) limit: Duration,
    /// The expected response, e.g. `a model list`.
    pub(super) what: &'static str,
}

/// A whole response; see [`Models`] for the fields.
pub(super) struct WholeResponse {
    pub(super) body: String,
    pub(super) took: Duration,
    pub(super) connect: Option<Duration>,
    pub(super) clock_skew: Option<i64>,
    pub(super) certificate: Option<Certificate>,
}

impl Api {
    /// Sends a request and reads the whole response. `summary` describes it for the activity record.
    pub(super) async fn whole<T>(
        &self,
        asking: WholeRequest<'_>,
        read: impl FnOnce(&WholeResponse) -> Result<T, String>,
        summary: impl Fn(&T) -> String,
    ) -> Result<T, Fault> {
        let WholeRequest {
            asked,
            line,
            ask,
            limit,
            what,
        } = asking;
        let recording = self.recorder.begin(ActivityKind::Http, line);
        let mut reconnected = "";
        let outcome = async {
            let opened = self.send(&ask, limit, &asked).await?;
            if opened.reconnected {
                reconnected = RECONNECTED;
            }
            let Opened {
                sent,
                connect,
                response,
                ..
            } = opened;
            let certificate = response.connection().peer_certificate();
            let certificate = certificate.and_then(|shown| Certificate::read(shown));
            let head = Head::of(&response.head, self.access.redactor());
            let left = limit.saturating_sub(sent.elapsed());
            let reading = self.read_whole(response, &asked);
            let body = tokio::time::timeout(left, reading)
                .await
                .unwrap_or_else(|_| {
                    Err(TransportError::ReadTimeout(limit).into_fault(&asked, String::new()))
                })?;
            let clock_skew = head.clock_skew();
            let got = WholeResponse {
                body,
                took: sent.elapsed(),
                connect,
                clock_skew,
                certificate,
            };
            read(&got).map_err(|why| {
                // Before it is shortened.
                let body = self.access.redactor().clean(&got.body);
                let reply = head.reply(&body);
                if let Some(fault) = fault::error_in_success(&reply, &asked) {
                    return fault;
                }
                let mut fault = fault::not_an_answer(&reply, &asked);
                let body = got.body.trim_start();
                if !body.is_empty() && !body.starts_with('<') {
                    fault.failure.summary =
                        format!("{} sent {what} that could not be read: {why}", asked.host);
                }
                fault
            })
        };
        let outcome = outcome.await.map_err(|fault| self.shown(fault));
        end(recording, &outcome, |value| {
            format!("HTTP 200, {}{reconnected}", summary(value))
        });
        outcome
    }

    /// Reads the beginning of a refusal's body.
    pub(super) async fn read_start(&self, mut response: Response) -> String {
        let mut body = Vec::new();
        let mut unpacker = Unpacker::of(&response.head);
        let read = async {
            while let Ok(Some((_, bytes))) = response.next().await {
                match unpacker.take(&bytes) {
                    Ok(bytes) => body.extend_from_slice(&bytes),
                    Err(_) => break,
                }
                if body.len() > MAX_ERROR_BYTES {
                    break;
                }
            }
        };
        // What arrived until then is used.
        let _ = tokio::time::timeout(REFUSAL_TIMEOUT, read).await;
        body.truncate(MAX_ERROR_BYTES);
        self.keep(response);
        String::from_utf8_lossy(&body).into_owned()
    }

    async fn read_whole(
        &self,
        mut response: Response,
        asked: &RequestInfo<'_>,
    ) -> Result<String, Fault> {
        let mut body = Vec::new();
        let mut unpacker = Unpacker::of(&response.head);
        while let Some((_, bytes)) = response
            .next()
            .await
            .map_err(|error| faults::of_wire(&error, asked))?
        {
            let bytes = unpacker
                .take(&bytes)
                .map_err(|why| faults::of_compressed(&why, asked))?;
            body.extend_from_slice(&bytes);
            if body.len() > MAX_BODY_BYTES {
                let reply = fault::HttpResponse {
                    status: 200,
                    ..fault::HttpResponse::default()
                };
                return Err(fault::not_an_answer(&reply, asked));
            }
        }
        unpacker
            .finish()
            .map_err(|why| faults::of_compressed(&why, asked))?;
        self.keep(response);
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
