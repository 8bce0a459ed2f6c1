//! Prompts, drafts, panes, forms, presets and votes in the database, and what earlier versions kept in files of their own.

use std::fs;
use std::path::Path;

use batida::domain::conversation::{Attached, Attachment, Image, Params};
use batida::domain::environment::EnvId;
use batida::domain::library::{Library, LibraryChange, Prompt};
use batida::domain::plan::{Arrivals, Load, Plan, Target};
use batida::domain::settings::ThemeChoice;
use batida::domain::workspace::{
    ChatPreset, Page, PairVotes, PaneForm, PlaygroundForm, WindowLayout, Workspace,
    WorkspaceChange as Change,
};
use batida::io::earlier_files::move_in;
use batida::io::history::{FILE, Store, StoredDraft};
use batida::io::settings::SettingsStore;
use rusqlite::Connection;
use secrecy::ExposeSecret as _;

const SETTINGS: &str = include_str!("../fixtures/earlier/settings.toml");
const PROMPTS: &str = include_str!("../fixtures/earlier/prompts.json");
const DRAFT: &str = include_str!("../fixtures/earlier/draft.json");

fn open(dir: &Path) -> Store {
    Store::open(dir).expect("it opens").store
}

fn env(id: &str) -> EnvId {
    EnvId(id.to_owned())
}

fn seeded(seed: u64) -> Plan {
    Plan {
        seed: Some(seed),
        ..Plan::default()
    }
}

fn draft_text(text: &str) -> PlaygroundForm {
    PlaygroundForm {
        draft: text.to_owned(),
        ..PlaygroundForm::default()
    }
}

fn preset(name: &str, plan: Option<Plan>) -> Change {
    Change::Preset {
        env: EnvId::demo(),
        name: name.to_owned(),
        plan: plan.map(Box::new),
    }
}

fn vote(winner: Option<&str>) -> Change {
    Change::Votes(PairVotes::vote(("b", "a"), winner).expect("two models"))
}

fn add(names: &[&str]) -> Change {
    let prompts = names.iter().map(|name| Prompt::new(*name, "{{x}}"));
    Change::Prompts(LibraryChange::Add(prompts.collect()))
}

fn names(library: &Library) -> Vec<&str> {
    let prompts = library.prompts.iter();
    prompts.map(|prompt| prompt.name.as_str()).collect()
}

fn keep(store: &Store, change: Change) -> usize {
    store.keep_workspace(&[change]).expect("kept")
}

#[test]
fn each_change_leaves_the_values_of_other_windows_as_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, other) = (open(dir.path()), open(dir.path()));
    assert_eq!(one.workspace(), Ok(Workspace::default()));
    keep(&one, preset("z", Some(seeded(1))));
    keep(&other, preset("a", Some(seeded(2))));
    keep(&one, preset("z", Some(seeded(3))));
    keep(&other, preset("gone", Some(seeded(4))));
    keep(&one, preset("gone", None));
    let plan = Change::Plan {
        env: EnvId::demo(),
        plan: Box::new(seeded(5)),
    };
    keep(&one, plan);
    for (store, id, text) in [(&one, "demo", "mine"), (&other, "e1", "theirs")] {
        let form = Some(draft_text(text));
        keep(store, Change::Playground { env: env(id), form });
    }
    keep(&one, vote(Some("a")));
    keep(&other, vote(Some("b")));
    keep(&other, vote(None));

    let found = one.workspace().expect("read");
    let forms = &found.benches[&EnvId::demo()];
    let presets = [("z".to_owned(), seeded(3)), ("a".to_owned(), seeded(2))];
    assert_eq!(forms.presets, presets, "in the order they were made");
    assert_eq!(forms.last, Some(seeded(5)));
    assert_eq!(found.playgrounds[&env("e1")].draft, "theirs");
    let pair = &found.votes[0];
    assert_eq!((pair.one.as_str(), pair.other.as_str()), ("a", "b"));
    assert_eq!((pair.wins, pair.losses, pair.ties), (1, 1, 1));
    assert_eq!(found.votes.len(), 1);

    keep(&other, Change::Forget { env: EnvId::demo() });
    let left = one.workspace().expect("read");
    assert_eq!((left.benches.len(), left.playgrounds.len()), (0, 1));
    assert_eq!(left.votes, found.votes);
}

