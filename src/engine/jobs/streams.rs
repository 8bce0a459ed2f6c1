//! Jobs with several events, and what is done without a job: reported as it happens.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::{Shared, cancelled, or_cancelled};
use crate::domain::environment::{EnvId, Environment};
use crate::engine::{check, follow, logs, probe};
use crate::io::notify;
use crate::protocol::{ClusterLink, Event, JobId, LogSource, Picture, ProbeTarget};
use crate::snippet::{self, KeyText, SnippetSpec};

impl Shared {
    pub(super) async fn watch(
        &self,
        job: JobId,
        environment: &Environment,
        cancel: &CancellationToken,
    ) {
        let tell = |view, link| {
            self.emitter.emit(Event::ClusterFollowed {
                job,
                env: environment.id.clone(),
                view,
                link,
            });
        };
        let following = async {
            match self.connections.kubectl(environment).await {
                Some(kubectl) => {
                    let pace = follow::Pace::default();
                    follow::run(&kubectl, &pace, |told| {
                        tell(told.view.map(Box::new), told.link)
                    })
                    .await;
                }
                None => tell(
                    None,
                    ClusterLink::Stopped(crate::engine::cluster::no_cluster()),
                ),
            }
        };
        if cancel.run_until_cancelled(following).await.is_none() {
            tell(None, ClusterLink::Stopped(cancelled()));
        }
    }

    pub(super) async fn log(
        &self,
        job: JobId,
        environment: &Environment,
        source: &LogSource,
        cancel: &CancellationToken,
    ) {
        let following = async {
            let Some(kubectl) = self.connections.kubectl(environment).await else {
                return Ok(());
            };
            let tell = |lines| {
                self.emitter.emit(Event::LogAdvanced {
                    job,
                    env: environment.id.clone(),
                    lines,
                })
            };
            logs::follow(&kubectl, source, tell).await
        };
        let outcome = or_cancelled(cancel, following).await;
        self.emitter.emit(Event::LogEnded {
            job,
            env: environment.id.clone(),
            outcome,
        });
    }

    pub(super) async fn probe(
        &self,
        job: JobId,
        environment: &Environment,
        targets: Vec<ProbeTarget>,
        cancel: &CancellationToken,
    ) {
        if let Some(opened) = cancel.run_until_cancelled(self.open(environment)).await {
            probe::run(
                &opened,
                targets,
                probe::TIMEOUT,
                cancel,
                |model, at, outcome| {
                    self.emitter.emit(Event::ModelProbed {
                        job,
                        env: environment.id.clone(),
                        model,
                        at,
                        outcome,
                    });
                },
            )
            .await;
        }
        self.emitter.emit(Event::ProbesEnded {
            job,
            env: environment.id.clone(),
        });
    }

    pub(super) async fn check(
        &self,
        job: JobId,
        environment: &Environment,
        cancel: &CancellationToken,
    ) {
        if let Some(opened) = cancel.run_until_cancelled(self.open(environment)).await {
            check::run(&opened, cancel, |check| {
                self.emitter.emit(Event::CheckEnded {
                    job,
                    env: environment.id.clone(),
                    check,
                });
            })
            .await;
        }
        self.emitter.emit(Event::ChecksEnded {
            job,
            env: environment.id.clone(),
        });
    }

    pub(super) fn stage_extras(&self, env: &EnvId, values: BTreeMap<String, SecretString>) {
        self.connections.keys().stage_extras(env, values);
    }

    pub(super) fn hold_key(&self, env: &EnvId, key: &SecretString) {
        if let Err(failure) = self.connections.keys().hold(env, key) {
            self.emitter.emit(Event::SettingsSaved {
                outcome: Err(failure),
            });
        }
        self.connections.forget(env);
    }

    pub(super) async fn copy(&self, what: String, text: String) {
        let outcome = self.clipboard.copy(text).await;
        self.emitter.emit(Event::Copied { what, outcome });
    }

    pub(super) async fn copy_picture(&self, what: String, picture: Picture) {
        let outcome = self.clipboard.copy_picture(picture).await;
        self.emitter.emit(Event::Copied { what, outcome });
    }

    pub(super) async fn copy_with_key(&self, environment: &Environment, spec: &SnippetSpec) {
        let outcome = match self.connections.key(environment).await {
            Ok(key) => {
                let text = snippet::write(spec, KeyText::Plain(key.expose_secret()));
                self.clipboard.copy_secret(SecretString::from(text)).await
            }
            Err(failure) => Err(failure),
        };
        self.emitter.emit(Event::Copied {
            what: "Code with the key".to_owned(),
            outcome,
        });
    }

    pub(super) async fn notify(&self, title: &str, body: &str) {
        let outcome = notify::show(title, body).await;
        self.emitter.emit(Event::Notified { outcome });
    }
}
