//! The completion gate with real engines and job processes: the agents are scripts, one that works and one that judges.

use super::Bench;
use crate::agents::{Mock, installed};
use orc::domain::{Applied, Command, DecisionId, JobId, JobSpec, JobState, Kind, Outcome, Review, ReviewOutcome, WaitReason};
use orc::os::{clock, git::Git};
use orc::wire::files;
use std::path::PathBuf;

/// A judge that lets everything pass, and one that lets nothing.
const PASSES: &str = "judge 1.0 ''";
const REFUSES: &str = "judge 0.2 '{\"text\": \"Say it in one sentence.\"}'";

/// A bench with two backends that are shell scripts: `author` resumes sessions, `judge` judges. Both write down what they are
/// told, and count their runs.
pub(super) fn bench(author: &str, judge: &str, settings: &[&str]) -> Bench {
    let b = Bench::new(&[&["review_rounds=3", "retry_base=0s", "reviewer=judge"], settings].concat());
    let d = b.dir.path().display().to_string();
    // The author speaks our own events, so that its session is known; the judge just prints.
    let script = |name: &str, body: &str, dialect: &str| {
        let common = format!(
            "#!/bin/sh\ncd \"$PWD\"; n=$(cat {d}/{name}.runs 2>/dev/null || echo 0); n=$((n + 1)); echo $n > {d}/{name}.next; mv {d}/{name}.next {d}/{name}.runs\n\
             cat > {d}/{name}.$n; echo \"$1\" >> {d}/{name}.sessions\n\
             judge() {{\n  ids=$(sed -n 's/^- `\\([a-z-]*\\)` (weight.*/\\1/p' {d}/{name}.$n)\n  printf '{{\"criteria\": ['; sep=\n\
             \x20 for id in $ids; do printf '%s{{\"id\": \"%s\", \"score\": %s, \"evidence\": \"seen\"}}' \"$sep\" $id $1; sep=,; done\n\
             \x20 printf '], \"fixes\": [%s], \"earlier\": [' \"$2\"; sep=\n\
             \x20 for f in $(sed -n '/^An earlier review/,/^Answer with/s/^\\([0-9]*\\)\\. .*/\\1/p' {d}/{name}.$n); do\n\
             \x20   printf '%s{{\"fix\": %s, \"closed\": %s, \"evidence\": \"looked\"}}' \"$sep\" $f ${{3:-true}}; sep=,; done\n  printf ']}}\\n'\n}}\n"
        );
        let path = b.path(name);
        std::fs::write(&path, common + body + "\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let text = format!(
            "name = \"{name}\"\ndialect = \"{dialect}\"\nprogram = \"{d}/{name}\"\nsession = \"chosen\"\nnew_args = [\"{{session}}\"]\n\
             resume_args = [\"{{session}}\"]\nfamily = \"{name}s\"\n"
        );
        std::fs::write(b.workspace.backends_dir().join(format!("{name}.toml")), text).unwrap();
    };
    let hello = r#"say() { printf '{"type":"text","text":"%s"}\n' "$1"; }; printf '{"type":"session","id":"%s"}\n' "$1""#;
    script("author", &format!("{hello}\n{author}\nprintf '{{\"type\":\"result\",\"ok\":true}}\\n'"), "native");
    script("judge", judge, "text");
    b
}

impl Bench {
    fn write(&mut self, prompt: &str) -> JobId {
        self.add(JobSpec { kind: Kind::Writing, ..JobSpec::new("A text", "author", prompt) })
    }

