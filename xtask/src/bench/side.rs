//! How `loadgen` is told of the servers that it compares.

use super::server::Running;

/// One of the two: the addresses of its nodes, and its processes.
pub(super) struct Side {
    pub(super) urls: Vec<String>,
    pub(super) pids: Vec<u32>,
}

impl Side {
    /// A deployment of these nodes.
    pub(super) fn of(nodes: &[Running]) -> Self {
        Self {
            urls: nodes.iter().map(|node| node.url.clone()).collect(),
            pids: nodes.iter().map(Running::pid).collect(),
        }
    }

    /// The same deployment where only so many of the nodes are asked. What it takes is still what
    /// all of them take.
    pub(super) fn asked_at(nodes: &[Running], asked: usize) -> Self {
        let mut side = Self::of(nodes);
        side.urls.truncate(asked);
        side
    }
}

/// The arguments for one server, or for two that have their turns.
pub(super) fn arguments(sides: &[Side]) -> Vec<String> {
    let flags = [["--url", "--pid"], ["--against", "--against-pid"]];
    let mut arguments = Vec::new();
    for (side, [url, pid]) in sides.iter().zip(flags) {
        for one in &side.urls {
            arguments.extend([url.to_owned(), one.clone()]);
        }
        for one in &side.pids {
            arguments.extend([pid.to_owned(), one.to_string()]);
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_and_each_process_is_named_on_its_own_side() {
        let cluster = Side {
            urls: vec!["http://a".into(), "http://b".into()],
            pids: vec![1, 2, 3],
        };
        let alone = Side {
            urls: vec!["http://c".into()],
            pids: vec![4],
        };
        let told = "--url http://a --url http://b --pid 1 --pid 2 --pid 3";
        assert_eq!(arguments(std::slice::from_ref(&cluster)).join(" "), told);
        let both = format!("{told} --against http://c --against-pid 4");
        assert_eq!(arguments(&[cluster, alone]).join(" "), both);
    }
}
