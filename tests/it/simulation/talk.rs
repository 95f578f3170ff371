//! Messages and plans in the simulation: what the operator says and decides, what agents answer, and what must hold of it.

use super::world::World;
use super::{Operator, Wake};
use orc::domain::{
    Applied, Class, Command, JobId, JobState, Kind, MessageStage, OnFailure, Origin, Page, PlanId, PlanState, Priority, Says,
};
use orc::store::{ORC, Store};
use rusqlite::Connection;
use serde_json::json;
use std::time::Duration;

const EVERYTHING: Page = Page { before: None, limit: usize::MAX >> 1 };

/// What there was to see of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Talk {
    /// Messages by class.
    pub classes: [u32; 5],
    /// Sorted by rules.
    pub rules: u32,
    pub replies: u32,
    pub reminders: u32,
    /// Plans that were sent back, dispatched, rejected.
    pub plans: [u32; 3],
    /// Planned jobs that were made, that went on without one that failed, that were cancelled.
    pub planned: [u32; 3],
}

impl std::ops::Add for Talk {
    type Output = Talk;
    fn add(self, b: Talk) -> Talk {
        let three = |a: [u32; 3], b: [u32; 3]| std::array::from_fn(|i| a[i] + b[i]);
        Talk {
            classes: std::array::from_fn(|i| self.classes[i] + b.classes[i]),
            rules: self.rules + b.rules,
            replies: self.replies + b.replies,
            reminders: self.reminders + b.reminders,
            plans: three(self.plans, b.plans),
            planned: three(self.planned, b.planned),
        }
    }
}

impl Talk {
    /// True where nothing of it was left untried.
    pub fn all(&self) -> bool {
        let some = |figures: &[u32]| figures.iter().all(|n| *n > 0);
        some(&self.classes) && some(&[self.rules, self.replies, self.reminders]) && some(&self.plans) && some(&self.planned)
    }
}

impl World {
    /// What an agent says that sorts, plans or converses.
    pub fn talks(&self, prompt: &str, dice: u64) -> Option<String> {
        if prompt.contains("Review the work of another agent") {
            return None;
        }
        let faults = self.get().faults;
        if prompt.contains("Sort one message") {
            let until = (self.now() + Duration::from_secs(1 + self.below(200))).rfc3339();
            return Some(match dice {
                0 => "It sounds urgent.".to_owned(),
                1..=3 => json!({"class": "respond"}).to_string(),
                4..=5 => json!({"class": "quick", "kind": "maintenance"}).to_string(),
                6..=8 => json!({"class": "big"}).to_string(),
                9 => json!({"class": "clarify", "question": "Which one?", "options": [{"label": "This"}, {"label": "That"}]}).to_string(),
                _ => json!({"class": "defer", "until": until}).to_string(),
            });
        }
        if !prompt.contains(": Plan: ") {
            return None;
        }
        Some(match dice {
            0 | 1 if faults => "I would begin at the beginning.".to_owned(),
            2 if faults => {
                json!({"goal": "g", "tasks": [{"key": "a", "title": "a", "kind": "code", "prompt": "p", "depends_on": ["a"]}]}).to_string()
            }
            _ => {
                let n = 1 + self.below(4);
                let tasks: Vec<_> = (0..n)
                    .map(|i| {
                        let on: Vec<String> = (0..i).filter(|_| self.below(2) == 0).map(|on| format!("t{on}")).collect();
                        let kind = ["maintenance", "other"][self.below(2) as usize];
                        json!({"key": format!("t{i}"), "title": "a task", "kind": kind, "prompt": "work", "depends_on": on})
                    })
                    .collect();
                json!({"goal": "g", "tasks": tasks}).to_string()
            }
        })
    }
}

impl Operator {
    pub fn newest(&self) -> i64 {
        self.store.job_counts(&Default::default()).unwrap().values().sum::<u64>() as i64
    }

    /// Says something, or has something planned.
    pub fn talk(&mut self, wake: &Wake) {
        const TEXTS: [&str; 6] =
            ["thanks", "is the site up?", "build a whole shop", "do it", "remind me in 40 seconds to look", "check the backup"];
        let n = |n| self.world.below(n);
        let text = TEXTS[n(6) as usize].to_owned();
        let command = if n(3) == 0 {
            let on_failure = [Some(OnFailure::Skip), Some(OnFailure::Skip), Some(OnFailure::Cancel), None][n(4) as usize];
            let new = Command::NewPlan { request: text, project: None, priority: Priority::new(1 + n(4) as u8).unwrap(), on_failure };
            if n(3) > 0 {
                return self.propose(&new, wake);
            }
            new
        } else {
            let from = (n(6) == 0).then(|| "somebody else".to_owned());
            Command::SendMessage { text, channel: "console".into(), from, project: None }
        };
        self.apply(&command, wake);
    }

