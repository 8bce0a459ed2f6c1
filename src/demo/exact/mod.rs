//! A server to measure clients with: it keeps, to the microsecond, when it wrote what.
//!
//! One thread on a core of its own, no runtime: while anything is in flight it spins instead of sleeping,
//! since the timers of the system and of tokio are late by as much as what is to be measured, and the bytes
//! of an answer are made in advance, so that a token costs little more than the call that writes it.

mod connection;
mod schedule;
mod times;
mod wire;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::SockRef;

use self::connection::Connection;
use self::schedule::Schedule;
use crate::clock::shared_ns as now;
use crate::domain::environment::ApiAddress;

pub use self::wire::MODEL;

/// What an exact server is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactOptions {
    /// 0 for any free one.
    pub port: u16,
    /// From the request's last byte to the first token.
    pub ttft: Duration,
    /// From a token to the next; zero: as fast as the socket takes them, still a write each.
    pub per_token: Duration,
    /// How many, for a request without `max_tokens`.
    pub tokens: u32,
    /// The whole answer, its head included, in one write at `ttft`.
    pub one_write: bool,
    /// The core to stay on, counted from 0; `None`: the last one that this process may use. Linux only.
    pub core: Option<usize>,
    /// Keep every token's time, not only the first and the last.
    pub all_times: bool,
}

impl Default for ExactOptions {
    fn default() -> Self {
        Self {
            port: 0,
            ttft: Duration::from_millis(100),
            per_token: Duration::from_millis(10),
            tokens: 64,
            one_write: false,
            core: None,
            all_times: false,
        }
    }
}

/// A running exact server. Dropped, it stops.
///
/// `GET /times` gives a line of JSON per request since the last time it was asked, in the order in which
/// they ended: `{"id", "received_ns", "tokens", "written_ns", "done_ns"}`, see `times.rs`; the header `x-times-lost`
/// says how many older ones did not fit. `DELETE /times` forgets them.
#[derive(Debug)]
pub struct ExactServer {
    address: SocketAddr,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl ExactServer {
    /// Starts on 127.0.0.1, on a thread of its own.
    ///
    /// # Errors
    /// When the port is taken or there is no such core.
    pub fn start(options: ExactOptions) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        // The standard library leaves room for 128 only: thousands of clients come at once.
        SockRef::from(&listener).listen(4_096)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), STOP)?);
        let mut listener = TcpListener::from_std(listener);
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let (ready, when_ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("exact".to_owned())
            .spawn(move || {
                let pinned = pin(options.core);
                let usable = pinned.is_ok();
                // Fails only when the one who starts it has gone.
                let _ = ready.send(pinned);
                if usable {
                    Server::new(poll, listener, options).run();
                }
            })?;
        when_ready
            .recv()
            .map_err(|_| std::io::Error::other("its thread ended at once"))??;
        Ok(Self {
            address,
            waker,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> ApiAddress {
        ApiAddress::parse(&format!("http://{}", self.address))
            .unwrap_or_else(|error| unreachable!("a socket address is an API address: {error}"))
    }
}

impl Drop for ExactServer {
    fn drop(&mut self) {
        // Fails only when the thread has ended already.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(target_os = "linux")]
fn pin(core: Option<usize>) -> std::io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU)
        .rev()
        .find(|core| allowed.is_set(*core));
    let Some(core) = core
        .or(last)
        .filter(|core| *core < CpuSet::MAX_CPU && allowed.is_set(*core))
    else {
        let why = format!("this process may not use core {}", core.unwrap_or(0));
        return Err(std::io::Error::new(ErrorKind::InvalidInput, why));
    };
    let mut one = CpuSet::new();
    one.set(core);
    Ok(sched_setaffinity(None, &one)?)
}

#[cfg(not(target_os = "linux"))]
fn pin(_: Option<usize>) -> std::io::Result<()> {
    Ok(())
}

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);
/// It spins when something is due within this time, or was done within it.
const SPIN: u64 = 5_000_000;
/// So many tokens are written before it looks for new requests again.
const TURN: usize = 16;

struct Server {
    poll: Poll,
    listener: TcpListener,
    /// Sockets could be had no more: others must go first.
    starved: bool,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
    schedule: Schedule,
}

impl Server {
    fn new(poll: Poll, listener: TcpListener, options: ExactOptions) -> Self {
        Self {
            poll,
            listener,
            starved: false,
            connections: Vec::new(),
            free: Vec::new(),
            scratch: vec![0; 64 << 10],
            schedule: Schedule::new(options),
        }
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(1_024);
        let mut last_work = now();
        loop {
            let now = now();
            let timeout = match self.schedule.next_due() {
                _ if now - last_work < SPIN => Some(Duration::ZERO),
                Some(at) => {
                    let left = at.saturating_sub(now);
                    Some(Duration::from_nanos(left.saturating_sub(SPIN)))
                }
                None => None,
            };
            if self.poll.poll(&mut events, timeout).is_err() {
                // Interrupted: nothing else can fail here.
                continue;
            }
            let mut worked = !events.is_empty();
            for event in &events {
                match event.token() {
                    STOP => return,
                    LISTENER => self.accept(),
                    Token(slot) => self.advance(slot, event.is_readable()),
                }
            }
            for _ in 0..TURN {
                let Some(slot) = self.schedule.take_due(&mut self.connections) else {
                    break;
                };
                self.advance(slot, false);
                worked = true;
            }
            if worked {
                last_work = now;
            }
        }
    }

    fn accept(&mut self) {
        self.starved = false;
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.starved = true;
                    return;
                }
            };
            // Without it a token waits for the one before to be acknowledged.
            let _ = socket.set_nodelay(true);
            let slot = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let both = Interest::READABLE | Interest::WRITABLE;
            if self
                .poll
                .registry()
                .register(&mut socket, Token(slot), both)
                .is_ok()
            {
                self.connections[slot] = Some(Connection::new(socket));
                self.advance(slot, true);
            } else {
                self.free.push(slot);
            }
        }
    }

    /// Reads when there may be something to read, and goes on until it would have to wait.
    fn advance(&mut self, slot: usize, readable: bool) {
        let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        let open = (!readable || connection.read(&mut self.scratch))
            && self.schedule.drive(connection, slot);
        if open {
            return;
        }
        if let Some(connection) = self.connections[slot].take() {
            self.schedule.leave(connection);
            self.free.push(slot);
        }
        if self.starved {
            self.accept();
        }
    }
}
