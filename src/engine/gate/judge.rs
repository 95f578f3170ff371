//! Who judges, and what they are given: the project's tests and the reviewer, each as a job like any other.

use super::verdict::End;
use super::{LONGEST, words};
use crate::domain::{
    Actor, Attempt, Author, Command, Eligible, ExitReport, Job, JobId, JobSpec, JobState, Judgement, Kind, LimitKind, MOST_FIXES, Origin,
    Outcome, Review, ReviewOutcome, Reviewer, Stage, Timestamp, choose_reviewer, fill, judgement, review_score, tests_failed,
};
use crate::engine::evidence::EVIDENCE;
use crate::engine::learn::{ends, read_head};
use crate::engine::state::{Effect, State};
use crate::store::{StoreError, Tx, apply};
use std::path::Path;

const TEMPLATE: &str = include_str!("../../../config/templates/review.md");
/// How much of the job's own prompt the reviewer gets, in bytes.
const PROMPT_CUT: usize = 16 << 10;
/// How much of the tests' output becomes part of a fix, in bytes.
const OUTPUT_CUT: usize = 3000;
/// What is no judgement is asked for once more.
const ATTEMPTS: u32 = 2;

impl State {
    /// The command that the job's project wants to pass, for code.
    pub(super) fn tests(&self, tx: &Tx<'_>, job: &Job) -> Result<Option<String>, StoreError> {
        if job.spec.kind != Kind::Code {
            return Ok(None);
        }
        let project = job.spec.project_id.map(|p| tx.project(p)).transpose()?.flatten();
        Ok(project.and_then(|p| p.test_command))
    }

    /// Who reviews an attempt's result, or why nobody does (`None`: by the settings' word).
    pub(super) fn reviewer(&self, attempt: &Attempt) -> Result<Reviewer, Option<String>> {
        let s = &self.settings;
        let wish = s.reviewer.trim();
        if wish == "none" {
            return Err(None);
        }
        let named: Vec<&str> = if wish == "auto" { Vec::new() } else { wish.split_whitespace().collect() };
        let names: Vec<&str> = if named.is_empty() { self.backends.keys().map(String::as_str).collect() } else { named.clone() };
        let ready = |name: &&str| {
            let held = self.switches.pauses.get(*name).is_some_and(|(p, _)| p.limit.kind == LimitKind::Operator);
            let fits = |b: &crate::config::Backend| b.uses_model() && (b.reviews || !named.is_empty()) && (self.usable)(b);
            !held && self.backends.get(*name).is_some_and(fits)
        };
        let of = |name: &str| {
            let b = &self.backends[name];
            Eligible {
                backend: name.to_owned(),
                family: b.family.clone(),
                model: b.model_for(s, Kind::Review),
                models: b.known_models(s),
                paused: self.switches.pauses.contains_key(name),
            }
        };
        let candidates: Vec<Eligible> = names.iter().filter(|n| ready(n)).map(|n| of(n)).collect();
        let author = Author {
            backend: attempt.backend.clone(),
            family: self.backends.get(&attempt.backend).and_then(|b| b.family.clone()),
            model: attempt.model.clone(),
        };
        choose_reviewer(&author, &candidates).ok_or_else(|| {
            Some(match candidates.is_empty() {
                true => format!("no backend that could review is installed and signed in (reviewer = \"{wish}\"; `orc backend ls`)"),
                false => format!("there is only {}, and no second model of it is known", attempt.backend),
            })
        })
    }

