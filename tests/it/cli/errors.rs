use super::{Bench, snapshot, write};

#[test]
fn a_wrong_command_line() {
    let b = Bench::new();
    snapshot!(
        "wrong-command-line",
        b.run("pm job add --title T --prompt P --type shell --colour red"),
        b.run("pm job add --title T --prompt P"),
        b.run("pm job add --title T --type shell"),
        b.run("pm job add --title T --prompt P --prompt-file F --type shell"),
        b.run("pm job add --title T --prompt P --type shell --priority P9"),
        b.run("pm job add --title T --prompt P --type shell --kind poetry"),
        b.run("pm job add --title T --prompt P --type shell --timeout 15"),
        b.run("pm job add --title T --prompt P --type shell --after whenever"),
        b.run("pm job add --title T --prompt P --type shell --max-attempts 0"),
        b.run("pm job add --title T --prompt '  ' --type shell"),
        b.run("pm job add --title ' ' --prompt P --type shell"),
        b.run("pm job add --title T --prompt-file nowhere.md --type shell"),
        b.run("pm job ls --state asleep"),
        b.run("pm job show seven"),
        b.run("pm jobs"),
        b.run("orc job ls --set max_running"),
    );
}

#[test]
fn names_that_are_not_known() {
    let b = Bench::new();
    snapshot!(
        "unknown-names",
        b.run("pm job add --title T --prompt P --type cobol"),
        b.run("pm job add --title T --prompt P --type shell --skill juggling"),
        b.run("pm job add --title T --prompt P --type shell --persona nobody"),
        b.run("pm job add --title T --prompt P --type shell --worker nobody"),
        b.run("pm job add --title T --prompt P --type shell --depends-on 7"),
        b.run("pm job add --title T --prompt P --type shell --project-id 7"),
        b.run("pm job add --title T --prompt P --type shell --task-id 7"),
        b.run("pm job show 7"),
        b.run("pm job tail 7"),
        b.run("pm job wait 7"),
        b.run("pm why 7"),
        b.run("pm worker show nobody"),
        b.run("pm project show 7"),
    );
    assert_eq!(b.json("pm job ls --all --json"), serde_json::json!([]), "nothing was added by a refused line");
}

#[test]
fn what_is_too_early() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    snapshot!(
        "too-early",
        b.run("pm job result 1"),
        b.run("pm job prompt 1"),
        b.run("pm job tail 1"),
        b.run("pm job retry 1"),
        b.run("pm job unstick 1"),
        b.run("pm job kill 1 1"),
        b.run("pm job priority 1 P0"),
        b.run("pm job result 1"),
    );
}

#[test]
fn no_workspace_or_a_broken_one() {
    let b = Bench::bare();
    snapshot!(
        "no-workspace",
        b.run("pm job ls"),
        b.run("pm job add --type shell --prompt true"),
        b.run("orc job ls --workspace elsewhere")
    );

    // A file where a folder is expected: refused for root too.
    write(&b.workspace(), "not a folder");
    snapshot!("workspace-is-a-file", b.run("orc init ws"), b.run("pm job ls"), b.run("pm job add --type shell --prompt true"));
}

#[test]
fn a_database_of_a_newer_version_or_of_someone_else_is_left_alone() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let db = b.workspace().join("pm.db");
    let run = |sql: &str| rusqlite::Connection::open(&db).unwrap().execute_batch(sql).unwrap();
    let version: i64 = rusqlite::Connection::open(&db).unwrap().query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    run("PRAGMA user_version = 999");
    snapshot!("newer-database", b.run("pm job ls"), b.run("pm job add --type shell --prompt true"));
    run(&format!("PRAGMA user_version = {version}"));
    assert_eq!(b.json("pm job ls --json").as_array().map(Vec::len), Some(1), "nothing was lost");

    let foreign = Bench::new();
    for name in ["pm.db", "pm.db-wal", "pm.db-shm"] {
        let _ = std::fs::remove_file(foreign.workspace().join(name));
    }
    write(&foreign.workspace().join("pm.db"), "this is a diary, not a database, and long enough to have a header");
    snapshot!("foreign-database", foreign.run("pm job ls"), foreign.run("pm job add --type shell --prompt true"));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::io::Read;
    let b = Bench::new();
    let long = "x".repeat(100_000);
    b.do_all(&["pm job add --type shell --prompt true"]);
    let out = b.command("pm").args(["job", "add", "--type", "shell", "--title", "long", "--prompt", &long]).output().unwrap();
    assert!(out.status.success());
    let mut child = b
        .command("pm")
        .args(["job", "show", "2"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_broken_configuration_is_named_line_by_line_and_submitting_goes_on() {
    let b = Bench::new();
    let file = b.workspace().join("orc.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    write(&file, &format!("max_runing = 4\nreserved_slots = -1\ntick = \"soon\"\nwhat is this\n{good}"));
    snapshot!("broken-configuration", b.run("orc backend ls"), b.run("pm job add --type shell --prompt true"), b.run("orc job ls"),);
    write(&file, &good);
    snapshot!("wrong-setting", b.run("orc backend ls --set max_running=many"), b.run("orc backend ls --set colour=red"));
}

#[test]
fn the_number_of_attempts_follows_the_configuration() {
    let b = Bench::new();
    let file = b.workspace().join("orc.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    b.do_all(&["pm job add --type shell --prompt true", "pm job add --type shell --prompt true --set max_attempts=7"]);
    write(&file, &format!("max_attempts = 5\n{good}"));
    b.do_all(&["pm job add --type shell --prompt true", "pm job add --type shell --prompt true --max-attempts 2"]);
    let got: Vec<i64> = (1..=4).map(|n| b.json(&format!("pm job show {n} --json"))["max_attempts"].as_i64().unwrap()).collect();
    assert_eq!(got, [3, 7, 5, 2]);
}
