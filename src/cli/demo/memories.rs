//! What the demo's shop remembers from the days before.

use crate::config::{Settings, Workspace};
use crate::domain::{Category, JobId, MemorySource, Timestamp};
use crate::engine::Library;
use crate::memory::{Added, MemoryError, NewMemory};
use std::time::Duration;

/// Days ago, kind, importance, the job it was captured from (0: the operator's own word), text.
const KEPT: &[(u64, Category, f64, i64, &str)] = &[
    (96, Category::Preference, 0.9, 0, "Receipts round each line to the cent first and add up then; customers compare the lines."),
    (81, Category::Person, 0.6, 0, "Marta keeps the books. She wants the payments matched before the 5th, as a table."),
    (74, Category::Decision, 0.7, 41, "Orders of the old shop are imported by their number; a refused row goes to a file of its own."),
    (
        60,
        Category::Lesson,
        0.8,
        58,
        "Tests of carts and sessions take the time as an argument: those that read the clock failed near midnight.",
    ),
    (47, Category::Fact, 0.5, 66, "The carrier charges pallets by the started half metre and gives no price below 30 kg."),
    (33, Category::Preference, 0.7, 0, "Drafts of mail are short, without exclamation marks, and are never sent without me."),
    (21, Category::Decision, 0.6, 83, "The newsletter goes out on the first Tuesday of a month."),
    (12, Category::Lesson, 0.7, 97, "The sitemap is rebuilt after the catalogue, else new products are missing from it."),
    (5, Category::Decision, 0.8, 104, "The newsletter goes out on the first Thursday of a month: Tuesdays are for the stock."),
    (3, Category::Event, 0.4, 109, "A mail says that the carrier moves its pick-up to 15:00 from next month on."),
    (1, Category::Context, 0.5, 112, "Release 2.5 waits for the fix of the gift card balance."),
];

/// Of these, by their places from 1: one that a newer one has superseded and nobody has judged; and one that rests on a mail.
const DISPUTED: (i64, i64) = (7, 9);
const OUTSIDE: usize = 10;

/// Puts them into the workspace's memory store.
///
/// # Errors
/// The store cannot be written.
pub fn seed(workspace: &Workspace, now: Timestamp) -> Result<(), MemoryError> {
    let store = Library::new(workspace.clone()).store(&Settings::default())?;
    let news = (1..).zip(KEPT).map(|(place, (days, category, importance, job, text))| NewMemory {
        text: (*text).to_owned(),
        category: *category,
        importance: *importance,
        source: if *job == 0 { MemorySource::Operator } else { MemorySource::Job { job: JobId(*job), attempt: None } },
        external: place == OUTSIDE,
        created_at: Some(now - Duration::from_secs(days * 24 * 3600)),
    });
    let added = store.add_all(news.collect(), now)?;
    let id = |place: i64| match added[place as usize - 1] {
        Added::New(id) | Added::Merged(id) => id,
    };
    store.supersede(id(DISPUTED.0), id(DISPUTED.1), true, now - Duration::from_secs(5 * 24 * 3600))?;
    Ok(())
}
