//! Requests as curl commands, for the activity record.

use super::{Api, ClientCertificate};
use crate::io::access::quote;

/// Makes curl print a streamed response without delay.
pub(super) const NO_BUFFER: &str = " -N";

/// Linux limits an argument of a program to 128 KiB; shell builtins have no limit.
const MAX_ARGUMENT_BYTES: usize = 100 << 10;

impl Api {
    /// The request as a curl command; secrets are environment variables. `flags` are curl's, e.g. [`NO_BUFFER`].
    pub(super) fn curl(&self, url: &str, flags: &str, body: Option<&str>) -> String {
        let line = self.curl_head(url, flags, body.is_some());
        let Some(body) = body else { return line };
        if body.len() > MAX_ARGUMENT_BYTES {
            return format!("printf %s {} | {line} --data-binary @-", quote(body));
        }
        format!("{line} --data-raw {}", quote(body))
    }

    /// The curl command without the body.
    pub(super) fn curl_head(&self, url: &str, flags: &str, has_body: bool) -> String {
        let mut line = String::from("curl -sS");
        if let Some(path) = &self.trust.ca_file {
            line = format!("{line} --cacert {}", quote(&path.to_string_lossy()));
        }
        if self.trust.accept_invalid_certs {
            line.push_str(" -k");
        }
        if let Some(ClientCertificate { certificate, key }) = &self.trust.client {
            line = format!("{line} --cert {}", quote(&certificate.to_string_lossy()));
            if let Some(key) = key {
                line = format!("{line} --key {}", quote(&key.to_string_lossy()));
            }
        }
        if let Some(proxy) = self.proxy() {
            line = format!("{line} -x {}", quote(proxy));
        }
        line = format!(
            "{line}{flags} {}{}",
            self.access.shell_url(url),
            self.access.curl_headers()
        );
        if has_body {
            line.push_str(" -H 'Content-Type: application/json'");
        }
        line
    }
}
