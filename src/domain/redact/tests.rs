//! Keys in every form in which they may come back, and honest words that stay.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

const KEY: &str = r#"sk-"A&b/<c>+'d\e%f=g"#;

/// The key in every form that a server may repeat it in.
fn forms(key: &str) -> Vec<String> {
    let json = serde_json::to_string(key).expect("JSON");
    let json = json[1..json.len() - 1].to_owned();
    let each = |how: &dyn Fn(u8) -> String| key.bytes().map(how).collect::<String>();
    let percent = |b: u8| {
        if b.is_ascii_alphanumeric() {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    let html = |b: u8| match b {
        b'"' => "&quot;".to_owned(),
        b'&' => "&amp;".to_owned(),
        b'<' => "&lt;".to_owned(),
        b'>' => "&gt;".to_owned(),
        b'\'' => "&#39;".to_owned(),
        b => char::from(b).to_string(),
    };
    let debug = format!("{key:?}");
    vec![
        key.to_owned(),
        json.replace('/', r"\/"),
        json.replace('&', r"\u0026")
            .replace('<', r"\u003c")
            .replace('>', r"\u003E"),
        serde_json::to_string(&json).expect("JSON"),
        each(&percent),
        each(&|b| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02x}")
            }
        }),
        each(&percent).replace('%', "%25"),
        each(&|b| format!("%{b:02x}")),
        each(&html),
        each(&html)
            .replace("&#39;", "&#x27;")
            .replace("&quot;", "&#34;"),
        each(&html).replace('&', "&amp;"),
        debug[1..debug.len() - 1].to_owned(),
        each(&|b| format!("\\u{b:04x}")),
        each(&|b| format!("\\u{{{b:x}}}")),
        each(&|b| format!("\\x{b:02x}")),
        each(&|b| format!("\\{b:03o}")),
        each(&|b| format!("\\\\{b:03o}")),
        STANDARD.encode(key),
        URL_SAFE.encode(key),
        STANDARD.encode(format!(":{key}")),
        STANDARD.encode(format!("me:{key}")),
        STANDARD.encode(format!("user:{key}:x")),
        STANDARD
            .encode(format!("user:{key}"))
            .replace('=', "%3D")
            .replace('+', "%2B")
            .replace('/', "%2F"),
        json,
    ]
}

#[test]
fn a_key_is_found_in_every_form() {
    let plain = "sambanova-0123-abcd-EFGH";
    for key in [KEY, plain] {
        let redactor = Redactor::new([key]);
        for form in forms(key) {
            let clean = redactor.clean(&format!("got {form}, no")).into_owned();
            // Quotes and an encoded "=" around it may stay.
            let rest = clean.replace(DOTS, "").replace("%3D", "");
            assert!(
                clean.contains(DOTS) && rest.trim_matches('"').len() <= 12,
                "{form} in {clean}"
            );
        }
    }
}

#[test]
fn a_text_that_was_cut_amid_the_key_loses_its_beginning() {
    let redactor = Redactor::new(["sk-0123456789abcdef"]);
    assert_eq!(redactor.clean("wrong key sk-0123456"), "wrong key ••••");
    assert_eq!(
        redactor.clean("wrong key sk-0123456… (HTTP 401)"),
        "wrong key ••••… (HTTP 401)"
    );
    assert_eq!(
        redactor.clean(r"wrong key \u0073\u006b-012345\u00"),
        "wrong key ••••"
    );
    assert_eq!(redactor.clean("wrong key sk-"), "wrong key sk-");
}

#[test]
fn honest_words_stay() {
    let redactor = Redactor::new(["sk-0123456789", "test"]);
    for text in [
        "",
        "a test",
        "sk-01234560",
        r"\\\\ %%% &&& \u",
        "100 % of &amp; ü",
    ] {
        assert!(matches!(redactor.clean(text), Cow::Borrowed(_)), "{text}");
    }
    let two = Redactor::new(["first-secret", "second-secret"]);
    assert_eq!(
        two.clean("first-secret second-secretfirst-secret ü"),
        "•••• •••••••• ü"
    );
}

#[test]
fn json_is_cleaned_in_its_strings_and_names() {
    let redactor = Redactor::new([KEY]);
    let value = serde_json::json!({"error": {KEY: [format!("no {KEY}"), 1]}});
    assert_eq!(
        redactor.clean_json(value),
        serde_json::json!({"error": {"••••": ["no ••••", 1]}})
    );
}

#[test]
fn a_key_in_another_case_or_in_hex_is_found() {
    let redactor = Redactor::new(["sk-AbCdEf123456"]);
    for told in [
        "sk-abcdef123456",
        "SK-ABCDEF123456",
        "736b2d416243644566313233343536",
        "736B2D416243644566313233343536",
    ] {
        let clean = redactor.clean(told);
        assert!(!clean.contains(told), "{clean}");
    }
}

#[test]
fn a_key_with_the_rest_of_an_entity_in_it_is_found_in_html() {
    for key in ["&#;!aAAa", "abc&#9;defg", "abc&lt;defg"] {
        let redactor = Redactor::new([key]);
        for form in [key.to_owned(), key.replace('&', "&amp;")] {
            let clean = redactor.clean(&format!("got {form} no")).into_owned();
            assert!(
                !clean.contains(&form) && clean.contains(DOTS),
                "{form} in {clean}"
            );
        }
    }
}

