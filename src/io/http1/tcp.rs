//! Opens TCP connections, to an API or to a proxy.

use std::io;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::socket::Socket;
use super::{Lack, WireError};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a TCP connection and measures the handshake.
pub(super) async fn connect(host: &str, port: u16) -> Result<(Socket, Duration), WireError> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(WireError::Unknown)?;
    let mut last = WireError::Unknown(io::Error::from(io::ErrorKind::NotFound));
    for address in addresses {
        let began = Instant::now();
        // An unresponsive address leaves time for the next one.
        match tokio::time::timeout(CONNECT_TIMEOUT / 3, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Fails only on a closed socket, which the first write reports.
                let _ = tcp.set_nodelay(true);
                let took = began.elapsed();
                return Ok((Socket::new(tcp), took));
            }
            Ok(Err(error)) => {
                let local = Lack::of(&error).is_some();
                last = WireError::Connect(error);
                if local {
                    break;
                }
            }
            Err(_) => last = WireError::Connect(io::ErrorKind::TimedOut.into()),
        }
    }
    Err(last)
}
