//! Batida: chat with the models deployed on SambaStack, and see how fast they answer.
//!
//! # Layers
//!
//! A layer imports only from layers below it; `tests/it/floors.rs` reads the sources and fails otherwise.
//!
//! ```text
//!         main.rs                                    window or command line
//!   ┌───────────────┬───────────────┐
//!   │ ui/   (egui)  │ cli/  (clap)  │                4  user interfaces
//!   ├───────────────┤               │
//!   │ state/        │               │                3  window state: folds events. No egui, no tokio, no clock
//!   ├───────────────┴───────────────┤
//!   │ engine/       demo/           │                2  everything that waits (tokio)
//!   ├───────────────────────────────┤
//!   │ io/                clock.rs   │                1  the outside: HTTP, kubectl, SQLite, confy, keyring, arboard; clocks
//!   ├───────────────────────────────┤
//!   │ protocol/                     │                0  commands and events between window and engine
//!   │ domain/ sambastack/ metrics/  │                0  pure: values in, values out
//!   │ prompts/ wire/ snippet.rs     │
//!   │ chart/                        │                   (a chart as values; ui and export paint it)
//!   │ export/ import/               │                   (export writes to what it is given)
//!   └───────────────────────────────┘
//! ```
//!
//! The cargo feature `gui` (on by default) holds `ui`, `state` and the jobs that only a window asks for
//! (`engine::Engine`). Without it Batida is its command line alone, and needs no desktop library.
//!
//! The same noun is used in each layer on purpose: a search for `chat` or `cluster` finds the whole feature.
//!
//! # One action, there and back
//!
//! The views read [`state::State`] and ask through [`state::action::Actions`]; each feature has its own actions, e.g.
//! [`state::panes::PaneAction::Send`]. When a page is drawn, [`state::State::act_all`] gives each action to the feature
//! that it is for; the panes make [`protocol::Command::Chat`] of this one; [`ui::app::App`] sends the commands;
//! [`engine`] gives each chat a cancellation token and runs [`engine::chat::run`]; at most every 33 ms a
//! [`protocol::Event::ChatAdvanced`] comes back over crossbeam and the window is woken; the next frame drains it into
//! [`state::State::apply`], which gives it to the feature that owns what has changed, and draws.
//!
//! A job with one answer is a [`protocol::Question`]: the state asks it, the engine answers it in one `match`, and
//! [`protocol::Event::Answered`] brings the answer, which the state takes in one `match`. A question is declared once;
//! one that is not answered, or whose answer is not taken, does not compile. A question is answered even if its job
//! panics or is cancelled.
//!
//! A benchmark goes the same way: [`protocol::Command::RunBench`] runs [`engine::bench::run`], whose measuring
//! threads send and read over [`io::http1`] and do nothing else; what ended is folded into [`metrics::tally`] and
//! told at most every 33 ms as [`protocol::Event::BenchAdvanced`]. `batida bench` awaits the same function.
//!
//! A benchmark that is sent from elsewhere ([`engine::bench::RunsOn::Workers`]) is the same session: a worker process runs
//! the same measuring threads for its share of each level ([`engine::bench::serve`]) and writes each request that ended
//! as a part of a line ([`wire::worker`]); [`engine::in_cluster`] runs such processes as pods of a Job. The session folds these as if a thread of its own had told them. Whoever measures
//! waits neither for orders nor for a reader.
//!
//! What is measured is kept: [`engine::history::Recording`] stands between a session and its listener and hands each
//! request to a thread of its own, which writes every half second through [`io::history`]. Nobody waits for it.
//!
//! The user's workspace (prompts, drafts, panes, forms, presets, votes) is kept without being asked for: each change is a
//! [`domain::workspace::WorkspaceChange`], which [`engine`] hands to the history's thread and tries again until it is
//! written. It is in the same file as the history; the settings file has only what people also edit by hand.
//! [`io::earlier_files`] moves in what earlier versions kept elsewhere.
//!
//! The cluster of the environment in use is followed by [`engine::follow`]: one kubectl a kind tells each change,
//! [`sambastack::watch`] folds it in, and a view that differs from the last one is told at most four times a second.
//! Where a credential plugin may ask for a login, one kubectl goes first ([`io::kubectl::LoginQueue`]), and its messages are
//! reported with its activity.
//!
//! # Invariants
//!
//! - Time is given, not taken: only `engine`, `io`, `cli` and the demo read the clock, and a chunk's
//!   time is that of its bytes' arrival ([`io::arrival`]), taken before it is parsed. [`metrics::timeline`] defines every figure.
//! - Absent is `None`, never zero.
//! - What differs between operating systems is in few modules: [`clock`], `io`'s `private` (files), [`io::group`],
//!   [`io::signals`], [`io::limits`], [`io::machine`], [`io::notify`], [`io::dialog`]; advice in [`domain::system`].
//! - The window never waits. Every wait has a bound and can be cancelled; stopping is dropping: dropping
//!   [`engine::Engine`] ends every job, and child processes die with their handle.
//! - Producers are paced (30 events a second a job), so the channels may be unbounded.
//! - The API key stays in `io` and `engine`. It enters the window only while the user looks at it.
//! - The Demo environment goes through the same subprocess and HTTP paths as any other; only
//!   [`engine::connection`] knows its addresses.
//!
//! # Modules
//!
//! | module | what is in it |
//! |---|---|
//! | [`domain`] | environments, deployments, conversations, the prompt library, embeddings, plans and reports of benchmarks, settings, the workspace, failures; JSON and its schemas; how numbers are written |
//! | [`sambastack`] | resources, pod names and readiness, from a deployment to the names the API wants, what a watch tells, context lengths and batch sizes, why a deployment does not serve |
//! | [`metrics`] | one request's moments and figures; a session's answers |
//! | [`prompts`] | what a benchmark says and when: made-up text of a length, files, traces, schedules; kept prompts with places |
//! | [`wire`] | server-sent events, chat completions, embeddings, a streamed answer, every error form, kubectl's words |
//! | [`snippet`] | View code |
//! | [`chart`] | charts as values, built from reports and figures; the painter of SVG |
//! | [`export`] | sessions as JSON, CSV, Parquet, an HTML report, Markdown; the program as a container image |
//! | [`import`] | result files, ours and those of guidellm, aiperf, genai-perf, vLLM and SGLang; environments of SambaWiz and of kubeconfigs |
//! | [`io`] | the API, kubectl, the settings file, the database with the history and the workspace, files of the user's, keys, clipboard, file dialog, attachments, notifications, the activity record, signals, the keeper that ends kubectl should Batida be killed, the running executable with its libraries |
//! | [`clock`] | CPU time, and a clock that all processes share, as each system has them |
//! | [`engine`] | jobs: the cluster, followed as it changes, a chat, probes, a benchmark, the checks, the history's thread; opening an environment's connections |
//! | [`demo`] | an OpenAI-compatible server, a simulated kubectl, and a server that records exact times |
//! | [`state`] | what the window knows: a struct for each feature, which owns its data |
//! | [`cli`] | the commands |
//! | [`ui`] | the window |

pub mod chart;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod export;
pub mod import;
pub mod io;
pub mod metrics;
pub mod prompts;
pub mod protocol;
pub mod sambastack;
pub mod snippet;
#[cfg(feature = "gui")]
pub mod state;
#[cfg(feature = "gui")]
pub mod ui;
pub mod wire;
