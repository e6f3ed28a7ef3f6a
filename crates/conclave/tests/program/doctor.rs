//! `conclave doctor`: says what is wrong and nothing else, and changes nothing.

mod certificates;
mod database;
mod healthy;
mod keys;
mod servers;

use std::{collections::BTreeMap, path::Path, process::Output};

use testkit::server::TestServer;

use crate::printed;

/// How much room the machine of the tests has, and how many files, is not what is tested.
const OF_THE_MACHINE: [&str; 2] = ["free space: ", "open files: "];

/// What was found, line by line.
#[derive(Debug)]
struct Report {
    code: Option<i32>,
    lines: Vec<String>,
    stderr: String,
}

/// Looks at a server's surroundings, and sees that no file of its data directory is another one
/// afterwards.
async fn examine(server: &TestServer) -> Report {
    examine_with(server, &[]).await
}

async fn examine_with(server: &TestServer, arguments: &[&str]) -> Report {
    let before = server
        .process()
        .is_none()
        .then(|| content(&server.data_dir()));
    let mut all = vec!["doctor"];
    all.extend(arguments);
    let report = Report::of(&server.command(&all, "").await);
    if let Some(before) = before {
        let after = content(&server.data_dir());
        let names =
            |content: &BTreeMap<String, Vec<u8>>| content.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after));
        assert!(before == after, "a file was changed");
    }
    report
}

impl Report {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code(),
            lines: text(&output.stdout).lines().map(str::to_owned).collect(),
            stderr: text(&output.stderr),
        }
    }

    /// Whether there is a line that begins and goes on like this.
    #[track_caller]
    fn says(&self, beginning: &str, part: &str) -> &Self {
        let found = self.lines.iter().any(|line| {
            let rest = line.strip_prefix(beginning);
            rest.is_some_and(|rest| rest.contains(part))
        });
        assert!(found, "{beginning:?} … {part:?}: {self:#?}");
        self
    }

    #[track_caller]
    fn hides(&self, secret: &str) -> &Self {
        let all = self.lines.iter().chain([&self.stderr]);
        for text in all {
            assert!(!text.contains(secret), "{self:#?}");
        }
        self
    }

    /// Whether nothing is wrong, and these warnings are all.
    #[track_caller]
    fn warns_only(&self, checks: &[&str]) -> &Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        for line in &self.lines {
            let (verdict, rest) = line.split_at(9);
            let is_expected = verdict == "ok       "
                || (OF_THE_MACHINE.iter()).any(|check| rest.starts_with(check))
                || (verdict == "warning  " && checks.iter().any(|check| rest.starts_with(check)));
            assert!(is_expected, "{line}\n{self:#?}");
        }
        self
    }

    /// Whether so many things are wrong, and the exit code says so.
    #[track_caller]
    fn is_wrong(&self, count: usize) -> &Self {
        let wrong = self.lines.iter().filter(|line| line.starts_with("wrong "));
        assert_eq!(wrong.count(), count, "{self:#?}");
        assert_eq!(self.code, Some(1), "{self:#?}");
        self
    }
}

/// Everything in a folder, but for the index of a write-ahead log, in which readers note that they
/// read.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut content = BTreeMap::new();
    gather(folder, &mut content);
    content
}

fn gather(folder: &Path, content: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = path.to_str().unwrap().to_owned();
        if kind.is_dir() {
            gather(&path, content);
            content.insert(name, Vec::new());
        } else if kind.is_file() {
            let is_index = name.ends_with("-shm");
            let bytes = if is_index {
                Vec::new()
            } else {
                std::fs::read(&path).unwrap()
            };
            content.insert(name, bytes);
        }
    }
}

/// A server that somebody has used.
async fn use_it(server: &TestServer) {
    let create = ["user", "create", "alice"];
    printed(&server.command(&create, "correct horse\n").await);
}
