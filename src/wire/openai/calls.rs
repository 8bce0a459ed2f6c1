//! Function calls as they arrive: whole, or in pieces that share an index or an id.

use serde_json::Value;

use crate::domain::conversation::ToolCall;

/// At most this many calls of an answer are kept.
const MAX_CALLS: usize = 256;

/// A piece of a function call. At least one of its texts is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallPiece {
    /// The call's number in the answer, from 0. Some servers omit it.
    pub index: Option<u64>,
    /// The call's id; usually only in its first piece.
    pub id: String,
    /// The function's name; usually only in the call's first piece.
    pub name: String,
    /// The next piece of its arguments.
    pub arguments: String,
}

/// The pieces in a `delta` or a `message`: its `tool_calls`, or the older `function_call`.
pub(super) fn read(tool_calls: Option<&Value>, function_call: Option<&Value>) -> Vec<CallPiece> {
    let listed: &[Value] = match tool_calls {
        Some(Value::Array(list)) => list,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    };
    let pieces = listed.iter().map(piece);
    let pieces: Vec<CallPiece> = pieces
        .filter(|piece| !piece.is_empty())
        .take(MAX_CALLS)
        .collect();
    if !pieces.is_empty() {
        return pieces;
    }
    let once = function_call.filter(|call| call.is_object()).map(piece);
    once.filter(|piece| !piece.is_empty()).into_iter().collect()
}

fn piece(call: &Value) -> CallPiece {
    // Some servers omit the `function` object around the name and the arguments.
    let function = call
        .get("function")
        .filter(|function| function.is_object())
        .unwrap_or(call);
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let arguments = match function
        .get("arguments")
        .or_else(|| function.get("parameters"))
    {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
        _ => String::new(),
    };
    let index = call.get("index");
    let index = index.and_then(|index| {
        index
            .as_u64()
            .or_else(|| index.as_str()?.trim().parse().ok())
    });
    CallPiece {
        index,
        id: text(call.get("id")),
        name: text(function.get("name")),
        arguments,
    }
}

impl CallPiece {
    /// Bytes that the model wrote for it.
    pub fn written(&self) -> usize {
        self.name.len() + self.arguments.len()
    }

    fn is_empty(&self) -> bool {
        self.id.is_empty() && self.name.is_empty() && self.arguments.is_empty()
    }
}

/// The calls of an answer so far.
#[derive(Debug, Default)]
pub struct Calls(Vec<(Option<u64>, ToolCall)>);

impl Calls {
    /// Takes the next piece.
    pub fn take(&mut self, piece: CallPiece) {
        let CallPiece {
            index,
            id,
            name,
            arguments,
        } = piece;
        let at = match self.place(index, &id, &name) {
            Some(at) => at,
            None if self.0.len() >= MAX_CALLS => return,
            None => {
                self.0.push((index, ToolCall::default()));
                self.0.len() - 1
            }
        };
        let call = &mut self.0[at].1;
        // Some servers repeat the whole call in its last piece.
        let same = !name.is_empty() && call.name == name && call.arguments == arguments;
        let repeated = same && arguments.starts_with('{') && is_json(&arguments);
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name != name && call.arguments.is_empty() {
            call.name.push_str(&name);
        }
        if !repeated {
            call.arguments.push_str(&arguments);
        }
    }

    /// The position of the call that the piece belongs to; `None` for the first piece of a new call.
    fn place(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let told =
            |at: &usize| id.is_empty() || self.0[*at].1.id.is_empty() || self.0[*at].1.id == id;
        match index {
            // Some servers number all calls 0 and give each an id and a name.
            Some(_) => {
                let at = self.0.iter().rposition(|(other, _)| *other == index)?;
                (told(&at) || name.is_empty()).then_some(at)
            }
            None if !id.is_empty() => {
                let same = self.0.iter().rposition(|(_, call)| call.id == id);
                same.or_else(|| {
                    self.0
                        .len()
                        .checked_sub(1)
                        .filter(|at| told(at) || name.is_empty())
                })
            }
            None => {
                let last = self.0.len().checked_sub(1)?;
                let call = &self.0[last].1;
                let anew = !name.is_empty() && !call.name.is_empty() && is_json(&call.arguments);
                (!anew).then_some(last)
            }
        }
    }

