//! Rules from incidents, what recurs, and the lint of a workspace.

use crate::engine::Bench;
use orc::domain::{JobSpec, JobState};
use serde_json::Value;
use std::fs;
use std::process::Output;

fn run(b: &Bench, args: &[&str]) -> Output {
    b.command("orc").args(args).output().unwrap()
}

fn json(b: &Bench, args: &[&str]) -> Value {
    let done = b.command("orc").args(args).arg("--json").output().unwrap();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn a_failed_job_becomes_a_rule_in_one_step_and_what_recurs_is_counted() {
    let mut b = Bench::new(&[]);
    b.start();
    let fails = "echo 'cannot reach host 17 of 30' >&2; exit 3";
    let once = |script: &str| JobSpec { max_attempts: 1, title: "Nightly (copy), all".into(), ..JobSpec::new("x", "shell", script) };
    let job = b.add(once(fails));
    assert_eq!(b.ends(job), JobState::Failed);
    let made = json(&b, &["rule", "from-job", &job.to_string()]);
    assert!(made["incident"].as_str().unwrap().starts_with(&format!("job {job} Nightly copy all")), "{made}");
    assert!(made["text"].as_str().unwrap().contains("check that this cannot happen again"), "{made}");
    // It is in the file, and in what agents get.
    let told = orc::config::rules::parse(&fs::read_to_string(b.workspace.operating_file()).unwrap());
    assert_eq!((told.rules.len(), told.problems.len()), (1, 0));
    let events = ["{\"event\": {\"type\": \"text\", \"text\": \"done\"}}", "{\"event\": {\"type\": \"result\", \"ok\": true}}"];
    let replay = &format!("Look\nreplay:\n{}\n", events.join("\n"));
    let next = b.add(JobSpec::new("next", "replay", replay));
    b.ends(next);
    let system = fs::read_to_string(b.workspace.attempt_dir(b.job(next).attempt.unwrap()).join(orc::wire::files::SYSTEM));
    assert!(system.unwrap().contains(&told.rules[0].text));
    assert_eq!(json(&b, &["rule", "ls"])[0]["recurrences"], 0);

    let again = b.add(once(fails));
    let other = b.add(once("exit 4"));
    b.ends(again);
    b.ends(other);
    let ls = json(&b, &["rule", "ls"]);
    assert_eq!((ls[0]["recurrences"].as_u64(), ls[0]["last_job"].as_i64()), (Some(1), Some(again.0)), "{ls}");

    // A job that did not fail makes none; the same rule is there once.
    assert_eq!(run(&b, &["rule", "from-job", &next.to_string()]).status.code(), Some(4));
    assert_eq!(run(&b, &["rule", "from-job", &job.to_string()]).status.code(), Some(4));
    let own = ["rule", "from-job", &again.to_string(), "--text", "Ask the host first.", "--incident", "host-17"];
    assert!(run(&b, &own).status.success());
    assert!(run(&b, &["rule", "rm", "1"]).status.success());
    let ls = json(&b, &["rule", "ls"]);
    assert_eq!(
        (ls.as_array().unwrap().len(), ls[0]["text"].as_str(), ls[0]["incident"].as_str()),
        (1, Some("Ask the host first."), Some("host-17"))
    );
    // From inside a job it is refused.
    let inside = b.run(&format!("{} rule add 'Anything goes.' --incident none", env!("CARGO_BIN_EXE_orc")));
    b.ends(inside);
    assert_eq!(json(&b, &["rule", "ls"]).as_array().unwrap().len(), 1);
}

#[test]
fn lint_finds_what_is_out_of_order_and_a_new_workspace_is_in_order() {
    let b = Bench::new(&[]);
    let fresh = run(&b, &["lint", "--strict"]);
    assert!(fresh.status.success(), "{}", String::from_utf8_lossy(&fresh.stdout));
    let root = b.workspace.root();
    fs::write(root.join("core-memory.md"), "- a line\n".repeat(90)).unwrap();
    fs::write(root.join("notes.txt"), "x").unwrap();
    fs::create_dir_all(b.workspace.skills_dir().join("bad")).unwrap();
    fs::write(b.workspace.skills_dir().join("bad/SKILL.md"), "none\n").unwrap();
    let rules = fs::read_to_string(b.workspace.operating_file()).unwrap() + "\n- Never do that again.\n";
    fs::write(b.workspace.operating_file(), rules).unwrap();
    let (old, new) = (root.join("drafts/tmp-old.txt"), root.join("drafts/tmp-new.txt"));
    fs::write(&old, "x").unwrap();
    fs::write(&new, "x").unwrap();
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(9 * 86_400);
    fs::File::options().write(true).open(&old).unwrap().set_modified(past).unwrap();
    assert_eq!(run(&b, &["lint"]).status.code(), Some(1));
    let found = json(&b, &["lint"]);
    let checks: Vec<(&str, bool)> =
        found.as_array().unwrap().iter().map(|f| (f["check"].as_str().unwrap(), f["fatal"].as_bool().unwrap())).collect();
    assert_eq!(checks, [("core", true), ("rules", true), ("skills", true), ("zones", false), ("temporary", false)], "{found}");
    assert!(found[4]["says"].as_str().unwrap().starts_with("drafts/tmp-old.txt is a temporary file, 9 days old"), "{found}");
}

#[test]
fn a_rule_has_the_date_of_the_workspaces_time_zone() {
    let b = Bench::new(&[]);
    // A day and two hours apart: their dates are never the same.
    let dates = ["Pacific/Kiritimati", "Etc/GMT+12"].map(|zone| {
        fs::write(b.workspace.settings_file(), format!("timezone = \"{zone}\"\n")).unwrap();
        let day = || {
            let now = chrono::DateTime::from_timestamp_millis(orc::os::clock::now().0).unwrap();
            now.with_timezone(&zone.parse::<chrono_tz::Tz>().unwrap()).date_naive().to_string()
        };
        let before = day();
        let made = json(&b, &["rule", "add", &format!("Look at {zone}."), "--incident", "clocks"]);
        let date = made["date"].as_str().unwrap().to_owned();
        assert!(date == before || date == day(), "{zone}: {date}");
        date
    });
    assert_ne!(dates[0], dates[1]);
}
