//! Environments read from SambaWiz, kubeconfigs and other settings files, and what is skipped.

use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;

fn sambawiz(value: &Value) -> Result<Vec<Offer>, Failure> {
    read_sambawiz(
        "app-config.json",
        value.to_string().as_bytes(),
        Path::new("/home/me/sambawiz"),
    )
}

#[test]
fn sambawiz_environments_are_read_with_paths_relative_to_their_file() {
    let offers = sambawiz(&json!({"currentKubeconfig": "prod", "kubeconfigs": {
        "prod": {"file": "kubeconfigs/prod.yaml", "namespace": "sambastack", "uiDomain": "https://ui.example.com/",
            "apiDomain": "https://api.example.com/", "apiKey": "sk-secret-1234"},
        "bare": {"file": "/etc/kube/bare.yaml", "apiKey": ""},
        "odd": {"file": "~/x.yaml", "namespace": "Not_One", "apiDomain": "ftp://x"},
        "nothing": {}, "text": "hm",
    }})).unwrap();
    let [prod, bare, odd, nothing, text] = offers.as_slice() else {
        panic!("{offers:?}")
    };
    let cluster = prod.env.cluster.as_ref().unwrap();
    assert_eq!(
        cluster.kubeconfig.as_deref(),
        Some(Path::new("/home/me/sambawiz/kubeconfigs/prod.yaml"))
    );
    assert_eq!(
        (prod.env.name.as_str(), cluster.namespace.as_str()),
        ("prod", "sambastack")
    );
    assert_eq!(
        prod.env.api.as_ref().unwrap().root(),
        "https://api.example.com"
    );
    assert_eq!(prod.key.as_ref().unwrap().expose_secret(), "sk-secret-1234");
    assert!(prod.wrong.is_none() && prod.remarks.is_empty(), "{prod:?}");
    assert!(
        !format!("{prod:?}").contains("sk-secret"),
        "the key is hidden"
    );
    assert_eq!(bare.env.cluster.as_ref().unwrap().namespace, "default");
    assert_eq!(
        (bare.key.is_none(), bare.remarks.as_slice()),
        (true, ["it has no API domain".to_owned()].as_slice())
    );
    assert!(
        odd.wrong.as_ref().unwrap().contains("namespace") && odd.remarks[0].contains("API domain")
    );
    assert_eq!(
        nothing.wrong.as_deref(),
        Some("it has neither a cluster nor an API")
    );
    assert_eq!(text.wrong.as_deref(), Some("its entry is not an object"));
}

#[test]
fn each_context_is_an_environment_of_its_name() {
    let json = json!({"contexts": [
        {"name": "east-admin", "context": {"cluster": "east", "namespace": "sambastack"}},
        {"name": "west", "context": {"cluster": "west"}}, {"name": ""}, 5,
    ]});
    let offers = read_contexts(json.to_string().as_bytes(), Path::new("/kube")).unwrap();
    assert_eq!(offers.len(), 2);
    let access = offers[0].env.cluster.as_ref().unwrap();
    assert_eq!(
        (access.context.as_deref(), access.namespace.as_str()),
        (Some("east-admin"), "sambastack")
    );
    assert_eq!(access.kubeconfig.as_deref(), Some(Path::new("/kube")));
    assert!(offers[1].remarks[0].contains("no namespace"));
    assert!(
        read_contexts(b"{}", Path::new("/kube"))
            .unwrap_err()
            .summary
            .contains("/kube has no contexts")
    );
}

#[test]
fn a_file_is_recognized_by_its_contents() {
    for (text, source) in [
        ("{\"kubeconfigs\":{}}", Some(Source::SambaWiz)),
        ("\u{feff}{\"kubeconfigs\":{}}", Some(Source::SambaWiz)),
        (
            "{\"kind\":\"Config\",\"contexts\":[]}",
            Some(Source::Kubeconfig),
        ),
        (
            "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n",
            Some(Source::Kubeconfig),
        ),
        ("version = 1\n\n[[environments]]\n", Some(Source::Settings)),
        // In all the styles that kubectl reads.
        (
            "# mine\n---\nkind: Config\ncontexts :\n  - name: a\n",
            Some(Source::Kubeconfig),
        ),
        ("  \"clusters\" :\n  - name: a\n", Some(Source::Kubeconfig)),
        (
            "{kind: Config, contexts: [{name: a}]}",
            Some(Source::Kubeconfig),
        ),
        ("apiVersion: v1\nkind: Config\n", Some(Source::Kubeconfig)),
        ("x: &c\n- name: a\ncontexts: *c\n", Some(Source::Kubeconfig)),
        ("kind: Deployment\nmetadata: {}\n", None),
        ("{\"a\":1}", None),
        ("{\"kubeconfigs\":", None),
        ("hello", None),
        (" \n", None),
    ] {
        assert_eq!(source_of("f", text.as_bytes()).ok(), source, "{text}");
    }
    assert!(
        source_of("f", b"\xe9\xff")
            .unwrap_err()
            .summary
            .contains("not readable text")
    );
    assert!(source_of("f", &vec![b'x'; MAX_FILE_BYTES + 1]).is_err());
}

