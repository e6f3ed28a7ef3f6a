//! How many files and connections the operating system lets the server have.

use std::fs;

use super::Findings;
use crate::open_files;

const CHECK: &str = "open files";

/// Fewer connections than this are soon used up: each signed-in client holds one.
const FEW_CONNECTIONS: usize = 4_096;

/// Looks at the running server's limit, or else at the one that a server would have from here.
pub(super) fn examine(process: Option<u32>, findings: &mut Findings) {
    let running = process.and_then(limit_of);
    let files = running.unwrap_or_else(open_files::highest_limit);
    let whose = match running {
        Some(_) => "the running server may",
        None => "a server that is started from here may",
    };
    let connections = open_files::connections_under(files);
    let says = match files {
        u64::MAX => format!("{whose} have as many as it likes: {connections} connections at once"),
        files => format!("{whose} have {files}: {connections} connections at once"),
    };
    if connections < FEW_CONNECTIONS {
        let says = format_args!(
            "{says}; each signed-in client holds one: raise the limit (LimitNOFILE= in the \
             systemd unit, or ulimit -Hn)"
        );
        findings.warning(CHECK, says);
    } else {
        findings.ok(CHECK, says);
    }
}

/// The limit that a process has; `None` where nobody may know.
fn limit_of(process: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    limit_in(&limits)
}

fn limit_in(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::limit_in;

    #[test]
    fn the_limit_in_force_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
             Max processes             63433                63433                processes\n\
             Max open files            1024                 524288               files\n";
        assert_eq!(limit_in(limits), Some(1_024));
        assert_eq!(limit_in(""), None);
        let own = std::fs::read_to_string("/proc/self/limits").unwrap();
        assert!(limit_in(&own).is_some());
    }
}
