//! `batida worker`: sends a share of a benchmark's load for a Batida elsewhere, see [`crate::wire::worker`].

use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{Ended, out};
use crate::demo::api::DEMO_KEY;
use crate::domain::failure::Failure;
use crate::domain::units;
use crate::engine::bench;
use crate::io::worker_key::WorkerKey;
use crate::io::worker_pipes::{AnswerWriter, read_orders};

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Read the API key from this file, which holds nothing else [default: from SAMBANOVA_API_KEY]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// End when the coordinator has said nothing for so long amid a session [default: 2m]
    #[arg(long, value_name = "TIME", value_parser = units::read_duration)]
    patience: Option<Duration>,
}

pub(super) async fn run(args: WorkerArgs, cancel: &CancellationToken) -> Result<(), Ended> {
    let no_thread = |error: std::io::Error| {
        Failure::new("The system gives Batida no threads", error.to_string())
    };
    let writer = AnswerWriter::start(out::bytes()).map_err(no_thread)?;
    let key = WorkerKey {
        file: args.key_file,
        demo: DEMO_KEY.to_owned(),
    };
    let input = BufReader::with_capacity(1 << 20, std::io::stdin());
    let orders = read_orders(input).map_err(no_thread)?;
    let patience = args.patience.unwrap_or(bench::PATIENCE);
    bench::serve(orders, writer, key, patience, cancel.clone()).await?;
    Ok(())
}