#[test]
fn a_draft_that_is_sent_gives_its_room_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let large = Attachment {
        name: "large.txt".to_owned(),
        content: Attached::Text("x".repeat(4 << 20).into()),
    };
    let draft = |id: &str, replaces: &[&str], attached| Change::Draft {
        env: EnvId::demo(),
        id: id.to_owned(),
        replaces: replaces.iter().map(|id| (*id).to_owned()).collect(),
        attached,
    };
    keep(&store, draft("d1", &[], vec![large.clone()]));
    let [StoredDraft { attached, .. }] = &store.drafts().expect("read")[..] else {
        panic!("one draft")
    };
    assert_eq!(attached, &Some(vec![large]));
    keep(&store, draft("d2", &["d1"], Vec::new()));
    assert_eq!(store.drafts(), Ok(vec![]));
    // A store that is closed has no log.
    drop(store);
    let bytes = fs::metadata(dir.path().join(FILE)).expect("there").len();
    assert!(bytes < 1 << 20, "{bytes}");
}

#[test]
fn what_is_restored_replaces_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    keep(&store, preset("a", Some(seeded(1))));
    keep(&store, preset("b", Some(seeded(2))));
    keep(&store, vote(None));
    let form = Some(draft_text("half"));
    keep(
        &store,
        Change::Playground {
            env: env("e1"),
            form,
        },
    );
    let whole = store.workspace().expect("read");
    keep(&store, preset("a", Some(seeded(3))));
    keep(&store, preset("b", None));
    keep(&store, vote(None));
    keep(&store, Change::Forget { env: env("e1") });
    let lost = store.workspace().expect("read");
    keep(&store, Change::Restore(Box::new(whole.clone())));
    let found = store.workspace().expect("read");
    assert_eq!(found.playgrounds, whole.playgrounds);
    assert_eq!((&found.votes, found.votes[0].ties), (&lost.votes, 2));
    let presets = [("a".to_owned(), seeded(3)), ("b".to_owned(), seeded(2))];
    assert_eq!(found.benches[&EnvId::demo()].presets, presets);
}

#[test]
fn presets_of_the_playground_belong_to_no_environment() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    assert_eq!(store.workspace().expect("read"), Workspace::default());
    let preset = |seed| ChatPreset {
        system: "Answer in rhyme".to_owned(),
        params: Params {
            seed: Some(seed),
            ..Params::default()
        },
    };
    let change = |name: &str, preset: Option<ChatPreset>| Change::ChatPreset {
        name: name.to_owned(),
        preset: preset.map(Box::new),
    };
    let layout = WindowLayout {
        figures: Some(412.5),
        page: Page::History,
        welcomed: true,
    };
    keep(&store, change("b", Some(preset(1))));
    keep(&store, change("a", Some(preset(2))));
    keep(&store, change("b", Some(preset(3))));
    keep(&store, change("c", None));
    keep(&store, Change::Layout(layout));
    keep(&store, Change::Forget { env: env("e1") });
    drop(store);
    let store = open(dir.path());
    let whole = store.workspace().expect("read");
    let presets = [("b".to_owned(), preset(3)), ("a".to_owned(), preset(2))];
    assert_eq!(
        (&whole.chat_presets[..], whole.layout),
        (&presets[..], layout)
    );
    keep(&store, change("a", None));
    let other = WindowLayout {
        figures: None,
        ..layout
    };
    keep(&store, Change::Layout(other));
    keep(&store, Change::Restore(Box::new(whole.clone())));
    let found = store.workspace().expect("read");
    assert_eq!(found.chat_presets, whole.chat_presets);
    assert_eq!(
        found.layout, other,
        "what another window has kept since stays"
    );
}

#[test]
fn prompts_of_many_windows_at_once_are_all_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    assert_eq!(store.prompts(), Ok(Library::default()));
    assert_eq!(keep(&store, add(&["a", "b"])), 2);
    assert_eq!(keep(&store, add(&["a"])), 0, "it is there");
    let removal = LibraryChange::Remove("a".to_owned());
    keep(&store, Change::Prompts(removal));
    assert_eq!(names(&store.prompts().expect("read")), ["b"]);
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let dir = dir.path().to_owned();
            std::thread::spawn(move || keep(&open(&dir), add(&[&format!("t{n}")])))
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("it ends"), 1);
    }
    assert_eq!(store.prompts().expect("read").prompts.len(), 9);
}

