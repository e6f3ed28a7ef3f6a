//! The inventory of the API.

use crate::{endpoint::Endpoint, routes};

use super::sample_endpoints;

#[test]
fn the_inventory_is_what_was_agreed() {
    let lines: Vec<String> = routes::inventory()
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!("inventory", lines.join("\n"));
}

#[test]
fn an_endpoint_is_registered_at_each_of_its_stable_paths() {
    let lines: Vec<String> = sample_endpoints()
        .iter()
        .flat_map(Endpoint::inventory)
        .map(|route| route.to_string())
        .filter(|line| line.contains("leave") || line.contains("deactivate"))
        .collect();
    let leave = "membership::leave_room::v3 (caller: good, default)";
    let deactivate = "account::deactivate::v3 (caller if any: good, default)";
    assert_eq!(
        lines,
        [
            format!("POST /_matrix/client/r0/rooms/{{room_id}}/leave → {leave}"),
            format!("POST /_matrix/client/v3/rooms/{{room_id}}/leave → {leave}"),
            format!("POST /_matrix/client/r0/account/deactivate → {deactivate}"),
            format!("POST /_matrix/client/v3/account/deactivate → {deactivate}"),
        ]
    );
}
