use super::{Bench, write};
use serde_json::Value;

/// One of the nine.
pub fn component<'a>(doctor: &'a Value, name: &str) -> &'a Value {
    doctor["components"].as_array().unwrap().iter().find(|c| c["component"] == name).unwrap_or_else(|| panic!("no {name} in {doctor}"))
}

/// A part of one.
pub fn part<'a>(doctor: &'a Value, name: &str) -> &'a Value {
    let parts = doctor["components"].as_array().unwrap().iter().flat_map(|c| c["parts"].as_array().unwrap());
    parts.into_iter().find(|p| p["part"] == name).unwrap_or_else(|| panic!("no {name} in {doctor}"))
}

pub fn doctor(b: &Bench) -> (Option<i32>, Value) {
    let out = b.command("orc").args(["doctor", "--json"]).output().unwrap();
    (out.status.code(), serde_json::from_slice(&out.stdout).unwrap())
}

#[test]
fn a_fresh_workspace_does_not_fail() {
    let b = Bench::new();
    let (code, found) = doctor(&b);
    // Room on the host is not this test's business.
    let failing: Vec<_> =
        found["components"].as_array().unwrap().iter().filter(|c| c["status"] == "fail" && c["component"] != "disk").collect();
    assert!(failing.is_empty(), "{failing:?}");
    assert!(code == Some(0) || found["status"] == "fail");
    let nine: Vec<_> = found["components"].as_array().unwrap().iter().map(|c| c["component"].as_str().unwrap()).collect();
    assert_eq!(nine, ["engine", "database", "vector store", "embedder", "backends", "workers", "scheduler", "disk", "configuration"]);
    for name in ["programs", "workspace", "configuration", "database", "backend shell", "containment", "logout"] {
        assert!(part(&found, name)["says"].as_str().is_some_and(|s| !s.is_empty()));
    }
    let engine = component(&found, "engine");
    assert_eq!(engine["status"], "warn");
    assert!(engine["fix"].as_str().unwrap().contains("orc engine"));
}

#[test]
fn each_part_fails_for_itself_with_its_fix() {
    let b = Bench::new();
    write(&b.workspace().join("orc.toml"), "max_runing = 4\n");
    write(&b.workspace().join("backends/mine.toml"), "name = \"mine\"\nnonsense = 1\n");
    let (code, found) = doctor(&b);
    assert_eq!((code, found["status"].as_str()), (Some(1), Some("fail")));
    let configuration = component(&found, "configuration");
    assert_eq!(configuration["status"], "fail");
    assert!(configuration["says"].as_str().unwrap().contains("orc.toml:1"), "{configuration}");
    assert_eq!(component(&found, "database")["status"], "ok");

    let b = Bench::new();
    for name in ["pm.db-wal", "pm.db-shm"] {
        let _ = std::fs::remove_file(b.workspace().join(name));
    }
    write(&b.workspace().join("pm.db"), "not a database at all, but long enough to be taken for one at first glance");
    let (code, found) = doctor(&b);
    assert_eq!((code, component(&found, "database")["status"].as_str()), (Some(1), Some("fail")));
    assert_eq!(component(&found, "configuration")["status"], "ok");
}

#[test]
fn a_missing_program_is_named_with_the_fix() {
    let b = Bench::new();
    let text = b.run_with("orc backend check claude", |c| c.env("PATH", "/nowhere"));
    assert!(text.contains("[exit 1]") && text.contains("claude is not installed") && text.contains("npm install"), "{text}");
    let (_, found) = doctor(&b);
    assert_eq!(part(&found, "backend claude")["status"], "warn");
}

#[test]
fn a_backend_of_the_workspace_is_listed_checked_and_may_be_used() {
    let b = Bench::new();
    let program = b.path("agent");
    write(&program, "#!/bin/sh\necho agent 4.2\n");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = format!("name = \"mine\"\ndialect = \"text\"\nprogram = \"{}\"\nversion_args = [\"--version\"]\n", program.display());
    write(&b.workspace().join("backends/mine.toml"), &text);
    let checked = b.json("orc backend check mine --json");
    assert_eq!((checked[0]["version"].as_str(), checked[0]["installed"].as_bool()), (Some("agent 4.2"), Some(true)));
    b.do_all(&["pm job add --type mine --prompt x", "orc backend pause mine"]);
    assert_eq!(
        b.json("orc backend ls --json").as_array().unwrap().iter().find(|s| s["name"] == "mine").unwrap()["pause"]["limit"]["kind"],
        "operator"
    );
    b.do_all(&["orc backend resume mine"]);
    let again = b.run("orc backend resume mine");
    assert!(again.contains("[exit 4]"), "{again}");
}