#[test]
fn a_value_that_cannot_be_read_stays_until_it_is_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    let newer = "{\"schema\": \"batida.prompts/2\", \"prompts\": []}";
    let sql = "INSERT INTO workspace VALUES ('prompts', '', '', ?1), ('plan', 'demo', '', '{\"turbo\": 1}')";
    other.execute(sql, [newer]).expect("written");
    assert_eq!(store.workspace(), Ok(Workspace::default()));
    let failure = store.prompts().expect_err("it is newer");
    assert!(failure.details.contains("newer version"), "{failure:?}");
    keep(&store, add(&["a"]));
    assert_eq!(names(&store.prompts().expect("read")), ["a"]);
    let count = |text: &str| -> i64 {
        let sql = "SELECT count(*) FROM workspace WHERE value = ?1";
        other
            .query_row(sql, [text], |row| row.get(0))
            .expect("read")
    };
    assert_eq!((count(newer), count("{\"turbo\": 1}")), (1, 1));
}

/// All files of an earlier version.
fn earlier(dir: &Path) -> SettingsStore {
    fs::create_dir(dir.join("drafts")).expect("made");
    fs::write(dir.join("settings.toml"), SETTINGS).expect("written");
    fs::write(dir.join("prompts.json"), PROMPTS).expect("written");
    fs::write(dir.join("drafts/0123456789abcdef.json"), DRAFT).expect("written");
    fs::write(dir.join("drafts/0123456789abcdef-2.json"), "").expect("written");
    SettingsStore::in_dir(dir)
}

#[test]
fn panes_forms_presets_and_votes_move_out_of_the_settings_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = earlier(dir.path());
    let store = open(dir.path());
    let before = settings.load().settings;
    assert_eq!(move_in(&store, &settings, dir.path()), Ok(vec![]));

    let found = store.workspace().expect("read");
    let forms = &found.benches[&env("e1")];
    let last = forms.last.as_ref().expect("the form");
    assert_eq!(
        (last.seed, last.tags.as_slice()),
        (Some(7), &["before".to_owned()][..])
    );
    let target = Target {
        deployment: Some("md-gpt".to_owned()),
        model: "gpt-oss-120b".to_owned(),
    };
    assert_eq!(last.targets, [target]);
    let load = Load::Rate {
        per_sec: vec![0.5, 2.0],
        arrivals: Arrivals::Poisson,
        most_in_flight: None,
    };
    assert_eq!(last.load, load);
    let presets: Vec<_> = forms
        .presets
        .iter()
        .map(|(name, plan)| (name.as_str(), plan.seed))
        .collect();
    assert_eq!(presets, [("Nightly", Some(1)), ("A burst", Some(2))]);
    let votes = PairVotes {
        one: "gemma-4-31B-it".to_owned(),
        other: "gpt-oss-120b".to_owned(),
        wins: 3,
        losses: 1,
        ties: 2,
    };
    assert_eq!(found.votes, [votes]);
    let first = PaneForm {
        deployment: Some("md-gpt".to_owned()),
        model: Some("gpt-oss-120b".to_owned()),
        ticked: true,
        system: "a \"quote\"".to_owned(),
        params: Params {
            max_tokens: Some(64),
            seed: Some(7),
            ..Params::default()
        },
        ..PaneForm::default()
    };
    let second = PaneForm {
        env: Some(EnvId::demo()),
        model: Some("gemma-4-31B-it".to_owned()),
        linked: true,
        ..PaneForm::default()
    };
    let form = PlaygroundForm {
        draft: "half é\n".to_owned(),
        in_turn: true,
        embeds: [("vectors".to_owned(), true)].into(),
        panes: vec![first, second],
    };
    assert_eq!(found.playgrounds, [(env("e1"), form)].into());
    let text = fs::read_to_string(settings.path()).expect("text");
    for moved in ["benches", "votes", "playgrounds", "turbo", "half"] {
        assert!(!text.contains(moved), "{moved} is in {text}");
    }
    assert_eq!(before.theme, ThemeChoice::Dark);
    assert_eq!(settings.load().settings, before, "the rest is as it was");
    // What this version cannot read may be another's.
    drop(store);
    let file =
        String::from_utf8_lossy(&fs::read(dir.path().join(FILE)).expect("read")).into_owned();
    for theirs in [
        "{\"turbo\":true}",
        "Theirs",
        "{\"turbo\":1}",
        "{\"panes\":7}",
    ] {
        assert!(file.contains(theirs), "{theirs}");
    }
    let key = settings.file_key(&env("e1")).expect("read").expect("a key");
    assert_eq!(key.expose_secret(), "sk-very-secret");
    assert!(!file.contains("sk-very-secret"));

    // Nothing is moved twice.
    let store = open(dir.path());
    assert_eq!(move_in(&store, &settings, dir.path()), Ok(vec![]));
    assert_eq!(store.workspace(), Ok(found));
}

