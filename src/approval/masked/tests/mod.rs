mod look;
mod secrets;

use crate::approval::Shown;
use crate::call::Arguments;
use serde_json::Value;

/// What approvers are shown of these arguments.
fn shown(arguments: &Value) -> String {
    shown_of(arguments.as_object().unwrap())
}

fn shown_of(arguments: &Arguments) -> String {
    Shown::of(Some(arguments), [0; 16]).text.into()
}
