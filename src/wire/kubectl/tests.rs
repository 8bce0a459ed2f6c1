//! kubectl's error output, and the sentences that explain it.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(stderr: &str, fault: KubectlFault, summary: &str) {
    let (found, failure) = explain(stderr);
    assert_eq!(
        (found, failure.summary.as_str()),
        (fault, summary),
        "{stderr}"
    );
    assert!(!failure.advice.is_empty());
    assert!(
        !failure.summary.ends_with('.') && !failure.advice.ends_with('.'),
        "{failure}"
    );
    assert_eq!(failure.details, own_words(stderr));
}

#[test]
fn faults_of_the_connection_have_their_sentences() {
    use KubectlFault::*;
    check(
        "The connection to the server 10.1.2.3:6443 was refused - did you specify the right host or port?",
        Refused,
        "Could not reach the cluster at 10.1.2.3:6443: connection refused",
    );
    check(
        "Unable to connect to the server: dial tcp: lookup api.example.com on 127.0.0.53:53: no such host",
        HostUnknown,
        "Could not resolve the cluster's host name api.example.com",
    );
    for line in [
        "Unable to connect to the server: context deadline exceeded",
        "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        "Unable to connect to the server: net/http: TLS handshake timeout",
    ] {
        check(line, Timeout, "The cluster did not answer in time");
    }
    check(
        "Unable to connect to the server: dial tcp 10.1.2.3:6443: i/o timeout",
        Timeout,
        "The cluster at 10.1.2.3:6443 did not answer in time",
    );
    check(
        "Unable to connect to the server: http: server gave HTTP response to HTTPS client",
        HttpOnHttps,
        "The kubeconfig says https, but the server speaks http",
    );
    check(
        "Error from server (BadRequest): Client sent an HTTP request to an HTTPS server.",
        HttpsOnHttp,
        "The kubeconfig says http, but the server speaks https",
    );
    check(
        "Error from server (BadRequest): the server rejected our request for an unknown reason",
        HttpsOnHttp,
        "The server rejected the request, probably because it speaks https where the kubeconfig says http",
    );
    check(
        "Unable to connect to the server: dial tcp: lookup h on [::1]:53: read udp [::1]:4->[::1]:53: read: connection refused",
        HostUnknown,
        "Could not resolve the cluster's host name h",
    );
    check(
        "Unable to connect to the server: EOF",
        Disconnected,
        "The connection to the cluster closed before the response was complete",
    );
    for line in [
        "Unable to connect to the server: Proxy Authentication Required",
        "Error from server: the server responded with the status code 407 but did not return more information",
    ] {
        check(
            line,
            ProxyAuth,
            "The proxy in front of the cluster requires a user name and a password (407)",
        );
    }
    check(
        "Unable to connect to the server: Forbidden",
        ProxyRefused,
        "The proxy in front of the cluster refused to connect to it: Forbidden",
    );
}

#[test]
fn faults_of_certificates_have_their_sentences() {
    use KubectlFault::*;
    for line in [
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "Unable to connect to the server: x509: certificate signed by unknown authority (possibly because of \"x\")",
    ] {
        check(
            line,
            UnknownCa,
            "The server's certificate is not signed by the certificate authority in the kubeconfig",
        );
    }
    check(
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for a.example, b.example, not localhost",
        WrongName,
        "The server's certificate is not for localhost, but for a.example, b.example",
    );
    check(
        "Unable to connect to the server: x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
        WrongName,
        "The server's certificate is not for 127.0.0.1",
    );
    check(
        "Unable to connect to the server: x509: certificate has expired or is not yet valid: current time 2026-11-23T06:00:00Z is after 2025-01-01T00:00:00Z",
        CertExpired,
        "The server's certificate expired on 2025-01-01",
    );
}

#[test]
fn errors_of_the_api_server_have_their_sentences() {
    use KubectlFault::*;
    for line in [
        "error: You must be logged in to the server (Unauthorized)",
        "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
    ] {
        check(line, Unauthorized, "The cluster rejected your credentials");
    }
    check(
        "Error from server (Forbidden): bundledeployments.sambanova.ai is forbidden: User \"limited\" cannot list resource \"bundledeployments\" in API group \"sambanova.ai\" in the namespace \"sambastack\"",
        Forbidden,
        "limited may not list bundledeployments.sambanova.ai in the namespace sambastack",
    );
    check(
        "Error from server (Forbidden): pods is forbidden: User \"limited\" cannot list resource \"pods\" in API group \"\" in the namespace \"sambastack\"",
        Forbidden,
        "limited may not list pods in the namespace sambastack",
    );
    check(
        "error: the server doesn't have a resource type \"modeldeployments\"",
        KindMissing,
        "The cluster has no resource type modeldeployments",
    );
    check(
        "Error from server (NotFound): the server could not find the requested resource",
        KindMissing,
        "The cluster does not have this resource type",
    );
    check(
        "Error from server (NotFound): Unable to list \"sambanova.ai/v1alpha1, Resource=modeldeployments\": the server could not find the requested resource",
        KindMissing,
        "The cluster has no resource type modeldeployments",
    );
    check(
        "Error from server (NotFound): bundledeployments.sambanova.ai \"nope\" not found",
        ObjectMissing,
        "bundledeployments.sambanova.ai \"nope\" does not exist",
    );
    check(
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
        Overloaded,
        "The cluster's API server is unavailable",
    );
    check(
        "error: something else.",
        Other,
        "kubectl failed: something else",
    );
    check("", Other, "kubectl failed without an error message");
}

