//! What a filter says: `lane:0 state:running backend:codex project:shop`, and words.

use crate::domain::{JobRow, JobState, Lane};
use crate::wire::JobFilter;

/// A filter, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    pub states: Vec<JobState>,
    pub lane: Option<Lane>,
    pub backend: Option<String>,
    pub project: Option<String>,
    /// The rest, as it was typed.
    pub words: String,
}

/// The named terms, for hints.
pub const NAMES: &str = "lane:0 state:running backend:codex project:x";

impl Terms {
    /// Takes a filter apart. A term whose value is still to come narrows nothing; one that makes no sense is a word, which then
    /// matches nothing, rather than a term that is silently left out.
    pub fn parse(typed: &str) -> Terms {
        let mut terms = Terms::default();
        let mut words = Vec::new();
        for word in typed.split_whitespace() {
            if !terms.take(word) {
                words.push(word);
            }
        }
        terms.words = words.join(" ");
        terms
    }

    fn take(&mut self, word: &str) -> bool {
        let Some((name, value)) = word.split_once(':') else { return false };
        let value = value.to_lowercase();
        match name.to_lowercase().as_str() {
            "lane" | "state" | "backend" | "project" if value.is_empty() => true,
            "lane" => {
                let lane = Lane::ALL.iter().find(|l| l.number().to_string() == value || l.name().starts_with(&value));
                self.lane = lane.copied().or(self.lane);
                lane.is_some()
            }
            "state" => {
                let mut found: Vec<JobState> = Vec::new();
                for one in value.split(',').filter(|v| !v.is_empty()) {
                    let all = JobState::ALL.iter().filter(|s| match one {
                        "open" => !s.is_final(),
                        _ => s.as_str().starts_with(one),
                    });
                    let before = found.len();
                    found.extend(all);
                    if found.len() == before {
                        return false;
                    }
                }
                self.states.extend(found);
                true
            }
            "backend" => {
                self.backend = Some(value);
                true
            }
            "project" => {
                self.project = Some(value);
                true
            }
            _ => false,
        }
    }

    /// The question's filter; `tab` are the states of the tab that is open.
    pub fn filter(&self, tab: &[JobState]) -> JobFilter {
        JobFilter {
            states: self.states(tab),
            lane: self.lane,
            project_id: None,
            project: self.project.clone(),
            backend: self.backend.clone(),
            text: self.words.clone(),
        }
    }

    /// The states that show: the tab's and the filter's, or the filter's where they exclude each other.
    fn states(&self, tab: &[JobState]) -> Vec<JobState> {
        let both: Vec<JobState> = self.states.iter().filter(|s| tab.contains(s)).copied().collect();
        match (self.states.is_empty(), both.is_empty()) {
            (true, _) => tab.to_vec(),
            (false, true) => self.states.clone(),
            (false, false) => both,
        }
    }

    /// True where a row meets everything but the words.
    pub fn fit(&self, row: &JobRow, tab: &[JobState]) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(part);
        let states = self.states(tab);
        (states.is_empty() || states.contains(&row.state))
            && self.lane.is_none_or(|l| row.lane == l)
            && self.backend.as_ref().is_none_or(|b| has(&row.backend, b))
            && self.project.as_ref().is_none_or(|p| {
                row.project.as_ref().is_some_and(|title| has(title, p))
                    || row.project_id.is_some_and(|id| id.to_string() == p.trim_start_matches('#'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    #[test]
    fn terms_and_words_are_told_apart() {
        let t = Terms::parse("lane:urg state:run,que backend:Codex project:shop fix cart::expires state:");
        assert_eq!((t.lane, t.states.as_slice()), (Some(Lane::Urgent), [JobState::Running, JobState::Queued].as_slice()));
        assert_eq!((t.backend.as_deref(), t.project.as_deref(), t.words.as_str()), (Some("codex"), Some("shop"), "fix cart::expires"));
        assert_eq!(Terms::parse("lane:9 state:flying").words, "lane:9 state:flying");
        assert_eq!(Terms::parse("state:open").states.len(), 4);
    }

    #[test]
    fn a_row_meets_all_of_them_or_does_not_show() {
        let mut r = row(1, "work");
        r.project = Some("Web Shop".into());
        let fits = |typed: &str| Terms::parse(typed).fit(&r, &[]);
        assert!(fits("") && fits("lane:1 state:queued backend:cla project:shop"));
        for typed in ["lane:0", "state:running", "backend:codex", "project:docs"] {
            assert!(!fits(typed), "{typed}");
        }
        assert!(Terms::parse("state:done").filter(&[JobState::Queued]).states == [JobState::Done], "the filter wins over the tab");
    }
}
