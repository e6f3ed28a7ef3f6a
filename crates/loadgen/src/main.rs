//! The bench driver: puts load on one Matrix server, or on two in turn, and measures.
//!
//! Only the public client-server API is used, so any server can stand on the other side. Every
//! run reads back what it wrote and counts what was lost, doubled, reordered or altered.

mod arguments;
mod crowd;
mod faults;
mod http;
mod load;
mod matrix;
mod moment;
mod nodes;
mod process;
mod report;
mod stage;
mod sync;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match load::run(&Arguments::parse()).await {
        Ok(report) if report.print().is_ok() => {
            if report.is_clean() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // Standard error may be closed; there is nobody else to tell.
            let _ = report::complain(&error);
            ExitCode::FAILURE
        }
    }
}
