//! A schema from an example.

use serde_json::{Map, Value, json};

/// The schema of values like this one: all its members are required, and no others allowed.
pub fn schema_of(example: &Value) -> Value {
    match example {
        Value::Null => json!({"type": "null"}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "number"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(_) => json!({"type": "string"}),
        Value::Array(items) => {
            let mut kinds: Vec<Value> = Vec::new();
            for kind in items.iter().map(schema_of) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            match kinds.len() {
                0 => json!({"type": "array"}),
                1 => json!({"type": "array", "items": kinds.pop()}),
                _ => json!({"type": "array", "items": {"anyOf": kinds}}),
            }
        }
        Value::Object(members) => {
            let properties: Map<String, Value> = members
                .iter()
                .map(|(name, value)| (name.clone(), schema_of(value)))
                .collect();
            let required: Vec<&String> = members.keys().collect();
            json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::json::{Held, Schema};

    #[test]
    fn an_example_holds_to_its_own_schema() {
        let example = json!({"name": "Ada", "age": 36, "score": 0.5, "tags": ["a"], "mixed": [1, "b", 2], "none": null, "empty": []});
        let schema = schema_of(&example);
        assert_eq!(
            schema["properties"]["mixed"]["items"]["anyOf"]
                .as_array()
                .map(Vec::len),
            Some(2)
        );
        let schema = Schema::read(&schema.to_string()).expect("it is a schema");
        assert_eq!(schema.check(&example, 0), Held::Well);
        assert!(matches!(
            schema.check(&json!({}), 0),
            Held::Badly { more: 2, .. }
        ));
    }
}
