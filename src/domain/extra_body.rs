//! Fields of a request's body that Batida has no name for, as the user types them: a JSON object.

use serde_json::{Map, Value};

/// Fields that a request must have as Batida writes them: without them it could not be sent, or not be measured.
const OWN: [&str; 4] = ["model", "messages", "stream", "stream_options"];

/// The help of its flag.
pub const HELP: &str = "Send these further fields in the body, e.g. '{\"min_p\": 0.1}'; a known name replaces what Batida sends";

/// The fields of a text; none of an empty one. A field of a name that Batida knows takes the place of what it would send.
///
/// # Errors
/// Why it cannot be sent, in a sentence.
pub fn read(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let fields = match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err("It must be a JSON object, e.g. {\"min_p\": 0.1}".to_owned()),
        Err(why) => return Err(format!("It is not JSON: {why}")),
    };
    match OWN.into_iter().find(|name| fields.contains_key(*name)) {
        Some(name) => Err(format!("{name} is set by Batida itself: leave it out")),
        None => Ok(fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_and_anything_else_told() {
        assert_eq!(read(" \n"), Ok(Map::new()));
        let fields = read(r#"{"min_p": 0.1, "guided_choice": ["a"]}"#).expect("it reads");
        assert_eq!(fields.len(), 2);
        for (text, why) in [
            ("[1]", "must be a JSON object"),
            ("{", "not JSON"),
            (r#"{"stream": false}"#, "stream is set by Batida"),
            (r#"{"model": "x"}"#, "model is set by Batida"),
        ] {
            let told = read(text).expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
