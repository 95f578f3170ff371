//! The list of all jobs as the console shows it: by place, in stretches from either end, each costing what it shows.

use super::pages::{self, ROW, wher};
use super::row;
use super::{Store, StoreError};
use crate::domain::{JobFilter, JobGroup, JobPage, JobPlace, JobRow, JobState, JobsFrom};
use rusqlite::params_from_iter;
use rusqlite::types::Value;

impl Store {
    /// A stretch of the list of all jobs, in its order.
    ///
    /// # Errors
    /// The database.
    pub fn job_list(&self, filter: &JobFilter, page: JobPage) -> Result<Vec<JobRow>, StoreError> {
        let (at, backwards) = match page.from {
            JobsFrom::Top => (None, false),
            JobsFrom::After(place) => (Some(place), false),
            JobsFrom::Before(place) => (Some(place), true),
            JobsFrom::End => (None, true),
        };
        let mut groups = JobGroup::ALL.to_vec();
        if backwards {
            groups.reverse();
        }
        let mut rows = Vec::new();
        for group in groups {
            let beyond = |place: JobPlace| if backwards { group > place.group } else { group < place.group };
            if rows.len() < page.limit && !at.is_some_and(beyond) {
                let within = at.filter(|place| place.group == group);
                rows.extend(self.group(filter, group, within, backwards, page.limit - rows.len())?);
            }
        }
        rows.sort_by_key(JobRow::place);
        Ok(rows)
    }

    /// At most `limit` jobs of one group, next to a place in it, else from the group's end.
    fn group(
        &self,
        filter: &JobFilter,
        group: JobGroup,
        at: Option<JobPlace>,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<JobRow>, StoreError> {
        let wanted = |s: &&JobState| JobGroup::of(**s) == group && (filter.states.is_empty() || filter.states.contains(s));
        let states: Vec<JobState> = JobState::ALL.iter().filter(wanted).copied().collect();
        if states.is_empty() {
            return Ok(Vec::new());
        }
        let (mut clauses, mut values) = pages::conditions(&JobFilter { states, ..filter.clone() });
        // The first clause is the index's own: without those words it is not used.
        const OPEN: &str = "j.state IN ('waiting', 'queued', 'running', 'reviewing')";
        let (known, keys, newest_first): (_, &[&str], _) = match group {
            JobGroup::Running => (OPEN, &["coalesce(j.started_at, 0)", "j.id"], false),
            JobGroup::Queued => (OPEN, &["j.priority", "j.queued_at", "j.id"], false),
            JobGroup::Waiting => {
                (OPEN, &["j.wait_reason NOT IN ('decision', 'cap', 'deadlock')", "coalesce(j.not_before, 0)", "j.id"], false)
            }
            JobGroup::Over => ("j.finished_at IS NOT NULL", &["j.finished_at", "j.id"], true),
        };
        clauses.push(known.to_owned());
        let descending = newest_first != backwards;
        if let Some(place) = at {
            let [first, second] = place.keys;
            let of = match group {
                JobGroup::Queued | JobGroup::Waiting => vec![first, second, place.id],
                JobGroup::Running => vec![second, place.id],
                JobGroup::Over => vec![-second, -place.id],
            };
            let marks = vec!["?"; of.len()].join(", ");
            clauses.push(format!("({}) {} ({marks})", keys.join(", "), if descending { "<" } else { ">" }));
            values.extend(of.into_iter().map(Value::from));
        }
        let order: Vec<String> = keys.iter().map(|key| format!("{key}{}", if descending { " DESC" } else { "" })).collect();
        let found = format!("SELECT j.id FROM jobs j {} ORDER BY {} LIMIT {limit}", wher(&clauses), order.join(", "));
        row::all(self, &format!("{ROW} WHERE j.id IN ({found})"), params_from_iter(values), pages::read_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{JobId, JobSpec, Timestamp};

    /// A database with jobs in every state, whose times are no order of their ids.
    fn store(dir: &std::path::Path, jobs: i64) -> Store {
        let mut store = Store::open(&dir.join("pm.db")).unwrap();
        store
            .write::<_, StoreError>(|tx| {
                let project = tx.add_project("Web Shop", None, "test", Timestamp(1))?;
                for n in 1..=jobs {
                    let mut spec = JobSpec::new(format!("job {n}"), if n % 2 == 0 { "claude" } else { "codex" }, "do it");
                    spec.priority = crate::domain::Priority::new((n % 6) as u8).unwrap();
                    spec.project_id = (n % 5 == 0).then_some(project);
                    let id = tx.add_job(&spec, "test", Timestamp(n))?.job;
                    let shuffled = n * 37 % 101;
                    match n % 4 {
                        0 => tx.run("UPDATE jobs SET queued_at = ?1 WHERE id = ?2", [shuffled, id.0])?,
                        1 => tx.run(
                            "UPDATE jobs SET state = 'waiting', wait_reason = 'date', not_before = ?1 WHERE id = ?2",
                            [shuffled, id.0],
                        )?,
                        2 => tx.run("UPDATE jobs SET state = 'reviewing', started_at = ?1 WHERE id = ?2", [shuffled, id.0])?,
                        _ => tx.run("UPDATE jobs SET state = 'done', finished_at = ?1 WHERE id = ?2", [shuffled, id.0])?,
                    };
                }
                Ok(())
            })
            .unwrap();
        store
    }

    /// The whole list by pages of `limit`, from the top or from the end.
    fn walk(store: &Store, filter: &JobFilter, limit: usize, down: bool) -> Vec<JobId> {
        let mut rows: Vec<JobRow> = Vec::new();
        let mut from = if down { JobsFrom::Top } else { JobsFrom::End };
        loop {
            let mut page = store.job_list(filter, JobPage { from, limit }).unwrap();
            assert!(page.len() <= limit && page.is_sorted_by_key(JobRow::place));
            if page.is_empty() {
                return rows.iter().map(|r| r.id).collect();
            }
            if down {
                from = JobsFrom::After(page[page.len() - 1].place());
                rows.append(&mut page);
            } else {
                from = JobsFrom::Before(page[0].place());
                page.append(&mut rows);
                rows = page;
            }
        }
    }

    #[test]
    fn pages_from_either_end_make_the_same_list_and_it_is_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), 90);
        let all = walk(&store, &JobFilter::default(), 1000, true);
        assert_eq!(all.len(), 90);
        for limit in [1, 7, 30] {
            assert_eq!(walk(&store, &JobFilter::default(), limit, true), all);
            assert_eq!(walk(&store, &JobFilter::default(), limit, false), all);
        }
    }

    #[test]
    fn a_filter_narrows_every_page() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), 60);
        let filter = JobFilter { project: Some("shop".into()), backend: Some("clau".into()), ..JobFilter::default() };
        let mut found = walk(&store, &filter, 2, false);
        found.sort();
        assert_eq!(found, [10, 20, 30, 40, 50, 60].map(JobId));
        let done = JobFilter { states: vec![JobState::Done], ..JobFilter::default() };
        assert_eq!(walk(&store, &done, 4, true).len(), 15);
    }
}