    /// What a script was told in its n-th run.
    pub(super) fn told(&self, name: &str, n: u32) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.{n}"))).unwrap()
    }

    pub(super) fn runs(&self, name: &str) -> u32 {
        std::fs::read_to_string(self.path(&format!("{name}.runs"))).map_or(0, |n| n.trim().parse().unwrap())
    }

    pub(super) fn rounds(&self, job: JobId) -> Vec<Review> {
        self.store.reviews(job).unwrap()
    }

    /// Waits until the operator is asked about a job's review.
    pub(super) fn card(&self, job: JobId) -> DecisionId {
        self.within(|| (self.job(job).wait_reason == Some(WaitReason::Deadlock)).then_some(()));
        self.store.decisions(false).unwrap().into_iter().find(|d| d.asked.job == Some(job)).unwrap().id
    }

    fn answered(&mut self, decision: DecisionId, key: &str) {
        let remark = (key == "again").then(|| "One sentence, really.".to_owned());
        let applied = self.apply(Command::Answer { decision, key: key.into(), remark });
        assert!(matches!(applied, Applied::Done { .. }), "{applied:?}");
    }

    /// A project whose folder is a git repository with one commit.
    pub(super) fn repository(&mut self, tests: Option<&str>) -> (PathBuf, orc::domain::ProjectId) {
        let dir = self.path("repo");
        std::fs::create_dir(&dir).unwrap();
        let git = Git::at(&dir);
        git.run(&["init", "--quiet", "--initial-branch=main"]).unwrap();
        std::fs::write(dir.join("README"), "A shop.\n").unwrap();
        git.run(&["add", "."]).unwrap();
        git.commit(&["commit", "--quiet", "-m", "first"]).unwrap();
        let now = clock::now();
        let project = self
            .store
            .write(|tx| {
                let id = tx.add_project("Shop", dir.to_str(), "operator", now)?;
                tx.set_test_command(id, tests, "operator", now)?;
                Ok::<_, orc::store::StoreError>(id)
            })
            .unwrap();
        (dir, project)
    }

    pub(super) fn code(&mut self, project: orc::domain::ProjectId) -> JobId {
        self.add(JobSpec { kind: Kind::Code, project_id: Some(project), ..JobSpec::new("Fix the till", "author", "Make the till count.") })
    }
}

#[test]
fn two_reviews_fail_and_the_third_passes_in_the_same_session_across_crashes() {
    let fixes = r#"{"text": "Name the price."}, {"text": "Say it in one sentence."}"#;
    let judge = format!("case $n in 1) judge 0.3 '{fixes}';; 2) judge 0.9 '' false;; *) {PASSES};; esac; sleep 0.2");
    let mut b = bench("say \"The text, version $n\"", &judge, &[]);
    let job = b.write("Write the text.");
    b.start();
    for n in 1..=2 {
        b.within(|| (b.runs("judge") >= n).then_some(()));
        b.crash();
        b.start();
    }
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
    let rounds = b.rounds(job);
    let of = |r: &Review| (r.round, r.outcome.unwrap());
    use ReviewOutcome::{Fixes, Passed};
    assert_eq!(rounds.iter().map(of).collect::<Vec<_>>(), [(1, Fixes), (2, Fixes), (3, Passed)]);
    assert_eq!(rounds[0].score.map(|s| (s * 100.0).round()), Some(30.0));
    assert!(rounds[0].reviewer.as_deref().unwrap().contains("another model family"));
    // A good score with an open fix does not pass; each is closed one by one.
    let states = |r: &Review| r.fixes.iter().map(|f| (f.number, f.closed)).collect::<Vec<_>>();
    assert_eq!((states(&rounds[0]), states(&rounds[1])), (vec![(1, false), (2, false)], vec![(1, true), (2, true)]));
    assert_eq!(rounds[1].fixes[0].evidence.as_deref(), Some("looked"));

    let ours = b.attempts(job);
    assert_eq!((ours.len(), b.job(job).attempts, b.runs("author")), (3, 1, 3), "a round uses up no attempt");
    assert!(ours.iter().all(|a| a.session == ours[0].session && a.worker == ours[0].worker));
    let second = b.told("author", 2);
    assert!(second.contains("1. Name the price.\n2. Say it in one sentence.") && !second.contains("Write the text."), "{second}");
    let asked = b.told("judge", 1);
    assert!(
        asked.contains("Write the text.") && asked.contains("The text, version 1") && asked.contains("- `clear` (weight 2)"),
        "{asked}"
    );
    assert!(b.told("judge", 2).contains("An earlier review asked for these fixes."));
    let (first, judge) = (b.job(job), b.job(rounds[0].review_job.unwrap()));
    assert_eq!((judge.spec.kind, judge.spec.priority), (Kind::Review, first.spec.priority));
    assert!(b.attempts(judge.id)[0].directory.contains("run/review"));
    b.within(|| std::fs::read_dir(b.workspace.review_dir()).map_or(0, Iterator::count).eq(&0).then_some(()));
}