#[test]
fn prompts_and_drafts_move_out_of_their_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = earlier(dir.path());
    let store = open(dir.path());
    keep(&store, add(&["Terse", "Newer"]));
    assert_eq!(move_in(&store, &settings, dir.path()), Ok(vec![]));
    let prompts = store.prompts().expect("read");
    assert_eq!(names(&prompts), ["Terse", "Newer", "Translate", "Terse 2"]);
    let translate = "Translate into {{language=English}}:\n\n{{text}}";
    assert_eq!(prompts.prompts[2].text, translate);
    let note = Attachment {
        name: "note.md".to_owned(),
        content: Attached::Text("# Note é".into()),
    };
    let image = Image {
        media_type: "image/png".to_owned(),
        width: 2,
        height: 1,
        base64: "AAAA".into(),
    };
    let chart = Attachment {
        name: "chart.png".to_owned(),
        content: Attached::Image(image),
    };
    let drafts = store.drafts().expect("read");
    let [
        StoredDraft {
            env: of, attached, ..
        },
    ] = drafts.as_slice()
    else {
        panic!("{drafts:?}")
    };
    assert_eq!((of, attached), (&env("e1"), &Some(vec![note, chart])));
    assert!(!dir.path().join("prompts.json").exists());
    assert!(!dir.path().join("drafts").exists());
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_left_where_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = earlier(dir.path());
    let prompts = dir.path().join("prompts.json");
    let draft = dir.path().join("drafts/0123456789abcdef.json");
    let newer = "{\"schema\": \"batida.prompts/2\", \"prompts\": [], \"more\": 1}";
    for (text, reason) in [
        (newer, "newer version of Batida"),
        ("{ \"schema\": ", "EOF"),
    ] {
        fs::write(&prompts, text).expect("written");
        fs::write(&draft, "{\"env\": \"e1\", \"pieces\": []}").expect("written");
        let store = open(dir.path());
        let told = move_in(&store, &settings, dir.path()).expect("it goes on");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].summary.contains(reason), "{told:?}");
        assert!(told[0].advice.contains("leaves it as it is"), "{told:?}");
        assert!(told[1].summary.contains("attached"), "{told:?}");
        assert_eq!(fs::read_to_string(&prompts).expect("read"), text);
        assert!(draft.exists());
        assert_eq!(store.workspace().expect("read").votes.len(), 1);
    }
    let newer = "version = 2\n[benches.demo]\nlast = '{}'\n";
    fs::write(settings.path(), newer).expect("written");
    let told = move_in(&open(dir.path()), &settings, dir.path()).expect("it goes on");
    assert_eq!(told.len(), 2, "loading the settings tells it: {told:?}");
    assert_eq!(fs::read_to_string(settings.path()).expect("read"), newer);
}

#[test]
fn a_database_that_cannot_be_written_leaves_every_file_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = earlier(dir.path());
    let store = open(dir.path());
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let failure = move_in(&store, &settings, dir.path()).expect_err("it is locked");
    assert!(failure.summary.contains("locked"), "{failure:?}");
    // A save meanwhile keeps what is still to be moved.
    let mut now = settings.load().settings;
    now.theme = ThemeChoice::Light;
    settings.save(&now).expect("saved");
    assert_eq!(
        fs::read_to_string(dir.path().join("prompts.json")).expect("read"),
        PROMPTS
    );
    assert!(dir.path().join("drafts/0123456789abcdef.json").exists());
    other.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(move_in(&store, &settings, dir.path()), Ok(vec![]));
    let found = store.workspace().expect("read");
    assert_eq!(found.playgrounds[&env("e1")].draft, "half é\n");
    assert_eq!((found.votes.len(), found.benches.len()), (1, 1));
    assert_eq!(settings.load().settings, now);
}
