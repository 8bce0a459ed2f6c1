//! The pages with their keys, and the keyboard shortcuts as Help lists them.

use egui::Key;

use crate::domain::workspace::Page;

/// The pages of the side bar, each with the key that opens it together with Ctrl.
pub const PAGES: [(Page, &str, Key); 5] = [
    (Page::Playground, "Playground", Key::Num1),
    (Page::Benchmark, "Benchmark", Key::Num2),
    (Page::History, "History", Key::Num3),
    (Page::Deployments, "Deployments", Key::Num4),
    (Page::Environments, "Environments", Key::Num5),
];

/// The keys, and what they do.
pub const KEYS: [(&str, &str); 11] = [
    (
        "Ctrl+1 to Ctrl+5",
        "Playground, Benchmark, History, Deployments, Environments",
    ),
    (
        "Ctrl+Shift+P",
        "Command palette: pages, environments, models, conversations, actions",
    ),
    ("Ctrl+K", "Conversations"),
    ("Ctrl+P", "Prompt library"),
    ("Ctrl+N", "New conversation"),
    ("Enter, Shift+Enter", "Send the message, begin a new line"),
    ("Esc", "Stop the answer, or close what is open"),
    ("Ctrl+R or F5", "Ask the cluster and the API again"),
    ("Ctrl+J", "Activity"),
    ("F1", "Help"),
    ("Ctrl++, Ctrl+-, Ctrl+0", "Larger, smaller, usual size"),
];
