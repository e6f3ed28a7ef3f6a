//! S3 answers errors, slowly, half of what it should, or not at all.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use testkit::{
    eventually_within, postgres,
    s3::{ACCESS_KEY_ID, Asked, Fate, S3Server, SECRET_ACCESS_KEY},
};
use tokio::task::JoinSet;

use crate::{
    cluster::{Cluster, Place, nats},
    form::{Chance, by_form},
    scene::{PATIENCE, Scene, is_blamed},
    trial::{ANSWERS, Trial},
};

/// How many upload and download at once.
const PEOPLE: usize = 4;

/// More than S3 takes at once, and less.
const SIZES: [usize; 4] = [10, 70_000, 300_000, 9_000_000];

#[derive(Default)]
struct Desk {
    is_over: AtomicBool,
    whole: Mutex<HashMap<String, Vec<u8>>>,
    uploads: AtomicUsize,
    downloads: AtomicUsize,
    failures: AtomicUsize,
    findings: Mutex<Vec<String>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_whole_or_refused_whatever_s3_does() {
    let database = postgres::database().await;
    let (nats, s3) = (nats().await, S3Server::start().await);
    let place = || {
        Place::with(&[
            ("database.url", &database.url),
            ("bus.url", &nats.url()),
            ("files.url", &s3.url()),
            ("files.access_key_id", ACCESS_KEY_ID),
            ("files.secret_access_key", SECRET_ACCESS_KEY),
        ])
    };
    let cluster = Cluster::start(vec![place(), place()]).await;
    let mut trial = Trial::begin("S3 fails", &cluster).await;
    let desk = Arc::new(Desk::default());
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let seed = trial.chance.below(1 << 32) as u64;
        let (scene, desk) = (Arc::clone(&trial.scene), Arc::clone(&desk));
        people.spawn(async move { come_and_go(&scene, &desk, number, seed).await });
    }
    let count = || desk.uploads.load(Ordering::SeqCst) + desk.downloads.load(Ordering::SeqCst);
    for _ in 0..by_form(2, 12) {
        let fates = Mutex::new(Chance::new(trial.chance.below(1 << 32) as u64));
        s3.judge(move |asked| fate(&fates.lock().unwrap(), asked));
        let enough = desk.failures.load(Ordering::SeqCst) + 2;
        eventually_within(PATIENCE, "files fail", || async {
            (desk.failures.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .await;
        // Messages do not wait for S3.
        trial.load.goes_on(ANSWERS).await;
        s3.relent();
        let enough = count() + 2 * PEOPLE;
        eventually_within(PATIENCE, "files go on", || async {
            (count() >= enough).then_some(())
        })
        .await;
    }
    desk.is_over.store(true, Ordering::SeqCst);
    people.join_all().await;
    let whole = std::mem::take(&mut *desk.whole.lock().unwrap());
    for (file, content) in &whole {
        for node in 0..2 {
            let path = path_of(file);
            let read = trial.scene.at(1, node).send("GET", &path, "", &[]).await;
            if read.as_ref().ok() != Some(content) {
                let sentence = format!("{file} at node {node} in the end: {:?}", read.err());
                trial.load.shared.find(sentence);
            }
        }
    }
    for sentence in desk.findings.lock().unwrap().drain(..) {
        trial.load.shared.find(sentence);
    }
    trial.report.note(
        "files",
        format_args!(
            "{} uploads and {} downloads whole, {} failed",
            desk.uploads.load(Ordering::SeqCst),
            desk.downloads.load(Ordering::SeqCst),
            desk.failures.load(Ordering::SeqCst)
        ),
    );
    trial.end(cluster).await;
}

/// Half of what is asked is answered; the rest fails in one way or another.
fn fate(chance: &Chance, _: &Asked) -> Fate {
    match chance.below(14) {
        0 => Fate::Refused(503),
        1 => Fate::Refused(500),
        2 => Fate::Unheard,
        3 => Fate::Cut(chance.below(70_000)),
        4 => Fate::Shortened(chance.below(70_000)),
        5 => Fate::Cut(0),
        6 => Fate::Shortened(65_536),
        // Clients wait for it for a while.
        7 if by_form(false, true) => Fate::Stuck(chance.below(70_000)),
        _ => Fate::Answered,
    }
}

fn path_of(file: &str) -> String {
    let file = file.strip_prefix("mxc://").unwrap();
    format!("/_matrix/client/v1/media/download/{file}")
}

/// Uploads at one node, and downloads what anybody has uploaded at the other.
async fn come_and_go(scene: &Scene, desk: &Desk, number: usize, seed: u64) {
    let chance = Chance::new(seed);
    let mut round = 0;
    while !desk.is_over.load(Ordering::SeqCst) {
        round += 1;
        let node = chance.below(2);
        let size = SIZES[chance.below(SIZES.len())];
        let text = format!("file {round} of {number}, ");
        let content: Vec<u8> = text.bytes().cycle().take(size).collect();
        match scene.at(0, node).upload(&content).await {
            Ok(file) => {
                desk.uploads.fetch_add(1, Ordering::SeqCst);
                desk.whole.lock().unwrap().insert(file, content);
            }
            Err(error) => desk.fails(&error, "an upload"),
        }
        let some = {
            let whole = desk.whole.lock().unwrap();
            let mut files: Vec<&String> = whole.keys().collect();
            files.sort();
            let at = chance.below(files.len().max(1));
            files
                .get(at)
                .map(|file| ((*file).clone(), whole[*file].clone()))
        };
        let Some((file, content)) = some else {
            continue;
        };
        let reader = scene.at(1, 1 - node);
        match reader.send("GET", &path_of(&file), "", &[]).await {
            Ok(read) if read == content => {
                desk.downloads.fetch_add(1, Ordering::SeqCst);
            }
            Ok(read) => {
                let sentence = format!("{} of {} bytes of {file}", read.len(), content.len());
                desk.findings.lock().unwrap().push(sentence);
            }
            Err(error) => desk.fails(&error, "a download"),
        }
    }
}

impl Desk {
    fn fails(&self, error: &std::io::Error, what: &str) {
        self.failures.fetch_add(1, Ordering::SeqCst);
        if is_blamed(error) {
            let sentence = format!("{what} was blamed on who asked: {error}");
            self.findings.lock().unwrap().push(sentence);
        }
    }
}
