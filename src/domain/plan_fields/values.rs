//! How the values of fields are read and written.

/// The text that turns a switch on.
pub const ON: &str = "on";

pub(super) fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

pub(super) fn optional(value: Option<impl ToString>) -> Option<String> {
    Some(value.map(|value| value.to_string()).unwrap_or_default())
}

pub(super) fn switched(on: bool) -> Option<String> {
    optional(on.then_some(ON))
}

pub(super) fn join<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// An empty text and `none` are no value.
pub(super) fn maybe<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match text.trim() {
        "" | "none" => Ok(None),
        text => read(text).map(Some),
    }
}

/// Thousands may be set apart: `1,000`.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = text.trim().replace([',', '_', ' '], "");
    digits.parse().map_err(|_| match text.trim() {
        "" => "type a number".to_owned(),
        other => format!("{other:?} is not a valid number"),
    })
}

pub(super) fn numbers<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, String> {
    let parts = text
        .split([',', ' ', '·', ';'])
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse()
                .map_err(|_| format!("{part:?} is not a valid number"))
        })
        .collect()
}
