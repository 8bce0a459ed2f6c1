//! A plan as the line that runs it in a shell.

use super::environment::Environment;
use super::plan::{Arrivals, Ends, Load, Plan, Prompts};
use super::units::write_duration;

/// The `batida bench` line that does what `plan` says in `env`, quoted for a shell.
pub fn bench(plan: &Plan, env: &Environment) -> String {
    let mut words = vec!["batida".to_owned(), "bench".to_owned()];
    let mut say = |flag: &str, value: Option<String>| {
        words.push(flag.to_owned());
        words.extend(value);
    };
    if env.demo {
        say("--demo", None);
    } else {
        say("--env", Some(env.name.clone()));
    }
    let mut deployment = None;
    for target in &plan.targets {
        if target.deployment.is_some() && target.deployment != deployment {
            deployment.clone_from(&target.deployment);
            say("--deployment", deployment.clone());
        }
        say("--model", Some(target.model.clone()));
    }
    match &plan.load {
        Load::Concurrency(clients) => say("--concurrency", Some(list(clients))),
        Load::Rate { per_sec, arrivals, most_in_flight } => {
            say("--rate", Some(list(per_sec)));
            if *arrivals == Arrivals::Poisson {
                say("--poisson", None);
            }
            if let Some(most) = most_in_flight {
                say("--max-in-flight", Some(most.to_string()));
            }
        }
        Load::Max { in_flight } => {
            say("--max", None);
            say("--max-in-flight", Some(in_flight.to_string()));
        }
        Load::Trace { file, most_in_flight } => {
            say("--trace", Some(file.display().to_string()));
            if let Some(most) = most_in_flight {
                say("--max-in-flight", Some(most.to_string()));
            }
        }
    }
    let Ends { requests, after, .. } = plan.level_ends;
    if let Some(requests) = requests {
        say("--requests", Some(requests.to_string()));
    }
    if let Some(after) = after {
        say("--duration", Some(write_duration(after)));
    }
    say("--warmup", Some(plan.warmup.to_string()));
    if !plan.ramp_up.is_zero() {
        say("--ramp-up", Some(write_duration(plan.ramp_up)));
    }
    match &plan.prompts {
        Prompts::Synthetic { input_tokens, prefix_tokens } => {
            say("--input-tokens", Some(input_tokens.to_string()));
            if *prefix_tokens > 0 {
                say("--prefix-tokens", Some(prefix_tokens.to_string()));
            }
        }
        Prompts::File(file) => say("--prompts", Some(file.display().to_string())),
    }
    if let Some(lengths) = &plan.output_tokens {
        say("--output-tokens", Some(lengths.to_string()));
    }
    if plan.turns != 1 {
        say("--turns", Some(plan.turns.to_string()));
    }
    if plan.ignore_eos {
        say("--ignore-eos", None);
    }
    if !plan.objectives.is_empty() {
        say("--goodput", Some(plan.objectives.to_string()));
    }
    say("--timeout", Some(write_duration(plan.timeout)));
    if let Some(after) = plan.session_ends.after {
        say("--session-duration", Some(write_duration(after)));
    }
    if let Some(share) = plan.session_ends.error_share {
        say("--max-error-share", Some(share.to_string()));
    }
    say("--seed", Some(plan.seed.to_string()));
    for tag in &plan.tags {
        say("--tag", Some(tag.clone()));
    }
    // fails only for a word with a NUL in it, which no field can hold
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn list<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Target;

    #[test]
    fn the_line_says_what_the_plan_says() {
        let plan = Plan {
            targets: vec![Target { deployment: Some("md x".to_owned()), model: "m".to_owned() }],
            load: Load::Rate {
                per_sec: vec![2.0, 0.5],
                arrivals: Arrivals::Poisson,
                most_in_flight: Some(9),
            },
            ..Plan::default()
        };
        let line = bench(&plan, &Environment::demo());
        let words = shlex::split(&line).expect("it is quoted for a shell");
        let expected = "batida bench --demo --deployment MD --model m --rate 2,0.5 --poisson --max-in-flight 9 \
                        --requests 100 --warmup 4 --input-tokens 256 --output-tokens 128 --timeout 600s \
                        --session-duration 600s --max-error-share 0.05 --seed 1";
        let expected: Vec<&str> =
            expected.split(' ').map(|word| if word == "MD" { "md x" } else { word }).collect();
        assert_eq!(words, expected);
    }
}
