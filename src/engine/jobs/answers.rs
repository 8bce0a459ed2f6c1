//! Answers to questions. Each group is answered in one `match`, so that a question without an answer does not compile.

use std::sync::Arc;

use super::Shared;
use crate::domain::environment::Environment;
use crate::engine::{attach, cluster, imports};
use crate::io::dialog;
use crate::protocol::{
    Answer, ApiAnswer, ApiQuestion, FilePurpose, LocalAnswer, LocalQuestion, Opened, PickedFile,
    Question,
};

impl Shared {
    /// Answers a question. Dropping the future ends what it waits for.
    pub(super) async fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Cluster(env, question) => {
                let kubectl = self.connections.kubectl(&env).await;
                Answer::Cluster(cluster::answer(kubectl.as_ref(), question).await)
            }
            Question::Api(env, question) => Answer::Api(self.api_answer(&env, question).await),
            Question::History(question) => Answer::History(self.history_answer(question).await),
            Question::Local(question) => Answer::Local(self.local_answer(question).await),
        }
    }

    async fn api_answer(&self, env: &Environment, question: ApiQuestion) -> ApiAnswer {
        match question {
            ApiQuestion::Open => ApiAnswer::Open(Ok(self.opened(env).await)),
            ApiQuestion::Models => {
                ApiAnswer::Models(self.open(env).await.models().await.map(|models| models.ids))
            }
            ApiQuestion::Embed { request } => {
                let embed = async {
                    let connection = self.open(env).await;
                    let known = connection.known();
                    Ok(Box::new(
                        connection.api_with_key()?.embed(&request, &known).await?,
                    ))
                };
                ApiAnswer::Embed(embed.await)
            }
            ApiQuestion::RevealKey => ApiAnswer::RevealKey(self.connections.key(env).await),
        }
    }

    async fn opened(&self, env: &Environment) -> Opened {
        let opened = self.open(env).await;
        // An environment without an API domain has nothing to open, which is no trouble.
        let expected = env.api.is_some() || env.demo;
        let trouble = opened.api.as_ref().err().filter(|_| expected).cloned();
        Opened {
            api: opened.address(),
            key: opened.key.clone(),
            trouble,
        }
    }

    async fn local_answer(&self, question: LocalQuestion) -> LocalAnswer {
        match question {
            LocalQuestion::Keychain => {
                LocalAnswer::Keychain(self.connections.keys().keychain_available().await)
            }
            LocalQuestion::Environments { path, kubectl } => {
                LocalAnswer::Environments(imports::read(&path, kubectl).await.map(Arc::new))
            }
            LocalQuestion::PickFile { env, purpose } => {
                let picked = dialog::pick_file(title_of(purpose), "Type the path instead").await;
                let of = |path| PickedFile { env, purpose, path };
                LocalAnswer::PickFile(picked.map(|path| path.map(of)))
            }
            LocalQuestion::Attachments { sources, room } => {
                LocalAnswer::Attachments(Ok(attach::read(sources, room).await))
            }
            LocalQuestion::Picture { image, edge } => {
                LocalAnswer::Picture(attach::decode(image, edge).await)
            }
            LocalQuestion::Drafts { known } => LocalAnswer::Drafts(self.load_drafts(&known).await),
            LocalQuestion::ImportPrompts => LocalAnswer::ImportPrompts(self.import_prompts().await),
        }
    }
}

/// The title of the dialog in which a file is picked.
fn title_of(purpose: FilePurpose) -> &'static str {
    match purpose {
        FilePurpose::Kubeconfig => "Kubeconfig",
        FilePurpose::CaFile => "CA certificate (PEM)",
        FilePurpose::ClientCert => "Client certificate (PEM)",
        FilePurpose::ClientKey => "Client key (PEM)",
        FilePurpose::Kubectl => "The kubectl program",
        FilePurpose::Import => "Environments to import",
    }
}
