//! The clipboard on a real X server, read back by another program, and where there is no display.
//!
//! The display is found through the environment, so this binary runs itself again for each test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use batida::io::clipboard::Clipboard;

use crate::display::{Display, Killed};
use crate::support::programs::{self, check_test, find, output_of, say_ran};

const MARK: &str = "BATIDA_TEST_CLIPBOARD";
const TEXT: &str = "curl -d '{\"a\": \"$HOME\"}'\nOlá 🎉";

fn this_test(name: &str) -> Command {
    let mut command = programs::this_test(&format!("clipboard::{name}"));
    command
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DISPLAY")
        .env(MARK, "1");
    command
}

#[test]
fn copied_text_can_be_pasted_elsewhere() {
    let xclip = find("xclip", "xclip");
    let display = Display::start("640x480");

    let mut child = this_test("inner_copies");
    child
        .env("DISPLAY", display.name())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = Killed(child.spawn().expect("it starts"));
    let mut next = child.0.stdin.take().expect("piped");
    let mut said = BufReader::new(child.0.stdout.take().expect("piped")).lines();
    for expected in [TEXT, "sk-secret"] {
        let copied = said
            .by_ref()
            .map(|line| line.expect("a line"))
            .any(|line| line.ends_with("copied"));
        assert!(copied, "the child ended");
        let mut paste = display.command(&xclip);
        paste.args(["-selection", "clipboard", "-o"]);
        assert_eq!(output_of(&mut paste), expected);
        writeln!(next).expect("the child reads");
    }
    drop(next);
    assert!(child.0.wait().expect("it ends").success());
}

#[tokio::test]
async fn inner_copies() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let clipboard = Clipboard::new();
    let wait = || {
        std::io::stdin()
            .read_line(&mut String::new())
            .expect("a line")
    };
    let say = || writeln!(std::io::stdout(), "copied").expect("written");
    clipboard.copy(TEXT.to_owned()).await.expect("copied");
    say();
    wait();
    clipboard
        .copy_secret("sk-secret".into())
        .await
        .expect("copied");
    say();
    wait();
}

#[test]
fn without_a_display_it_says_so() {
    check_test(&mut this_test("inner_has_no_display"));
    check_test(this_test("inner_has_no_display").env("DISPLAY", ":987"));
}

#[tokio::test]
async fn inner_has_no_display() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let clipboard = Clipboard::new();
    for _ in 0..2 {
        let failure = clipboard
            .copy(TEXT.to_owned())
            .await
            .expect_err("no display");
        assert_eq!(failure.summary, "The clipboard is not available");
        assert!(
            failure.advice.contains("display") && !failure.details.is_empty(),
            "{failure:?}"
        );
        assert!(!format!("{failure:?}").contains("HOME"), "{failure:?}");
    }
    say_ran();
}
