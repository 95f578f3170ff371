//! Who reviews, where the one that was chosen rests, is ended, or leaves nothing.

use super::Bench;
use super::gate::bench;
use orc::domain::{BackendPause, Command, Job, JobId, JobSpec, JobState, Kind, Limit, LimitKind, Stage};
use orc::os::clock;
use std::time::Duration;

const PASSES: &str = "judge 1.0 ''";

impl Bench {
    /// The job that reviews another, once there is one.
    fn reviewer_of(&self, job: JobId) -> Job {
        self.within(|| self.rounds(job).last().and_then(|r| r.review_job).map(|r| self.job(r)))
    }

    fn text(&mut self) -> JobId {
        self.add(JobSpec { kind: Kind::Writing, ..JobSpec::new("A text", "author", "Write the text.") })
    }
}

#[test]
fn a_reviewer_whose_backend_rests_is_replaced_by_one_that_can_begin() {
    let author = "d=$(dirname \"$0\"); echo > $d/begun; while ! test -e $d/go; do sleep 0.02; done; say 'The text'";
    let mut b = bench(author, PASSES, &["reviewer=judge second"]);
    let text = std::fs::read_to_string(b.workspace.backends_dir().join("judge.toml")).unwrap();
    // Its family is another one too.
    let text = text.replace("name = \"judge\"", "name = \"second\"");
    std::fs::write(b.workspace.backends_dir().join("second.toml"), text).unwrap();
    let job = b.text();
    b.start();
    b.appears("begun");
    // The reviewer is queued, and nobody starts it yet.
    b.apply(Command::PauseEngine { paused: true });
    b.touch("go");
    let first = b.reviewer_of(job);
    assert_eq!((first.spec.backend.as_str(), first.state), ("judge", JobState::Queued));
    let now = clock::now();
    let limit = Limit { kind: LimitKind::Window, resets_at: None, message: "used up".into() };
    let pause = BackendPause { limit, since: now, until: Some(now + Duration::from_secs(3600)), guessed: false };
    b.store.write(|tx| tx.pause_backend("judge", &pause, 1, "engine", now)).unwrap();
    b.apply(Command::PauseEngine { paused: false });
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
    let round = b.rounds(job).pop().unwrap();
    assert!(round.reviewer.as_deref().unwrap().starts_with("second"), "{round:?}");
    assert_eq!(b.attempts(round.review_job.unwrap())[0].backend, "second");
    assert_eq!(b.job(first.id).state, JobState::Killed);
    assert!(b.attempts(first.id).is_empty(), "nobody was paid for it");
}

#[test]
fn a_review_that_ends_without_a_judgement_is_the_operators_and_so_is_one_that_somebody_ended() {
    let mut b = bench("say 'The text'", "sleep 600", &[]);
    let (job, second) = (b.text(), b.text());
    b.start();
    let review = b.reviewer_of(job);
    b.within(|| (b.job(review.id).state == JobState::Running).then_some(()));
    let round = b.rounds(job).pop().unwrap().id;
    b.store.write(|tx| tx.set_stage(round, Stage::Confirm)).unwrap();
    b.apply(Command::Kill { job: b.reviewer_of(second).id, seen: None });
    let said = |b: &Bench, job| {
        let card = b.card(job);
        b.store.decision(card).unwrap().unwrap().asked.question
    };
    let question = said(&b, job);
    assert!(question.contains("judge has ended, but no judgement of it was kept"), "{question}");
    let question = said(&b, second);
    assert!(question.contains("its review was ended by the operator"), "{question}");
}
