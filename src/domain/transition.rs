//! The job state machine, as one table.

use super::job::JobState;

/// True where a job may go from one state to another. Final states are left only by the operator's retry.
pub fn allowed(from: JobState, to: JobState) -> bool {
    use JobState::*;
    match from {
        // Reviewing: the operator has settled what author and reviewer could not.
        Waiting => matches!(to, Queued | Reviewing | Killed),
        Queued => matches!(to, Running | Killed),
        Running => matches!(to, Reviewing | Done | Queued | Waiting | Failed | Killed),
        Reviewing => matches!(to, Done | Queued | Waiting | Failed | Killed),
        Done | Failed | Killed => to == Queued,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let mut table = String::new();
        for from in JobState::ALL {
            let to: Vec<_> = JobState::ALL.iter().filter(|to| allowed(*from, **to)).map(|s| s.as_str()).collect();
            table += &format!("{from}: {}\n", to.join(" "));
        }
        assert_eq!(
            table,
            "waiting: queued reviewing killed\nqueued: running killed\nrunning: waiting queued reviewing done failed killed\n\
             reviewing: waiting queued done failed killed\ndone: queued\nfailed: queued\nkilled: queued\n"
        );
    }
}