#[test]
fn faults_of_the_kubeconfig_and_its_plugins_have_their_sentences() {
    use KubectlFault::*;
    for line in [
        "Error in configuration: context was not found for specified context: prod",
        "error: context \"prod\" does not exist",
    ] {
        check(line, ContextMissing, "The kubeconfig has no context prod");
    }
    check(
        "error: stat /home/a b/kube.yaml: no such file or directory",
        KubeconfigMissing,
        "The kubeconfig /home/a b/kube.yaml does not exist",
    );
    check(
        "error: error loading config file \"/tmp/x.yaml\": yaml: line 2: mapping values are not allowed in this context",
        KubeconfigBroken,
        "The kubeconfig /tmp/x.yaml is not valid",
    );
    check(
        "error: unable to read certificate-authority /tmp/ca.crt for demo due to open /tmp/ca.crt: no such file or directory",
        CertFileMissing,
        "The kubeconfig names a certificate authority file that cannot be read: /tmp/ca.crt",
    );
    check(
        "Error in configuration: \n* unable to read client-cert /tmp/c.crt for u due to open /tmp/c.crt: no such file or directory\n* unable to read client-key /tmp/c.key for u due to open /tmp/c.key: no such file or directory",
        CertFileMissing,
        "The kubeconfig names a client certificate file that cannot be read: /tmp/c.crt",
    );
    check(
        "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.\n\nTo learn more about this feature, consult the documentation available at:\n      https://kubernetes.io/docs/",
        PluginMissing,
        "The kubeconfig's credential plugin gke-gcloud-auth-plugin is not installed",
    );
    check(
        "login first\nlogin first\nUnable to connect to the server: getting credentials: exec: executable oidc-login failed with exit code 3",
        PluginFailed,
        "The kubeconfig's credential plugin oidc-login failed with exit code 3",
    );
    check(
        "Unable to connect to the server: getting credentials: exec plugin cannot support interactive mode: standard input is not a terminal",
        PluginInteractive,
        "The kubeconfig's credential plugin needs your input, which works only in a terminal",
    );
    check(
        "error: error loading config file \"/tmp\": read /tmp: is a directory",
        KubeconfigBroken,
        "The kubeconfig /tmp is a folder",
    );
}

#[test]
fn a_plugin_of_another_time_is_told_with_what_to_do() {
    use KubectlFault::*;
    let advice = |stderr: &str, summary: &str| {
        check(stderr, PluginOutdated, summary);
        assert!(PluginOutdated.needs_a_person());
        explain(stderr).1.advice
    };
    let gcp = "error: The gcp auth plugin has been removed.\nPlease use the \"gke-gcloud-auth-plugin\" kubectl/client-go credential plugin instead.\nSee https://cloud.google.com/x for further details";
    let told = advice(
        gcp,
        "The kubeconfig logs in with the auth-provider gcp, which this kubectl no longer supports",
    );
    assert!(told.contains("gke-gcloud-auth-plugin"), "{told}");
    let azure = "error: The azure auth plugin has been removed.\nPlease use the https://github.com/Azure/kubelogin kubectl/client-go credential plugin instead.";
    let told = advice(
        azure,
        "The kubeconfig logs in with the auth-provider azure, which this kubectl no longer supports",
    );
    assert!(told.contains("kubelogin convert-kubeconfig"), "{told}");
    advice(
        "error: no Auth Provider found for name \"oidc-x\"",
        "The kubeconfig logs in with the auth-provider oidc-x, which this kubectl no longer supports",
    );
    let told = advice(
        "error: exec plugin: invalid apiVersion \"client.authentication.k8s.io/v1alpha1\"",
        "This kubectl no longer supports credential plugins of client.authentication.k8s.io/v1alpha1",
    );
    assert!(
        told.contains("aws eks update-kubeconfig") && told.contains("v1beta1"),
        "{told}"
    );
    let told = advice(
        "error: exec plugin: invalid apiVersion \"client.authentication.k8s.io/v1\"",
        "This kubectl does not support credential plugins of client.authentication.k8s.io/v1 yet",
    );
    assert!(told.contains("Update kubectl"), "{told}");
    advice(
        "error: interactiveMode must be specified for me to use exec authentication plugin",
        "The credential plugin of the kubeconfig's user me sets no interactiveMode",
    );
    advice(
        "Unable to connect to the server: getting credentials: decoding stdout: no kind \"ExecCredential\" is registered for version \"client.authentication.k8s.io/v1alpha1\" in scheme \"pkg/client/auth/exec/exec.go:62\"",
        "The kubeconfig's credential plugin returned client.authentication.k8s.io/v1alpha1, which this kubectl no longer supports",
    );
    advice(
        "Unable to connect to the server: getting credentials: exec plugin is configured to use API version client.authentication.k8s.io/v1beta1, plugin returned version client.authentication.k8s.io/v1alpha1",
        "The kubeconfig's credential plugin returned client.authentication.k8s.io/v1alpha1, but the kubeconfig asks for client.authentication.k8s.io/v1beta1",
    );
    check(
        "Unable to connect to the server: getting credentials: decoding stdout: couldn't get version/kind; json parse error: x",
        PluginFailed,
        "The kubeconfig's credential plugin did not print a credential",
    );
}

