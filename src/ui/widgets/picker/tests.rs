//! The filter of a picker.

use super::*;

fn sections<'a>(parts: &[&[&'a str]]) -> Vec<Section<'a>> {
    let section = |names: &&[&'a str]| Section {
        heading: "",
        choices: names.iter().map(|name| Choice::plain(name)).collect(),
    };
    parts.iter().map(section).collect()
}

fn found(parts: &[&[&str]], filter: &str) -> Vec<String> {
    let sections = sections(parts);
    let lines = matching(&sections, filter).into_iter();
    lines
        .flat_map(|(section, lines)| lines.into_iter().map(move |line| (section, line)))
        .map(|(section, line)| sections[section].choices[line].name.to_owned())
        .collect()
}

#[test]
fn words_are_found_in_any_place_and_letters_in_their_order() {
    let mut names: Vec<String> = (0..300).map(|n| format!("gpt-variant-{n}")).collect();
    names.push("Meta-Llama-3.3-70B-Instruct".to_owned());
    names.extend(["Qwen3-32B", "Mistral-7B", "DeepSeek-R1-0528"].map(str::to_owned));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(names.len(), 304);
    let one = |filter: &str| found(&[&names], filter);
    assert_eq!(one("llama 3"), ["Meta-Llama-3.3-70B-Instruct"]);
    assert_eq!(one("  3.3   META "), ["Meta-Llama-3.3-70B-Instruct"]);
    assert_eq!(
        one("mtllma"),
        ["Meta-Llama-3.3-70B-Instruct"],
        "letters left out"
    );
    assert_eq!(one("dsr1"), ["DeepSeek-R1-0528"]);
    assert_eq!(one("").len(), 304, "no filter, the whole list in its order");
    assert_eq!(one("").first().map(String::as_str), Some("gpt-variant-0"));
    assert_eq!(one("llama 4"), [""; 0]);
}

#[test]
fn an_exact_match_is_the_first_line_whatever_its_section() {
    let first = ["gpt-oss-120b-long", "g-p-t-oss-one-twenty-b"];
    let second = ["my-gpt-oss-120b", "GPT-OSS-120b", "gpt-oss-20b"];
    let all = found(&[&first, &second], "gpt-oss-120b");
    assert_eq!(
        all,
        ["GPT-OSS-120b", "my-gpt-oss-120b", "gpt-oss-120b-long"]
    );
    let begins = found(&[&["a-qwen", "qwen-b", "q-w-e-n"]], "qwen");
    assert_eq!(begins, ["qwen-b", "a-qwen", "q-w-e-n"]);
}

#[test]
fn signs_mean_themselves_and_names_of_any_length_are_searched() {
    assert_eq!(found(&[&["a!b", "ab"]], "!b"), ["a!b"]);
    assert_eq!(found(&[&["^a$", "a"]], "^a"), ["^a$"]);
    let long = format!("{}é{}", "x".repeat(999), "y".repeat(200_000));
    assert_eq!(found(&[&[&long, "größe"]], "xxx").len(), 1);
    assert_eq!(found(&[&[&long, "größe"]], "GRÖSSE größe"), [""; 0]);
    assert_eq!(found(&[&[&long, "größe"]], "GRÖ"), ["größe"]);
}
