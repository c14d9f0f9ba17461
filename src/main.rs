//! One program for two targets. Compiled to WebAssembly, it is the gate, which serves requests on Fastly Compute.
//! Compiled for a developer's machine, it is the command-line tool, which checks policies and makes keys with the same
//! library.

#[cfg(not(target_os = "wasi"))]
mod cli;
#[cfg(target_os = "wasi")]
#[expect(clippy::disallowed_methods, reason = "the clock is read here and passed to the library")]
mod compute;

#[cfg(target_os = "wasi")]
fn main() {
    compute::serve();
}

#[cfg(not(target_os = "wasi"))]
fn main() -> std::process::ExitCode {
    cli::run()
}
