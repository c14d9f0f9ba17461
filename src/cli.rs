//! The command-line tool for a developer's machine. It is the only code that uses `clap`; it reads policies and decides
//! on requests with the library that runs at the edge.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "all output goes through the printer")]

mod check;
mod date;
mod diff;
mod explain;
mod failure;
mod fastly_api;
mod finding;
mod keys;
mod lint;
mod not_judged;
mod offline;
mod printer;
mod purge;
mod push;
mod recorded;
mod reference;
mod revoke;
mod rollback;
mod shell;
mod stage;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// The command-line tool: what the edge would decide, checked before it is deployed.
#[derive(Parser)]
#[command(name = "fastgate", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check whether a policy is valid; if not, print every fault, where it is and what to write instead.
    Check(check::Check),
    /// Print the JSON Schema of policies.
    Schema,
    /// Run a request through a policy with the edge's own code, and print what each step found and which one decided.
    Explain(Box<explain::Explain>),
    /// Judge logged requests again by two policies, and list every verdict that differs.
    Diff(diff::Diff),
    /// Make and replace the keys of the edge.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Purge all stored responses of an origin. With an API token (`FASTLY_API_TOKEN`) the new record is written to the KV
    /// store; without one, or with `--record`, it is printed with the command that stores it.
    Purge(purge::Purge),
    /// Check a policy, print the difference to the one that is live, and write it to the KV store of the service, unless somebody
    /// else wrote in between. Needs an API token (`FASTLY_API_TOKEN`).
    Push(push::Push),
    /// Print the reference tables of this version as JSON: the pages in `docs/reference/` are made from them.
    #[command(hide = true)]
    Reference,
    /// Print the deny-list entry that refuses a token, a session or a subject, and the command that stores it. The
    /// command sends nothing.
    Revoke(revoke::Revocation),
    /// Put an earlier policy into force again; without REVISION, list what was pushed. Needs an API token
    /// (`FASTLY_API_TOKEN`).
    Rollback(rollback::Rollback),
}

/// Runs the tool. The exit code is 0 for success, 1 for findings and for what a service refuses, and 2 for wrong usage.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // The message repeats the arguments, so it goes through the printer.
        Err(error) if error.use_stderr() => {
            error.to_string().lines().for_each(printer::error);
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
    if matches!(arguments.command, Command::Keys(_) | Command::Purge(_) | Command::Push(_) | Command::Rollback(_)) {
        printer::go_on();
    }
    printer::finished(match arguments.command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Schema => check::schema(),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Keys(command) => keys::keys(&command),
        Command::Reference => reference::reference(&Arguments::command()),
        Command::Purge(request) => purge::purge(&request),
        Command::Push(arguments) => push::push(&arguments),
        Command::Rollback(arguments) => rollback::rollback(&arguments),
        Command::Revoke(revocation) => revoke::revoke(&revocation),
    })
}