    /// Proposes a plan of their own, and says yes to it: its jobs run while things go wrong.
    fn propose(&mut self, new: &Command, wake: &Wake) {
        let task = |key: &str, on: &[&str]| json!({"key": key, "title": "a task", "kind": "maintenance", "type": "shell", "prompt": "work", "depends_on": on});
        let tasks = [task("a", &[]), task("b", &["a"]), task("c", &["b"]), task("d", &["a"])];
        let document = serde_json::from_value(json!({"goal": "g", "tasks": tasks})).unwrap();
        let Applied::Planned { plan } = self.quietly(new) else { panic!("it was refused") };
        // The engine may have taken it up by now: then it makes one itself.
        if let Applied::Done { .. } = self.quietly(&Command::EditPlan { plan, document: Box::new(document), revision: Some(0) }) {
            self.apply(&Command::ApprovePlan { plan, revision: Some(1) }, wake);
        }
    }

    /// Says yes or no to a plan, if there is one; yes once nothing goes wrong any more.
    pub fn decide(&mut self, wake: &Wake) {
        let made: Vec<_> = self.store.plans_under_way().unwrap().iter().flat_map(|p| self.store.plan_jobs(p.id).unwrap()).collect();
        if self.world.fault(2) && !made.is_empty() {
            let one = &made[self.world.below(made.len() as u64) as usize];
            self.apply(&Command::Kill { job: one.job, seen: None }, wake);
        }
        let Some(plan) = self.store.plans_in(PlanState::Proposed).unwrap().into_iter().next() else { return };
        let command = match self.world.below(4) {
            0 if self.world.get().faults => Command::RejectPlan { plan: plan.id, reason: "no".into() },
            _ => Command::ApprovePlan { plan: plan.id, revision: Some(plan.revision) },
        };
        self.apply(&command, wake);
    }

    /// Messages and plans that are not at an end.
    pub fn unsettled(&self) -> Vec<String> {
        let messages = self.store.messages(false, EVERYTHING).unwrap();
        // A plan that holds for a failed task is the operator's.
        let held = |plan: Option<PlanId>| plan.is_some_and(|p| !self.store.plan_stuck(p).unwrap().is_empty());
        let messages = messages.into_iter().filter(|m| !held(m.plan)).map(|m| format!("message {} is at {} ({:?})", m.id, m.stage, m.note));
        let plans =
            [PlanState::Draft, PlanState::Proposed, PlanState::Approved].map(|s| self.store.plans_in(s).unwrap()).into_iter().flatten();
        let plans = plans.map(|p| format!("plan {} is {} ({:?}, job {:?})", p.id, p.state, p.note, p.job));
        let under_way = self.store.plans_under_way().unwrap().into_iter().filter(|p| !held(Some(p.id)));
        messages.chain(plans).chain(under_way.map(|p| format!("plan {} is under way", p.id))).collect()
    }

