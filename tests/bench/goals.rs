//! What figures are held against, with `--check`: each goal with its figure, and a count of those that were missed.

use std::process::ExitCode;

/// The goals of a run, in the order in which their figures came.
#[derive(Debug, Default)]
pub(crate) struct Goals {
    /// Somebody asked for them.
    pub(crate) checked: bool,
    all: Vec<Goal>,
}

#[derive(Debug)]
struct Goal {
    text: String,
    met: bool,
}

impl Goals {
    /// Asked for by `--check` among the arguments.
    pub(crate) fn asked(args: &[String]) -> Self {
        Self {
            checked: args.iter().any(|arg| arg == "--check"),
            all: Vec::new(),
        }
    }

    /// A figure that is no number misses its goal.
    pub(crate) fn at_most(
        &mut self,
        what: impl std::fmt::Display,
        figure: f64,
        most: f64,
        unit: &str,
    ) {
        let text = format!("{what}: {figure:.3} {unit}, at most {most:?} {unit}");
        self.all.push(Goal {
            text,
            met: figure <= most,
        });
    }

    #[allow(dead_code, reason = "one bench has no use for it")]
    /// Within `share` of `asked`, on either side.
    pub(crate) fn within(
        &mut self,
        what: impl std::fmt::Display,
        figure: f64,
        asked: f64,
        share: f64,
    ) {
        let text = format!("{what}: {figure:.2}, within {} % of {asked}", share * 100.0);
        self.all.push(Goal {
            text,
            met: (figure - asked).abs() <= asked * share,
        });
    }

    #[allow(dead_code, reason = "one bench has a use for it")]
    /// From the one to the other.
    pub(crate) fn between(
        &mut self,
        what: impl std::fmt::Display,
        figure: f64,
        [least, most]: [f64; 2],
        unit: &str,
    ) {
        let text = format!("{what}: {figure:.1} {unit}, {least:.1} to {most:.1} {unit}");
        self.all.push(Goal {
            text,
            met: least <= figure && figure <= most,
        });
    }

    /// How many were missed.
    pub(crate) fn missed(&self) -> usize {
        self.all.iter().filter(|goal| !goal.met).count()
    }

    /// A line each.
    pub(crate) fn told(&self) -> String {
        let line = |goal: &Goal| {
            format!(
                "{} {}\n",
                if goal.met { "met   " } else { "MISSED" },
                goal.text
            )
        };
        self.all.iter().map(line).collect()
    }

    /// Prints them and fails when one was missed, or there is none; without `--check` does neither.
    #[allow(dead_code, reason = "the tests use the rest")]
    #[allow(clippy::print_stdout, reason = "a bench prints what it measured")]
    pub(crate) fn end(self) -> ExitCode {
        if !self.checked {
            return ExitCode::SUCCESS;
        }
        println!(
            "\nGOALS\n{}{} of {} missed",
            self.told(),
            self.missed(),
            self.all.len()
        );
        if self.missed() == 0 && !self.all.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