#[test]
fn what_others_say_reaches_no_terminal_as_it_is() {
    assert_eq!(
        plain("\u{1b}[2J\u{1b}[31mred\u{1b}[0m a\tb\u{8}\u{7}"),
        "red a b"
    );
    assert_eq!(
        plain("\u{1b}]0;title\u{7}x \u{1b}]8;;https://a\u{1b}\\link\u{1b}]8;;\u{1b}\\"),
        "x link"
    );
    assert_eq!(plain("\u{202e}evil\u{2066} \u{9b}1mbold"), "evil bold");
    assert_eq!(plain("10%\r50%\rdone\r\nnext"), "done\nnext");
}

#[test]
fn what_a_plugin_says_seven_times_is_kept_once() {
    assert_eq!(
        own_words("log in\nlog in\n\nlog in\nerror: no\n"),
        "log in\n\nerror: no"
    );
}

#[test]
fn an_empty_kubeconfig_is_recognised_by_where_kubectl_asks() {
    let (_, failure) = explain(
        "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
    );
    assert!(failure.advice.contains("no current context"), "{failure}");
}

#[test]
fn what_kubectl_logs_for_developers_is_dropped() {
    let stderr = "E1123 06:01:02.345678   12 memcache.go:265] couldn't get current server API group list: Get \"https://x\"\n\
        E1123 06:01:02.345678   12 memcache.go:265] \"Unhandled Error\" err=<\n\
        \tgetting credentials: exec: executable nope not found\n\
        \t\n\
        \tIt looks like …\n \
        >\n\
        I1123 06:01:02.345678   12 x.go:1] err=‹\n\
        \tmore\n \
        ›\n >\n\
        error: You must be logged in to the server (Unauthorized)\n";
    assert_eq!(
        own_words(stderr),
        "error: You must be logged in to the server (Unauthorized)"
    );
}

#[test]
fn a_path_of_a_server_is_never_overlooked() {
    for (kubeconfig, may) in [
        (
            "clusters:\n- cluster:\n    server: https://h:6443\n  name: a\n",
            false,
        ),
        (
            "clusters:\n- cluster:\n    server: https://h:6443/\n  name: a\n",
            false,
        ),
        (
            "{\"clusters\":[{\"cluster\":{\"server\":\"https://h:6443\"}}]}",
            false,
        ),
        ("server: 'https://h'\r\n", false),
        (
            "server: https://h\n    server: https://h/k8s/clusters/c-1\n",
            true,
        ),
        ("{\"server\": \"https://h/k8s\"}", true),
        ("server: h/k8s\n", true),
        ("server: |\n  https://h/k8s\n", true),
        ("server: &s https://h/k8s\n", true),
        ("server:\n  https://h/k8s\n", true),
        ("\"serv\\u0065r\": https://h/k8s\nserver: https://h\n", true),
        ("clusters: []\n", true),
        ("", true),
    ] {
        assert_eq!(may_have_server_path(kubeconfig), may, "{kubeconfig}");
    }
}

#[test]
fn a_web_page_is_called_by_its_title() {
    let failure = not_kubernetes("<html><title> Log in </title><body></body></html>");
    assert_eq!(
        failure.summary,
        "A web page (“Log in”) answered instead of the Kubernetes API"
    );
    let failure = not_kubernetes("<html><title>Rancher</title><body></body></html>");
    assert!(failure.advice.contains("/k8s/clusters/"), "{failure}");
}

proptest! {
    #[test]
    fn any_words_are_explained(stderr in "(\\PC|\n|E1123 |err=‹|›|exec: executable | not found| failed with exit code |Error from server \\(|\\): |dial tcp: lookup |context \"|certificate is valid for |, not ){0,40}") {
        let (_, failure) = explain(&stderr);
        prop_assert!(!failure.summary.is_empty());
        not_kubernetes(&stderr);
    }
}
