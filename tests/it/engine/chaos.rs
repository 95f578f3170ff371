//! Two hundred jobs, and an engine that is killed again and again. `ORC_CHAOS_KILLS=50` kills more often, `ORC_CHAOS_SEED`
//! repeats a run.

use super::Bench;
use orc::domain::{JobId, JobState, Outcome};
use orc::os::process;
use std::collections::BTreeMap;
use std::time::Duration;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn every_job_ends_once_however_often_the_engine_is_killed() {
    let (kills, seed) = (number("ORC_CHAOS_KILLS").unwrap_or(12), number("ORC_CHAOS_SEED").unwrap_or(1));
    println!("ORC_CHAOS_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut b = Bench::new(&["max_running=8", "retry_base=0s"]);
    let jobs: Vec<JobId> = (0..200)
        .map(|_| {
            // Some leave a process behind.
            let stray = if rng.u32(0..10) == 0 { "setsid sleep 300 & " } else { "" };
            let (ran, pause) = (b.path("ran"), rng.u32(0..30));
            let script = format!("{stray}echo $ORC_JOB $ORC_ATTEMPT $$ >> {}; sleep 0.{pause:02}", ran.display());
            b.run(&script)
        })
        .collect();
    let finished = |b: &Bench| jobs.iter().filter(|id| b.job(**id).state.is_final()).count();
    for kill in 0..kills {
        b.start();
        // Somewhere in the work: after so many more ends, and a little later.
        let goal = (finished(&b) + rng.usize(0..8)).min(jobs.len() * (kill as usize + 1) / (kills as usize + 1));
        b.within(|| (finished(&b) >= goal).then_some(()));
        std::thread::park_timeout(Duration::from_millis(rng.u64(0..40)));
        let before: BTreeMap<_, _> = b.store.open_attempts().unwrap().into_iter().map(|o| (o.attempt.id, o.attempt.shim)).collect();
        b.crash();
        for open in b.store.open_attempts().unwrap() {
            if let Some(Some(shim)) = before.get(&open.attempt.id) {
                let report = b.workspace.attempt_dir(open.attempt.id).join(orc::wire::files::EXIT);
                assert!(process::alive(shim) || report.exists(), "the shim of attempt {} died with its engine", open.attempt.id);
            }
        }
    }
    b.start();
    b.within(|| (finished(&b) == jobs.len()).then_some(()));
    let ran = std::fs::read_to_string(b.path("ran")).unwrap();
    let mut by_attempt = BTreeMap::<&str, u32>::new();
    for line in ran.lines() {
        *by_attempt.entry(line).or_default() += 1;
    }
    assert!(by_attempt.values().all(|n| *n == 1), "executed twice: {by_attempt:?}");
    let mut ended = BTreeMap::new();
    for id in &jobs {
        let attempts = b.attempts(*id);
        assert_eq!(b.job(*id).state, JobState::Done, "job {id}: {attempts:?}");
        assert_eq!(attempts.iter().filter(|a| a.outcome == Some(Outcome::Ok)).count(), 1, "job {id}");
        let lines: Vec<&str> = ran.lines().filter(|line| line.split(' ').next() == Some(&id.to_string())).collect();
        assert_eq!(lines.len(), 1, "job {id} ran so: {lines:?}: {attempts:?}");
        // The process that wrote the line is the one that was there from the beginning, whoever has watched it since.
        let ok = attempts.iter().find(|a| a.outcome == Some(Outcome::Ok)).unwrap();
        let agent = std::fs::read(b.workspace.attempt_dir(ok.id).join(orc::wire::files::AGENT)).unwrap();
        let agent: orc::domain::ProcessIdentity = serde_json::from_slice(&agent).unwrap();
        assert!(lines[0].ends_with(&format!(" {}", agent.pid)), "job {id}: {lines:?}, {agent:?}");
        for a in &attempts {
            *ended.entry(a.outcome.map_or("open", Outcome::as_str)).or_insert(0) += 1;
            b.within(|| b.marked(a.id).is_empty().then_some(()));
        }
    }
    println!("{kills} kills; attempts ended: {ended:?}; epoch {}", b.store.engine_state().unwrap().epoch);
}