#[test]
fn a_key_that_is_broken_up_is_found() {
    let key = "sk-AbCdEf123456";
    let redactor = Redactor::new([key]);
    for between in [
        "\n", "\r\n", "\n    ", "\t", "\u{200b}", "\u{ad}", "\u{feff}", "\u{7}", "\u{85}", r"\n",
        r"\\n", r"\u200b", r"\x0a",
    ] {
        let every: String = key.chars().map(|c| format!("{c}{between}")).collect();
        let once = format!("sk-AbC{between}dEf123456");
        for told in [every, once] {
            let clean = redactor.clean(&format!("got {told} no")).into_owned();
            let left = clean.replace(between, "").replace(DOTS, "");
            assert!(
                left.trim_end().len() <= "got  no".len() && clean.contains(DOTS),
                "{told:?}: {clean:?}"
            );
        }
    }
    assert_eq!(redactor.clean("sk-AbC 1\ndEf"), "sk-AbC 1\ndEf");
}

#[test]
fn what_a_server_shows_of_a_key_beside_a_mask_is_gone() {
    let redactor = Redactor::new(["sk-abcdefghijklmnopqrstuvwxyz"]);
    for (told, clean) in [
        (
            "Incorrect API key provided: sk-abcdef***wxyz.",
            "Incorrect API key provided: ••••.",
        ),
        ("key sk-abcde...", "key ••••..."),
        ("key sk-ab**************wxyz, no", "key ••••, no"),
        ("key sk-a•••wxyz", "key ••••"),
        ("key SK-ABCDEFGXXXXXXXX", "key ••••XXXXXXXX"),
        ("key ****stuvwxyz", "key ****••••"),
        (r"key \u0073k-abcdef...", "key ••••..."),
        // Too little to be worth a hole in somebody's words.
        ("ask***", "ask***"),
        ("sk-abcd…", "sk-abcd…"),
        ("**bold** and ... xxxx", "**bold** and ... xxxx"),
    ] {
        assert_eq!(redactor.clean(told), clean);
    }
    let own = Redactor::new(["abcdefgh...ijklmnop***q"]);
    assert_eq!(
        own.clean("no abcdefgh...ijklmnop***q, sorry"),
        "no ••••, sorry",
        "a key may look masked"
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), key in "[ -~ü]{8,20}") {
        let _ = Redactor::new([key.as_str()]).clean(&text);
    }

    #[test]
    fn any_key_is_found_in_any_form(key in "[!-~]{8,40}", n in 0usize..24) {
        // Which of these the key has itself cannot be told from how it was encoded.
        prop_assume!(!key.contains("%25") && !key.contains("&amp;"));
        let form = forms(&key)[n % forms(&key).len()].clone();
        let clean = Redactor::new([key.as_str()]).clean(&format!("got {form} no")).into_owned();
        prop_assert!(!clean.contains(&form) && clean.contains(DOTS), "{form} in {clean}");
    }
}

#[test]
fn a_key_that_is_spelled_out_is_gone() {
    let key = "sk-AbCdEf-123456";
    let redactor = Redactor::new([key]);
    let each = |how: &dyn Fn(u8) -> String, between: &str| {
        let all: Vec<String> = key.bytes().map(how).collect();
        all.join(between)
    };
    let letter = |b: u8| char::from(b).to_string();
    for told in [
        each(&|b| format!("\\U{b:08x}"), ""),
        each(&|b| format!("={b:02X}"), ""),
        each(&letter, " "),
        each(&|b| format!("{:?}", char::from(b)), ", "),
        each(&|b| format!("\"{}\"", char::from(b)), ","),
        each(&|b| b.to_string(), ", "),
        each(&|b| b.to_string(), ",\n    "),
        each(&|b| format!("0x{b:02X}"), ", "),
        each(&|b| format!("{b:02x}"), ":"),
        each(&|b| format!("{b:02x}"), " "),
        key.chars().rev().collect(),
    ] {
        let clean = redactor.clean(&format!("got [{told}], no")).into_owned();
        let rest = clean.replace(DOTS, "");
        assert!(
            rest.len() <= "got [\"\"], no".len() + 2,
            "{told} in {clean}"
        );
    }
    for honest in [
        "115, 107, 45, 65",
        "73 6b 2d 41 62",
        "s k - A b C d",
        "=73=6B",
    ] {
        assert_eq!(redactor.clean(honest), honest);
    }
}

#[test]
fn any_mask_with_both_ends_beside_it_is_gone() {
    let redactor = Redactor::new(["sk-AbCdEf-0123456789"]);
    for mask in ["[hidden]", "(cut)", "-----", "~~", "_", "<secret>", "%%%%"] {
        let told = format!("key sk-Ab{mask}6789 is wrong");
        assert_eq!(redactor.clean(&told), "key •••• is wrong");
    }
    for honest in ["sk-Ab is not 6789", "sk-A[hidden]789", "sk-Ab[hidden]"] {
        assert_eq!(redactor.clean(honest), honest);
    }
}
