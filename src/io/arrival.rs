//! When bytes arrived: by the kernel where it tells, else when they were read.
//!
//! A program reads late when its core is full: thousands of streams wait for one thread, or the thread waits for its
//! core. On Linux the kernel stamps each segment of a TCP connection as it comes in (`SO_TIMESTAMPING`), however late it
//! is read. The stamp is of the wall clock, which can be set, so that it is not used as it is: how long the bytes waited
//! is the wall clock's time at the read less the stamp, and that is taken off the monotonic clock. Setting the wall clock
//! harms one read at most, and a wait that is negative or longer than [`LONGEST_WAIT`] is not believed.
//!
//! The stamp of a read that joins several segments is that of the last one, so that a late reader reads them one by one
//! ([`is_late`]). Behind TLS it is that of the segment that
//! completed the record. The end of a connection has none.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

#[cfg(target_os = "linux")]
pub use self::kernel::{peek, prepare, receive, stamp};
#[cfg(not(target_os = "linux"))]
pub use self::process::{peek, prepare, receive, stamp};

/// With `process` in it, the time of the read is used everywhere.
pub const VARIABLE: &str = "BATIDA_CLOCK";

/// A longer wait tells of a wall clock that was set, not of a busy machine.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// From this wait on a thread is late.
const LATE: Duration = Duration::from_micros(500);
/// A thread that has read nothing for so long was idle, or had no core.
const AWAY: Duration = Duration::from_millis(1);

thread_local! {
    /// When this thread last read, and whether those bytes had waited for long.
    static LAST_READ: Cell<Option<(Instant, bool)>> = const { Cell::new(None) };
}

/// Whether what this thread reads next may have waited for long.
pub fn is_late() -> bool {
    LAST_READ
        .get()
        .is_none_or(|(at, waited)| waited || at.elapsed() > AWAY)
}

/// The kernel's time for bytes that it received, by the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(SystemTime);

/// When the bytes of one read arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When they arrived, or were read where the kernel did not tell.
    pub at: Instant,
    /// How long they waited to be read; `None` where the kernel did not tell.
    pub waited: Option<Duration>,
}

