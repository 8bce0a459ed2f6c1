//! HTTP/1.1 responses, cut anywhere, read as the standard says.

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Heard {
    status: u16,
    body: Vec<u8>,
}

impl Sink for Heard {
    fn head(&mut self, _: Instant, head: ResponseHead) {
        self.status = head.status;
    }
    fn body(&mut self, _: Instant, bytes: &[u8]) -> bool {
        self.body.extend_from_slice(bytes);
        !self.body.ends_with(b"STOP")
    }
}

/// Reads a response that comes in pieces: status, body, whether it was whole and may be used again.
fn read(pieces: &[&[u8]]) -> Result<(u16, String, bool, bool), String> {
    let mut reading = ResponseState::default();
    let mut heard = Heard::default();
    let mut whole = false;
    for piece in pieces {
        match reading
            .take(Arrival::now(), piece, &mut heard)
            .map_err(|error| error.to_string())?
        {
            Progress::Whole => whole = true,
            Progress::On | Progress::Enough => {}
        }
    }
    Ok((
        heard.status,
        String::from_utf8_lossy(&heard.body).into_owned(),
        whole,
        whole && reading.keep,
    ))
}

#[track_caller]
fn check_read(text: &str, status: u16, body: &str, keep: bool) {
    assert_eq!(
        read(&[text.as_bytes()]),
        Ok((status, body.to_owned(), true, keep)),
        "{text:?}"
    );
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n wonderful\r\n0\r\nt: 1\r\n\r\n";

#[test]
fn bodies_end_as_the_standard_says() {
    check_read(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
        true,
    );
    check_read(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        200,
        "",
        true,
    );
    check_read(CHUNKED, 200, "hello wonderful", true);
    check_read(
        "HTTP/1.1 429 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        429,
        "hi",
        false,
    );
    check_read(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
        true,
    );
    check_read(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi unasked",
        200,
        "hi",
        false,
    );
    assert_eq!(
        read(&[b"HTTP/1.1 200 OK\r\n\r\nuntil", b" the end", b""]),
        Ok((200, "until the end".to_owned(), true, false))
    );
}

#[test]
fn a_response_that_is_cut_is_an_error() {
    assert!(read(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", b""]).is_err());
    assert!(read(&[b"HTTP/1.1 200", b""]).is_err());
    assert!(read(&[&CHUNKED.as_bytes()[..70], b""]).is_err());
    assert!(read(&[b"SSH-2.0-OpenSSH_9.2\r\n"]).is_err());
    assert!(read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"]).is_err());
}

proptest! {
    #[test]
    fn where_the_network_cuts_changes_nothing(cuts in prop::collection::vec(1..CHUNKED.len(), 0..9)) {
        let bytes = CHUNKED.as_bytes();
        let mut at = cuts;
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        at.dedup();
        let pieces: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[bytes]));
    }

    #[test]
    fn no_bytes_make_it_panic(junk in prop::collection::vec(any::<u8>(), 1..80)) {
        let head: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = read(&[head, &junk]);
        let _ = read(&[&junk]);
    }
}
