//! Crates stand on their floors: a crate uses only what is below it.

use toml::{Table, Value};

use super::{Finding, Tree};

/// The floors, from the ground up.
const FLOORS: [&[&str]; 8] = [
    &["model", "trust", "config", "appservices"],
    &["store", "bus", "blobs", "outbound", "mail", "ldap"],
    &["seal"],
    &["audit"],
    &[
        "accounts", "rooms", "media", "keys", "calls", "reports", "pushers", "outbox",
    ],
    &[
        "sync",
        "push",
        "search",
        "directory",
        "governance",
        "federation",
        "integrations",
        "lifecycle",
        "notices",
        "people",
        "previews",
        "mailroom",
        "bridging",
        "copy",
    ],
    &[
        "client_api",
        "federation_api",
        "admin_api",
        "oauth",
        "hooks",
        "web",
    ],
    &["conclave"],
];

/// What stands beside the house: it may use anything, and only tests may use it.
const BESIDE: [&str; 5] = ["testkit", "specification", "hostile", "loadgen", "xtask"];

/// What of it the tests of the house use.
const FOR_TESTS: [&str; 2] = ["testkit", "specification"];

/// The kinds of dependencies, as a manifest names them.
const NORMAL: [&str; 2] = ["dependencies", "build-dependencies"];
const TESTS: [&str; 1] = ["dev-dependencies"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Floor(usize),
    Beside,
}

/// Checks every crate's manifest.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree
        .ending("Cargo.toml")
        .filter(|(path, _)| path.starts_with("crates/") || *path == "xtask/Cargo.toml");
    manifests
        .flat_map(|(path, text)| check_manifest(path, text))
        .collect()
}

fn check_manifest(path: &str, text: &str) -> Vec<Finding> {
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::in_file(path, format!("not a manifest: {error}"))],
    };
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    let named = manifest
        .get("package")
        .and_then(|package| package.get("name"));
    if named.and_then(Value::as_str) != Some(folder) {
        let what = format!("the crate is not named `{folder}` as its folder is");
        return vec![Finding::in_file(path, what)];
    }
    let Some(place) = place(folder) else {
        let what = format!("the crate `{folder}` stands on no floor: give it one in xtask");
        return vec![Finding::in_file(path, what)];
    };
    let normal = dependencies(&manifest, &NORMAL)
        .into_iter()
        .filter(|used| !may_use(place, used, false));
    let tests = dependencies(&manifest, &TESTS)
        .into_iter()
        .filter(|used| !may_use(place, used, true));
    normal
        .chain(tests)
        .map(|used| {
            Finding::in_file(
                path,
                format!("`{folder}` must not use `{used}`: not below it"),
            )
        })
        .collect()
}

fn place(name: &str) -> Option<Place> {
    if BESIDE.contains(&name) {
        return Some(Place::Beside);
    }
    let floor = FLOORS.iter().position(|floor| floor.contains(&name))?;
    Some(Place::Floor(floor))
}

fn may_use(from: Place, used: &str, in_tests: bool) -> bool {
    match (from, place(used)) {
        // Somebody else's crate.
        (_, None) => true,
        (Place::Beside, Some(_)) => true,
        (Place::Floor(_), Some(Place::Beside)) => in_tests && FOR_TESTS.contains(&used),
        (Place::Floor(from), Some(Place::Floor(used))) => used < from,
    }
}

/// The packages in tables of these kinds, those for one target only included.
fn dependencies(manifest: &Table, kinds: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let for_targets = targets
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(for_targets)
        .flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()))
        .flatten()
        .map(|(key, value)| {
            let renamed = value.get("package").and_then(Value::as_str);
            renamed.unwrap_or(key).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, rest: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n{rest}");
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of([(&path, &manifest)]))
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    fn stands(name: &str, rest: &str) -> bool {
        complaints(name, rest).is_empty()
    }

    #[test]
    fn a_crate_uses_what_is_below_and_crates_of_others() {
        assert!(stands(
            "seal",
            "[dependencies]\nstore.workspace = true\ntokio = \"1\""
        ));
        assert!(stands("audit", "[dependencies]\nseal.workspace = true"));
        assert!(stands(
            "rooms",
            "[dev-dependencies]\ntestkit.workspace = true\nstore = {}"
        ));
        assert!(stands("testkit", "[dependencies]\nconclave = {}"));
    }

    #[test]
    fn a_crate_uses_nothing_above_or_beside() {
        for (name, used) in [
            ("store", "rooms"),
            ("rooms", "accounts"),
            ("seal", "audit"),
            ("model", "config"),
            ("conclave", "testkit"),
            ("conclave", "xtask"),
            ("conclave", "hostile"),
        ] {
            let plain = format!("[dependencies]\n{used}.workspace = true");
            assert!(!stands(name, &plain), "{name} may use {used}");
        }
    }

    #[test]
    fn no_kind_of_dependency_is_a_way_round() {
        for way in [
            "[dev-dependencies]\nrooms = {}",
            "[dev-dependencies]\nxtask = {}",
            "[build-dependencies]\nrooms = {}",
            "[dependencies.rooms]\nworkspace = true",
            "[dependencies]\nchambers = { package = \"rooms\", path = \"../rooms\" }",
            "[target.'cfg(unix)'.dependencies]\nrooms = {}",
        ] {
            assert!(!stands("store", way), "{way}");
        }
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        assert_eq!(complaints("attic", "").len(), 1);
        let elsewhere = Tree::of([("clients/Cargo.toml", "[package]\nname = \"clients\"")]);
        assert_eq!(check(&elsewhere), []);
    }

    #[test]
    fn a_crate_is_named_as_its_folder() {
        let tree = Tree::of([("crates/rooms/Cargo.toml", "[package]\nname = \"store\"")]);
        assert_eq!(check(&tree).len(), 1);
        let broken = Tree::of([("crates/rooms/Cargo.toml", "[package")]);
        assert_eq!(check(&broken).len(), 1);
    }
}
