//! An entry that finds nothing to do fires less and less often, until it finds something again.

/// What a job's result begins with when there was nothing to do (in any case of letters). An empty result says the same.
pub const NOTHING: &str = "NOTHING TO DO";

/// True for the result of a job that found nothing to do.
pub fn found_nothing(result: &str) -> bool {
    let first = result.lines().map(|l| l.trim().trim_start_matches(['#', '*', '_', '>', ' '])).find(|l| !l.is_empty()).unwrap_or("");
    first.is_empty() || first.get(..NOTHING.len()).is_some_and(|head| head.eq_ignore_ascii_case(NOTHING))
}

/// How far an entry has slowed down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Jobs in a row that found nothing to do.
    pub streak: u32,
    /// Fires that are still left out.
    pub skip: u32,
}

impl Quiet {
    /// Every how many fires there is a job: 1, 2, 4, 8, ... up to `most`.
    pub fn every(self, most: u32) -> u32 {
        1u32.checked_shl(self.streak).unwrap_or(u32::MAX).min(most.max(1))
    }

    /// After a job that found something, or nothing.
    pub fn after(self, nothing: bool, most: u32) -> Quiet {
        if !nothing {
            return Quiet::default();
        }
        let next = Quiet { streak: (self.streak + 1).min(31), skip: 0 };
        Quiet { skip: next.every(most) - 1, ..next }
    }

    /// One fire was left out.
    pub fn passed(self) -> Quiet {
        Quiet { skip: self.skip.saturating_sub(1), ..self }
    }
}
