//! What two registrations cannot both have.

use crate::{BadRegistration, file::Registered};

/// What is wrong between files, said of the later one.
pub(crate) fn between(registered: &[Registered]) -> Vec<BadRegistration> {
    let mut refused = Vec::new();
    for (index, later) in registered.iter().enumerate() {
        for earlier in &registered[..index] {
            check(earlier, later, &mut refused);
        }
    }
    refused
}

fn check(earlier: &Registered, later: &Registered, refused: &mut Vec<BadRegistration>) {
    let (one, other) = (&earlier.service, &later.service);
    let mut refuse = |line: u64, what: &str| {
        let reason = format!("{what} {}", earlier.file);
        refused.push(BadRegistration::new(&later.file, Some(line), reason));
    };
    let lines = later.lines;
    if one.id() == other.id() {
        refuse(lines.id, "id is that of another service, in");
    }
    if one.0.as_token.is(&other.0.as_token) {
        refuse(lines.as_token, "as_token is that of another service, in");
    }
    if *one.0.hs_token == *other.0.hs_token {
        refuse(lines.hs_token, "hs_token is that of another service, in");
    }
    if one.sender() == other.sender() {
        refuse(
            lines.sender,
            "sender_localpart is that of another service, in",
        );
    } else if one.owns(other.sender()) {
        refuse(
            lines.sender,
            "sender_localpart is in an exclusive namespace of another service, in",
        );
    } else if other.owns(one.sender()) {
        refuse(
            lines.id,
            "an exclusive namespace has the sender_localpart of another service, in",
        );
    }
    let users = one
        .exclusive_users()
        .any(|text| other.exclusive_users().any(|same| same == text));
    let aliases = one
        .exclusive_aliases()
        .any(|text| other.exclusive_aliases().any(|same| same == text));
    if users || aliases {
        refuse(
            lines.id,
            "an exclusive namespace is also that of another service, in",
        );
    }
}
