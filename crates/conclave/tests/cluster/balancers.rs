//! HAProxy and nginx in front of nodes, with the very files that operators are given.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use testkit::{
    authority::Authority,
    postgres,
    servers::{Balancer, BalancerKind},
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    cluster::{Cluster, Place, blocking, nats, program},
    form::{by_form, pause},
    rolling::quiet_poll,
    scene::Scene,
    trial::{ANSWERS, Trial},
};

const HAPROXY: &str = include_str!("../../../../docs/operate/cluster/haproxy.cfg");
const NGINX: &str = include_str!("../../../../docs/operate/cluster/nginx.conf");
const CONCLAVE: &str = include_str!("../../../../docs/operate/cluster/conclave.toml");
const UNIT: &str = include_str!("../../../../docs/operate/cluster/conclave.service");

/// How many ask for all that may be asked, one question after the other.
const ASKERS: usize = 6;

/// How many wait for news meanwhile.
const POLLS: usize = 4;

/// What is promised for a request that a killed node had: another answers it by then. In the short
/// form, which runs beside other tests, only whether it is answered at all is judged.
fn taken_over_within() -> Duration {
    by_form(Duration::from_secs(30), Duration::from_secs(2))
}

/// Longer than either balancer leaves a node alone that is back.
const SEEN_AGAIN_AFTER: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn behind_haproxy_nobody_notices_a_node_that_leaves_and_only_a_post_one_that_dies() {
    nodes_leave_and_die_behind(BalancerKind::Haproxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_only_a_post_has_to_be_asked_again_when_a_node_leaves_or_dies() {
    nodes_leave_and_die_behind(BalancerKind::Nginx).await;
}

async fn nodes_leave_and_die_behind(kind: BalancerKind) {
    let database = postgres::database().await;
    let nats = nats().await;
    let leave_after = documented_leave_after();
    let place = |_| {
        Place::with(&[
            ("database.url", &database.url),
            ("bus.url", &nats.url()),
            ("server.leave_after", &leave_after),
            ("server.trusted_proxies", "127.0.0.1"),
        ])
    };
    let mut cluster = Cluster::start((0..2).map(place).collect()).await;
    let front = free_address();
    let nodes = [cluster.addresses(), vec![free_address()]].concat();
    let configuration = in_front_of(kind, front, &nodes);
    let starting = blocking(move || Balancer::start(kind, front, &configuration));
    let balancer = starting.await.unwrap_or_else(|error| panic!("{error}"));
    let fault = format!("nodes leave and die behind {kind:?}");
    let mut trial = Trial::begin_at(&fault, vec![front; 2]).await;
    let asked = Asked::begin(&trial.scene);
    let mut took = Vec::new();
    for round in 0..by_form(1, 5) {
        let node = round % 2;
        let polls = polls(&trial.scene).await;
        cluster.nodes[node].stop().await;
        assert_all_answered(polls).await;
        cluster.nodes[node].restart().await;
        trial.load.goes_on(ANSWERS).await;
        assert_forgivable(kind, Fault::Leaves, &asked.failures());
        pause(SEEN_AGAIN_AFTER).await;

        let polls = self::polls(&trial.scene).await;
        trial.chance.pause(200).await;
        let killed = Instant::now();
        cluster.nodes[1 - node].kill().await;
        trial.load.goes_on(ANSWERS).await;
        assert_all_answered(polls).await;
        took.push(asked.longest_on_its_way(killed));
        assert_forgivable(kind, Fault::Dies, &asked.failures());
        cluster.nodes[1 - node].restart().await;
        pause(SEEN_AGAIN_AFTER).await;
        let failures = asked.failures();
        assert!(failures.is_empty(), "while a node came back: {failures:#?}");
    }
    let questions = asked.end().await;
    trial.report.note("asked by who notes failures", questions);
    assert!(
        took.iter().all(|took| *took <= taken_over_within()),
        "{took:?}"
    );
    trial.report.note_times("taken over after a kill", took);
    trial.end(cluster).await;
    drop(balancer);
}

/// What befalls a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Leaves,
    Dies,
}

/// Nothing has failed but what this balancer cannot ask another node by itself, and whoever asked
/// it again was answered well.
#[track_caller]
fn assert_forgivable(kind: BalancerKind, fault: Fault, failures: &[Failure]) {
    let is_forgivable = |failure: &&Failure| {
        let may_fail = match (kind, fault) {
            (BalancerKind::Haproxy, Fault::Leaves) => false,
            // It may have been done, and only its asker knows whether to ask again. nginx finds
            // out that a node has left by a connection that it has kept.
            _ => failure.method == "POST",
        };
        may_fail && failure.told == "answered with 502" && failure.is_cured
    };
    let forgiven = failures.iter().filter(is_forgivable).count();
    assert!(
        forgiven == failures.len() && forgiven <= ASKERS,
        "{failures:#?}"
    );
}

/// Some who wait for news that do not come, and may be at either node.
async fn polls(scene: &Scene) -> JoinSet<bool> {
    let mut polls = JoinSet::new();
    for _ in 0..POLLS {
        polls.spawn(quiet_poll(scene.at(0, 0)).await);
    }
    // They wait there by now.
    pause(Duration::from_millis(300)).await;
    polls
}

async fn assert_all_answered(polls: JoinSet<bool>) {
    let answered = polls.join_all().await;
    assert_eq!(answered, [true; POLLS], "a long poll was broken off");
}

/// People who ask each question once, and note what it came to.
struct Asked {
    noted: Arc<Noted>,
    tasks: JoinSet<usize>,
}

/// A question that was not answered well.
#[derive(Debug)]
struct Failure {
    method: &'static str,
    told: String,
    /// Whether the same question, asked again at once, was.
    is_cured: bool,
}

#[derive(Default)]
struct Noted {
    is_over: AtomicBool,
    failures: Mutex<Vec<Failure>>,
    /// When each question was asked first, and how long it took until it was answered well.
    times: Mutex<Vec<(Instant, Duration)>>,
}

impl Asked {
    fn begin(scene: &Arc<Scene>) -> Self {
        let noted = Arc::new(Noted::default());
        let mut tasks = JoinSet::new();
        for number in 0..ASKERS {
            tasks.spawn(ask_on(Arc::clone(scene), number, Arc::clone(&noted)));
        }
        Self { noted, tasks }
    }

    /// What has failed since this was last asked.
    fn failures(&self) -> Vec<Failure> {
        std::mem::take(&mut self.noted.failures.lock().unwrap())
    }

    /// How long after this moment the last of those was answered who had asked before it.
    fn longest_on_its_way(&self, moment: Instant) -> Duration {
        let times = std::mem::take(&mut *self.noted.times.lock().unwrap());
        let ends = times.into_iter().filter_map(|(asked, took)| {
            let ended = asked + took;
            (asked <= moment && ended > moment).then(|| ended - moment)
        });
        ends.max().unwrap_or_default()
    }

    /// How many questions there were.
    async fn end(self) -> usize {
        self.noted.is_over.store(true, Ordering::SeqCst);
        self.tasks.join_all().await.into_iter().sum()
    }
}

async fn ask_on(scene: Arc<Scene>, number: usize, noted: Arc<Noted>) -> usize {
    let person = number % scene.people.len();
    let client = scene.at(person, 0);
    let user_id = client.user_id.clone();
    let mut round = 0;
    while !noted.is_over.load(Ordering::SeqCst) {
        let body = format!("question {round} of asker {number}");
        let message = scene.in_room(&format!("send/m.room.message/asked-{number}-{round}"));
        let (method, path, content) = match round % 3 {
            0 => ("PUT", message, json!({ "msgtype": "m.text", "body": body })),
            1 => {
                let path = "/_matrix/client/v3/keys/query".to_owned();
                ("POST", path, json!({ "device_keys": { &user_id: [] } }))
            }
            _ => ("GET", scene.in_room("joined_members"), Value::Null),
        };
        let asked = Instant::now();
        if let Err(error) = client.ask(method, &path, &content).await {
            let again = client.ask(method, &path, &content).await;
            noted.failures.lock().unwrap().push(Failure {
                method,
                told: told_by(&error),
                is_cured: again.is_ok(),
            });
        }
        noted.times.lock().unwrap().push((asked, asked.elapsed()));
        round += 1;
        pause(Duration::from_millis(20)).await;
    }
    round
}

fn told_by(error: &io::Error) -> String {
    let told = error.to_string();
    let status = told.split(' ').nth(1).filter(|_| told.starts_with("http/"));
    match status {
        Some(status) => format!("answered with {status}"),
        None => format!("not answered: {told}"),
    }
}

/// An address where nobody listens.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// How long nodes answer on when they leave, as operators are told to set it.
fn documented_leave_after() -> String {
    let line = CONCLAVE
        .lines()
        .find(|line| line.starts_with("leave_after"));
    line.unwrap().split('"').nth(1).unwrap().to_owned()
}

/// A file with some of its words changed, each of which it must have.
fn rewritten(file: &str, changes: &[(&str, String)]) -> String {
    changes.iter().fold(file.to_owned(), |text, (from, to)| {
        assert_eq!(
            text.matches(from).count(),
            1,
            "the file has not one {from:?}"
        );
        text.replace(from, to)
    })
}

/// The file of a balancer, in front of these nodes instead, and in clear.
fn in_front_of(kind: BalancerKind, front: SocketAddr, nodes: &[SocketAddr]) -> String {
    let listens = match kind {
        BalancerKind::Haproxy => vec![
            (
                "    bind :443 ssl crt /etc/haproxy/chat.example.org.pem alpn h2,http/1.1\n",
                format!("    bind {front}\n"),
            ),
            // It has no rights to give up.
            ("    user haproxy\n", String::new()),
            ("    group haproxy\n", String::new()),
        ],
        BalancerKind::Nginx => vec![
            ("listen 443 ssl http2;", format!("listen {front};")),
            (
                "    ssl_certificate /etc/nginx/chat.example.org.crt;\n",
                String::new(),
            ),
            (
                "    ssl_certificate_key /etc/nginx/chat.example.org.key;\n",
                String::new(),
            ),
        ],
    };
    let theirs = ["10.1.0.11:8008", "10.1.0.12:8008", "10.1.0.13:8008"];
    let nodes = nodes.iter().map(SocketAddr::to_string);
    let changes: Vec<_> = listens
        .into_iter()
        .chain(theirs.into_iter().zip(nodes))
        .collect();
    let file = match kind {
        BalancerKind::Haproxy => HAPROXY,
        BalancerKind::Nginx => NGINX,
    };
    rewritten(file, &changes)
}

#[test]
fn the_balancers_take_the_files_that_operators_are_given() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let issued = Authority::new("ours").issue(&["chat.example.org"]);
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let both = file("both.pem", format!("{}{}", issued.certificate, issued.key));
    let certificate = file("chat.crt", issued.certificate);
    let key = file("chat.key", issued.key);
    let haproxy = rewritten(HAPROXY, &[("/etc/haproxy/chat.example.org.pem", both)]);
    let checked = Balancer::check(BalancerKind::Haproxy, &haproxy);
    checked.unwrap_or_else(|error| panic!("{error}"));
    let nginx = [
        ("/etc/nginx/chat.example.org.crt", certificate),
        ("/etc/nginx/chat.example.org.key", key),
        // Who is not root may not have that port.
        ("listen 443 ", format!("listen {} ", free_address())),
    ];
    let nginx = rewritten(NGINX, &nginx);
    let checked = Balancer::check(BalancerKind::Nginx, &nginx);
    checked.unwrap_or_else(|error| panic!("{error}"));
    let broken = haproxy.replace("balance leastconn", "balance nothing");
    for (kind, broken) in [
        (BalancerKind::Haproxy, broken),
        (
            BalancerKind::Nginx,
            nginx.replace("least_conn;", "no_conn;"),
        ),
    ] {
        assert!(
            Balancer::check(kind, &broken).is_err(),
            "{kind:?} takes anything"
        );
    }
}

#[test]
fn systemd_takes_the_unit_that_operators_are_given() {
    let program = program().into_string().unwrap();
    let unit = rewritten(UNIT, &[("/usr/local/bin/conclave", program)]);
    assert_eq!(told_of(&unit), "");
    // It has no exit code for what it ignores.
    let broken = unit.replace("LimitNOFILE=262144", "LimitNOFILE=many");
    assert!(told_of(&broken).contains("many"));
}

/// What systemd has to say of a unit.
fn told_of(unit: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conclave.service");
    fs::write(&path, unit).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .stdin(Stdio::null())
        .output();
    let verified = verified.unwrap_or_else(|error| {
        panic!("systemd-analyze ({error}) is not there: run `apt-get install systemd`")
    });
    let told = [verified.stdout, verified.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    assert!(
        verified.status.success() || !told.is_empty(),
        "{}",
        verified.status
    );
    told
}
