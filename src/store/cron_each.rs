//! Schedules that make a job for each project that is stalled.

use super::cron::NewFire;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{Applied, FireOutcome, JobId, JobSpec, ProjectId, Timestamp, for_project};

/// Why such a fire makes no job.
pub const NONE_STALLED: &str = "no project has open tasks and no open job";

impl Store {
    /// The projects that are stalled, by number, with their titles: work goes on, they have open tasks and no open job.
    ///
    /// # Errors
    /// The database.
    pub fn stalled_projects(&self) -> Result<Vec<(ProjectId, String)>, StoreError> {
        row::all(
            self,
            "SELECT id, title FROM projects p WHERE state IN ('active', 'rejected')
                AND EXISTS (SELECT 1 FROM tasks t WHERE t.project_id = p.id AND t.state = 'open')
                AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.project_id = p.id
                                AND j.state IN ('waiting', 'queued', 'running', 'reviewing'))
             ORDER BY id",
            [],
            |r| Ok((ProjectId(r.get(0)?), r.get(1)?)),
        )
    }
}

impl Tx<'_> {
    /// Writes the fire itself, which makes it happen once; the rows of its projects follow. False: it is written already.
    ///
    /// # Errors
    /// The database.
    pub fn fire_each(&self, fire: &NewFire<'_>, projects: usize, now: Timestamp) -> Result<bool, StoreError> {
        let note = match projects {
            0 => NONE_STALLED.to_owned(),
            1 => "1 project is stalled".to_owned(),
            n => format!("{n} projects are stalled"),
        };
        let Some(id) = self.write_fire(fire, FireOutcome::Fired, Some(&note), now)? else { return Ok(false) };
        self.settle_fire(id, (projects == 0).then_some(false), now)?;
        Ok(true)
    }

    /// Such a fire that the operator asks for.
    pub(super) fn run_each(&self, fire: &NewFire<'_>, spec: &JobSpec, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let projects = self.stalled_projects()?;
        self.fire_each(fire, projects.len(), now)?;
        let mut made = Vec::new();
        for (id, title) in &projects {
            let part = NewFire { project: Some(*id), ..*fire };
            if self.fire(&part, &for_project(spec, *id, title), actor, now)? == Some(FireOutcome::Fired) {
                made.extend(self.job_of_part(&part)?);
            }
        }
        Ok(match made[..] {
            [] => Applied::Refused { message: NONE_STALLED.to_owned() },
            [job] => Applied::Added { job, existing: false },
            _ => {
                let list: Vec<String> = made.iter().map(ToString::to_string).collect();
                Applied::Done { message: format!("jobs {}", list.join(", ")), undo: None }
            }
        })
    }

    /// The job of the newest fire of an entry for a project.
    ///
    /// # Errors
    /// The database.
    pub fn job_of_part(&self, part: &NewFire<'_>) -> Result<Option<JobId>, StoreError> {
        row::optional(
            self,
            "SELECT job_id FROM cron_fires WHERE name = ?1 AND project_id IS ?2 AND job_id IS NOT NULL ORDER BY id DESC LIMIT 1",
            rusqlite::params![part.name, part.project.map(|p| p.0)],
            row::job_ids,
        )
    }
}
