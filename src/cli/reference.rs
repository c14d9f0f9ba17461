//! `fastgate reference`, which `--help` does not list: the commands, the log lines and the problem types as JSON.
//! `dev/reference` makes pages in `docs/reference/` from it.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use fastgate::budget::Settlement;
use fastgate::problem::Kind;
use fastgate::trail::Trail;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::printer;

/// Prints the commands of `tool`, the members of the log lines and the problem types.
pub(super) fn reference(tool: &Command) -> ExitCode {
    let as_written = || SchemaSettings::draft2020_12().for_serialize().into_generator();
    printer::indented_json(&json!({
        "commands": command(tool),
        "log_line": as_written().into_root_schema_for::<Trail>().to_value(),
        "cost_line": as_written().into_root_schema_for::<Settlement>().to_value(),
        "problems": problems(),
    }));
    ExitCode::SUCCESS
}

/// Status, slug, title and the text of each problem type.
fn problems() -> Vec<Value> {
    let schema = schemars::schema_for!(Kind).to_value();
    let variants = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let when = |kind: Kind| {
        let name = format!("{kind:?}");
        let named = variants.iter().find(|variant| variant.get("const").and_then(Value::as_str) == Some(&name));
        named.and_then(|variant| variant.get("description")).cloned()
    };
    let row =
        |kind: Kind| json!({ "status": kind.status(), "slug": kind.slug(), "title": kind.title(), "when": when(kind) });
    Kind::ALL.map(row).into()
}

/// A command, its arguments and the commands below it.
fn command(tool: &Command) -> Value {
    let is_shown =
        |argument: &&Arg| !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version");
    let arguments = tool.get_arguments().filter(is_shown);
    let below = tool.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    json!({
        "name": tool.get_name(),
        "about": tool.get_about().map(ToString::to_string),
        "after": tool.get_after_help().map(ToString::to_string),
        "arguments": arguments.map(argument).collect::<Vec<_>>(),
        "commands": below.map(command).collect::<Vec<_>>(),
    })
}

fn argument(argument: &Arg) -> Value {
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let names = argument.get_value_names().unwrap_or_default();
    let defaults = argument.get_default_values().iter();
    json!({
        "long": argument.get_long(),
        "short": argument.get_short(),
        "value": takes_value.then(|| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        "repeated": matches!(argument.get_action(), ArgAction::Append),
        "required": argument.is_required_set(),
        "default": defaults.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" "),
        "help": argument.get_help().map(ToString::to_string),
    })
}
