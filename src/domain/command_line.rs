//! The `batida bench …` line that runs a plan.

use super::environment::Environment;
use super::plan::{Ends, Load, Plan};
use super::plan_fields::{FIELDS, FieldSpec, Get};

/// The plan of `batida bench` without flags; it lacks a model.
pub fn default_plan() -> Plan {
    Plan {
        load: Load::Concurrency(vec![1]),
        session_ends: Ends {
            error_share: Some(0.05),
            ..Ends::default()
        },
        ..Plan::default()
    }
}

/// A command line, or a program's path, without the folders that the program is in.
pub fn by_name(line: &str) -> &str {
    let program = line.split(' ').next().unwrap_or_default();
    match program.rsplit_once('/') {
        Some((folders, _)) if program.starts_with('/') => {
            line.get(folders.len() + 1..).unwrap_or(line)
        }
        _ => line,
    }
}

/// The line that runs the plan in an environment, with those flags only that change something.
pub fn bench(plan: &Plan, env: &Environment) -> String {
    let mut words: Vec<String> = ["batida", "bench"].map(str::to_owned).into();
    if env.demo {
        words.push("--demo".to_owned());
    } else {
        words.extend(["--env".to_owned(), env.name.clone()]);
    }
    for (spec, text) in flags(plan) {
        put(&mut words, spec, &text);
    }
    // Fails only on NUL, which no argument holds.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

/// The flags that make the plan, with their texts; those only that change something. One that takes several texts comes
/// once for each.
pub fn flags(plan: &Plan) -> Vec<(&'static FieldSpec, String)> {
    let mut flags = Vec::new();
    // The plan that the flags so far give, since a flag may change what leaving out a later one means.
    let mut so_far = default_plan();
    for spec in FIELDS.iter().filter(|spec| !spec.flag.is_empty()) {
        match spec.get {
            Get::Each(get) => flags.extend(get(plan).into_iter().map(|text| (spec, text))),
            Get::One(get) => {
                let Some(text) = get(plan).filter(|text| get(&so_far).as_ref() != Some(text))
                else {
                    continue;
                };
                // A text that cannot be read back is told when the line is run.
                drop(spec.set.map(|set| set(&mut so_far, &text)));
                flags.push((spec, text));
            }
        }
    }
    flags
}

fn put(words: &mut Vec<String>, spec: &FieldSpec, text: &str) {
    let flag = format!("--{}", spec.flag);
    let text = if text.is_empty() { "none" } else { text };
    if spec.set.is_some() && spec.value.is_empty() {
        words.push(flag);
    } else if !spec.missing.is_empty() || (text.starts_with('-') && text != "-") {
        words.push(format!("{flag}={text}"));
    } else {
        words.extend([flag, text.to_owned()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_shown_by_its_name() {
        let line = "/home/me/bin/batida simulated-kubectl get --raw /api/v1";
        assert_eq!(by_name(line), "batida simulated-kubectl get --raw /api/v1");
        assert_eq!(by_name("/usr/bin/kubectl"), "kubectl");
        for line in ["kubectl get --raw /api/v1", "curl -sS http://a/b", ""] {
            assert_eq!(by_name(line), line);
        }
    }
}
