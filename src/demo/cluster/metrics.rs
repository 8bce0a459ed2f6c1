//! The metrics of a pod of the made-up cluster: those of the demo's server, for the models that the pod serves.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::KubectlOutput;
use super::objects::{METRICS_PORT, served_by};

/// The environment variable that tells the simulated kubectl where the demo's server listens: `127.0.0.1:PORT`.
pub const DEMO_API: &str = "BATIDA_DEMO_API";

/// No page of the demo's takes longer.
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_BYTES: u64 = 1 << 20;

/// `get --raw …/pods/POD:PORT/proxy/metrics`
pub(super) fn page(pod: &str) -> KubectlOutput {
    let (pod, port) = pod.split_once(':').unwrap_or((pod, ""));
    let models = served_by(pod);
    if models.is_empty() {
        return KubectlOutput::failed(format!(
            "Error from server (NotFound): pods \"{pod}\" not found"
        ));
    }
    let refused = |why: &str| {
        let text = format!("error trying to reach service: dial tcp {pod}:{port}: {why}");
        KubectlOutput::failed(format!("Error from server (ServiceUnavailable): {text}"))
    };
    let api = std::env::var(DEMO_API)
        .ok()
        .and_then(|api| api.parse().ok());
    let Some(api) = api.filter(|_| port == METRICS_PORT) else {
        return refused("connect: connection refused");
    };
    match fetch(api) {
        Ok(text) => KubectlOutput::said(of_models(&text, &models)),
        Err(error) => refused(&error.to_string()),
    }
}

fn fetch(api: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&api, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    write!(socket, "GET /metrics HTTP/1.0\r\nhost: {api}\r\n\r\n")?;
    let mut response = String::new();
    socket.take(MAX_BYTES).read_to_string(&mut response)?;
    let (_, body) = response
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(body.to_owned())
}

/// The page without the series of other models.
fn of_models(text: &str, models: &[&str]) -> String {
    let is_of_another = |line: &str| {
        let name = line
            .split_once("model_name=\"")
            .and_then(|(_, rest)| rest.split('"').next());
        name.is_some_and(|name| !models.contains(&name))
    };
    let lines = text.lines().filter(|line| !is_of_another(line));
    lines.map(|line| format!("{line}\n")).collect()
}
