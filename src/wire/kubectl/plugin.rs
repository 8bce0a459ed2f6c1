//! The faults of credential plugins.

use super::{Advice, KubectlFault, Reading, after, between, reading};

/// Whether kubectl may start a credential plugin, as far as a kubeconfig's text tells; only `false` is certain.
pub fn may_start_a_plugin(kubeconfig: &str) -> bool {
    // As with the path of a server: a glance. An escape could spell the key in another way.
    ["exec", "auth-provider"]
        .iter()
        .any(|key| kubeconfig.contains(key))
        || kubeconfig.contains('\\')
}

pub(super) fn read(words: &str) -> Option<Reading> {
    if words.contains("cannot support interactive mode")
        || words.contains("standard input is not a terminal")
    {
        return Some(reading(
            KubectlFault::PluginInteractive,
            "The kubeconfig's credential plugin wants to ask you something, which it can only do in a terminal",
            Advice::by_face(
                "Log in once in a terminal (run the command from the Activity drawer there), then try again",
                "Log in once: run kubectl itself in a terminal with the same --kubeconfig and --context, then try again",
            ),
        ));
    }
    if let Some(outdated) = read_outdated(words) {
        return Some(outdated);
    }
    if !words.contains("exec: ") && !words.contains("getting credentials: ") {
        return None;
    }
    if let Some(plugin) = between(words, "exec: executable ", " not found") {
        return Some(reading(
            KubectlFault::PluginMissing,
            format!("The kubeconfig's credential plugin {plugin} is not installed"),
            format!(
                "Install {plugin}, or give its whole path in the kubeconfig: a program started from the desktop \
                 may have a shorter PATH than your shell"
            ),
        ));
    }
    if let Some((plugin, code)) = between(words, "exec: executable ", "\n")
        .or_else(|| words.split_once("exec: executable ").map(|(_, rest)| rest))
        .and_then(|rest| rest.split_once(" failed with exit code "))
    {
        let code = code.split_whitespace().next().unwrap_or_default();
        return Some(reading(
            KubectlFault::PluginFailed,
            format!("The kubeconfig's credential plugin {plugin} failed with exit code {code}"),
            "Its own words are in the details. Often it is enough to log in again in a terminal",
        ));
    }
    // `exec: fork/exec /path: permission denied` and other ways of not running.
    words.contains("getting credentials: ").then(|| {
        reading(
            KubectlFault::PluginFailed,
            "The kubeconfig's credential plugin failed",
            "Its own words are in the details. Often it is enough to log in again in a terminal",
        )
    })
}

/// The kubeconfig and this kubectl are of different times.
fn read_outdated(words: &str) -> Option<Reading> {
    let outdated = |summary: String, advice: String| {
        Some(reading(KubectlFault::PluginOutdated, summary, advice))
    };
    let removed = between(words, "The ", " auth plugin has been removed");
    if let Some(name) =
        removed.or_else(|| between(words, "no Auth Provider found for name \"", "\""))
    {
        let instead = match name {
            "gcp" => {
                "Install gke-gcloud-auth-plugin, then write the kubeconfig anew with `gcloud container clusters \
                      get-credentials`"
            }
            "azure" => {
                "Install kubelogin, then run `kubelogin convert-kubeconfig`, or write the kubeconfig anew with \
                        `az aks get-credentials`"
            }
            _ => {
                "Ask the cluster's administrator for a kubeconfig with a token, a client certificate or a credential \
                  plugin (exec)"
            }
        };
        return outdated(
            format!(
                "The kubeconfig logs in with the auth-provider {name}, which this kubectl no longer has"
            ),
            instead.to_owned(),
        );
    }
    if let Some(name) = between(
        words,
        "interactiveMode must be specified for ",
        " to use exec",
    ) {
        return outdated(
            format!("The kubeconfig's credential plugin of the user {name} has no interactiveMode"),
            "Write interactiveMode: IfAvailable below exec in the kubeconfig".to_owned(),
        );
    }
    const GROUP: &str = "client.authentication.k8s.io/";
    let refused = between(words, "exec plugin: invalid apiVersion \"", "\"");
    let decoded = || between(words, "registered for version \"", "\"");
    let configured = || between(words, "configured to use API version ", ",");
    let returned = after(words, "plugin returned version ");
    let version = |full: &str| full.strip_prefix(GROUP).unwrap_or(full).to_owned();
    let renew = "Make the kubeconfig anew with the newest version of the tool that wrote it (for EKS: `aws eks \
                 update-kubeconfig` of aws CLI 2.7 or later)";
    if let Some(full) = refused {
        let version = version(full);
        return if version == "v1" {
            outdated(
                format!("This kubectl does not know credential plugins of {full} yet"),
                format!(
                    "Update kubectl to 1.22 or later, or write {GROUP}v1beta1 in the kubeconfig"
                ),
            )
        } else {
            outdated(
                format!("This kubectl no longer takes credential plugins of {full}"),
                format!(
                    "{renew}, or write {GROUP}v1beta1 below exec in it. The plugin must know that version too"
                ),
            )
        };
    }
    if let (Some(configured), Some(returned)) = (configured(), returned) {
        let answered = if version(returned).starts_with("__") {
            "in no version at all"
        } else {
            returned
        };
        return outdated(
            format!(
                "The kubeconfig's credential plugin answers {answered}, but the kubeconfig says {configured}"
            ),
            format!(
                "Update the plugin, and write the version that it answers into the kubeconfig. {renew}"
            ),
        );
    }
    if words.contains("getting credentials: ")
        && let Some(full) = decoded()
    {
        return outdated(
            format!(
                "The kubeconfig's credential plugin answers in {full}, which this kubectl no longer takes"
            ),
            format!("Update the plugin. {renew}"),
        );
    }
    if words.contains("getting credentials: decoding stdout") {
        return Some(reading(
            KubectlFault::PluginFailed,
            "The kubeconfig's credential plugin printed something that is no credential",
            "Run the plugin in a terminal: it must print an ExecCredential in JSON, and nothing else",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::may_start_a_plugin;

    #[test]
    fn a_kubeconfig_with_a_token_starts_no_plugin() {
        assert!(!may_start_a_plugin(
            "users:\n- name: a\n  user: {token: x}\n"
        ));
        assert!(may_start_a_plugin(
            "users:\n- user:\n    exec:\n      command: aws\n"
        ));
        assert!(may_start_a_plugin(
            "{\"user\": {\"auth-provider\": {\"name\": \"gcp\"}}}"
        ));
    }
}
