//! A clock that jumps under a living engine: a machine that sleeps, one that is set back by a little or by much, and one that was days
//! ahead for a while. No fire happens twice, and what becomes of the others is the policy's.

use super::cron::Life;
use super::world::World;
use chrono::TimeDelta;
use orc::config::{Settings, init};
use orc::domain::{FireOutcome, Timestamp};
use orc::engine::{Clock, Input};
use orc::store::Store;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const FILE: &str = "
[[cron]]\nname = \"skip\"\nschedule = \"*/15 * * * *\"\ntimezone = \"UTC\"\n[cron.job]\ntitle = \"s\"\ntype = \"shell\"\nprompt = \"work\"
[[cron]]\nname = \"once\"\nschedule = \"*/15 * * * *\"\ntimezone = \"UTC\"\ncatch_up = \"once\"\n[cron.job]\ntitle = \"o\"\ntype = \"shell\"\nprompt = \"work\"
[[cron]]\nname = \"all\"\nschedule = \"0 * * * *\"\ntimezone = \"UTC\"\ncatch_up = \"all\"\n[cron.job]\ntitle = \"a\"\ntype = \"shell\"\nprompt = \"work\"
";

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// The rows of an entry since the last look: time, outcome, older ones that it left out.
struct Rows {
    store: Store,
    seen: usize,
}

impl Rows {
    fn since(&mut self, name: &str) -> Vec<(String, FireOutcome, u32)> {
        let all = self.store.fires(Some(name), usize::MAX >> 1).unwrap();
        all.iter().rev().filter(|f| f.id as usize > self.seen).map(|f| (f.at.rfc3339()[8..16].to_owned(), f.outcome, f.missed)).collect()
    }

    /// What stands now has been looked at.
    fn looked(&mut self) {
        self.seen = self.store.fires(None, 1).unwrap()[0].id as usize;
    }
}

#[test]
fn a_clock_that_jumps_doubles_no_fire_and_loses_none_beyond_policy() {
    use FireOutcome::{Fired, Missed};
    let dir = tempfile::tempdir().unwrap();
    let (workspace, _) = init(&dir.path().join("ws")).unwrap();
    let mut settings = Settings::default();
    (settings.tick, settings.cron_late, settings.cron_catch_up) = (minutes(1), minutes(2), 24);
    let settings = Arc::new(settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut rows = Rows { store: Store::open(&workspace.database()).unwrap(), seen: 0 };
    let row = |at: &str, outcome, missed| (at.to_owned(), outcome, missed);
    runtime.block_on(async {
        let clock = Clock::simulated(Timestamp::parse("2026-06-01T12:00:07Z").unwrap());
        let world = World::new(1, clock, workspace.spool_dir());
        world.get().faults = false;
        let mut life = Life::begin(&world, &workspace, &settings, |_| None, 1);
        life.inputs.send(Input::Cron(Ok(Some(FILE.into())))).await.unwrap();
        life.until(&world, sleep(minutes(65))).await;
        assert_eq!(rows.since("skip"), ["01T12:15", "01T12:30", "01T12:45", "01T13:00"].map(|at| row(at, Fired, 0)));
        rows.looked();

        // The machine sleeps for five hours: 13:05 is 18:07.
        clock.set(TimeDelta::minutes(302));
        life.until(&world, sleep(minutes(25))).await;
        assert_eq!(rows.since("skip"), [row("01T18:00", Missed, 19), row("01T18:15", Fired, 0), row("01T18:30", Fired, 0)]);
        assert_eq!(rows.since("once"), [row("01T18:00", Fired, 19), row("01T18:15", Fired, 0), row("01T18:30", Fired, 0)]);
        assert_eq!(rows.since("all"), [14, 15, 16, 17, 18].map(|h| row(&format!("01T{h}:00"), Fired, 0)));
        rows.looked();

        // Set back by an hour: 17:32 once more. What has fired does not fire again.
        clock.set(TimeDelta::hours(-1));
        life.until(&world, sleep(minutes(70))).await;
        assert_eq!(["skip", "once", "all"].map(|n| rows.since(n)), [vec![], vec![], vec![]]);
        life.until(&world, sleep(minutes(5))).await;
        assert_eq!(["skip", "once"].map(|n| rows.since(n)), [vec![row("01T18:45", Fired, 0)], vec![row("01T18:45", Fired, 0)]]);
        rows.looked();

        // Ten days ahead for twenty minutes, and set right: what that clock recorded holds nothing back.
        life.until(&world, sleep(minutes(5))).await;
        clock.set(TimeDelta::days(10));
        life.until(&world, sleep(minutes(20))).await;
        assert_eq!(rows.since("skip")[0], row("11T18:45", Missed, 959));
        let ahead = rows.since("all").len();
        assert!(ahead > 5, "{ahead} were made up for");
        rows.looked();
        clock.set(TimeDelta::days(-10));
        life.until(&world, sleep(minutes(25))).await;
        assert_eq!(rows.since("skip"), [row("01T19:00", Missed, 0), row("01T19:15", Fired, 0), row("01T19:30", Fired, 0)]);
        assert_eq!(rows.since("once"), ["01T19:00", "01T19:15", "01T19:30"].map(|at| row(at, Fired, 0)));
        assert_eq!(rows.since("all").last(), Some(&row("01T19:00", Fired, 0)));
        rows.looked();

        // Set back by five hours, to 14:37: what has fired does not fire again, and what the sleep has left out does.
        clock.set(TimeDelta::hours(-5));
        life.until(&world, sleep(minutes(4 * 60))).await;
        let again = rows.since("once");
        assert_eq!((&again[0], again.last(), again.len()), (&row("01T14:30", Fired, 5), Some(&row("01T17:45", Fired, 0)), 14));
        assert_eq!(rows.since("all"), []);
        life.until(&world, sleep(minutes(75))).await;
        assert_eq!(rows.since("once").last(), Some(&row("01T19:45", Fired, 0)));
        life.end(&world);
        assert!(world.get().wrong.is_empty(), "{:?}", world.get().wrong);
    });
    let fired: Vec<_> = rows.store.fires(None, usize::MAX >> 1).unwrap().into_iter().filter(|f| f.outcome == Fired).collect();
    assert_eq!(fired.iter().filter_map(|f| f.job).collect::<BTreeSet<_>>().len(), fired.len(), "a job for each fire");
}
