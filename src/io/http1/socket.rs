//! A TCP connection that says when the bytes of its last read arrived.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::pieces::Pieces;

use crate::io::arrival::{self, Arrival, Stamp};

/// A TCP connection. Whatever lies above it (TLS, a proxy's tunnel) reads through it.
pub(super) struct Socket {
    tcp: TcpStream,
    /// The kernel stamps its segments.
    is_stamped: bool,
    pieces: Pieces,
    last: Arrival,
    stamp: Option<Stamp>,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            is_stamped: arrival::stamp(&tcp),
            tcp,
            pieces: Pieces::of_lines(),
            last: Arrival::now(),
            stamp: None,
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// When the bytes of the last read arrived.
    pub(super) fn arrival(&self) -> Arrival {
        self.last
    }

    /// TLS begins with the next byte.
    pub(super) fn begin_tls(&mut self) {
        self.pieces.begin_tls();
    }

    fn poll_stamped(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            tcp,
            pieces,
            last,
            stamp: before,
            ..
        } = self;
        loop {
            ready!(tcp.poll_read_ready(context))?;
            let bytes = buffer.initialize_unfilled();
            let mut read = None;
            let tried = tcp.try_io(Interest::READABLE, || {
                let (length, stamp, is_all) = pieces.read(tcp, bytes)?;
                read = Some((length, stamp));
                // A read that leaves room has taken all there is, as tokio's own read knows too. It saves the next read,
                // which would find nothing.
                if is_all && length > 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(())
            });
            match (read, tried) {
                (Some((length, stamp)), _) => {
                    let at = last.at;
                    *last = Arrival::of(stamp);
                    // To the ns: what came in one segment came at once.
                    if stamp.is_some() && stamp == std::mem::replace(before, stamp) {
                        last.at = at;
                    }
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                // It was ready for what has been read since.
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, tried) => return Poll::Ready(tried),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_stamped {
            return self.poll_stamped(context, buffer);
        }
        let read = Pin::new(&mut self.tcp).poll_read(context, buffer);
        self.last = Arrival::now();
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        (
            Socket::new(ours.expect("it listens")),
            theirs.expect("it came").0,
        )
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn events_that_waited_together_are_read_one_by_one() {
        let (mut socket, mut server) = pair().await;
        for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            server
                .write_all(event.as_bytes())
                .await
                .expect("it is open");
        }
        drop(server);
        let mut heard = Vec::new();
        let mut buffer = [0; 64];
        loop {
            match socket.read(&mut buffer).await.expect("it is open") {
                0 => break,
                length => heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            }
        }
        assert_eq!(heard[0], "data: 1\n\n", "{heard:?}");
        assert_eq!(heard.concat(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    }

    #[tokio::test]
    async fn every_byte_is_read_however_it_comes() {
        let (mut socket, mut server) = pair().await;
        let writing = tokio::spawn(async move {
            for round in 0..200u32 {
                // Some fill the reader's buffer, to the byte or beyond it, others leave room.
                let piece = vec![round as u8; 1 + (round as usize * 7) % 33];
                server.write_all(&piece).await.expect("it is open");
                if round % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut heard = Vec::new();
        let mut buffer = [0; 16];
        loop {
            match socket.read(&mut buffer).await.expect("it is open") {
                0 => break,
                length => heard.extend_from_slice(&buffer[..length]),
            }
        }
        writing.await.expect("it wrote all");
        let told = (0..200u32).flat_map(|round| vec![round as u8; 1 + (round as usize * 7) % 33]);
        assert!(heard.into_iter().eq(told));
    }
}
