//! Settings that are saved while an engine runs.

use super::Bench;
use orc::domain::{JobState, LogLine};

/// The events about settings so far.
fn told(b: &Bench) -> Vec<LogLine> {
    b.store.log_after(0, usize::MAX >> 1).unwrap().into_iter().filter(|l| l.what == "settings").collect()
}

fn save(b: &Bench, text: &str) {
    std::fs::write(b.workspace.settings_file(), text).unwrap();
}

#[test]
fn what_is_saved_is_taken_over_and_a_broken_file_is_not() {
    let mut b = Bench::new(&[]);
    save(&b, "max_running = 1\nreserved_slots = 0\n");
    let holds = b.run(&b.gated("pid", "go"));
    let second = b.run(&b.gated("pid2", "go"));
    b.start();
    b.appears("pid");
    assert_eq!(b.job(second).state, JobState::Queued);

    save(&b, "max_running = 2\nreserved_slots = 0\n");
    b.appears("pid2");
    assert_eq!(told(&b)[0].text, "taken over: max_running = 2");

    // One mistake withholds the whole file: not even its good lines count.
    let third = b.run("true");
    save(&b, "max_running = 3\n\nreserved_slots = \"many\"\n");
    let warned = b.within(|| told(&b).get(1).cloned());
    assert_eq!(warned.severity, orc::domain::Severity::Warn);
    assert!(warned.text.contains("orc.toml:3: `reserved_slots`"), "{}", warned.text);
    // The engine has looked again since, and has not started it.
    let marker = b.add(orc::domain::JobSpec { priority: orc::domain::Priority::P5, ..b.spec("true") });
    assert_eq!([third, marker].map(|j| b.job(j).state), [JobState::Queued; 2]);

    // The way of most editors: another file, renamed into place.
    let beside = b.workspace.root().join("orc.toml~");
    std::fs::write(&beside, "max_running = 3\nreserved_slots = 0\n").unwrap();
    std::fs::rename(beside, b.workspace.settings_file()).unwrap();
    assert_eq!(b.ends(third), JobState::Done);
    assert_eq!(told(&b)[2].text, "taken over: max_running = 3");
    b.touch("go");
    for job in [holds, second, marker] {
        assert_eq!(b.ends(job), JobState::Done);
    }
}

#[test]
fn a_backend_that_is_described_while_the_engine_runs_can_be_used() {
    let mut b = Bench::new(&[]);
    b.start();
    b.within(|| b.workspace.socket().exists().then_some(()));
    let text = "name = \"mine\"\ndialect = \"text\"\nprogram = \"sh\"\nmodel = false\n";
    std::fs::write(b.workspace.backends_dir().join("mine.toml"), text).unwrap();
    b.within(|| told(&b).iter().any(|l| l.text == "taken over: backend mine").then_some(()));
    let job = b.add(orc::domain::JobSpec::new("job", "mine", "true"));
    assert_eq!(b.ends(job), JobState::Done);
}

#[test]
fn the_database_wakes_nobody_who_waits_for_settings() {
    let mut b = Bench::new(&[]);
    // Told exactly what the engine's own watch is told.
    let mut saves = orc::engine::saves(&b.workspace).unwrap();
    b.start();
    let first = b.run("true");
    b.ends(first);
    saves.look().unwrap();
    // Through this process's database, and through one that is opened and closed for each.
    let mut jobs: Vec<_> = (0..20).map(|_| b.run("true")).collect();
    for _ in 0..5 {
        let out = b.command("pm").args(["job", "add", "--type", "shell", "--prompt", "true", "--json"]).output().unwrap();
        let added: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        jobs.push(orc::domain::JobId(added["id"].as_i64().unwrap()));
    }
    for job in jobs {
        assert_eq!(b.ends(job), JobState::Done);
    }
    assert_eq!(saves.look().unwrap().events, 0, "25 jobs, each with several commits");
    save(&b, "max_running = 3\n");
    assert!(saves.look().unwrap().saved);
    b.within(|| told(&b).iter().any(|l| l.text.contains("max_running = 3")).then_some(()));
}