    /// Whether nothing has come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All calls. A call without an id gets one, because its result must refer to it.
    pub fn list(&self) -> Vec<ToolCall> {
        let named = |(at, (_, call)): (usize, &(Option<u64>, ToolCall))| {
            let id = if call.id.is_empty() {
                format!("call_{}", at + 1)
            } else {
                call.id.clone()
            };
            ToolCall { id, ..call.clone() }
        };
        self.0.iter().enumerate().map(named).collect()
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::wire::openai::Chunk;

    /// The calls that these deltas make, as `id name arguments`.
    #[track_caller]
    fn check(deltas: &[Value], calls: &[&str]) {
        let mut all = Calls::default();
        for delta in deltas {
            let chunk = json!({"choices": [{"index": 0, "delta": delta}]}).to_string();
            Chunk::parse(&chunk)
                .expect("reads")
                .calls
                .into_iter()
                .for_each(|piece| all.take(piece));
        }
        let told: Vec<String> = all
            .list()
            .iter()
            .map(|call| format!("{} {} {}", call.id, call.name, call.arguments))
            .collect();
        assert_eq!(told, calls, "{deltas:?}");
    }

    fn of(index: u64, id: Value, name: Value, arguments: Value) -> Value {
        json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]})
    }

    #[test]
    fn pieces_are_put_together_by_their_index() {
        let none = Value::Null;
        check(
            &[
                of(0, json!("a"), json!("now"), json!("")),
                of(0, none.clone(), none.clone(), json!("{\"zone\":")),
                of(1, json!("b"), json!("sum"), json!("{}")),
                of(0, none.clone(), none.clone(), json!("1}")),
                json!({"content": "x", "tool_calls": null}),
                json!({"tool_calls": []}),
            ],
            &["a now {\"zone\":1}", "b sum {}"],
        );
    }

    #[test]
    fn an_id_and_a_name_that_are_told_again_change_nothing() {
        let piece = |arguments| of(0, json!("a"), json!("now"), json!(arguments));
        check(
            &[piece("{\"z"), piece("\":"), piece("2}")],
            &["a now {\"z\":2}"],
        );
        check(
            &[piece("{\"z\":2}"), piece("{\"z\":2}")],
            &["a now {\"z\":2}"],
        );
    }

    #[test]
    fn calls_that_are_all_numbered_0_are_told_apart_by_their_ids() {
        check(
            &[
                of(0, json!("a"), json!("now"), json!("{}")),
                of(0, json!("b"), json!("now"), json!("{}")),
            ],
            &["a now {}", "b now {}"],
        );
    }

    #[test]
    fn other_shapes_are_read_as_far_as_they_make_sense() {
        let bare = |call: Value| json!({"tool_calls": call});
        check(
            &[bare(
                json!([{"function": {"name": "f", "arguments": {"a": 1}}}]),
            )],
            &["call_1 f {\"a\":1}"],
        );
        check(
            &[bare(json!({"name": "f", "arguments": "{}"}))],
            &["call_1 f {}"],
        );
        check(
            &[bare(json!([{"id": 7, "name": "f", "parameters": {}}]))],
            &["7 f {}"],
        );
        check(
            &[bare(
                json!([{"function": {"name": "f", "arguments": "{}"}}, {"function": {"name": "f", "arguments": "{}"}}]),
            )],
            &["call_1 f {}", "call_2 f {}"],
        );
        check(
            &[
                json!({"function_call": {"name": "f"}}),
                json!({"function_call": {"arguments": "{}"}}),
            ],
            &["call_1 f {}"],
        );
        check(
            &[
                bare(json!([{"id": "a", "function": {"name": "f"}}])),
                bare(json!([{"function": {"arguments": "{}"}}])),
                bare(json!([{"id": "b", "function": {"name": "g", "arguments": "[]"}}])),
            ],
            &["a f {}", "b g []"],
        );
        check(
            &[
                bare(json!("x")),
                bare(json!([null, 3, {"index": "0"}, {"function": 7}])),
            ],
            &[],
        );
    }

    proptest! {
        #[test]
        fn where_arguments_are_cut_changes_nothing(
            text in "[a-zé{}\":, 0-9]{0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let mut all = Calls::default();
            all.take(CallPiece { index: Some(0), id: "a".to_owned(), name: "f".to_owned(), arguments: String::new() });
            for cut in at.windows(2) {
                let piece = CallPiece { index: Some(0), arguments: text[cut[0]..cut[1]].to_owned(), ..CallPiece::default() };
                if !piece.is_empty() {
                    all.take(piece);
                }
            }
            prop_assert_eq!(&all.list()[0].arguments, &text);
        }

        #[test]
        fn no_shape_makes_it_panic(junk in junk(), more in junk(), last in junk()) {
            let mut all = Calls::default();
            for delta in [junk, more, last] {
                for piece in read(Some(&delta), delta.get("function")) {
                    all.take(piece);
                }
            }
            prop_assert!(all.list().iter().all(|call| !call.id.is_empty()));
        }
    }

    fn junk() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a{}\"0]{0,4}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            "index|id|type|function|name|arguments|parameters",
            "[a-z]{0,3}"
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((key.clone(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
