//! The program: hands the process's arguments and environment to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    conclave::run(std::env::args_os(), std::env::vars_os())
}
