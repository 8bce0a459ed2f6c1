//! The window: what the user sees and does. Draws the state, asks through commands, waits for nothing.
//!
//! # The layout of each page
//!
//! At the left of every page is the side bar; below, while something failed or is looked at, the status bar and the
//! Activity. The title of the page says when the environment is the demo.
//!
//! ```text
//! ┌──────────────┬──────────────────────────────────────────────┐
//! │ batida       │ Title  [Demo: simulated models]              │
//! │ Playground   │ purpose in a line                            │
//! │ Benchmark    │                                              │
//! │ History      │                  the page                    │
//! │ Deployments  │                                              │
//! │ Environments │                                              │
//! │ Activity     ├──────────────────────────────────────────────┤
//! │ Help         │ Activity: requests and commands (Ctrl+J)     │
//! │ theme        ├──────────────────────────────────────────────┤
//! │ environment ▾│ 2 problems · the last one   Show · Dismiss   │
//! └──────────────┴──────────────────────────────────────────────┘
//!
//! Welcome: first start and Help        Environments
//! ┌ Connect a cluster ──────────────┐  ┌ Add Import… Duplicate Delete…   ☐ notify ┐
//! │ [Connect] east  current context │  │ ● name   API   cluster   key   state     │
//! └─────────────────────────────────┘  └──────────────────────────────────────────┘
//! ┌ Connect an API ─────────────────┐  ┌ API            │ Cluster  ┐ ┌ Checks ─────┐
//! │ address   key   [Connect API]   │  │ name, address, │ context, │ │ ● kubectl   │
//! └─────────────────────────────────┘  │ key, TLS       │ namespace│ │ ● API …     │
//! ┌ Try the demo ───────────────────┐  │ Discard     [Open Playground] Save│ │    │
//! └─────────────────────────────────┘  └───────────────────────────┘ └─────────────┘
//!
//! Playground                                       Deployments
//! ┌ live · refresh      + Compare  View code ┐     ┌ live        Probe every … all ┐
//! ┌ pane ──────┐┌ pane ─────┐│┌ figures ─────┐     ┌ Filter ───┐┌ ▲ name ──────────┐
//! │ env depl   ││           │││ tiles        │     │ ● serving ││ Chat Benchmark   │
//! │ model      ││           │││ TTFT chart   │     │ ▲ degraded││ View logs Copy … │
//! │ messages   ││           │││ tok/s chart  │     │ ◎ starting││ Likely cause     │
//! │            ││           │││ by model     │     │ × broken  ││ Pods             │
//! └────────────┘└───────────┘│└──────────────┘     │ ○ off     ││ Events, models   │
//! ┌ composer ────────────────┐│  ↑ divider         └───────────┘└──────────────────┘
//! The parameters' sheet takes the place of the     A log lies below both.
//! figures where there is no room for both.
//!
//! Benchmark                                        History
//! ┌ What ─┐┌ ⚠ 3 measurement warnings at c=64 ┐    ┌ filters                        ┐
//! │ Load  │┌ tile ┐┌ tile ┐┌ tile of the level┐    │ table of sessions              │
//! │ Prompts│ table of levels: click or ↑ ↓    │    ├ Compare 2 · Export · …         ┤
//! │ Limits││ charts by level │ over time      │    │ figures and charts of the      │
//! │ estimate  distribution  │ knee           │    │ selected one, or of the ticked │
//! │ [Run] │└───────────────────────────────────┘   └────────────────────────────────┘
//!                                                  Compare: verdict and chips, table
//!                                                  with a head that stays, charts
//! ```

pub mod app;
mod chart;
pub mod icon;
pub mod keys;
mod palette;
mod picture;
mod pictures;
mod save_as;
pub mod theme;
mod toasts;
pub mod transcript;
pub mod views;
pub mod widgets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use egui::{Context, ViewportBuilder};

use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::system::System;
use crate::engine::quit::Quit;
use crate::engine::{Engine, Options};
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::history::Clock;

/// The time since the start, by egui's clock, and the calendar's.
fn clock(ctx: &Context) -> Clock {
    let now = ctx.input(|input| input.time);
    Clock {
        now: Duration::try_from_secs_f64(now).unwrap_or_default(),
        today: crate::engine::clock(),
    }
}

/// Does what the views of a frame asked for, and draws another frame if that changes what is seen.
fn perform(
    ctx: &Context,
    actions: Actions,
    state: &mut State,
    clock: Clock,
    out: &mut Vec<Command>,
) {
    if actions.change_the_view() {
        ctx.request_repaint();
    }
    state.act_all(actions, clock, out);
}

/// Opens the window and returns when it is closed. `select` is the environment to begin with, if not the
/// one that was used last; `mark`, for measuring the start, is told of the first frames, and then the window
/// closes.
///
/// # Errors
/// When no window can be opened, with the packages that may be missing.
pub fn run(
    options: Options,
    select: Option<EnvId>,
    mark: Option<app::Mark>,
) -> Result<(), Failure> {
    let viewport = ViewportBuilder::default()
        .with_title("Batida")
        .with_app_id("batida")
        .with_icon(icon::window())
        .with_inner_size([1_440.0, 900.0])
        .with_min_inner_size([900.0, 600.0]);
    let native = eframe::NativeOptions {
        viewport,
        // The size and the position of the window, and whether it was maximized.
        persistence_path: crate::engine::history_dir(&options)
            .ok()
            .map(|it| it.join("window.ron")),
        ..eframe::NativeOptions::default()
    };
    let open = move || {
        eframe::run_native(
            "Batida",
            native,
            Box::new(move |cc| {
                let (ctx, signalled) = (cc.egui_ctx.clone(), cc.egui_ctx.clone());
                let quit = Quit::on_signal(move || signalled.request_repaint());
                let mut started = Engine::start(options, move || ctx.request_repaint())?;
                let selects = select.is_some();
                if let Some(env) = select {
                    started.settings.selected = env;
                }
                let mut app = app::App::new(&cc.egui_ctx, started)
                    .marking(mark)
                    .quitting(quit);
                if selects {
                    app.state().end_welcome();
                }
                Ok(Box::new(app))
            }),
        )
    };
    // winit panics where libxkbcommon-x11 is missing.
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(eframe::Error::AppCreation(error))) => match error.downcast::<Failure>() {
            Ok(failure) => Err(*failure),
            Err(error) => Err(no_window(&error.to_string())),
        },
        Ok(Err(error)) => Err(no_window(&error.to_string())),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words =
                words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let words = words.unwrap_or_default();
            if words.to_lowercase().contains("xkb") {
                return Err(no_window(&words));
            }
            let advice = "The display may have been disconnected. If it was not, please report this error with these details";
            Err(
                Failure::new("The window closed because of an internal error", advice)
                    .with_details(words),
            )
        }
    }
}

fn no_window(details: &str) -> Failure {
    let display = ["DISPLAY", "WAYLAND_DISPLAY"].map(|name| std::env::var_os(name).is_some());
    if System::HERE == System::Linux && display == [false; 2] {
        return Failure::new(
            "No display is available to open a window",
            "Start Batida in a desktop session (DISPLAY or WAYLAND_DISPLAY), or use its commands: batida --help",
        )
        .with_details(details);
    }
    Failure::new("Could not open a window", System::HERE.window_advice()).with_details(details)
}
