//! A server to measure clients with: it keeps, to the microsecond, when it wrote what.
//!
//! One thread on a core of its own, no runtime: while anything is in flight it spins instead of sleeping,
//! since the timers of the system and of tokio are late by as much as what is to be measured, and the bytes
//! of an answer are made in advance, so that a token costs little more than the call that writes it.

mod times;
mod wire;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::time::{ClockId, clock_gettime};

use self::times::{Kept, Times};
use self::wire::{Ask, Asked, JSON, JSON_LINES, Read, Rendered, Told};
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
        rustix::net::listen(&listener, 4_096)?;
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

/// Nanoseconds of the clock that all processes of the system share.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).cast_unsigned()
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
    desk: Desk,
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
            desk: Desk {
                options,
                rendered: Rendered::new(jiff::Timestamp::now().as_second()),
                due: BinaryHeap::new(),
                begun: 0,
                kept: Kept::default(),
            },
        }
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(1_024);
        let mut last_work = now();
        loop {
            let now = now();
            let next = self
                .desk
                .due
                .peek()
                .map(|Reverse(due)| due.at.saturating_sub(now));
            let timeout = match next {
                _ if now - last_work < SPIN => Some(Duration::ZERO),
                Some(left) => Some(Duration::from_nanos(left.saturating_sub(SPIN))),
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
                let Some(slot) = self.desk.take_due(&mut self.connections) else {
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
        let open =
            (!readable || connection.read(&mut self.scratch)) && self.desk.drive(connection, slot);
        if open {
            return;
        }
        if let Some(connection) = self.connections[slot].take() {
            self.desk.leave(connection);
            self.free.push(slot);
        }
        if self.starved {
            self.accept();
        }
    }
}

/// A client, what it sent, and what it is sent.
struct Connection {
    socket: TcpStream,
    input: Vec<u8>,
    /// When the last of it came.
    came: u64,
    /// With fewer bytes the next request is not complete.
    need: usize,
    output: Vec<u8>,
    /// How much of `output` is written.
    written: usize,
    writing: Writing,
    answer: Option<Answer>,
    /// The answer under way is the last.
    close: bool,
}

/// What `output` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Nothing: it waits for a request, or for what is due.
    Nothing,
    /// Part of a stream before its first token.
    Opening,
    /// One token.
    Token,
    /// What follows the last token.
    End,
    /// A whole answer.
    All,
    /// Something that is not timed.
    Untimed,
}

/// An answer under way.
#[derive(Debug)]
struct Answer {
    serial: u64,
    ask: Ask,
    tokens: u32,
    times: Times,
}

