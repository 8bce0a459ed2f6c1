//! The containers of a pod, one by one.

use super::{how_it_ended, is_sidecar};
use crate::domain::deployment::ContainerBrief;
use crate::sambastack::resources::{Container, ContainerStatus, Pod, StartupProbe};
use crate::sambastack::status::moment;

/// The pod's containers, each with its specification and its status.
pub fn details(pod: &Pod) -> Vec<ContainerBrief> {
    let detail = |wanted: &Container, statuses: &[ContainerStatus], init: bool| {
        let status = statuses.iter().find(|status| status.name == wanted.name);
        container(wanted, status, init)
    };
    let inits = pod
        .spec
        .init_containers
        .iter()
        .map(|it| detail(it, &pod.status.init_container_statuses, true));
    inits
        .chain(
            pod.spec
                .containers
                .iter()
                .map(|it| detail(it, &pod.status.container_statuses, false)),
        )
        .collect()
}

fn container(wanted: &Container, status: Option<&ContainerStatus>, init: bool) -> ContainerBrief {
    let brief = ContainerBrief {
        name: wanted.name.clone(),
        init,
        startup_seconds: wanted.startup_probe.map(StartupProbe::allows),
        ..ContainerBrief::default()
    };
    let Some(ContainerStatus {
        ready,
        restart_count,
        state,
        last_state,
        ..
    }) = status
    else {
        return brief;
    };
    let (reason, message) = match (&state.waiting, &state.terminated) {
        (Some(waiting), _) => (waiting.reason.clone(), waiting.message.clone()),
        (None, Some(ended)) => (
            format!("ended ({})", how_it_ended(&ended.reason, ended.exit_code)),
            ended.message.clone(),
        ),
        (None, None) => Default::default(),
    };
    let last = last_state.terminated.as_ref();
    let ran = last.and_then(|last| {
        let (from, to) = (
            moment(last.started_at.as_deref())?,
            moment(last.finished_at.as_deref())?,
        );
        u64::try_from(to.duration_since(from).as_secs()).ok()
    });
    let failed = state
        .terminated
        .as_ref()
        .is_some_and(|ended| ended.exit_code != 0);
    // An init container is done once it has succeeded, while a sidecar keeps running.
    let prepared = init && state.terminated.is_some() && !failed;
    let beside = init
        && is_sidecar(wanted)
        && status.is_some_and(|it| it.started)
        && state.running.is_some();
    ContainerBrief {
        ready: *ready || prepared || beside,
        failed,
        restarts: *restart_count,
        started: moment(
            state
                .running
                .as_ref()
                .and_then(|running| running.started_at.as_deref()),
        ),
        reason,
        message: message.trim().to_owned(),
        last: last.map(|last| how_it_ended(&last.reason, last.exit_code)),
        last_at: last.and_then(|last| moment(last.finished_at.as_deref())),
        last_ran_seconds: ran,
        last_words: last
            .map(|last| last.message.trim().to_owned())
            .unwrap_or_default(),
        ..brief
    }
}
