//! The page that says what of the specification is there, made of what was seen to work.

use std::{fmt::Write as _, fs, path::Path};

use client_api::endpoint::Route;
use specification::{Operation, Specification};

use crate::conformance::SPECIFICATION;

const PAGE: &str = "docs/matrix-support.md";

/// An operation that shares its path with another one, and the story that sees it work.
const BESIDE: (&str, &str) = ("inviteBy3PID", "third_party_ids");

/// The story of what is refused to everybody.
const REFUSED: &str = "refused";

const HEAD: &str = "\
# What of the Matrix specification is there

Every operation of the client-server API, version 1.19, in the order of their paths. This page is \
made by the test `every_endpoint_does_what_it_says`, which fails when it is stale: an operation is \
there when a story under `crates/client_api/tests/api/every_endpoint/` has seen it work, over \
HTTP, on SQLite and on PostgreSQL. What it refuses stands in the table of `every_refusal`, beside \
it. Paths that are not there are answered with 404 `M_UNRECOGNIZED`. Where \
*refused* stands, everybody is told, by the specification's words, that this server has no such \
thing: no identity server, and no way to reach a phone.
";

/// Fails when the page does not say what was seen; writes beside it what it should say.
pub(super) fn is_told(stories: &[(Route, &'static str)]) {
    let Some(specification) = &*SPECIFICATION else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = page(specification, stories);
    if fs::read_to_string(root.join(PAGE)).unwrap_or_default() != page {
        let new = format!("{PAGE}.new");
        fs::write(root.join(&new), page).unwrap();
        panic!("{PAGE} is stale: put {new} in its place");
    }
}

fn page(specification: &Specification, stories: &[(Route, &'static str)]) -> String {
    let mut page = HEAD.to_owned();
    let operations = specification.operations();
    let is_there = |one: &&Operation| shown_by(one, stories).is_some_and(|story| story != REFUSED);
    let there = operations.iter().filter(is_there).count();
    let all = operations.len();
    write!(page, "\n**{there} of {all} operations are there.**\n\n").unwrap();
    page += "| operation | | is there | shown by |\n|---|---|---|---|\n";
    for operation in operations {
        let Operation {
            id, method, path, ..
        } = operation;
        let old = if operation.is_deprecated {
            ", deprecated"
        } else {
            ""
        };
        let (mark, story) = match shown_by(operation, stories) {
            Some(REFUSED) => ("refused", format!("`{REFUSED}`")),
            Some(story) => ("yes", format!("`{story}`")),
            None => ("**not yet**", String::new()),
        };
        writeln!(page, "| `{method} {path}` | {id}{old} | {mark} | {story} |").unwrap();
    }
    page += "\n## Beside the specification\n\n| path | shown by |\n|---|---|\n";
    for (route, story) in stories {
        // Those of before version 1.1 are the same operations.
        let is_of_today = !route.path.contains("/r0/");
        if is_of_today && specification.find(&route.method, &route.path).is_empty() {
            writeln!(page, "| `{} {}` | `{story}` |", route.method, route.path).unwrap();
        }
    }
    page
}

/// The story that has seen an operation work.
fn shown_by(operation: &Operation, stories: &[(Route, &'static str)]) -> Option<&'static str> {
    let shape = |path: &str| -> Vec<String> {
        let segments = path.split('/');
        let named = |part: &str| if part.starts_with('{') { "{}" } else { part }.to_owned();
        segments.map(named).collect()
    };
    if operation.id == BESIDE.0 {
        return Some(BESIDE.1);
    }
    let wanted = shape(&operation.path);
    let mut stories = stories.iter();
    let story =
        stories.find(|(route, _)| route.method == operation.method && shape(&route.path) == wanted);
    story.map(|(_, name)| *name)
}
