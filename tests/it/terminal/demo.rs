//! `orc tui --demo`, from its first frame to its last word.

use super::pty::{Pty, eventually};
use portable_pty::CommandBuilder;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn orc(workspace: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_orc")).arg("--workspace").arg(workspace).args(arguments).output().unwrap();
    assert!(output.status.success(), "orc {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn jobs(workspace: &Path) -> Vec<Value> {
    serde_json::from_str(&orc(workspace, &["job", "ls", "--json"])).unwrap()
}

#[test]
fn the_demo_runs_its_day_says_what_it_is_and_where_it_lies() {
    let tmp = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_orc"));
    command.args(["tui", "--demo"]);
    for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("TMPDIR", tmp.path().to_str().unwrap())] {
        command.env(name, value);
    }
    let mut pty = Pty::start(command);
    pty.wait_for(" DEMO ");
    pty.wait_for("▶ working");
    let place = std::fs::read_dir(tmp.path()).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("orc.toml").exists()).unwrap();
    // A played agent has said something, and its parser has understood it.
    let tokens = || jobs(&place).iter().any(|job| job["tokens"].as_u64() > Some(0));
    eventually("tokens of a played agent", tokens);
    assert!(jobs(&place).iter().any(|job| job["state"] == "running" && job["type"] == "codex"), "other backends than one are played");

    orc(&place, &["engine", "pause"]);
    let open: Vec<String> = jobs(&place).iter().map(|job| job["id"].to_string()).collect();
    let ids: Vec<&str> = open.iter().map(String::as_str).collect();
    orc(&place, &[&["job", "kill"], ids.as_slice()].concat());
    Command::new(env!("CARGO_BIN_EXE_orc"))
        .arg("--workspace")
        .arg(&place)
        .args(["job", "wait", "--timeout", "30s"])
        .args(&ids)
        .output()
        .unwrap();
    // Whoever judged one of them is ended with it.
    eventually("the end of all jobs", || jobs(&place).is_empty());
    // With nothing running, queued or waiting the console leaves at once.
    pty.wait_for(" 0 running · 0 queued ─");
    pty.keys("q");
    pty.wait_for("The demo's workspace is");
}
