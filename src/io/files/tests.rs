use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;

use super::*;

#[test]
fn a_report_file_that_was_never_written_leaves_the_old_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("r.json");
    fs::write(&path, "old").expect("written");
    drop(OutFile::open(&path).expect("opens"));
    assert_eq!(fs::read_to_string(&path).expect("read"), "old");
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
    assert!(
        OutFile::open(&dir.path().join("no/r.json")).is_err_and(|why| why.summary.contains("no/r"))
    );
}

#[test]
fn a_file_that_is_put_in_place_early_replaces_the_old_one_then_and_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("r.csv");
    fs::write(&path, "old").expect("written");
    let out = OutFile::open(&path).expect("opens");
    let mut file = out.handle().expect("a handle");
    file.write_all(b"head\n").expect("written");
    assert_eq!(fs::read_to_string(&path).expect("read"), "old");
    out.put_in_place().expect("replaced");
    file.write_all(b"row\n").expect("written");
    assert_eq!(fs::read_to_string(&path).expect("read"), "head\nrow\n");
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
}

#[test]
fn a_link_stays_also_one_that_leads_to_nothing_yet() {
    let dir = tempfile::tempdir().expect("a folder");
    let (link, file) = (dir.path().join("link"), dir.path().join("file"));
    std::os::unix::fs::symlink("file", &link).expect("linked");
    for content in ["new", "again"] {
        write(&link, FOR_ALL, content.as_bytes()).expect("written");
        assert!(
            fs::symlink_metadata(&link)
                .expect("it is there")
                .is_symlink()
        );
        assert_eq!(fs::read_to_string(&file).expect("read"), content);
    }
}

#[test]
fn what_is_no_ordinary_file_is_told_without_opening_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = pipe(dir.path());
    let why = |path: &Path| read_now(path, 100).expect_err("refused").why();
    assert_eq!(why(&pipe), "it is a named pipe, not an ordinary file");
    assert_eq!(
        why(Path::new("/dev/zero")),
        "it is a device, not an ordinary file"
    );
    assert_eq!(why(dir.path()), "it is a folder");
}

/// A named pipe in a folder.
fn pipe(dir: &Path) -> PathBuf {
    let pipe = dir.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|made| made.success()));
    pipe
}

/// Opens a pipe's end without waiting for the other.
fn reader(pipe: &Path) -> File {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(pipe)
        .expect("opens")
}

#[test]
fn a_pipe_that_nobody_reads_is_told_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = pipe(dir.path());
    let failure = OutFile::open(&pipe).expect_err("nobody reads");
    assert!(
        failure
            .summary
            .ends_with("pipe cannot be written: nobody reads this named pipe"),
        "{failure:?}"
    );
    assert_eq!(failure.advice, "Start its reader first");
}

#[test]
fn a_pipe_s_reader_gets_everything_also_when_it_is_slow() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = pipe(dir.path());
    let first = reader(&pipe);
    let out = OutFile::open(&pipe).expect("opens");
    // Waits for bytes, as `cat` does.
    let mut slow = File::open(&pipe).expect("opens");
    drop(first);
    let reading = std::thread::spawn(move || {
        let mut read = Vec::new();
        slow.read_to_end(&mut read).map(|_| read.len())
    });
    out.keep(|file| file.write_all(&vec![b'x'; 1 << 20]))
        .expect("written");
    assert_eq!(reading.join().expect("it ends").expect("read"), 1 << 20);
}

#[test]
fn a_pipe_whose_reader_goes_away_or_stops_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = pipe(dir.path());
    let write_all = |out: OutFile| -> Failure {
        let written = out.keep(|file| file.write_all(&vec![b'x'; 1 << 20]));
        cannot_write(&pipe, &written.expect_err("it is not read"))
    };
    let gone = reader(&pipe);
    let out = OutFile::open(&pipe).expect("opens");
    drop(gone);
    let failure = write_all(out);
    assert!(
        failure
            .summary
            .contains("its reader went away before everything was written"),
        "{failure:?}"
    );
    assert_eq!(
        failure.advice,
        "Let its reader run until everything is written"
    );

    let _stopped = reader(&pipe);
    let mut out = OutFile::open(&pipe).expect("opens");
    let Out::Straight(Sink::Pipe(pipe)) = &mut out.0 else {
        panic!("it is a pipe")
    };
    pipe.patience = Duration::from_millis(50);
    let failure = write_all(out);
    assert!(
        failure.summary.contains("its reader has stopped reading"),
        "{failure:?}"
    );
}

#[test]
fn a_device_is_written_and_not_replaced() {
    write(Path::new("/dev/null"), FOR_ALL, b"x").expect("it takes anything");
    assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
}
