//! Messages of image pulls, and what is said of each.

use super::*;

/// As container runtimes write it; `registry` and the image are made up.
/// What kubelets say, and what is told.
const MISSES: &[(&str, &str)] = &[
    (
        "failed to pull and unpack image \"r.example/m:1\": failed to extract layer sha256:12: write /var/lib/containerd/x: no space left on device: unknown",
        "no space",
    ),
    (
        "failed to resolve reference \"docker.io/m:1\": unexpected status from HEAD request to https://registry-1.docker.io/v2/m/manifests/1: 429 Too Many Requests",
        "429",
    ),
    (
        "Error response from daemon: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating",
        "429",
    ),
    (
        "failed to do request: Head \"https://r.example/v2/m/manifests/1\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "trust",
    ),
    (
        "failed to do request: Head \"https://r.example/v2/\": http: server gave HTTP response to HTTPS client",
        "over https",
    ),
    (
        "failed to do request: Head \"https://r.example/v2/\": dial tcp 10.0.0.9:443: connect: no route to host",
        "no route",
    ),
    (
        "failed to do request: Head \"https://r.example/v2/\": dial tcp: lookup r.example on 10.96.0.10:53: no such host",
        "host name",
    ),
    (
        "failed to do request: Head \"https://r.example/v2/\": dial tcp 10.0.0.9:443: i/o timeout",
        "cannot reach",
    ),
    (
        "dial tcp 10.0.0.9:443: connect: connection refused",
        "cannot reach",
    ),
    (
        "failed to pull and unpack image \"r.example/m:1\": no match for platform in manifest: not found",
        "processor",
    ),
    (
        "failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://r.example/token: 401 Unauthorized",
        "credentials",
    ),
    (
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        "credentials",
    ),
    (
        "failed to resolve reference \"r.example/m:1\": r.example/m:1: not found",
        "no such image",
    ),
    (
        "manifest unknown: manifest tagged by \"1\" is not found",
        "no such image",
    ),
    ("EOF", "closed the connection"),
    (
        "failed to copy: short read: expected 10 bytes but got 5: unexpected EOF",
        "closed the connection",
    ),
    (
        "failed to pull and unpack image: unexpected status code 500 Internal Server Error",
        "an HTTP status of 500",
    ),
    (
        "unexpected status from HEAD request: 503 Service Unavailable",
        "an HTTP status of 500",
    ),
    (
        "failed commit on ref: unexpected commit digest sha256:aa, expected sha256:bb",
        "not this image",
    ),
    (
        "proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused",
        "the proxy",
    ),
];

#[test]
fn each_way_to_miss_an_image_is_told_apart() {
    let pull = |why: &str| {
        format!(
            "Failed to pull image \"r.example/401-unauthorized/x509:not-found\": rpc error: code = Unknown desc = {why}"
        )
    };
    for (said, told) in MISSES {
        let why = why(&pull(said));
        assert!(why.is_some_and(|why| why.contains(told)), "{said}: {why:?}");
    }
    assert_eq!(why(&pull("port 4290 refused")), None);
}