#[test]
fn a_reviewer_that_never_agrees_ends_with_the_operator() {
    let mut b = bench("say \"The text, version $n\"", REFUSES, &[]);
    let job = b.write("Write the text.");
    let dependent = b.add(JobSpec { depends_on: vec![job], ..b.spec("true") });
    b.start();
    let card = b.card(job);
    assert_eq!((b.rounds(job).len(), b.runs("author"), b.runs("judge")), (3, 3, 3));
    let question = b.store.decision(card).unwrap().unwrap().asked.question;
    assert!(question.contains("after 3 rounds of review judge scores 0.20 of 0.80") && question.contains("1. Say it"), "{question}");
    assert!(matches!(b.apply(Command::CancelDecision { decision: card }), Applied::Refused { .. }));
    b.crash();
    // The answer comes while no engine runs.
    b.answered(card, "again");
    b.start();
    let again = b.within(|| (b.rounds(job).len() == 4).then(|| b.card(job)));
    assert!(b.told("author", 4).contains("The operator adds: One sentence, really."));
    assert_eq!(b.job(dependent).state, JobState::Waiting, "nobody goes on from what is not accepted");
    b.answered(again, "accept");
    assert_eq!((b.ends(job), b.ends(dependent)), (JobState::Done, JobState::Done));
    assert_eq!(b.rounds(job).last().unwrap().outcome, Some(ReviewOutcome::Accepted));
    // The operator's retry begins anew.
    b.apply(Command::Retry { job, seen: None });
    let third = b.within(|| (b.rounds(job).len() == 7).then(|| b.card(job)));
    b.answered(third, "fail");
    assert_eq!(b.ends(job), JobState::Failed);
}

#[test]
fn a_reviewer_that_talks_nonsense_is_asked_once_more_and_then_the_operator_is() {
    let mut b = bench("say 'The text'", "echo 'Looks good to me!'", &[]);
    let job = b.write("Write the text.");
    b.start();
    let card = b.card(job);
    let review = b.rounds(job)[0].review_job.unwrap();
    assert_eq!((b.job(review).state, b.attempts(review).len()), (JobState::Failed, 2));
    assert!(b.told("judge", 2).contains("The last answer was of no use: its judgement cannot be used: it holds no JSON object"));
    assert!(b.job(job).note.unwrap().contains("judge) gave no judgement"));
    b.answered(card, "accept");
    assert_eq!(b.ends(job), JobState::Done);
}

#[test]
fn a_reviewer_that_hangs_is_ended_and_the_operator_asked() {
    let mut b = bench("say 'The text'", "sleep 600", &["timeout.review=1s"]);
    let job = b.write("Write the text.");
    b.start();
    let card = b.card(job);
    let review = b.rounds(job)[0].review_job.unwrap();
    assert_eq!(b.attempts(review).iter().map(|a| a.outcome).collect::<Vec<_>>(), [Some(Outcome::Timeout); 2]);
    b.answered(card, "fail");
    assert_eq!(b.ends(job), JobState::Failed);
}

#[test]
fn nobody_is_paid_to_look_at_nothing() {
    let author = "case $n in 1) ;; 2) say \"You've hit your usage limit. Try again at 7:19 AM.\";; 3) say Done;; *) echo Done > out.md; say Done;; esac";
    let mut b = bench(author, PASSES, &["max_attempts=9"]);
    let spec = JobSpec { kind: Kind::Research, max_attempts: 9, artefacts: vec!["out.md".into()], ..JobSpec::new("x", "author", "Look.") };
    let job = b.add(spec);
    b.start();
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
    let attempts = b.attempts(job);
    let said: Vec<&str> = attempts.iter().map(|a| a.message.as_deref().unwrap()).collect();
    assert!(said[0].contains("its last message is empty"), "{said:?}");
    assert!(said[1].contains("no result but a refusal: You've hit"), "{said:?}");
    assert!(said[2].contains("missing or empty: out.md"), "{said:?}");
    assert!(attempts[..3].iter().all(|a| a.outcome == Some(Outcome::Error) && a.exit_code == Some(0)));
    assert_eq!(b.runs("judge"), 1, "only the last was worth a look");
    assert!(b.told("judge", 1).contains("Delivered: out.md") && b.told("author", 4).contains("- out.md"));
}

#[test]
fn without_another_reviewer_another_model_looks_and_without_that_nobody_which_the_log_says() {
    let author = r#"if grep -q '^Review the work' "$0".$n; then say "$(judge 1 '' | sed 's/"/\\"/g')"; else say 'The text'; fi"#;
    let mut b = bench(author, PASSES, &["reviewer=author", "tier.writing=routine"]);
    let first = b.write("Write the text.");
    b.start();
    assert_eq!(b.ends(first), JobState::Done);
    assert!(b.rounds(first).is_empty());
    let log = |b: &Bench| b.store.log_after(0, 10_000).unwrap().into_iter().map(|l| l.text).collect::<Vec<_>>().join("\n");
    assert!(log(&b).contains("not reviewed: there is only author, and no second model of it is known"), "{}", log(&b));
    b.stop();
    let text = std::fs::read_to_string(b.workspace.backends_dir().join("author.toml")).unwrap();
    let author = text + "model_args = [\"{model}\"]\n[models]\ndeep = \"big\"\nroutine = \"small\"\n";
    std::fs::write(b.workspace.backends_dir().join("author.toml"), author).unwrap();
    b.start();
    let second = b.write("Write the text.");
    assert_eq!(b.ends(second), JobState::Done);
    let rounds = b.rounds(second);
    assert!(rounds[0].reviewer.as_deref().unwrap().starts_with("author big, only another model"), "{rounds:?}");
    assert_eq!(rounds[0].outcome, Some(ReviewOutcome::Passed));
}