    /// The project's tests, as a job in the author's tree.
    pub(super) fn test(&mut self, tx: &Tx<'_>, r: &Review, job: &Job, now: Timestamp, out: &mut Vec<Effect>) -> Result<bool, StoreError> {
        let Some(id) = r.test_job else {
            let Some(command) = self.tests(tx, job)? else {
                tx.set_stage(r.id, Stage::Judge)?;
                return Ok(true);
            };
            let spec = JobSpec {
                kind: Kind::Review,
                // A test that fails is an answer.
                max_attempts: 1,
                timeout: Some(self.settings.timeout[Kind::Code]),
                ..self.serving(job, r, format!("Tests of job {}: {}", job.id, job.spec.title), "shell", command)
            };
            match self.add(tx, &spec, now)? {
                Ok(id) => {
                    tx.set_test_job(r.id, id)?;
                    tx.say_of_review(job, "info", &format!("{}: the project's tests run (job {id})", self.round(r)), now)?;
                }
                Err(why) => self.ask_operator(tx, r, job, &format!("the tests cannot be run: {why}"), now)?,
            }
            return Ok(true);
        };
        let Some(tests) = tx.job(id)? else { return Ok(false) };
        match tests.state {
            JobState::Done => {
                tx.set_tests(r.id, true)?;
                tx.set_stage(r.id, Stage::Judge)?;
            }
            JobState::Failed => {
                tx.set_tests(r.id, false)?;
                let output = self.output(tx, &tests)?;
                let earlier = self.earlier(tx, job)?;
                let follows =
                    tests_failed(&output, &earlier.map(|e| e.open_fixes()).unwrap_or_default(), r.round, self.settings.review_rounds);
                self.follow(tx, r, job, follows, "its project's tests fail", now, out)?;
            }
            JobState::Killed => self.ask_operator(tx, r, job, &format!("its tests were ended by {}", ended_by(tx, id)?), now)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The end of what a job said.
    fn output(&self, tx: &Tx<'_>, job: &Job) -> Result<String, StoreError> {
        let attempts = tx.attempts(job.id)?;
        let said = attempts.last().and_then(|a| read_head(a.result_file.as_deref(), LONGEST)).unwrap_or_default();
        let note = job.note.clone().unwrap_or_default();
        let said = said.trim_end();
        let start = said.ceil_char_boundary(said.len().saturating_sub(OUTPUT_CUT));
        Ok(format!("{}\n({note})", &said[start..]).trim().to_owned())
    }

    /// The reviewer, as a job like any other.
    pub(super) fn judge(&mut self, tx: &Tx<'_>, r: &Review, job: &Job, now: Timestamp, out: &mut Vec<Effect>) -> Result<bool, StoreError> {
        let Some(id) = r.review_job else { return self.call_reviewer(tx, r, job, now, out) };
        let Some(review) = tx.job(id)? else { return Ok(false) };
        match review.state {
            JobState::Done => tx.set_stage(r.id, Stage::Confirm)?,
            JobState::Failed => {
                let why = review.note.unwrap_or_else(|| "it failed".into());
                self.ask_operator(tx, r, job, &format!("the reviewer ({}) gave no judgement: {why}", words(r)), now)?;
            }
            JobState::Killed => self.ask_operator(tx, r, job, &format!("its review was ended by {}", ended_by(tx, id)?), now)?,
            JobState::Queued => return self.choose_again(tx, r, job, &review, now),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A reviewer whose backend rests is given up, where another one could begin at once.
    fn choose_again(&mut self, tx: &Tx<'_>, r: &Review, job: &Job, review: &Job, now: Timestamp) -> Result<bool, StoreError> {
        let (pauses, held) = (&self.switches.pauses, &review.spec.backend);
        if !pauses.contains_key(held) {
            return Ok(false);
        }
        let Some(attempt) = tx.attempt_row(r.attempt)? else { return Ok(false) };
        let Some(other) = self.reviewer(&attempt).ok().map(|o| o.backend).filter(|o| o != held && !pauses.contains_key(o)) else {
            return Ok(false);
        };
        let text = format!("{}: {held} is paused, so {other} reviews instead of job {}", self.round(r), review.id);
        tx.drop_reviewer(r.id)?;
        apply(tx, &Command::Kill { job: review.id, seen: None }, &Actor::Engine, now)?;
        tx.say_of_review(job, "info", &text, now)?;
        Ok(true)
    }

    fn call_reviewer(&mut self, tx: &Tx<'_>, r: &Review, job: &Job, now: Timestamp, out: &mut Vec<Effect>) -> Result<bool, StoreError> {
        let (Some(attempt), Some(rubric), Some(copy)) = (tx.attempt_row(r.attempt)?, &r.rubric, &r.copy) else { return Ok(false) };
        let reviewer = match self.reviewer(&attempt) {
            Ok(reviewer) => reviewer,
            Err(why) => {
                let why = why.unwrap_or_else(|| "the setting `reviewer` is none".into());
                let tested = if r.tests_passed == Some(true) { "its tests pass; " } else { "" };
                let note = format!("{tested}not reviewed: {why}");
                self.pass(tx, r, job, &End { outcome: ReviewOutcome::Unreviewed, note: &note }, now, out)?;
                return Ok(true);
            }
        };
        let Ok(evidence) = std::fs::read_to_string(Path::new(copy).join(EVIDENCE)) else {
            // Somebody has cleared it away.
            tx.set_stage(r.id, Stage::Gather)?;
            return Ok(true);
        };
        let criteria: Vec<String> =
            rubric.criterion.iter().map(|c| format!("- `{}` (weight {}): {}", c.id, c.weight, c.asks.trim())).collect();
        let open = self.earlier(tx, job)?.map(|e| e.open_fixes()).unwrap_or_default();
        let earlier = match open.as_slice() {
            [] => String::new(),
            open => {
                let list: Vec<String> = open.iter().map(|f| format!("{}. {}", f.number, f.text.replace('\n', "\n   "))).collect();
                format!(
                    "\nAn earlier review asked for these fixes. Say of each, by its number, whether it is closed now, and what shows it. What is \
                     still open need not stand among the new fixes.\n\n{}\n",
                    list.join("\n")
                )
            }
        };
        let mut parts = String::new();
        if tx.branch(job.id)?.is_some() {
            parts += ", `DIFF.patch` (the change), `tree` (the files)";
        }
        if !job.spec.artefacts.is_empty() {
            parts += ", `artefacts` (what was delivered)";
        }
        let tests =
            if r.tests_passed == Some(true) { "The project's test command was run on exactly this content, and passes." } else { "" };
        let prompt = fill(
            TEMPLATE,
            &[
                ("parts", &parts),
                ("threshold", &r.threshold.to_string()),
                ("guidance", rubric.guidance.trim()),
                ("criteria", &criteria.join("\n")),
                ("most", &MOST_FIXES.to_string()),
                ("earlier", &earlier),
                ("title", &job.spec.title),
                ("prompt", &ends(&job.spec.prompt, PROMPT_CUT)),
                ("tests", tests),
                ("evidence", evidence.trim()),
            ],
        );
        let title = format!("Review of job {}: {}", job.id, job.spec.title);
        let spec = JobSpec {
            kind: Kind::Review,
            model: reviewer.model.clone(),
            max_attempts: ATTEMPTS,
            ..self.serving(job, r, title, &reviewer.backend, prompt)
        };
        match self.add(tx, &spec, now)? {
            Ok(id) => {
                let model = reviewer.model.map(|m| format!(" {m}")).unwrap_or_default();
                let who = format!("{}{model}, {}", reviewer.backend, reviewer.distance.says());
                tx.set_reviewer(r.id, id, &who)?;
                tx.say_of_review(job, "info", &format!("{}: {}{model} reviews (job {id})", self.round(r), reviewer.backend), now)?;
            }
            Err(why) => self.ask_operator(tx, r, job, &format!("the review cannot be made: {why}"), now)?,
        }
        Ok(true)
    }

    /// A job that serves a round: as urgent as the one that waits for it.
    pub(super) fn serving(&self, job: &Job, r: &Review, title: String, backend: &str, prompt: String) -> JobSpec {
        JobSpec {
            priority: job.spec.priority,
            project_id: job.spec.project_id,
            origin: Origin::Review,
            tags: vec![format!("of:{}", job.id), format!("round:{}", r.round)],
            ..JobSpec::new(title, backend, prompt)
        }
    }

    /// Adds a job; what the rules refuse is an answer, not an error.
    pub(in crate::engine) fn add(&self, tx: &Tx<'_>, spec: &JobSpec, now: Timestamp) -> Result<Result<JobId, String>, StoreError> {
        match tx.add_job(spec, "engine", now) {
            Ok(added) => Ok(Ok(added.job)),
            Err(e @ (StoreError::Invalid(_) | StoreError::Unknown { .. } | StoreError::NoJob(_))) => Ok(Err(e.to_string())),
            Err(e) => Err(e),
        }
    }

    /// The answer of a reviewer, read and checked: `None` for every other job, an error where it cannot be used.
    pub(in crate::engine) fn judged(
        &self,
        tx: &Tx<'_>,
        job: &Job,
        report: &ExitReport,
    ) -> Result<Result<Option<(Review, Judgement)>, String>, StoreError> {
        if report.outcome != Outcome::Ok || job.spec.origin != Origin::Review {
            return Ok(Ok(None));
        }
        let Some(r) = tx.review_by(job.id)?.filter(|r| r.review_job == Some(job.id) && r.stage == Stage::Judge) else {
            return Ok(Ok(None));
        };
        let (Some(rubric), Some(author)) = (&r.rubric, tx.job(r.job)?) else { return Ok(Ok(None)) };
        let open = self.earlier(tx, &author)?.map(|e| e.open_fixes()).unwrap_or_default();
        let wrong = |e: String| format!("its judgement cannot be used: {e}");
        let text = read_head(report.result_file.as_deref(), LONGEST).unwrap_or_default();
        let judged = judgement(&text, rubric, r.threshold, &open).map_err(wrong);
        Ok(judged.map(|j| Some((r, j))))
    }

    /// Keeps a checked answer.
    pub(in crate::engine) fn keep_judgement(&self, tx: &Tx<'_>, r: &Review, judged: &Judgement) -> Result<(), StoreError> {
        let score = r.rubric.as_ref().map_or(0.0, |rubric| review_score(judged, rubric));
        tx.set_judgement(r.id, judged, score)
    }
}

/// Who has ended a job, as the log names them.
fn ended_by(tx: &Tx<'_>, job: JobId) -> Result<String, StoreError> {
    Ok(match tx.ended_by(job)?.as_deref() {
        None | Some("operator") => "the operator".to_owned(),
        Some("engine") => "the engine".to_owned(),
        Some(who) => who.to_owned(),
    })
}
