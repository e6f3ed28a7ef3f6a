//! Application services: how they are reached, and what they hear.

use std::sync::Arc;

use bridging::Bridging;
use bus::{Bus, NodeId};
use outbound::{Outbound, Policy};

use super::Owners;
use crate::Surroundings;

/// Who tells and asks application services. Their addresses are the operator's choice alone, so
/// they may stand anywhere that anything can stand.
pub(super) fn bridging(owners: &Owners, surroundings: &Surroundings) -> Bridging {
    let policy = Policy {
        allow_private_addresses: true,
        allow_any_port: true,
    };
    let clock = Arc::clone(&surroundings.clock);
    Bridging::new(
        owners.log.clone(),
        owners.accounts.clone(),
        owners.rooms.clone(),
        owners.keys.clone(),
        owners.outbox.clone(),
        Outbound::new(policy, clock, bridging::USER_AGENT),
    )
}

/// An end of the bus on which typing and presence are heard, also of this node, where a service
/// wants to know of them.
pub(super) fn ear(bridging: &Bridging, bus: &Bus, surroundings: &Surroundings) -> Option<Bus> {
    let name = NodeId::generate(&*surroundings.entropy);
    bridging.needs_bus().then(|| bus.beside(name))
}
