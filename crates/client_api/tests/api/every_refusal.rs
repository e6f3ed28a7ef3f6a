//! Every route refuses what it must, as the specification says, and keeps nothing of it; one
//! without a row in the table fails here, on both engines.

mod account;
mod appservices;
mod asking;
mod backups;
mod dehydrated;
mod delayed_events;
mod discovery;
mod encryption;
mod everywhere;
mod files;
mod kept;
mod listing;
mod members;
mod peeking;
mod people;
mod push_rules;
mod relations;
mod room_state;
mod row;
mod searching;
mod sessions;
mod spaces;
mod stage;
mod timeline;
mod traces;

use client_api::{endpoint::Route, routes};

use self::{
    asking::Asked,
    row::{Kind, Row},
    stage::Stage,
    traces::{differences, traces},
};
use crate::{
    appservices::{registered, service::Service},
    every_endpoint,
    people::contacts::turn_servers,
    previews::pages::here,
    server::{Server, on_both_engines},
};

on_both_engines! {
    every_route_refuses_what_it_must_and_keeps_nothing_of_it,
}

const MIB: usize = 1024 * 1024;

/// See [`Deployment::node`](crate::deployment::Deployment::node).
const LARGEST_FILE: usize = 1_000_000;

fn areas() -> [Vec<Row>; 19] {
    [
        discovery::rows(),
        account::rows(),
        sessions::rows(),
        kept::rows(),
        push_rules::rows(),
        files::rows(),
        room_state::rows(),
        timeline::rows(),
        delayed_events::rows(),
        relations::rows(),
        members::rows(),
        spaces::rows(),
        peeking::rows(),
        people::rows(),
        searching::rows(),
        listing::rows(),
        appservices::rows(),
        dehydrated::rows(),
        encryption::rows()
            .into_iter()
            .chain(backups::rows())
            .collect(),
    ]
}

async fn every_route_refuses_what_it_must_and_keeps_nothing_of_it(mut server: Server) {
    server.deployment.shared_secret = Some(account::SHARED_SECRET);
    server.deployment.allow_unauthenticated_files = true;
    server.deployment.turn = Some(turn_servers());
    server.deployment.support = Some(every_endpoint::discovery::support());
    server.deployment.previews = Some(here());
    server.deployment.mail = true;
    let bridge = Service::open().await;
    let registration = bridge.registration("protocols: [irc]");
    server.deployment.appservices = registered(&[&registration]);
    let stage = Stage::set(server.node().await, bridge).await;
    let inventory = routes::inventory();
    let mut faults = Vec::new();
    for rows in areas() {
        let before = traces(&stage).await;
        for row in &rows {
            faults.extend(row.contradictions(&inventory));
            for route in inventory.iter().filter(|route| row.is_of(route)) {
                let asked = Asked {
                    stage: &stage,
                    route,
                    row,
                };
                faults.extend(faults_of(asked, &inventory).await);
            }
        }
        let after = traces(&stage).await;
        let first = rows.first().map_or("", |row| row.route);
        let left = differences(&before, &after);
        if !left.is_empty() {
            faults.push(format!("from {first} on this is left behind: {left:#?}"));
        }
    }
    let rows: Vec<Row> = areas().into_iter().flatten().collect();
    for route in &inventory {
        let count = rows.iter().filter(|row| row.is_of(route)).count();
        if count != 1 {
            faults.push(format!("{route}: {count} rows"));
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

async fn faults_of(asked: Asked<'_>, inventory: &[Route]) -> Vec<String> {
    let mut faults = everywhere::faults(asked).await;
    for kind in asked.row.kinds() {
        if let Kind::Refused(cases) = kind {
            for case in cases {
                faults.extend(asked.case(case).await.err());
            }
        }
    }
    faults.extend(everywhere::limits(asked).await);
    faults.extend(everywhere::good_reading(asked).await);
    let same_path = inventory
        .iter()
        .filter(|route| route.path == asked.route.path);
    let answered: Vec<&str> = same_path.map(|route| route.method.as_str()).collect();
    faults.extend(everywhere::wrong_methods(asked, &answered).await);
    faults
}