impl Answer {
    fn told(&self) -> Told<'_> {
        Told {
            tokens: self.tokens,
            prompt_tokens: self.ask.prompt_tokens,
            cut: self.ask.tokens.is_some(),
            times: &self.times,
            now: now(),
        }
    }
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            input: Vec::new(),
            came: 0,
            need: 1,
            output: Vec::new(),
            written: 0,
            writing: Writing::Nothing,
            answer: None,
            close: false,
        }
    }

    /// Reads what there is; false when the client has gone.
    fn read(&mut self, scratch: &mut [u8]) -> bool {
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return false,
                Ok(length) => {
                    self.came = now();
                    self.input.extend(&scratch[..length]);
                    // More than a request's most before its answer is done is no conversation.
                    if self.input.len() > 32 << 20 {
                        return false;
                    }
                    // The socket is empty, or tells anew.
                    if length < scratch.len() {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// Writes what is left of the output: true when all is written, `None` when the client has gone.
    fn write(&mut self) -> Option<bool> {
        while self.written < self.output.len() {
            match self.socket.write(&self.output[self.written..]) {
                Ok(0) => return None,
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        self.output.clear();
        self.written = 0;
        Some(true)
    }
}

/// What is due, and when; by the serial number it is told whether its connection still waits for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: u64,
    slot: usize,
    serial: u64,
}

/// What all connections share.
struct Desk {
    options: ExactOptions,
    rendered: Rendered,
    due: BinaryHeap<Reverse<Due>>,
    begun: u64,
    kept: Kept,
}

impl Desk {
    /// Goes on until the connection has to wait; false when it is to be closed.
    fn drive(&mut self, connection: &mut Connection, slot: usize) -> bool {
        loop {
            if connection.writing == Writing::Nothing {
                if connection.answer.is_some() || !self.begin(connection, slot) {
                    return true;
                }
                continue;
            }
            match connection.write() {
                None => return false,
                Some(false) => return true,
                Some(true) => {}
            }
            let wrote = std::mem::replace(&mut connection.writing, Writing::Nothing);
            if let Some(answer) = connection.answer.take() {
                connection.answer = self.wrote(wrote, answer, connection, slot);
            }
            if connection.close && connection.answer.is_none() {
                return false;
            }
        }
    }

    /// Begins with the next request; false when none is complete.
    fn begin(&mut self, connection: &mut Connection, slot: usize) -> bool {
        let Connection {
            input,
            output,
            need,
            writing,
            ..
        } = connection;
        if input.len() < *need {
            return false;
        }
        let (asked, used) = match wire::read(input) {
            Read::Part { need: more, waits } => {
                // It is told once, since the next look comes when all is there.
                *need = more;
                if waits {
                    output.extend(b"HTTP/1.1 100 Continue\r\n\r\n");
                    *writing = Writing::Untimed;
                }
                return waits;
            }
            Read::Whole { asked, used, close } => {
                connection.close = close;
                (asked, used)
            }
        };
        input.drain(..used);
        *need = 1;
        match asked {
            Asked::Chat(ask) => {
                connection.answer = Some(self.answer(ask, connection, slot));
                return true;
            }
            Asked::Models => self.rendered.write_models(output),
            Asked::Times => {
                let (lines, lost) = self.kept.take();
                wire::plain(
                    output,
                    200,
                    JSON_LINES,
                    &format!("x-times-lost: {lost}\r\n"),
                    &lines,
                );
            }
            Asked::Forget => {
                self.kept.take();
                wire::plain(output, 204, JSON, "", b"");
            }
            Asked::Refused { status, why } => wire::refusal(output, status, &why),
        }
        *writing = Writing::Untimed;
        true
    }

    fn answer(&mut self, mut ask: Ask, connection: &mut Connection, slot: usize) -> Answer {
        self.begun += 1;
        let times = Times::new(ask.id.take(), connection.came);
        let tokens = ask.tokens.unwrap_or(self.options.tokens).max(1);
        let answer = Answer {
            serial: self.begun,
            ask,
            tokens,
            times,
        };
        if answer.ask.stream && !self.options.one_write {
            connection.output.extend(&self.rendered.opening);
            connection.writing = Writing::Opening;
        } else {
            self.wait(&answer, slot);
        }
        answer
    }

    /// Puts down when the next part of the answer is due.
    fn wait(&mut self, answer: &Answer, slot: usize) {
        let ExactOptions {
            ttft,
            per_token,
            one_write,
            ..
        } = self.options;
        let before = match answer.ask.stream {
            true => answer.times.tokens,
            false if one_write => 0,
            false => answer.tokens - 1,
        };
        let after = nanos(ttft) + nanos(per_token) * u64::from(before);
        let at = answer.times.received_ns + after;
        self.due.push(Reverse(Due {
            at,
            slot,
            serial: answer.serial,
        }));
    }

    /// Makes ready what is due by now, if anything is, and says whose it is.
    fn take_due(&mut self, connections: &mut [Option<Connection>]) -> Option<usize> {
        while self.due.peek().is_some_and(|Reverse(due)| due.at <= now()) {
            let Reverse(Due { slot, serial, .. }) = self.due.pop()?;
            // A client that left is no longer waiting for it.
            let waiting = connections[slot].as_mut().and_then(|connection| {
                let answer = connection
                    .answer
                    .as_ref()
                    .filter(|answer| answer.serial == serial)?;
                Some((&mut connection.output, &mut connection.writing, answer))
            });
            let Some((output, writing, answer)) = waiting else {
                continue;
            };
            if !answer.ask.stream {
                self.rendered.write_whole(output, &answer.told());
                *writing = Writing::All;
            } else if self.options.one_write {
                output.extend(&self.rendered.opening);
                (0..answer.tokens).for_each(|at| output.extend(self.rendered.token(at)));
                self.rendered.write_end(output, &answer.told());
                *writing = Writing::All;
            } else {
                output.extend(self.rendered.token(answer.times.tokens));
                *writing = Writing::Token;
            }
            return Some(slot);
        }
        None
    }

    /// Takes the time of what was written, and says what comes next; `None` when the answer is complete.
    fn wrote(
        &mut self,
        wrote: Writing,
        mut answer: Answer,
        connection: &mut Connection,
        slot: usize,
    ) -> Option<Answer> {
        let at = now();
        match wrote {
            Writing::Nothing | Writing::Untimed => {}
            Writing::Opening => self.wait(&answer, slot),
            Writing::Token => {
                answer.times.wrote(at, self.options.all_times);
                if answer.times.tokens < answer.tokens {
                    self.wait(&answer, slot);
                } else {
                    self.rendered
                        .write_end(&mut connection.output, &answer.told());
                    connection.writing = Writing::End;
                }
            }
            Writing::All | Writing::End => {
                if wrote == Writing::All {
                    answer.times.wrote(at, false);
                    answer.times.tokens = answer.tokens;
                }
                answer.times.done_ns = Some(at);
                self.kept.keep(answer.times);
                return None;
            }
        }
        Some(answer)
    }

    /// Keeps what there is of an answer that nobody waits for any more.
    fn leave(&mut self, connection: Connection) {
        if let Some(answer) = connection.answer {
            self.kept.keep(answer.times);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 1_000_000)
}
