//! The nightly copies of the database: there, young enough, and the last one made.

use super::Site;
use crate::domain::{Component, Finding};
use crate::engine::tidy::{copies as all, last_failure};
use crate::store::Store;
use std::time::Duration;

/// A copy may be so old before it is missed: one is made each night.
const OLD: Duration = Duration::from_secs(2 * 86_400);

/// What there is to go back to.
pub fn copies(store: &Store, site: &Site<'_>) -> Option<Finding> {
    const PART: &str = "copies";
    const C: Component = Component::Database;
    let (Ok(workspace), Ok(settings)) = (&site.workspace, &site.settings) else { return None };
    let failed = last_failure(store).ok().flatten();
    if let Some(why) = failed {
        let fix = "mend what is named, then `orc tidy`; until then nothing old is put away or removed";
        return Some(Finding::warn(C, PART, format!("the last housekeeping stopped at the database's copy: {why}"), fix));
    }
    if settings.keep_backups == 0 {
        return Some(Finding::ok(C, PART, "none are made: `keep_backups` is 0"));
    }
    let newest = all(workspace).pop().map(|(day, _)| day);
    let when = match settings.tidy_at.as_str() {
        "off" => "`tidy_at` is off: none is made by itself".to_owned(),
        time => format!("an engine makes one each night at {time}"),
    };
    let due = settings.day(site.now - OLD);
    let young = store.oldest_event_at().ok().flatten().is_none_or(|t| site.now.since(t) < OLD);
    Some(match newest {
        Some(day) if day >= due => Finding::ok(C, PART, format!("the newest in backups/ is of {day}; {when}")),
        None if young => Finding::ok(C, PART, format!("none yet; {when}")),
        newest => {
            let says = newest.map_or_else(|| "there is none".to_owned(), |day| format!("the newest in backups/ is of {day}"));
            Finding::warn(C, PART, format!("{says}; {when}"), "`orc tidy` makes one now; keep an engine running over night")
        }
    })
}
