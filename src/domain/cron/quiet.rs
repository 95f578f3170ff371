//! An entry that finds nothing to do fires less and less often, until it finds something again.

/// What a job's result begins with when there was nothing to do (in any case of letters). An empty result says the same.
pub const NOTHING: &str = "NOTHING TO DO";

/// True for the result of a job that found nothing to do.
pub fn found_nothing(result: &str) -> bool {
    first_line(result).is_none() || says_nothing(result)
}

/// True for a result that says so in words.
pub fn says_nothing(result: &str) -> bool {
    let first = first_line(result).and_then(|l| l.get(..NOTHING.len()));
    first.is_some_and(|head| head.eq_ignore_ascii_case(NOTHING))
}

/// The first line that has a letter or a number, without what Markdown and quoting put before it; a fence's own line is none.
fn first_line(result: &str) -> Option<&str> {
    let lines = result.lines().map(str::trim).filter(|l| !l.starts_with("```") || l.trim_matches('`').contains(' '));
    lines.map(|l| l.trim_start_matches(|c: char| !c.is_alphanumeric())).find(|l| !l.is_empty())
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