#[test]
fn a_kubeconfig_in_utf16_is_known_and_its_documents_are_counted() {
    let text = "apiVersion: v1\nkind: Config\ncontexts: []\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff)
            .chain(text.encode_utf16())
            .flat_map(bytes)
            .collect()
    };
    for bytes in [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)] {
        assert_eq!(source_of("f", &bytes).ok(), Some(Source::Kubeconfig));
    }
    for (documents_of, n) in [
        (text.to_owned(), 1),
        (format!("---\n{text}"), 1),
        (format!("# a\n---\n{text}---\n"), 1),
        (format!("{text}---\n{text}--- \n{text}"), 3),
    ] {
        assert_eq!(documents(documents_of.as_bytes()), n, "{documents_of}");
    }
}

#[test]
fn keys_of_another_batida_are_not_imported() {
    let env = |key| Environment {
        key,
        api: ApiAddress::parse("a.example").ok(),
        ..Environment::blank(EnvId("x".to_owned()), "a")
    };
    let variable = KeyPlace::Variable("K".to_owned());
    let offers = of_settings(vec![
        env(KeyPlace::SettingsFile),
        env(variable.clone()),
        Environment::demo(),
    ]);
    assert_eq!(offers.len(), 2);
    assert_eq!(
        (&offers[0].env.key, &offers[1].env.key),
        (&KeyPlace::Keychain, &variable)
    );
    assert!(
        offers
            .iter()
            .all(|offer| offer.key.is_none() && offer.env.id.0 != "x")
    );
    assert!(
        offers[0].doubt.is_none() && offers[1].doubt.as_ref().unwrap().contains("$K"),
        "{offers:?}"
    );
}

#[test]
fn harmful_settings_are_skipped_or_need_confirmation() {
    let kubectl = Some(PathBuf::from("/tmp/evil"));
    let usual = KeyPlace::Variable(crate::domain::environment::KEY_VARIABLE.to_owned());
    let env = Environment {
        key: usual.clone(),
        api: ApiAddress::parse("evil.example").ok(),
        accept_invalid_certs: true,
        ca_file: Some(PathBuf::from("/tmp/ca.pem")),
        client_cert: Some(PathBuf::from("/tmp/me.pem")),
        client_key: Some(PathBuf::from("/tmp/me.key")),
        cluster: Some(ClusterAccess {
            kubectl,
            ..ClusterAccess::default()
        }),
        ..Environment::blank(EnvId("x".to_owned()), "a")
    };
    let [offer] = of_settings(vec![env]).try_into().unwrap();
    assert!(!offer.env.accept_invalid_certs);
    assert_eq!(offer.env.cluster.as_ref().unwrap().kubectl, None);
    assert_eq!((&offer.env.key, &offer.env.ca_file), (&usual, &None));
    assert_eq!(
        (&offer.env.client_cert, &offer.env.client_key),
        (&None, &None)
    );
    let doubt = offer.doubt.expect("the usual variable holds a key, too");
    assert!(
        doubt.contains("$SAMBANOVA_API_KEY") && doubt.contains("evil.example"),
        "{doubt}"
    );
    for word in ["any certificate", "/tmp/evil", "/tmp/ca.pem", "/tmp/me.pem"] {
        assert!(
            offer.remarks.iter().any(|remark| remark.contains(word)),
            "{word}: {:?}",
            offer.remarks
        );
    }
}

#[test]
fn a_key_without_an_api_is_skipped_with_a_remark() {
    for api in [json!(null), json!("ftp://x")] {
        let entry = json!({"file": "a", "apiDomain": api, "apiKey": "sk-secret-1234"});
        let offers = sambawiz(&json!({"kubeconfigs": {"a": entry}})).unwrap();
        assert!(offers[0].key.is_none());
        assert!(
            offers[0].remarks[1].contains("key was skipped"),
            "{:?}",
            offers[0].remarks
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("kubeconfigs".to_owned()),
        Just("file".to_owned()),
        Just("namespace".to_owned()),
        Just("apiDomain".to_owned()),
        Just("apiKey".to_owned()),
        Just("contexts".to_owned()),
        Just("context".to_owned()),
        Just("name".to_owned()),
        ".{0,6}",
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_file_makes_the_readers_panic(value in any_json(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = value.to_string();
        for bytes in [text.as_bytes(), bytes.as_slice()] {
            let _ = source_of("f", bytes);
            let _ = read_sambawiz("f", bytes, Path::new("/x"));
            let _ = read_contexts(bytes, Path::new("/x"));
        }
    }
}
