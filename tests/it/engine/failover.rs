//! While a limit pauses a backend, another takes its jobs.

use super::Bench;
use orc::domain::{BackendPause, Command, JobSpec, JobState, Limit, LimitKind};
use orc::os::clock;
use std::time::Duration;

#[test]
fn a_stand_in_takes_the_jobs_of_a_paused_backend_until_it_is_back() {
    let mut b = Bench::new(&["backend.first.failover=second"]);
    for name in ["first", "second"] {
        let text = format!("name = \"{name}\"\ndialect = \"text\"\nprogram = \"sh\"\nmodel = false\n");
        std::fs::write(b.workspace.backends_dir().join(format!("{name}.toml")), text).unwrap();
    }
    let now = clock::now();
    let limit = Limit { kind: LimitKind::Window, resets_at: None, message: "used up".into() };
    let pause = BackendPause { limit, since: now, until: Some(now + Duration::from_secs(3600)), guessed: false };
    b.store.write(|tx| tx.pause_backend("first", &pause, 1, "engine", now)).unwrap();
    let job = b.add(JobSpec::new("job", "first", "true"));
    let modelled = b.add(JobSpec { model: Some("m1".into()), ..JobSpec::new("job", "first", "true") });
    b.start();
    assert_eq!(b.ends(job), JobState::Done);
    assert_eq!(b.attempts(job)[0].backend, "second");
    assert!(b.store.log_after(0, 1000).unwrap().iter().any(|l| l.text == "first is paused: second takes it"));
    assert_eq!(b.job(modelled).state, JobState::Queued, "a model belongs to its backend");

    b.apply(Command::PauseBackend { backend: "first".into(), paused: false });
    assert_eq!(b.ends(modelled), JobState::Done);
    let back = b.add(JobSpec::new("job", "first", "true"));
    assert_eq!(b.ends(back), JobState::Done);
    assert_eq!((b.attempts(modelled)[0].backend.as_str(), b.attempts(back)[0].backend.as_str()), ("first", "first"));
    assert!(b.store.workers().unwrap().is_empty(), "no ephemeral worker outlives its job");
}