    /// Each message is answered once, each planned task is one job, and nothing was made without a yes.
    pub fn audit_talk(&self, db: &Connection) -> Result<(), String> {
        let number = |sql: &str| -> i64 { db.query_row(sql, [], |r| r.get(0)).unwrap() };
        for m in self.store.messages(true, EVERYTHING).unwrap() {
            let id = m.id;
            let said = self.store.said_to(id).unwrap();
            let count = |says: Says| said.iter().filter(|e| e.says == says).count();
            if count(Says::Message) != 1 || count(Says::Reply) > 1 || count(Says::Reminder) > 1 || count(Says::Question) > 2 {
                return Err(format!("message {id}: {said:?}"));
            }
            let tag = |kind: &str| {
                number(&format!(
                    "SELECT count(*) FROM jobs, json_each(jobs.tags) t WHERE t.value = 'message:{id}' AND origin = 'message' AND kind {kind} 'triage'"
                ))
            };
            let sorted = 1 + count(Says::Answer) as i64;
            if tag("=") > sorted || tag("<>") > 1 {
                return Err(format!("message {id} was sorted by {} jobs and answered by {}", tag("="), tag("<>")));
            }
            if m.stage != MessageStage::Over {
                continue;
            }
            let Some(class) = m.triage.as_ref().map(|t| t.class) else { return Err(format!("message {id} is over and was never sorted")) };
            let last = said.last().map(|e| (e.says, e.author.as_str()));
            let ends = match last {
                Some((Says::Reply, ORC)) => matches!(class, Class::Respond | Class::Quick),
                Some((Says::Reminder, ORC)) => class == Class::Defer,
                Some((Says::Notice, ORC)) => true,
                // The operator did not mind any more.
                Some((Says::Answer, _)) => true,
                _ => false,
            };
            if !ends {
                return Err(format!("message {id} ({class}) ended without a word: {said:?}"));
            }
            if count(Says::Reminder) == 1 && said.iter().any(|e| e.says == Says::Reminder && Some(e.at) < m.due_at) {
                return Err(format!("message {id} was reminded of too early"));
            }
        }
        for row in self.store.plans(EVERYTHING).unwrap() {
            let plan = self.store.plan(row.id).unwrap().unwrap();
            let (id, made) = (plan.id, self.store.plan_jobs(plan.id).unwrap());
            let tagged = |kind: &str| {
                number(&format!(
                    "SELECT count(*) FROM jobs, json_each(jobs.tags) t WHERE t.value = 'plan:{id}' AND origin = 'plan' AND kind {kind} 'plan'"
                ))
            };
            if tagged("=") > 1 {
                return Err(format!("plan {id} has {} planners", tagged("=")));
            }
            let tasks = if plan.state == PlanState::Dispatched { plan.document.as_ref().map_or(0, |d| d.tasks.len()) } else { 0 };
            if made.len() != tasks || tagged("<>") != tasks as i64 {
                return Err(format!(
                    "plan {id} is {} with {tasks} tasks, {} jobs and {} of its mark",
                    plan.state,
                    made.len(),
                    tagged("<>")
                ));
            }
            if plan.state == PlanState::Dispatched && plan.decided_by.as_deref() != Some("operator") {
                return Err(format!("plan {id} was dispatched by {:?}", plan.decided_by));
            }
            for job in &made {
                self.in_order(id, job.job)?;
            }
        }
        Ok(())
    }

    /// A job of a plan ran only once what it needs was done, or was done without.
    fn in_order(&self, plan: PlanId, id: JobId) -> Result<(), String> {
        let job = self.store.job(id).unwrap().unwrap();
        let (Some(first), waived) = (self.store.attempts(id).unwrap().first().map(|a| a.started_at), self.store.waived(id).unwrap()) else {
            return Ok(());
        };
        assert!(job.spec.origin == Origin::Plan && job.spec.kind != Kind::Plan);
        for on in job.spec.depends_on.iter().filter(|on| !waived.contains(on)) {
            let needed = self.store.job(*on).unwrap().unwrap();
            let done = self.store.attempts(*on).unwrap().iter().any(|a| a.ended_at.is_some_and(|t| t <= first));
            // One that the operator retried is open again; a job that they retried themselves runs all the same.
            if !done && needed.state == JobState::Done {
                return Err(format!("plan {plan}: job {id} began before job {on} was done"));
            }
        }
        Ok(())
    }
}

/// What there was to see.
pub fn seen(store: &Store) -> Talk {
    let mut talk = Talk::default();
    for m in store.messages(true, EVERYTHING).unwrap() {
        if let Some(t) = &m.triage {
            talk.classes[t.class as usize] += 1;
        }
        talk.rules += u32::from(m.triaged_by.is_some_and(|by| by.starts_with("rules")));
        let said = store.said_to(m.id).unwrap();
        talk.replies += said.iter().filter(|e| e.says == Says::Reply).count() as u32;
        talk.reminders += said.iter().filter(|e| e.says == Says::Reminder).count() as u32;
    }
    for row in store.plans(EVERYTHING).unwrap() {
        let plan = store.plan(row.id).unwrap().unwrap();
        talk.plans[0] += plan.returned;
        talk.plans[1] += u32::from(plan.state == PlanState::Dispatched);
        talk.plans[2] += u32::from(plan.state == PlanState::Rejected);
        for job in store.plan_jobs(plan.id).unwrap() {
            talk.planned[0] += 1;
            talk.planned[1] += u32::from(!store.waived(job.job).unwrap().is_empty());
            let note = store.job(job.job).unwrap().unwrap().note;
            talk.planned[2] += u32::from(note.is_some_and(|n| n.starts_with("cancelled: it needs job")));
        }
    }
    talk
}
