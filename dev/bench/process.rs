//! What the bench asks of the system about a process: its CPU time, and to stop and to continue it. On Linux alone.

#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "functions of libc"))]

use std::process::{Child, Command};
use std::time::Duration;

#[cfg(target_os = "linux")]
fn pid(process: &Child) -> libc::pid_t {
    libc::pid_t::try_from(process.id()).unwrap()
}

/// User and system time of all threads, those that have ended included, in nanoseconds (`clock_getcpuclockid(3)`).
#[cfg(target_os = "linux")]
pub(crate) fn cpu_time(process: &Child) -> Duration {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both pointers are valid for the time of the calls.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid(process), &raw mut clock) != 0 || libc::clock_gettime(clock, &raw mut time) != 0
    };
    assert!(!failed, "no CPU clock of process {}", process.id());
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Stops the process until [`resume`].
#[cfg(target_os = "linux")]
pub(crate) fn stop(process: &Child) {
    signal(process, libc::SIGSTOP);
}

/// Lets a stopped process go on.
#[cfg(target_os = "linux")]
pub(crate) fn resume(process: &Child) {
    signal(process, libc::SIGCONT);
}

#[cfg(target_os = "linux")]
fn signal(process: &Child, signal: libc::c_int) {
    // SAFETY: no memory is passed. The process is a child that was not waited for, so its number is not another's.
    let result = unsafe { libc::kill(pid(process), signal) };
    assert_eq!(result, 0, "process {} takes no signal", process.id());
}

/// Ends the child when this program ends in any way. A stopped child would stay for ever.
#[cfg(target_os = "linux")]
pub(crate) fn ends_with_this_program(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: the closure makes one system call, which is allowed after a fork.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{Child, Command, Duration};

    pub(crate) fn cpu_time(_: &Child) -> Duration {
        panic!("the bench needs the CPU clocks of Linux")
    }
    pub(crate) fn stop(_: &Child) {}
    pub(crate) fn resume(_: &Child) {}
    pub(crate) fn ends_with_this_program(_: &mut Command) {}
}
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{cpu_time, ends_with_this_program, resume, stop};
