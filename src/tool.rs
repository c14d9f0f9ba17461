//! The command-line tool for a developer's machine: it checks and explains policies and makes keys, with the library that
//! runs at the edge. The command `fastgate` of the Python package passes its arguments on.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
