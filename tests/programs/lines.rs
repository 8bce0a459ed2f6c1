//! The lines of the list of activities, pasted in a shell: they run, and send the same.

use std::sync::Arc;

use batida::demo::api::{DEMO_KEY, Quirk};
use batida::domain::conversation::Params;
use batida::domain::embedding::EmbedRequest;
use batida::protocol::FinishReason;
use batida::wire::openai::chat_body;

use crate::support::client::{Client, MODEL, demo, quick, request};
use crate::support::programs::{find, output_of, quiet};

/// What the shell prints that reads this line, as a terminal would give it.
async fn paste(line: Arc<str>) -> String {
    let run = move || {
        let dir = tempfile::tempdir().expect("a folder");
        let script = dir.path().join("line");
        std::fs::write(&script, &*line).expect("written");
        output_of(quiet("sh").arg(&script).env("SAMBANOVA_API_KEY", DEMO_KEY))
    };
    tokio::task::spawn_blocking(run).await.expect("it ran")
}

#[tokio::test]
async fn the_line_of_a_very_long_chat_can_be_pasted_too() {
    find("curl", "curl");
    let server = demo(quick(Quirk::None)).await;
    let client = Client::of(&server);
    let long = request(&"it's $HOME %s \\ `x` \"é\"\n".repeat(20_000));
    client.chat(&long).await.check_finished(FinishReason::Stop);
    paste(Arc::clone(&client.activity()[0].line)).await;
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert!(
        received[1].body == chat_body(&long, true),
        "the bodies differ"
    );
}

#[tokio::test]
async fn the_line_of_a_chat_can_be_pasted_in_a_shell() {
    find("curl", "curl");
    let server = demo(quick(Quirk::None)).await;
    let client = Client::of(&server);
    let mut nasty = request("it's \"$HOME\" `x` $(x) \\ !! é 🎉\n\tEOF\nJSON\n@/etc/passwd");
    nasty.params = Params {
        stop: vec!["'; exit 7; '".to_owned()],
        seed: Some(-1),
        ..Params::default()
    };
    client.chat(&nasty).await.check_finished(FinishReason::Stop);
    client.api.models().await.expect("listed");
    let lines: Vec<Arc<str>> = client
        .activity()
        .iter()
        .filter(|it| it.ending.is_none())
        .map(|it| Arc::clone(&it.line))
        .collect();
    let [chat, models] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert!(!chat.contains(DEMO_KEY), "{chat}");

    let said = paste(Arc::clone(chat)).await;
    assert!(
        said.contains("completion_tokens") && said.trim_end().ends_with("data: [DONE]"),
        "{said}"
    );
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[1].body, chat_body(&nasty, true));
    assert_eq!(received[1].authorization, received[0].authorization);
    assert!(paste(Arc::clone(models)).await.contains(MODEL));
}

#[tokio::test]
async fn the_line_of_embeddings_can_be_pasted_too_and_does_not_stream() {
    find("curl", "curl");
    let server = demo(quick(Quirk::Embeds)).await;
    let client = Client::of(&server);
    let asked = EmbedRequest {
        model: MODEL.to_owned(),
        input: vec!["it's".to_owned(), "é".to_owned()],
    };
    let embedded = client.api.embed(&asked, &[]).await.expect("made");
    assert_eq!(embedded.vectors.len(), 2);
    let ending = client
        .activity()
        .pop()
        .and_then(|last| last.ending)
        .expect("written down");
    assert_eq!(
        (ending.ok, ending.outcome.as_str()),
        (true, "HTTP 200, 2 vectors")
    );
    let line = Arc::clone(&client.activity()[0].line);
    assert!(!line.contains(" -N") && !line.contains(DEMO_KEY), "{line}");
    assert!(paste(line).await.contains("\"embedding\""));
    let [first, second] = server.received().try_into().expect("two requests");
    assert_eq!(
        (first.body, first.authorization),
        (second.body, second.authorization)
    );
}