impl Arrival {
    /// Bytes without a stamp that were read just now.
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            waited: None,
        }
    }

    /// Bytes that were read just now.
    pub fn of(stamp: Option<Stamp>) -> Self {
        // Before the monotonic clock is read: should the thread lose its core in between, the arrival is as late as
        // without a stamp, never early.
        let waited = stamp.and_then(|Stamp(stamp)| SystemTime::now().duration_since(stamp).ok());
        let arrival = Self::after(waited);
        let waited = arrival.waited.unwrap_or_default();
        LAST_READ.set(Some((arrival.at + waited, waited > LATE)));
        arrival
    }

    /// Bytes that were read just now and have waited so long, if that can be believed.
    fn after(waited: Option<Duration>) -> Self {
        let read = Instant::now();
        let believed = waited.filter(|waited| *waited <= LONGEST_WAIT);
        match believed.and_then(|waited| read.checked_sub(waited)) {
            Some(at) => Self {
                at,
                waited: believed,
            },
            None => Self {
                at: read,
                waited: None,
            },
        }
    }

    /// Not before `moment`, by which they cannot have arrived.
    #[must_use]
    pub fn not_before(self, moment: Instant) -> Self {
        let early = moment.saturating_duration_since(self.at);
        Self {
            at: self.at + early,
            waited: self.waited.map(|waited| waited.saturating_sub(early)),
        }
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::cell::RefCell;
    use std::io::{self, IoSliceMut};
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    use std::sync::OnceLock;
    use std::time::{Duration, SystemTime};

    use nix::cmsg_space;
    use nix::sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, TimestampingFlag,
        Timestamps, recvmsg, setsockopt, socket, sockopt,
    };

    use super::{Stamp, VARIABLE};

    thread_local! {
        /// Where the kernel writes the stamp.
        static CONTROL: RefCell<Vec<u8>> = RefCell::new(cmsg_space!(Timestamps));
    }

    /// The first socket of a machine that asks for stamps makes the kernel begin to stamp, a moment later, and with the
    /// last one it ends. This socket keeps it going, so that the first segments of a connection have stamps too.
    static KEEPER: OnceLock<Option<OwnedFd>> = OnceLock::new();

    /// Makes the kernel stamp what arrives from now on. Worth calling before the first connection.
    pub fn prepare() {
        KEEPER.get_or_init(|| {
            let off = std::env::var(VARIABLE).is_ok_and(|clock| clock == "process");
            let flags = SockFlag::SOCK_CLOEXEC;
            let keeper = (!off).then(|| socket(AddressFamily::Inet, SockType::Stream, flags, None));
            keeper?.ok().filter(ask)
        });
    }

    fn ask(socket: &impl AsFd) -> bool {
        let stamps = TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
        setsockopt(socket, sockopt::Timestamping, &stamps).is_ok()
    }

    /// Has this connection's segments stamped, for [`receive`]. Says whether the kernel does that.
    pub fn stamp(socket: &impl AsFd) -> bool {
        prepare();
        KEEPER.get().is_some_and(Option::is_some) && ask(socket)
    }

    /// Reads from a connection that is stamped.
    ///
    /// # Errors
    /// As reading.
    pub fn receive(socket: &impl AsRawFd, bytes: &mut [u8]) -> io::Result<(usize, Option<Stamp>)> {
        receive_with(socket, bytes, MsgFlags::empty())
    }

    /// As [`receive`], and leaves the bytes there.
    ///
    /// # Errors
    /// As reading.
    pub fn peek(socket: &impl AsRawFd, bytes: &mut [u8]) -> io::Result<(usize, Option<Stamp>)> {
        receive_with(socket, bytes, MsgFlags::MSG_PEEK)
    }

    fn receive_with(
        socket: &impl AsRawFd,
        bytes: &mut [u8],
        flags: MsgFlags,
    ) -> io::Result<(usize, Option<Stamp>)> {
        CONTROL.with_borrow_mut(|control| {
            let mut parts = [IoSliceMut::new(bytes)];
            let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(control), flags)?;
            let stamp = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampsns(stamps) => Some(stamps.system),
                _ => None,
            });
            let stamp = stamp.map(|at| Stamp(SystemTime::UNIX_EPOCH + Duration::from(at)));
            Ok((message.bytes, stamp))
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod process {
    use std::io;

    use super::Stamp;

    /// This system's kernel does not stamp what arrives over TCP.
    pub fn prepare() {}

    /// It does not stamp this connection's segments either.
    pub fn stamp<T>(_: &T) -> bool {
        false
    }

    /// Nothing is stamped.
    ///
    /// # Errors
    /// Always.
    pub fn receive<T>(_: &T, _: &mut [u8]) -> io::Result<(usize, Option<Stamp>)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Nothing is stamped.
    ///
    /// # Errors
    /// Always.
    pub fn peek<T>(socket: &T, bytes: &mut [u8]) -> io::Result<(usize, Option<Stamp>)> {
        receive(socket, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_cannot_be_is_not_believed() {
        let before = Instant::now();
        let believed = Arrival::after(Some(Duration::from_millis(5)));
        assert_eq!(believed.waited, Some(Duration::from_millis(5)));
        assert!(believed.at < Instant::now() - Duration::from_millis(4));
        for waited in [None, Some(LONGEST_WAIT + Duration::from_nanos(1))] {
            let read = Arrival::after(waited);
            assert!(read.waited.is_none() && read.at >= before, "{read:?}");
        }
    }

    #[test]
    fn nothing_arrives_before_it_was_asked_for() {
        let ms = Duration::from_millis;
        let sent = Instant::now();
        let stepped = Arrival {
            at: sent - ms(30),
            waited: Some(ms(40)),
        };
        let held = Arrival {
            at: sent,
            waited: Some(ms(10)),
        };
        assert_eq!(stepped.not_before(sent), held);
        assert_eq!(held.not_before(sent - ms(1)), held);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_late_reader_knows_when_the_bytes_came() {
        use std::io::Write as _;
        use std::net::{TcpListener, TcpStream};

        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let reader = TcpStream::connect(address).expect("it listens");
        assert!(stamp(&reader), "Linux stamps what comes over TCP");
        let (mut writer, _) = listener.accept().expect("it came");
        writer.set_nodelay(true).expect("an option");
        let deadline = Instant::now() + Duration::from_secs(10);
        let late = Duration::from_millis(30);
        let mut bytes = [0; 64];
        loop {
            let written = Instant::now();
            writer.write_all(b"token").expect("it is open");
            let returned = Instant::now();
            // As on a machine that has no time for this thread.
            std::thread::sleep(late);
            let (length, stamp) = receive(&reader, &mut bytes).expect("it is open");
            let arrival = Arrival::of(stamp);
            assert_eq!(&bytes[..length], b"token");
            match arrival.waited {
                // The kernel begins to stamp a moment after it is asked to for the first time.
                None => assert!(Instant::now() < deadline, "it never begins"),
                Some(waited) => {
                    assert!(waited >= late - (returned - written), "{waited:?}");
                    let slack = Duration::from_millis(1);
                    assert!(arrival.at + slack >= written && arrival.at <= returned + slack);
                    break;
                }
            }
        }
        drop(writer);
        let end = receive(&reader, &mut bytes).expect("an end is no error");
        assert_eq!(end, (0, None), "an end has no stamp");
    }
}
