//! Faults of credential plugins.

use super::{Advice, KubectlFault, Reading, after, between, reading};

/// Whether kubectl may start a credential plugin for this kubeconfig. Only `false` is certain.
pub fn may_start_a_plugin(kubeconfig: &str) -> bool {
    // A text search, not a parser. A backslash could spell the key in another way.
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
            "The kubeconfig's credential plugin needs your input, which works only in a terminal",
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
                "Install {plugin}, or give its full path in the kubeconfig. A program started from the desktop \
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
            "See the details for its output. Logging in again in a terminal often helps",
        ));
    }
    // `exec: fork/exec /path: permission denied` and other ways of not running.
    words.contains("getting credentials: ").then(|| {
        reading(
            KubectlFault::PluginFailed,
            "The kubeconfig's credential plugin failed",
            "See the details for its output. Logging in again in a terminal often helps",
        )
    })
}

/// The API group of credential plugins; versions follow it.
const GROUP: &str = "client.authentication.k8s.io/";
const RENEW: &str = "Regenerate the kubeconfig with the newest version of the tool that wrote it (for EKS: \
                     `aws eks update-kubeconfig` of AWS CLI 2.7 or later)";

fn outdated(summary: String, advice: impl Into<Advice>) -> Reading {
    reading(KubectlFault::PluginOutdated, summary, advice)
}

/// The kubeconfig is older or newer than this kubectl supports.
fn read_outdated(words: &str) -> Option<Reading> {
    if let Some(removed) = read_removed(words) {
        return Some(removed);
    }
    if let Some(name) = between(
        words,
        "interactiveMode must be specified for ",
        " to use exec",
    ) {
        return Some(outdated(
            format!(
                "The credential plugin of the kubeconfig's user {name} sets no interactiveMode"
            ),
            "Add interactiveMode: IfAvailable under exec in the kubeconfig",
        ));
    }
    if let Some(version) = read_version(words) {
        return Some(version);
    }
    words
        .contains("getting credentials: decoding stdout")
        .then(|| {
            reading(
                KubectlFault::PluginFailed,
                "The kubeconfig's credential plugin did not print a credential",
                "Run the plugin in a terminal: it must print an ExecCredential in JSON and nothing else",
            )
        })
}

/// kubectl 1.26 removed the built-in auth-providers of clouds.
fn read_removed(words: &str) -> Option<Reading> {
    let name = between(words, "The ", " auth plugin has been removed")
        .or_else(|| between(words, "no Auth Provider found for name \"", "\""))?;
    let advice = match name {
        "gcp" => {
            "Install gke-gcloud-auth-plugin, then regenerate the kubeconfig with \
             `gcloud container clusters get-credentials`"
        }
        "azure" => {
            "Install kubelogin, then run `kubelogin convert-kubeconfig`, or regenerate the kubeconfig with \
             `az aks get-credentials`"
        }
        _ => {
            "Ask the cluster's administrator for a kubeconfig with a token, a client certificate or a credential \
             plugin (exec)"
        }
    };
    Some(outdated(
        format!(
            "The kubeconfig logs in with the auth-provider {name}, which this kubectl no longer supports"
        ),
        advice,
    ))
}

/// The plugin, the kubeconfig and kubectl disagree on the version of the credential API.
fn read_version(words: &str) -> Option<Reading> {
    let version = |full: &str| full.strip_prefix(GROUP).unwrap_or(full).to_owned();
    if let Some(full) = between(words, "exec plugin: invalid apiVersion \"", "\"") {
        return Some(if version(full) == "v1" {
            outdated(
                format!("This kubectl does not support credential plugins of {full} yet"),
                format!("Update kubectl to 1.22 or later, or set {GROUP}v1beta1 in the kubeconfig"),
            )
        } else {
            outdated(
                format!("This kubectl no longer supports credential plugins of {full}"),
                format!(
                    "{RENEW}, or set {GROUP}v1beta1 under exec in it. The plugin must support that version too"
                ),
            )
        });
    }
    let configured = between(words, "configured to use API version ", ",");
    let returned = after(words, "plugin returned version ");
    if let (Some(configured), Some(returned)) = (configured, returned) {
        let returned = if version(returned).starts_with("__") {
            "no version"
        } else {
            returned
        };
        return Some(outdated(
            format!(
                "The kubeconfig's credential plugin returned {returned}, but the kubeconfig asks for {configured}"
            ),
            format!(
                "Update the plugin, and set the version that it returns in the kubeconfig. {RENEW}"
            ),
        ));
    }
    let full = between(words, "registered for version \"", "\"")
        .filter(|_| words.contains("getting credentials: "))?;
    Some(outdated(
        format!(
            "The kubeconfig's credential plugin returned {full}, which this kubectl no longer supports"
        ),
        format!("Update the plugin. {RENEW}"),
    ))
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
