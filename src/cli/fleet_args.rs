//! The flags of `batida bench` that say where its requests are sent from.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::domain::failure::Failure;
use crate::domain::units;
use crate::engine::bench::{Fleet, OnLoss, RunsOn};
use crate::engine::connection::Connection;

const WORKERS: &str = "Workers";

/// More processes than one computer can start and hear.
const MOST_WORKERS: usize = 64;

#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    /// Send from the machine on which this command starts `batida worker`, e.g. 'ssh -T host batida worker'; repeat it to share the
    /// load among several
    #[arg(long, value_name = "COMMAND", value_parser = words, help_heading = WORKERS)]
    worker_command: Vec<Words>,
    /// Wait so long for the workers to get ready
    #[arg(
        long,
        value_name = "TIME",
        value_parser = units::read_duration,
        default_value = "60s",
        requires = "worker_command",
        help_heading = WORKERS
    )]
    workers_wait: Duration,
    /// What to do when a worker is lost: go on with the others while they are half or more, or stop with what there is
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "continue",
        requires = "worker_command",
        help_heading = WORKERS
    )]
    on_worker_loss: WorkerLoss,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WorkerLoss {
    Continue,
    Stop,
}

/// A command's words.
#[derive(Debug, Clone)]
struct Words(Vec<String>);

fn words(command: &str) -> Result<Words, String> {
    match shlex::split(command) {
        None => Err("a quote is not closed".to_owned()),
        Some(words) if words.is_empty() => Err("name a command".to_owned()),
        Some(words) => Ok(Words(words)),
    }
}

impl FleetArgs {
    /// Where the requests are sent from.
    ///
    /// # Errors
    /// When the environment holds what no worker is given.
    pub(super) fn runs_on(&self, connection: &Connection) -> Result<RunsOn, Failure> {
        if self.worker_command.is_empty() {
            return Ok(RunsOn::ThisComputer);
        }
        if self.worker_command.len() > MOST_WORKERS {
            return Err(Failure::new(
                format!(
                    "{} workers are too many for one computer",
                    self.worker_command.len()
                ),
                format!("Start at most {MOST_WORKERS}; each has a thread per core to send from"),
            ));
        }
        let commands = self.worker_command.iter().map(|it| it.0.clone());
        let (api, hidden) = connection.for_workers()?;
        Ok(RunsOn::Workers(Box::new(Fleet {
            commands: commands.collect(),
            hidden,
            wait: self.workers_wait,
            on_loss: match self.on_worker_loss {
                WorkerLoss::Continue => OnLoss::Continue,
                WorkerLoss::Stop => OnLoss::Stop,
            },
            api,
        })))
    }
}
