//! The guest: the program that serves requests on Fastly Compute, compiled to WebAssembly.

#[cfg(target_os = "wasi")]
#[expect(clippy::disallowed_methods, reason = "the clock is read here and passed to the library")]
mod compute;

#[cfg(target_os = "wasi")]
fn main() {
    compute::serve();
}

#[cfg(not(target_os = "wasi"))]
fn main() -> std::process::ExitCode {
    eprintln!("This is the program for Fastly Compute, which runs as WebAssembly only: build it with `make guest`.");
    eprintln!("The command-line tool is `fastgate-tool`.");
    std::process::ExitCode::from(2)
}
