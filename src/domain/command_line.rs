//! The `batida bench …` line that runs a plan.

use super::conversation::Params;
use super::environment::Environment;
use super::plan::{Arrivals, Ends, Lengths, Load, Plan, Prompts};
use super::units::write_duration;

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

/// The line that runs the plan in an environment, with those flags only that change something.
pub fn bench(plan: &Plan, env: &Environment) -> String {
    let mut words = Words(vec!["batida".to_owned(), "bench".to_owned()]);
    if env.demo {
        words.flag("--demo");
    } else {
        words.put("--env", &env.name);
    }
    for target in &plan.targets {
        words.put("--model", &target.model);
    }
    let mut deployments: Vec<&str> = plan
        .targets
        .iter()
        .map(|target| target.deployment.as_deref().unwrap_or("-"))
        .collect();
    if deployments.iter().all(|name| *name == deployments[0]) {
        deployments.truncate(1);
    }
    for name in deployments
        .iter()
        .filter(|name| deployments.len() > 1 || **name != "-")
    {
        words.put("--deployment", name);
    }
    let usual = default_plan();
    words.load(&plan.load, &usual.load);
    words.ends(plan, &usual);
    if plan.warmup != usual.warmup {
        words.put("--warmup", plan.warmup);
    }
    if plan.ramp_up != usual.ramp_up {
        words.put("--ramp-up", write_duration(plan.ramp_up));
    }
    match &plan.prompts {
        Prompts::Synthetic {
            input_tokens,
            prefix_tokens,
        } => {
            if *input_tokens != Lengths::Fixed(256) {
                words.put("--input-tokens", input_tokens);
            }
            if *prefix_tokens > 0 {
                words.put("--prefix-tokens", prefix_tokens);
            }
        }
        Prompts::File(path) => words.put("--prompts", path.display()),
    }
    if plan.turns != usual.turns {
        words.put("--turns", plan.turns);
    }
    if plan.output_tokens != usual.output_tokens {
        words.put("--output-tokens", or_none(plan.output_tokens));
    }
    if plan.ignore_eos {
        words.flag("--ignore-eos");
    }
    words.params(&plan.params);
    if plan.timeout != usual.timeout {
        words.put("--timeout", write_duration(plan.timeout));
    }
    if !plan.objectives.is_empty() {
        words.put("--goodput", plan.objectives);
    }
    if let Some(seed) = plan.seed {
        words.put("--seed", seed);
    }
    for tag in &plan.tags {
        words.put("--tag", tag);
    }
    // Fails only on NUL, which no argument holds.
    shlex::try_join(words.0.iter().map(String::as_str)).unwrap_or_default()
}

struct Words(Vec<String>);

impl Words {
    fn flag(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        if value.starts_with('-') && value != "-" {
            self.0.push(format!("{name}={value}"));
        } else {
            self.0.extend([name.to_owned(), value]);
        }
    }

    fn load(&mut self, load: &Load, usual: &Load) {
        let list = |items: Vec<String>| items.join(",");
        match load {
            same if same == usual => {}
            Load::Concurrency(n) => self.put(
                "--concurrency",
                list(n.iter().map(u32::to_string).collect()),
            ),
            Load::Rate {
                per_sec,
                arrivals,
                most_in_flight,
            } => {
                self.put("--rate", list(per_sec.iter().map(f64::to_string).collect()));
                if *arrivals == Arrivals::Poisson {
                    self.flag("--poisson");
                }
                self.most_in_flight(*most_in_flight);
            }
            Load::Max { in_flight } => self.0.push(format!("--max={in_flight}")),
            Load::Trace {
                file,
                most_in_flight,
                unit,
            } => {
                self.put("--trace", file.display());
                if let Some(unit) = unit {
                    self.put("--trace-unit", unit.name());
                }
                self.most_in_flight(*most_in_flight);
            }
            Load::Unknown => {}
        }
    }

    fn most_in_flight(&mut self, most: Option<u32>) {
        if let Some(most) = most {
            self.put("--max-in-flight", most);
        }
    }

    fn ends(&mut self, plan: &Plan, usual: &Plan) {
        let level = plan.level_ends;
        let unasked = if level.after.is_some() || matches!(plan.load, Load::Trace { .. }) {
            None
        } else {
            usual.level_ends.requests
        };
        if level.requests != unasked {
            self.put("--requests", or_none(level.requests));
        }
        if let Some(after) = level.after {
            self.put("--duration", write_duration(after));
        }
        if let Some(share) = level.error_share {
            self.put("--max-level-error-share", share);
        }
        let session = plan.session_ends;
        if let Some(requests) = session.requests {
            self.put("--session-requests", requests);
        }
        if let Some(after) = session.after {
            self.put("--session-duration", write_duration(after));
        }
        if session.error_share != usual.session_ends.error_share {
            self.put("--max-error-share", or_none(session.error_share));
        }
    }

    fn params(&mut self, params: &Params) {
        // The output length stands in the plan.
        let Params {
            max_tokens: _,
            temperature,
            top_p,
            top_k,
            stop,
            seed,
            reasoning_effort,
            thinking,
            ..
        } = params;
        let mut put = |name, value: Option<String>| {
            if let Some(value) = value {
                self.put(name, value);
            }
        };
        put("--temperature", temperature.map(|t| t.to_string()));
        put("--top-p", top_p.map(|p| p.to_string()));
        put("--top-k", top_k.map(|k| k.to_string()));
        for text in stop {
            put("--stop", Some(text.clone()));
        }
        put("--sampling-seed", seed.map(|seed| seed.to_string()));
        put(
            "--reasoning-effort",
            reasoning_effort.map(|effort| effort.as_str().to_owned()),
        );
        put(
            "--thinking",
            thinking.map(|on| if on { "on" } else { "off" }.to_owned()),
        );
    }
}

fn or_none(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}