#[test]
fn code_is_tested_in_its_own_tree_reviewed_by_its_diff_and_void_when_it_changes() {
    // The first judgement is on something that changes under it.
    let author = "if grep -q 'test command fails' \"$0\".$n; then echo 'till = 2' > till; else echo 'till = 1' > till; fi; say Counted";
    let mut b = bench(author, "", &[]);
    let d = b.dir.path().display().to_string();
    let judge = std::fs::read_to_string(b.path("judge")).unwrap();
    let judge = judge + &format!("[ $n = 1 ] && echo '# later' >> $(cat {d}/tree)/till\ngrep -q 'till = 2' tree/till && {PASSES}\n");
    std::fs::write(b.path("judge"), judge).unwrap();
    let (repo, project) = b.repository(Some(&format!("pwd > {d}/tree; grep -q 'till = 2' till || {{ echo wrong count; exit 3; }}")));
    let job = b.code(project);
    b.start();
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
    let branch = b.store.branch(job).unwrap().unwrap();
    assert_eq!(branch.name, format!("orc/job-{job}-fix-the-till"));
    let rounds = b.rounds(job);
    let ends: Vec<_> = rounds.iter().map(|r| (r.round, r.tests_passed, r.outcome.unwrap())).collect();
    use ReviewOutcome::{Fixes, Passed, Void};
    assert_eq!(ends, [(1, Some(false), Fixes), (2, Some(true), Void), (2, Some(true), Passed)]);
    let sums = b.store.project_sums(Some(project)).unwrap()[&project];
    assert_eq!((sums.jobs, sums.done, sums.failed), (1, 1, 0), "tests that fail and reviewers are no work of the project");
    assert_eq!(b.store.project_jobs(project, 9).unwrap(), [job]);
    let day = b.store.day(orc::domain::Timestamp(0)).unwrap();
    assert_eq!((day.created, day.done, day.failed), (1, 1, 0));
    assert!(rounds[0].review_job.is_none(), "no reviewer is paid for what fails its tests");
    assert!(b.told("author", 2).contains("wrong count"));
    assert!(b.told("judge", 1).contains("+till = 2") && b.told("judge", 1).contains("passes"));
    assert_ne!(rounds[1].hash, rounds[2].hash);
    let tree = Git::at(&repo).run(&["rev-parse", &format!("{}^{{tree}}", branch.name)]).unwrap();
    assert_eq!(rounds[2].hash, Some(format!("tree:{tree}")), "what passed is what the branch holds");
    assert!(!repo.join("till").exists(), "the operator's own checkout is left alone");
    assert_eq!(b.attempts(job)[0].directory, branch.tree);
    let prompt = std::fs::read_to_string(b.workspace.attempt_dir(b.attempts(job)[0].id).join(files::PROMPT)).unwrap();
    assert!(prompt.contains("Make the till count."));

    let orc = |b: &Bench, args: &[&str]| {
        let out = b.command("orc").args(args).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    let id = job.to_string();
    let (ok, diff) = orc(&b, &["project", "diff", &id]);
    assert!(ok && diff.contains("+till = 2"), "{diff}");
    let (_, disk) = orc(&b, &["project", "disk"]);
    assert!(disk.contains("Shop"), "{disk}");
    let (ok, said) = orc(&b, &["project", "merge", &id]);
    assert!(ok && said.contains("into main"), "{said}");
    assert_eq!(std::fs::read_to_string(repo.join("till")).unwrap(), "till = 2\n# later\n");
    assert!(b.store.branch(job).unwrap().unwrap().merged_at.is_some());
    assert!(!std::path::Path::new(&branch.tree).exists() && said.contains("kept as refs/orc/kept/"), "{said}");
    let (ok, said) = orc(&b, &["project", "clean", &project.to_string()]);
    assert!(ok && said.contains("0 B freed"), "{said}");
    assert!(Git::at(&repo).holds(&["show-ref", "--verify", "--quiet", &format!("refs/heads/{}", branch.name)]).unwrap(), "{said}");
}

#[test]
fn a_second_job_of_a_project_has_its_own_tree_and_what_was_not_reviewed_is_not_merged() {
    let mut b = bench("say Counted; echo $ORC_JOB > till", "sleep 0.3; judge 1 ''", &[]);
    let (_repo, project) = b.repository(None);
    let (one, two) = (b.code(project), b.code(project));
    b.start();
    assert_eq!((b.ends(one), b.ends(two)), (JobState::Done, JobState::Done));
    let (first, second) = (b.store.branch(one).unwrap().unwrap(), b.store.branch(two).unwrap().unwrap());
    assert!(first.name != second.name && first.tree != second.tree);
    // Somebody goes on in the tree after the review.
    std::fs::write(std::path::Path::new(&first.tree).join("till"), "more\n").unwrap();
    let merge = |b: &Bench, job: JobId, more: &[&str]| {
        let out = b.command("orc").args(["project", "merge", &job.to_string()]).args(more).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (ok, said) = merge(&b, one, &[]);
    assert!(!ok && said.contains("has changed since it was reviewed"), "{said}");
    // Committed, and taken back in the tree only: the branch is what would be merged.
    let git = Git::at(std::path::Path::new(&first.tree));
    git.commit(&["commit", "--quiet", "--all", "-m", "more"]).unwrap();
    std::fs::write(std::path::Path::new(&first.tree).join("till"), format!("{one}\n")).unwrap();
    let (ok, said) = merge(&b, one, &[]);
    assert!(!ok && said.contains("has changed since it was reviewed"), "{said}");
    assert!(merge(&b, two, &[]).0);
    let (ok, said) = merge(&b, one, &["--unreviewed"]);
    assert!(!ok && said.contains("conflicts in till"), "{said}");
}

#[test]
fn claude_closes_a_fix_in_its_own_session_and_another_model_reviews() {
    let Some(program) = installed("claude") else { return };
    let mock = Mock::start();
    let judged = |score: f64, fixes: serde_json::Value, earlier: serde_json::Value| {
        let ids = ["does-it", "true", "clear", "voice", "ready"];
        let criteria: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id, "score": score, "evidence": "the first line"})).collect();
        serde_json::json!({"criteria": criteria, "fixes": fixes, "earlier": earlier}).to_string()
    };
    let refused = judged(0.4, serde_json::json!([{"criterion": "does-it", "text": "Name the currency."}]), serde_json::json!([]));
    let closed = serde_json::json!([{"fix": 1, "closed": true, "evidence": "it says EUR"}]);
    let passed = format!("Here it is:\n```json\n{}\n```", judged(0.95, serde_json::json!([]), closed));
    mock.scenario(&serde_json::json!({"rules": [
        {"match": {"prompt": "An earlier review asked for these fixes"}, "turns": [{"text": passed}]},
        {"match": {"prompt": "Review the work of another agent"}, "turns": [{"text": refused}]},
        {"match": {"prompt": "A review asks for fixes"}, "turns": [{"text": "Tea: 5 EUR.\n\nFix 1: closed: in the line."}]},
        {"match": {"prompt": "Write the price list"}, "turns": [{"text": "Tea: 5."}]},
    ]}));
    let mut b = Bench::new(&["reviewer=auto", "tier.writing=routine", &format!("backend.claude.program={}", program.display())]);
    b.env.insert("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", mock.port));
    b.env.insert("ANTHROPIC_API_KEY", "test-key".to_owned());
    b.start();
    let job = b.add(JobSpec { kind: Kind::Writing, ..JobSpec::new("Prices", "claude", "Write the price list.") });
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
    let (rounds, attempts) = (b.rounds(job), b.attempts(job));
    assert_eq!(rounds.iter().map(|r| r.outcome).collect::<Vec<_>>(), [Some(ReviewOutcome::Fixes), Some(ReviewOutcome::Passed)]);
    assert!(
        rounds[0].fixes[0].closed && rounds[0].reviewer.as_deref().unwrap().starts_with("claude opus, only another model"),
        "{rounds:?}"
    );
    assert_eq!(attempts.iter().map(|a| a.session.clone()).collect::<std::collections::BTreeSet<_>>().len(), 1, "one session");
    let asked = mock.requests();
    assert!(asked.iter().any(|r| r.contains("1. Name the currency.") && r.contains("Tea: 5.")), "the session knows what it wrote");
}
