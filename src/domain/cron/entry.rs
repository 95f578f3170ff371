//! An entry of `cron.toml`, its fires, and what consoles are shown of them.

use super::due::{Catch, Due, Overlap};
use super::schedule::Schedule;
use crate::domain::words::words;
use crate::domain::{JobId, JobSpec, JobState, ProjectId, Timestamp};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One entry, as the file says it.
#[derive(Clone, Debug, PartialEq)]
pub struct CronEntry {
    pub name: String,
    pub schedule: Schedule,
    pub zone: Tz,
    /// As the file says; the operator may have said otherwise since.
    pub enabled: bool,
    pub catch_up: Catch,
    pub overlap: Overlap,
    pub jitter: Duration,
    /// Whether it slows down while its jobs find nothing to do.
    pub back_off: bool,
    /// A fire makes a job for each project that is stalled: work goes on, it has open tasks and no open job.
    pub each_project: bool,
    /// What each fire makes.
    pub job: JobSpec,
    /// Its line in the file, from 1.
    pub line: usize,
}

impl CronEntry {
    /// What tells an entry from what it was before a change: fires that passed before it are none of its own.
    pub fn times(&self) -> String {
        format!("{} {}", self.schedule, self.zone)
    }

    /// The job of a fire: its template, with a dedup key that keeps it single, and a tag to find it by.
    pub fn job_at(&self, at: Timestamp) -> JobSpec {
        let key = match self.overlap {
            Overlap::Skip => format!("cron:{}", self.name),
            Overlap::Allow => format!("cron:{}:{}", self.name, at.0),
        };
        let mut spec = self.job.clone();
        spec.dedup_key.get_or_insert(key);
        spec.tags.push(format!("cron:{}", self.name));
        spec
    }

    /// Under which name it is kept how far it has slowed down: its own, or for a project its name with the project's number, which is
    /// no name of an entry.
    pub fn quiet_key(name: &str, project: Option<ProjectId>) -> String {
        project.map_or_else(|| name.to_owned(), |id| format!("{name}:{id}"))
    }

    /// For `due`.
    pub fn due(&self, late: Duration, most: usize) -> Due<'_> {
        Due {
            name: &self.name,
            schedule: &self.schedule,
            zone: self.zone,
            catch_up: self.catch_up,
            overlap: self.overlap,
            jitter: self.jitter,
            late,
            most,
        }
    }
}

/// A schedule's job made for one project: its own key, and told which project it is about.
pub fn for_project(spec: &JobSpec, project: ProjectId, title: &str) -> JobSpec {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    // A script stays as it is.
    let told = !matches!(spec.backend.as_str(), "shell" | "replay");
    let about = if told { format!("This is about project {project}, \"{title}\".\n\n") } else { String::new() };
    JobSpec {
        title: format!("{}: {title}", spec.title),
        prompt: about + &spec.prompt,
        project_id: Some(project),
        dedup_key: spec.dedup_key.as_ref().map(|key| format!("{key}:project-{project}")),
        ..spec.clone()
    }
}

words!(
    /// What became of a fire.
    FireOutcome {
        /// It has a job.
        Fired = "fired",
        /// A job with its dedup key was open: that one serves.
        Duplicate = "duplicate",
        /// Its time passed while no engine ran.
        Missed = "missed",
        /// The job of an earlier fire was still open.
        Overlap = "overlap",
        /// Left out, since the entry found nothing to do lately.
        BackedOff = "backed_off",
        /// Its job could not be made; the note says why.
        Refused = "refused",
    }
);

/// One fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fire {
    pub id: i64,
    pub name: String,
    /// Its time in the schedule.
    pub at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    pub outcome: FireOutcome,
    /// Older fires that were left out with it.
    pub missed: u32,
    /// The project that its job is for, where the entry makes one for each.
    pub project: Option<ProjectId>,
    pub job: Option<JobId>,
    pub job_state: Option<JobState>,
    /// The operator asked for it.
    pub manual: bool,
    /// Whether its job found something to do; `None` until it is over, or where nobody looks.
    pub found: Option<bool>,
    pub note: Option<String>,
    /// What its job used: input, output and cache writes.
    pub tokens: u64,
}

/// An entry as lists and consoles show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CronRow {
    pub name: String,
    pub schedule: String,
    pub timezone: String,
    pub enabled: bool,
    /// `file` or `operator`.
    pub enabled_by: String,
    pub catch_up: Catch,
    pub overlap: Overlap,
    /// In milliseconds.
    pub jitter_ms: u64,
    /// When its next job is made, where it is enabled.
    pub next: Option<Timestamp>,
    pub last: Option<Fire>,
    /// Every how many fires there is a job: 1 unless it backs off.
    pub every: u32,
    /// Fires that are still left out.
    pub skip: u32,
    /// Jobs in a row that found nothing to do.
    pub quiet: u32,
    /// What a job of it is expected to use, from its last ones.
    pub tokens: u64,
    pub title: String,
    #[serde(rename = "type")]
    pub backend: String,
    pub kind: crate::domain::Kind,
    pub skills: Vec<String>,
    /// What will be wrong when it fires, such as a skill that is not there.
    pub problem: Option<String>,
}

/// One fire that is to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upcoming {
    pub name: String,
    /// Its time in the schedule.
    pub scheduled: Timestamp,
    /// When its job is made: `scheduled` and its jitter.
    pub at: Timestamp,
    /// What it is expected to use; 0 where back-off leaves it out.
    pub tokens: u64,
    /// Back-off leaves it out, as things stand.
    pub backed_off: bool,
    /// Other entries whose jobs start within the same minute.
    pub collides: Vec<String>,
}

/// What the Cron view shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CronView {
    pub rows: Vec<CronRow>,
    /// The next 24 hours, soonest first.
    pub upcoming: Vec<Upcoming>,
    /// What is wrong with the file, while the last good entries are in force.
    pub problem: Option<String>,
    /// Their job templates, by entry, and whether each project that is stalled gets one.
    #[serde(skip)]
    pub jobs: std::collections::BTreeMap<String, (JobSpec, bool)>,
}
