//! What the program makes of itself for others: completions, manual pages, and the refusals of the image. The image itself
//! is packed and run by `.ci/packages`: a test's executable is too large to be packed here.

use std::fs;
use std::path::Path;

use crate::support::batida::{Said, finish, program, start};

fn run(home: &Path, args: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = program(home);
    command.args(args).envs(variables.iter().copied());
    command.arg("--config").arg(home.join("config"));
    finish(start(&mut command))
}

#[test]
fn completions_and_pages_are_written() {
    let home = tempfile::tempdir().expect("a folder");
    let said = run(home.path(), &["completions", "bash"], &[]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.out.contains("complete -F _batida"), "{}", said.out);
    let said = run(home.path(), &["completions", "tcsh"], &[]);
    assert_eq!(said.code, Some(2), "{said:?}");

    // Twice: pages that are there are replaced.
    for _ in 0..2 {
        let said = run(home.path(), &["man", "--dir", "new/man1", "--json"], &[]);
        let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        let pages = told["pages"].as_array().expect("a list");
        let found = fs::read_dir(home.path().join("new/man1")).expect("made");
        assert_eq!(found.count(), pages.len());
        assert!(pages.contains(&"new/man1/batida-history-export.1".into()));
    }
    fs::write(home.path().join("file"), "").expect("written");
    let said = run(home.path(), &["man", "--dir", "file"], &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("file cannot be written"), "{said:?}");
}

#[test]
fn an_image_without_authorities_is_refused_and_leaves_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("odd.pem"), "no certificate").expect("written");
    let image = ["image", "--out", "x.oci.tar"];
    let odd = run(home.path(), &image, &[("SSL_CERT_FILE", "odd.pem")]);
    let named = run(
        home.path(),
        &[&image[..], &["--ca", "odd.pem"]].concat(),
        &[],
    );
    for said in [odd, named] {
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains("odd.pem has no certificate"), "{said:?}");
    }
    let missing = run(
        home.path(),
        &[&image[..], &["--ca", "no.pem"]].concat(),
        &[],
    );
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.err.contains("no.pem cannot be read"), "{missing:?}");
    assert!(!home.path().join("x.oci.tar").exists());
}
