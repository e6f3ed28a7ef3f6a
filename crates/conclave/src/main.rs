//! The program: hands the process's arguments and environment to the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Every request allocates, most of it small and short-lived; glibc's allocator takes a tenth of
/// the time of a send, and keeps what it freed.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // A huge page for the sake of a few small buffers would stay resident, two megabytes at a
    // time. Where this is not to be had, more memory is used.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    conclave::run(std::env::args_os(), std::env::vars_os())
}
