//! The stretch of the list that is known: one or more pages that join, somewhere in a list of any length.

use crate::domain::{JobId, JobPlace};
use crate::wire::{JobRow, JobsFrom};
use std::collections::BTreeSet;

/// What is known, and where the unknown begins.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    pub listed: BTreeSet<JobId>,
    /// The unknown ends here; `None`: there is nothing above.
    pub from: Option<JobPlace>,
    /// The unknown begins here; `None`: there is nothing below.
    pub to: Option<JobPlace>,
}

impl Stretch {
    /// True if a job at this place would be known.
    pub fn covers(&self, place: JobPlace) -> bool {
        self.from.is_none_or(|from| from <= place) && self.to.is_none_or(|to| place <= to)
    }

    /// Takes a page: one that joins makes the stretch longer, any other takes its place. True if it joined.
    pub fn take(&mut self, from: JobsFrom, rows: &[JobRow], more: bool) -> bool {
        let edge = |row: Option<&JobRow>| row.filter(|_| more).map(JobRow::place);
        let (first, last) = (edge(rows.first()), edge(rows.last()));
        let ids = rows.iter().map(|r| r.id);
        match from {
            JobsFrom::After(place) if self.to == Some(place) => {
                self.listed.extend(ids);
                self.to = last;
                true
            }
            JobsFrom::Before(place) if self.from == Some(place) => {
                self.listed.extend(ids);
                self.from = first;
                true
            }
            _ => {
                let (from, to) = match from {
                    JobsFrom::Top => (None, last),
                    JobsFrom::After(place) => (Some(place), last),
                    JobsFrom::Before(place) => (first, Some(place)),
                    JobsFrom::End => (first, None),
                };
                *self = Stretch { listed: ids.collect(), from, to };
                false
            }
        }
    }
}
