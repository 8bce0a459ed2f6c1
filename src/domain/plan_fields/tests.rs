use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Calls with each key of a plan whose value has no keys of its own.
fn leaves(value: &Value, key: &str, see: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) if key != "params" => {
            for (name, value) in members {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                leaves(value, &key, see);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items
                .iter()
                .for_each(|item| leaves(item, &format!("{key}[]"), see));
        }
        _ => see(key),
    }
}

proptest! {
    #[test]
    fn every_key_of_a_plan_is_described(plan in samples::plans()) {
        let json = serde_json::to_value(&plan).expect("it is JSON");
        leaves(&json, "", &mut |key| {
            let mut known = FIELDS.iter().flat_map(|spec| spec.keys);
            assert!(known.any(|(known, ..)| *known == key), "plan.{key} has no row in FIELDS");
        });
    }
}

#[test]
fn every_field_has_one_row_and_a_name() {
    for spec in FIELDS.iter() {
        assert_eq!(
            FIELDS
                .iter()
                .filter(|other| other.field == spec.field)
                .count(),
            1,
            "{spec:?}"
        );
        assert!(
            !spec.title.is_empty() && std::ptr::eq(spec.field.spec(), spec),
            "{spec:?}"
        );
        assert!(
            spec.set.is_none() || (!spec.flag.is_empty() && !spec.help.is_empty()),
            "{spec:?}"
        );
    }
}
