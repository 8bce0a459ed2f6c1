use super::*;

#[track_caller]
fn check_root(text: &str, root: &str) {
    assert_eq!(
        ApiAddress::parse(text).as_ref().map(ApiAddress::root),
        Ok(root),
        "{text}"
    );
}

/// The chat and models URLs, and that the address survives being stored.
#[track_caller]
fn check_urls(text: &str, chat: &str, models: &str) {
    let address = ApiAddress::parse(text).expect(text);
    assert_eq!(
        (address.chat().as_str(), address.models().as_str()),
        (chat, models),
        "{text}"
    );
    assert_eq!(
        ApiAddress::parse(&address.text()),
        Ok(address.clone()),
        "stored as {}",
        address.text()
    );
    assert_eq!(
        ApiAddress::parse(&address.chat()).as_ref(),
        Ok(&address),
        "by its chat URL"
    );
    assert_eq!(
        ApiAddress::parse(&address.models()),
        Ok(address),
        "by its models URL"
    );
}

#[test]
fn every_way_of_writing_the_domain_gives_the_same_root() {
    for text in [
        "api.example.com",
        "https://api.example.com",
        "https://api.example.com/",
        " https://api.example.com// ",
        "https://api.example.com/v1",
        "https://api.example.com/v1/",
        "https://api.example.com/v1/chat",
        "api.example.com/v1/models",
        "HTTPS://API.example.com/v1/chat/completions",
        "https://api.example.com:443/v1/chat/completions/",
    ] {
        check_root(text, "https://api.example.com");
    }
    check_root("http://10.0.0.1:8080/v1", "http://10.0.0.1:8080");
    check_root("localhost:8080", "http://localhost:8080");
    check_root("[::1]:9000/v1", "http://[::1]:9000");
    check_root(
        "gw.example.com/team-a/v1/chat/completions",
        "https://gw.example.com/team-a",
    );
    check_root("api.example.com:8443", "https://api.example.com:8443");
}

#[test]
fn a_base_url_with_its_own_version_is_used_as_written() {
    for base in [
        "https://h.example/api/paas/v4",
        "https://h.example/v1beta/openai",
        "https://h.example/api/v3",
        "https://h.example/v2",
        "https://h.example/compatible-mode/v1",
        "https://h.example/openai/v1",
        "https://h.example/v1/openai",
        "https://h.example/client/v4/accounts/0123abcd/ai/v1",
        "https://h.example/v1beta1/projects/p/locations/l/endpoints/openapi",
        "https://h.example/serving-endpoints",
        "https://h.example/inference/v1",
        "https://h.example/api/openai/v1",
        "https://h.example/openai/deployments/gpt-4o",
        "http://127.0.0.1:8080/v1.1",
    ] {
        for text in [
            base.to_owned(),
            format!("{base}/"),
            format!("{base}/chat/completions"),
            format!("{base}/chat/completions//"),
            format!("{base}/models"),
            format!("{base}/embeddings"),
        ] {
            check_urls(
                &text,
                &format!("{base}/chat/completions"),
                &format!("{base}/models"),
            );
        }
    }
}

#[test]
fn a_whole_chat_url_is_used_as_written_without_any_version() {
    for base in [
        "https://h.example/api",
        "https://h.example",
        "https://h.example/team/messages",
    ] {
        let chat = format!("{base}/chat/completions");
        check_urls(&chat, &chat, &format!("{base}/models"));
    }
    // Such an address is stored with its end: without it, it would be another.
    let address = ApiAddress::parse("h.example/api/chat/completions").expect("an address");
    assert_eq!(address.text(), "https://h.example/api/chat/completions");
    assert_eq!(address.host(), "h.example/api");
}

#[test]
fn a_query_goes_with_every_request() {
    let azure = "https://x.openai.azure.com/openai/deployments/d";
    let query = "?api-version=2024-10-21&x=a%20b";
    check_urls(
        &format!("{azure}/chat/completions{query}"),
        &format!("{azure}/chat/completions{query}"),
        &format!("{azure}/models{query}"),
    );
    let address = ApiAddress::parse(&format!("{azure}/{query}")).expect("an address");
    assert_eq!((address.base(), address.root()), (azure, azure));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        address.query(),
        [pair("api-version", "2024-10-21"), pair("x", "a b")]
    );
    check_urls(
        "localhost:80?v=1",
        "http://localhost/v1/chat/completions?v=1",
        "http://localhost/v1/models?v=1",
    );
}

#[test]
fn nonsense_is_refused_with_its_reason() {
    for (text, reason) in [
        ("", AddressError::Empty),
        (
            "ftp://api.example.com",
            AddressError::Scheme("ftp".to_owned()),
        ),
        ("mailto:me", AddressError::Scheme("mailto".to_owned())),
        (
            "https://user:secret@api.example.com",
            AddressError::Credentials,
        ),
        (
            "https://api.example.com/v1?api-key=x",
            AddressError::SecretQuery("api-key".to_owned()),
        ),
        (
            "https://api.example.com?key=AIza",
            AddressError::SecretQuery("key".to_owned()),
        ),
        ("https://api.example.com#top", AddressError::Fragment),
        ("https://api example.com", AddressError::Space),
    ] {
        assert_eq!(ApiAddress::parse(text), Err(reason), "{text}");
    }
    for text in [
        "https://",
        "http://:80",
        "https://api..com",
        "https://-x.com",
        "host:99999",
        "///",
    ] {
        assert!(
            matches!(ApiAddress::parse(text), Err(AddressError::Malformed(_))),
            "{text}"
        );
    }
}

#[test]
fn addresses_that_earlier_versions_stored_mean_the_same() {
    // They cut "/v1" off every address.
    for (stored, chat) in [
        (
            "https://h.example/compatible-mode",
            "/compatible-mode/v1/chat/completions",
        ),
        ("https://h.example/openai", "/openai/v1/chat/completions"),
        (
            "https://h.example/inference",
            "/inference/v1/chat/completions",
        ),
        (
            "https://h.example/client/v4/accounts/1f/ai",
            "/client/v4/accounts/1f/ai/v1/chat/completions",
        ),
    ] {
        let address = ApiAddress::parse(stored).expect("an address");
        assert_eq!(address.chat(), format!("https://h.example{chat}"));
    }
}

#[test]
fn versions_are_told_from_names() {
    for part in [
        "v1",
        "V2",
        "v4",
        "v10",
        "v1beta",
        "v1alpha2",
        "v1.1",
        "v1beta1",
        "v2-preview",
    ] {
        assert!(is_version(part), "{part}");
    }
    for part in [
        "",
        "v",
        "vllm",
        "v1x",
        "version1",
        "1",
        "va1",
        "v20240601",
        "v1.",
    ] {
        assert!(!is_version(part), "{part}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_stored_is_read_back(path in "(/(v1|v4|api|chat|openai|completions|models|x)){0,5}/{0,2}") {
        let address = ApiAddress::parse(&format!("https://h.example{path}")).expect("an address");
        proptest::prop_assert_eq!(ApiAddress::parse(&address.text()), Ok(address.clone()));
        proptest::prop_assert_eq!(ApiAddress::parse(&address.chat()), Ok(address));
    }
}
