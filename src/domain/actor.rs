//! Who acts, and what a process inside a job may do. A guard rail against agents that go astray, no wall: they run under the
//! operator's own user id.

use super::words::words;
use super::{AttemptId, Command, JobId, JobSpec, Kind, Priority, ProjectId, TaskId};
use std::fmt;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person at a terminal, or their scripts.
    Operator,
    /// The engine itself.
    Engine,
    /// A process of a job.
    Worker(Inside),
}

/// The job that a process belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    pub worker: String,
    pub job: JobId,
    pub attempt: AttemptId,
    pub project: Option<ProjectId>,
    pub priority: Priority,
}

impl fmt::Display for Actor {
    /// As in the audit log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Operator => f.write_str("operator"),
            Actor::Engine => f.write_str("engine"),
            Actor::Worker(inside) => write!(f, "worker:{}", inside.worker),
        }
    }
}

words!(
    /// The rules that a refusal names.
    Rule {
        /// Jobs and tasks are made and changed in the own project only.
        OwnProject = "own-project",
        /// Nothing becomes more urgent than the job that asks for it.
        OwnPriority = "own-priority",
        /// A job does not end, restart or reprioritise itself.
        NotItself = "not-itself",
        /// Approving, answering, finishing and steering are the operator's.
        OperatorOnly = "operator-only",
    }
);

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused by the rule {rule}: {says}")]
pub struct Refusal {
    pub rule: Rule,
    pub says: String,
}

/// What somebody wants to do, as the rules see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Act<'a> {
    AddJob(&'a JobSpec),
    /// In this project.
    AddTask(ProjectId),
    /// A plan of this project, whose jobs are this urgent.
    Plan(Option<ProjectId>, Priority),
    /// A card for a task of this project, if for one.
    Ask(Option<(TaskId, ProjectId)>),
    /// A change of a job, to this priority if that is what changes.
    ChangeJob {
        job: JobId,
        of: Target,
        priority: Option<Priority>,
    },
    /// Anything else, in words.
    Steer(&'a str),
}

/// What the rules look at of a job that is to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub project: Option<ProjectId>,
    /// It tests or reviews what another job has done.
    pub judges: bool,
    /// The job of the process that wants the change has made it, itself or through a job that it made.
    pub made_here: bool,
}

impl Actor {
    /// Whether they may.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn may(&self, act: &Act<'_>) -> Result<(), Refusal> {
        let Actor::Worker(me) = self else { return Ok(()) };
        let refuse = |rule, says: String| Err(Refusal { rule, says });
        let own = |project: Option<ProjectId>| match (project, me.project) {
            (theirs, mine) if theirs == mine => Ok(()),
            (_, Some(mine)) => refuse(Rule::OwnProject, format!("a process of job {} works in project {mine} only", me.job)),
            (Some(_), None) => refuse(Rule::OwnProject, format!("job {} belongs to no project, so it changes none", me.job)),
            (None, None) => Ok(()),
        };
        let no_more_urgent = |priority: Priority| {
            if priority < me.priority {
                refuse(Rule::OwnPriority, format!("{priority} is more urgent than job {} itself ({})", me.job, me.priority))
            } else {
                Ok(())
            }
        };
        match act {
            Act::AddJob(spec) => own(spec.project_id).and_then(|()| no_more_urgent(spec.priority)),
            Act::AddTask(project) => own(Some(*project)),
            Act::Plan(project, priority) => own(*project).and_then(|()| no_more_urgent(*priority)),
            Act::Ask(task) => task.map_or(Ok(()), |(_, project)| own(Some(project))),
            Act::ChangeJob { job, .. } if *job == me.job => {
                refuse(Rule::NotItself, format!("job {job} cannot end, restart or reprioritise itself"))
            }
            // It may be the caller's own work that is judged.
            Act::ChangeJob { job, of, .. } if of.judges => {
                refuse(Rule::OperatorOnly, format!("job {job} judges what another has done: only the operator ends or changes it"))
            }
            Act::ChangeJob { job, of, .. } if me.project.is_none() && of.project.is_none() && !of.made_here => refuse(
                Rule::OwnProject,
                format!("job {} belongs to no project, so it changes only what it has made itself; job {job} it has not", me.job),
            ),
            Act::ChangeJob { of, priority, .. } => own(of.project).and_then(|()| priority.map_or(Ok(()), no_more_urgent)),
            Act::Steer(what) => refuse(Rule::OperatorOnly, format!("{what} is for the operator, not for a process of job {}", me.job)),
        }
    }
}

