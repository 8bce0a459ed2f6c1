//! Keys as users paste them, and names of environment variables.

use super::*;

#[test]
fn keys_lose_the_space_around_them() {
    for text in ["sk-1", " sk-1", "sk-1\n", "\tsk-1\r\n"] {
        assert_eq!(
            check_key(&text.into()).expect("a key").expose_secret(),
            "sk-1"
        );
    }
}

#[test]
fn what_cannot_be_a_header_is_no_key() {
    for text in [
        "",
        "  \n",
        "sk\n1",
        "sk\u{0}1",
        "sk\u{7f}1",
        "schlüssel",
        "••••••••wxyz",
    ] {
        let failure = Failure::from(check_key(&text.into()).expect_err("no key"));
        assert!(failure.summary.contains("API key"), "{failure:?}");
        assert!(
            text.trim().len() < 3 || !format!("{failure:?}").contains(text),
            "{failure:?}"
        );
    }
}

#[test]
fn an_odd_variable_name_is_an_unset_variable() {
    for name in ["", "A=B", "A\0B", "BATIDA_TEST_SURELY_UNSET"] {
        assert!(variable(name).is_none(), "{name:?}");
    }
    assert!(variable("PATH").is_some());
}
