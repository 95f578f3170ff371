use super::{Bench, snapshot, write};

#[test]
fn a_job_is_submitted_listed_shown_and_ended_without_an_engine() {
    let b = Bench::new();
    snapshot!(
        "job-life",
        b.run("pm job add --title 'Sweep the logs' --prompt 'rm -f *.log' --type shell --priority P4 --tag nightly"),
        b.run("pm job add --prompt 'echo after' --type shell --depends-on 1 --dedup once --timeout 15m --max-attempts 1"),
        b.run("pm job add --prompt 'echo again' --type shell --dedup once"),
        b.run("pm job ls"),
        b.run("pm job show 1"),
        b.run("pm job priority 1 P0"),
        b.run("pm job kill 1 2"),
        b.run("pm job ls"),
        b.run("pm job ls --state killed --grep sweep"),
        b.run("pm job retry 1"),
        b.run("orc log show --job 1"),
        b.run("orc log grep sweep"),
        b.run("orc log tail -n 2"),
    );
}

#[test]
fn what_a_job_delivers_is_listed_and_only_that_is_read() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true --artefact out.md"]);
    let all = b.json("pm job files 1 --json");
    let seen: Vec<_> = all.as_array().unwrap().iter().map(|f| (f["name"].as_str().unwrap(), f["form"].as_str().unwrap())).collect();
    assert_eq!(seen, [("out.md", "missing")]);
    for (line, says) in [
        ("pm job files 1 out.md", "it is not there"),
        ("pm job files 1 other", "declares no file"),
        ("pm job files 1 ../secret", "declares no file"),
        ("pm job add --type shell --prompt true --artefact ../secret", "no path below"),
        ("pm job files 2", "no job 2"),
    ] {
        let out = b.run(line);
        assert!(out.contains(says) && !out.contains("[exit 0]"), "{out}");
    }
}

#[test]
fn prompts_come_from_arguments_files_and_standard_input() {
    let b = Bench::new();
    write(&b.path("task.md"), "# Fix the flaky test\nIt fails on Mondays.\n");
    b.do_all(&["pm job add --type claude --prompt-file task.md", "pm job add --type shell --prompt '-x is no flag'"]);
    let piped = b
        .command("pm")
        .args(["job", "add", "--type", "shell", "--prompt", "-"])
        .stdin(std::fs::File::open(b.path("task.md")).unwrap())
        .output()
        .unwrap();
    assert!(piped.status.success());
    let one = b.json("pm job show 1 --json");
    assert_eq!((one["title"].as_str(), one["kind"].as_str()), (Some("Fix the flaky test"), Some("other")));
    assert_eq!(one["prompt"], "# Fix the flaky test\nIt fails on Mondays.\n");
    let three = b.json("pm job show 3 --json");
    assert_eq!((three["prompt"].clone(), three["kind"].as_str()), (one["prompt"].clone(), Some("maintenance")));
    assert_eq!(b.json("pm job show 2 --json")["prompt"], "-x is no flag");
}

#[test]
fn a_job_may_wait_for_a_date() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true --after 2h"]);
    let job = b.json("pm job show 1 --json");
    assert_eq!((job["state"].as_str(), job["wait_reason"].as_str()), (Some("waiting"), Some("date")));
}

#[test]
fn what_an_agent_wrote_cannot_drive_the_terminal() {
    let b = Bench::new();
    let nasty = "evil \x1b]52;c;QQ==\x07 \u{9b}31m \u{202e} title";
    let out = b.command("pm").args(["job", "add", "--type", "shell", "--prompt", nasty, "--title", nasty]).output().unwrap();
    assert!(out.status.success());
    for line in
        ["pm job ls", "pm job show 1", "pm job show 1 --json", "pm job ls --json --color always", "pm log show", "pm log show --json"]
    {
        let text = b.run(line);
        let driving = text.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
        assert!(!text.contains("\x1b]") && (driving.is_none() || line.contains("always")), "{line}: {text:?}");
    }
    assert_eq!(b.json("pm job ls --json")[0]["title"], nasty, "JSON keeps what it escapes");
}

#[test]
fn many_submit_at_once_and_each_gets_its_own_number() {
    let b = Bench::new();
    let running: Vec<_> = (0..24)
        .map(|i| {
            let mut command = b.command("pm");
            command.args(["job", "add", "--type", "shell", "--prompt", "true", "--json", "--title"]).arg(format!("t{i}"));
            command.stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut ids: Vec<i64> = running
        .into_iter()
        .map(|child| {
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success());
            serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()["id"].as_i64().unwrap()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=24).collect::<Vec<_>>());
}

#[test]
fn without_an_engine_the_write_ahead_log_stays_short() {
    let b = Bench::new();
    let log = || std::fs::metadata(b.workspace().join("pm.db-wal")).map_or(0, |m| m.len());
    let mut longest = 0;
    for _ in 0..60 {
        b.do_all(&["pm job add --type shell --prompt true -q"]);
        longest = longest.max(log());
    }
    // 60 submissions write about 1.5 MiB; a log is read whole by whoever opens the database first.
    assert!(longest < 600 << 10, "{longest} bytes");
    assert_eq!(b.json("pm job ls --json").as_array().map(Vec::len), Some(60));
}
