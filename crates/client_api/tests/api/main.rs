//! The client-server API over HTTP, as clients meet it, on both engines.

#[cfg(test)]
mod account;
#[cfg(test)]
mod appservices;
#[cfg(test)]
mod bare;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod dehydrated;
#[cfg(test)]
mod delayed_events;
#[cfg(test)]
mod deployment;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod every_endpoint;
#[cfg(test)]
mod every_refusal;
#[cfg(test)]
mod files;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod peeking;
#[cfg(test)]
mod people;
#[cfg(test)]
mod previews;
#[cfg(test)]
mod push;
#[cfg(test)]
mod relations;
#[cfg(test)]
mod search;
#[cfg(test)]
mod server;
#[cfg(test)]
mod session;
#[cfg(test)]
mod sliding;
#[cfg(test)]
mod spaces;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod summaries;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod terms;
#[cfg(test)]
mod third_party_ids;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod visibility;
