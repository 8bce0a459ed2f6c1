//! Files that are written and read: who may read a new one, and what is not read at all.
//!
//! The umask is the whole process's, so this binary runs itself again under one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use batida::engine::{history, imports};
use batida::io::files::{OutFile, read, save_file, save_pieces};
use batida::io::history::{FILE, Store};

use crate::support::programs::{check_test, find, output_of, quiet, say_ran, this_test};

const MARK: &str = "BATIDA_TEST_UMASK";

#[test]
fn a_new_file_is_as_open_as_the_umask_lets_it_be() {
    let inner = this_test("files::inner_writes");
    for mask in ["022", "077"] {
        let mut command = quiet(find("sh", "dash"));
        command.args(["-c", &format!("umask {mask}; exec \"$@\""), "sh"]);
        check_test(
            command
                .arg(inner.get_program())
                .args(inner.get_args())
                .env(MARK, mask),
        );
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

#[tokio::test]
async fn inner_writes() {
    let Some(mask) = std::env::var_os(MARK) else {
        return;
    };
    let usual = if mask == "077" { 0o600 } else { 0o644 };
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);

    save_file(&at("whole"), (*b"x").into())
        .await
        .expect("written");
    let pieces = |out: &mut dyn Write| {
        out.write_all(b"x").expect("written");
        Ok(())
    };
    save_pieces(&at("pieces"), pieces).await.expect("written");
    OutFile::open(&at("report"))
        .expect("opened")
        .keep(|out| out.write_all(b"x"))
        .expect("written");
    for name in ["whole", "pieces", "report"] {
        assert_eq!(mode(&at(name)), usual, "{name} under {mask:?}");
    }
    // What somebody has opened for others, or closed, stays so.
    for kept in [0o664, 0o400] {
        fs::set_permissions(at("whole"), fs::Permissions::from_mode(kept)).expect("set");
        save_file(&at("whole"), (*b"y").into())
            .await
            .expect("written");
        assert_eq!(mode(&at("whole")), kept);
    }

    let store = Store::open(dir.path()).expect("it opens").store;
    store.keep_workspace(&[]).expect("written");
    assert_eq!(mode(&at(FILE)), 0o600);
    say_ran();
}

/// A pipe that nobody writes to, and a file with holes of one byte too many.
#[tokio::test]
async fn a_pipe_and_a_file_that_is_too_large_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (pipe, large) = (dir.path().join("pipe"), dir.path().join("large.json"));
    output_of(quiet(find("mkfifo", "coreutils")).arg(&pipe));
    let file = fs::File::create(&large).expect("made");
    file.set_len(1 << 31).expect("made larger");

    let refused = async {
        let failure = read(&pipe, 1 << 20, "Make it smaller")
            .await
            .expect_err("a pipe");
        assert!(
            failure
                .summary
                .ends_with("it is a named pipe, not an ordinary file"),
            "{failure:?}"
        );
        let failure = history::read_result_file(&pipe).await.expect_err("a pipe");
        assert!(
            failure
                .summary
                .ends_with("it is a named pipe, not an ordinary file"),
            "{failure:?}"
        );
        let failure = imports::read(&pipe, None).await.expect_err("a pipe");
        assert!(
            failure
                .summary
                .ends_with("it is a named pipe, not an ordinary file"),
            "{failure:?}"
        );
    };
    tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .expect("nobody waits for a pipe");

    let failure = read(&large, 1 << 20, "Make it smaller")
        .await
        .expect_err("too large");
    assert!(
        failure.summary.contains("large.json has more than 1 MiB"),
        "{failure:?}"
    );
    assert_eq!(failure.advice, "Make it smaller");
    file.set_len(1 << 20).expect("cut");
    assert_eq!(
        read(&large, 1 << 20, "").await.map(|bytes| bytes.len()),
        Ok(1 << 20)
    );
}