/// A command as the rules see it; `target` looks a job up.
pub fn act_of<'a>(command: &'a Command, target: impl Fn(JobId) -> Target) -> Act<'a> {
    let change = |job: &JobId, priority| Act::ChangeJob { job: *job, of: target(*job), priority };
    match command {
        Command::AddJob { spec } => Act::AddJob(spec),
        Command::Kill { job, .. } | Command::Retry { job, .. } => change(job, None),
        Command::SetPriority { job, priority, .. } => change(job, Some(*priority)),
        // A finished job reports its project as ready; whether it is, only the operator says.
        Command::SubmitProject { project } => Act::AddTask(*project),
        Command::ApproveProject { .. } | Command::RejectProject { .. } | Command::ReopenProject { .. } => Act::Steer("closing a project"),
        Command::Answer { .. } | Command::CancelDecision { .. } => Act::Steer("a decision"),
        // A plan is a proposal; whether anything comes of it, only the operator says.
        Command::NewPlan { project, priority, .. } => Act::Plan(*project, *priority),
        Command::ApprovePlan { .. } | Command::RejectPlan { .. } | Command::EditPlan { .. } => Act::Steer("deciding on a plan"),
        // It would be taken for the operator's own word.
        Command::SendMessage { .. } | Command::ReadConversation { .. } => Act::Steer("speaking as the operator"),
        Command::VetoMemory { job, .. } => change(job, None),
        // What a job remembers is added under its own name, by the command line.
        Command::AddMemory { .. }
        | Command::ForgetMemory { .. }
        | Command::RestoreMemory { .. }
        | Command::EditMemory { .. }
        | Command::SettleMemory { .. } => Act::Steer("changing what is remembered"),
        Command::PauseLane { .. } | Command::PauseEngine { .. } | Command::Drain { .. } => Act::Steer("steering the engine"),
        Command::PauseWorker { .. } | Command::RetireWorker { .. } => Act::Steer("steering workers"),
        Command::PauseBackend { .. } => Act::Steer("steering backends"),
        Command::SetCron { .. } => Act::Steer("switching schedules"),
        // It forgets what is stale, and what comes of it changes what is remembered.
        Command::RunCron { spec, .. } if spec.kind == Kind::Consolidate => Act::Steer("reviewing the day"),
        Command::RunCron { each_project: true, .. } => Act::Steer("a schedule that makes jobs in every project"),
        Command::RunCron { spec, .. } => Act::AddJob(spec),
        Command::PinSkill { .. } | Command::CanarySkill { .. } => Act::Steer("choosing versions of skills"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PlanId;
    use super::*;

    const OWN: ProjectId = ProjectId(3);
    const OTHER: ProjectId = ProjectId(4);

    fn inside(project: Option<ProjectId>) -> Actor {
        let priority = Priority::P2;
        Actor::Worker(Inside { worker: "web".into(), job: JobId(7), attempt: AttemptId(9), project, priority })
    }

    fn spec(project: Option<ProjectId>, level: u8) -> JobSpec {
        JobSpec { project_id: project, priority: Priority::new(level).unwrap(), ..JobSpec::new("t", "shell", "true") }
    }

    #[test]
    fn what_a_process_inside_a_job_may_and_may_not() {
        let me = inside(Some(OWN));
        let rule = |act: Act<'_>| me.may(&act).map_err(|r| r.rule);
        assert_eq!(rule(Act::AddJob(&spec(Some(OWN), 2))), Ok(()));
        assert_eq!(rule(Act::AddJob(&spec(Some(OWN), 1))), Err(Rule::OwnPriority));
        assert_eq!(rule(Act::AddJob(&spec(Some(OTHER), 2))), Err(Rule::OwnProject));
        assert_eq!(rule(Act::AddJob(&spec(None, 2))), Err(Rule::OwnProject));
        assert_eq!(rule(Act::AddTask(OWN)), Ok(()));
        assert_eq!(rule(Act::AddTask(OTHER)), Err(Rule::OwnProject));
        assert_eq!(rule(Act::Ask(None)), Ok(()));
        assert_eq!(rule(Act::Ask(Some((TaskId(1), OTHER)))), Err(Rule::OwnProject));
        let target = |project| Target { project, ..Target::default() };
        let change = |job, project, level: Option<u8>| Act::ChangeJob {
            job: JobId(job),
            of: target(project),
            priority: level.and_then(Priority::new),
        };
        assert_eq!(rule(change(8, Some(OWN), None)), Ok(()));
        assert_eq!(rule(change(8, Some(OWN), Some(3))), Ok(()));
        assert_eq!(rule(change(8, Some(OWN), Some(0))), Err(Rule::OwnPriority));
        assert_eq!(rule(change(8, Some(OTHER), None)), Err(Rule::OwnProject));
        assert_eq!(rule(change(7, Some(OWN), Some(0))), Err(Rule::NotItself));
        assert_eq!(rule(Act::Steer("x")), Err(Rule::OperatorOnly));
        let judge = Target { judges: true, ..target(Some(OWN)) };
        assert_eq!(rule(Act::ChangeJob { job: JobId(8), of: judge, priority: None }), Err(Rule::OperatorOnly), "its own reviewer");
    }

    #[test]
    fn a_job_without_a_project_keeps_out_of_every_project_and_the_operator_may_all() {
        let me = inside(None);
        assert_eq!(me.may(&Act::AddJob(&spec(None, 5))), Ok(()));
        assert_eq!(me.may(&Act::AddJob(&spec(Some(OWN), 5))).unwrap_err().rule, Rule::OwnProject);
        let change = |project, made_here| {
            let of = Target { project, made_here, judges: false };
            me.may(&Act::ChangeJob { job: JobId(8), of, priority: None }).map_err(|r| r.rule)
        };
        assert_eq!(change(None, true), Ok(()), "what it has made");
        assert_eq!(change(None, false), Err(Rule::OwnProject), "somebody else's, of no project either");
        assert_eq!(change(Some(OWN), true), Err(Rule::OwnProject));
        for actor in [Actor::Operator, Actor::Engine] {
            assert_eq!(actor.may(&Act::Steer("approving")), Ok(()));
            assert_eq!(actor.may(&Act::AddJob(&spec(Some(OTHER), 0))), Ok(()));
        }
    }

    #[test]
    fn commands_that_are_the_operators_are_seen_as_such() {
        let target = |job: JobId| Target { project: (job == JobId(8)).then_some(OWN), ..Target::default() };
        let me = inside(Some(OWN));
        let may = |command: &Command| me.may(&act_of(command, target)).map_err(|r| r.rule);
        assert_eq!(may(&Command::ApproveProject { project: OWN, remark: None }), Err(Rule::OperatorOnly));
        assert_eq!(may(&Command::Drain { on: true }), Err(Rule::OperatorOnly));
        assert_eq!(may(&Command::SubmitProject { project: OWN }), Ok(()));
        assert_eq!(may(&Command::SubmitProject { project: OTHER }), Err(Rule::OwnProject));
        assert_eq!(may(&Command::Kill { job: JobId(8), seen: None }), Ok(()));
        assert_eq!(may(&Command::Kill { job: JobId(11), seen: None }), Err(Rule::OwnProject));
        let plan =
            |project, level| Command::NewPlan { request: "x".into(), project, priority: Priority::new(level).unwrap(), on_failure: None };
        assert_eq!(may(&plan(Some(OWN), 2)), Ok(()));
        assert_eq!(may(&plan(Some(OTHER), 2)), Err(Rule::OwnProject));
        assert_eq!(may(&plan(None, 2)), Err(Rule::OwnProject));
        assert_eq!(may(&plan(Some(OWN), 0)), Err(Rule::OwnPriority));
        assert_eq!(may(&Command::ApprovePlan { plan: PlanId(1), revision: None }), Err(Rule::OperatorOnly));
        let run = |each_project| Command::RunCron { name: "x".into(), spec: Box::new(spec(Some(OWN), 2)), each_project };
        assert_eq!((may(&run(false)), may(&run(true))), (Ok(()), Err(Rule::OperatorOnly)));
        let said = Command::SendMessage { text: "x".into(), channel: "command line".into(), from: None, project: None };
        assert_eq!(may(&said), Err(Rule::OperatorOnly));
    }
}
