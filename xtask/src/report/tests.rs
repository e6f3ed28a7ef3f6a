//! Tests of what is reported.

use super::*;

fn read(lines: &[&str]) -> Vec<(String, u128)> {
    let mut suite = String::new();
    lines
        .iter()
        .filter_map(|line| timing(line, &mut suite))
        .map(|timing| (timing.name, timing.took.as_millis()))
        .collect()
}

#[test]
fn nextest_times_each_test() {
    let lines = [
        "────────────",
        "    Starting 13 tests across 1 binary",
        "        PASS [   0.012s] ( 1/13) testkit clock::tests::a_sleep_ends",
        "        FAIL [   2.500s] testkit::servers a_cluster_comes_up",
        "     Summary [   2.613s] 13 tests run: 12 passed, 1 failed",
    ];
    let expected = [
        ("testkit clock::tests::a_sleep_ends".to_owned(), 12),
        ("testkit::servers a_cluster_comes_up".to_owned(), 2500),
    ];
    assert_eq!(read(&lines), expected);
}

#[test]
fn cargo_times_each_file_of_tests() {
    let lines = [
        "     Running unittests src/lib.rs (target/debug/deps/store-67d9)",
        "test commit::tests::name ... ok",
        "test result: ok. 13 passed; 0 failed; 0 ignored; finished in 0.12s",
        "   Doc-tests store",
        "test result: ok. 0 passed; 0 failed; 0 ignored; finished in 0.00s",
    ];
    let expected = [
        ("store unittests src/lib.rs".to_owned(), 120),
        ("examples of store".to_owned(), 0),
    ];
    assert_eq!(read(&lines), expected);
}

#[test]
fn parts_and_tests_stand_in_one_list_of_ten_with_the_slowest_first() {
    let mut report = Report::default();
    report.add("clippy", Duration::from_secs(5), true);
    for seconds in 0..11 {
        report.tests.push(Timing {
            name: format!("test {seconds}"),
            took: Duration::from_secs(seconds),
        });
    }
    let slowest = report.slowest();
    assert_eq!(slowest.len(), 10);
    assert_eq!(slowest[0].name, "test 10");
    assert!(slowest.iter().any(|timing| timing.name == "clippy"));
}

#[test]
fn one_part_that_failed_or_could_not_run_makes_the_whole_red() {
    let mut report = Report::default();
    report.add("format", Duration::ZERO, true);
    assert!(report.is_green());
    assert_eq!(report.summary(), "ok: format");
    report.skip("tests");
    assert!(!report.is_green());
    assert_eq!(report.summary(), "FAILED: could not run: tests");
    report.add("clippy", Duration::ZERO, false);
    assert_eq!(report.summary(), "FAILED: clippy; could not run: tests");
}

#[test]
fn a_command_that_fails_is_a_part_that_failed() {
    let mut report = Report::default();
    let mut command = Command::new("sh");
    let script = "echo 'FAIL [   1.000s] a b' >&2; echo 'FAIL [   1.000s] a b'; exit 3";
    command.args(["-c", script]);
    assert!(!report.run("a", command).unwrap());
    assert!(report.run("b", Command::new("true")).unwrap());
    assert_eq!(report.summary(), "FAILED: a");
    assert_eq!(report.tests.len(), 1);
}
