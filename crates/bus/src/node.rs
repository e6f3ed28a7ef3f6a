//! The name of a running node.

use std::{fmt, str::FromStr};

use model::entropy::Entropy;

/// A node from its start to its end: a node that starts again is another one, because what
/// it held in memory is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

/// A text is not the id of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of a node")]
pub struct NotANodeId;

impl NodeId {
    /// Names a node that starts.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        Self(u64::from_be_bytes(bytes))
    }
}

/// The node's number, for tokens that say which node counted.
impl From<NodeId> for u64 {
    fn from(node: NodeId) -> Self {
        node.0
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for NodeId {
    type Err = NotANodeId;

    fn from_str(text: &str) -> Result<Self, NotANodeId> {
        // `from_str_radix` alone would take a sign.
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u64::from_str_radix(text, 16));
        number.and_then(Result::ok).map(Self).ok_or(NotANodeId)
    }
}

#[cfg(test)]
mod tests {
    use super::NodeId;

    #[test]
    fn a_node_id_reads_back_as_it_is_written() {
        for number in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = NodeId(number);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "+000000000000001",
            "000000000000001",
            "00000000000000001",
            "000000000000000g",
        ] {
            assert!(text.parse::<NodeId>().is_err(), "{text:?}");
        }
    }
}
