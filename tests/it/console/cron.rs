//! The view of the schedules.

use super::desk::Console;
use super::world::{self, NOW, ago};
use insta::assert_snapshot;
use orc::domain::{Catch, Command, CronRow, CronView, Fire, FireOutcome, JobId, JobSpec, JobState, Kind, Overlap, Upcoming};
use std::time::Duration;

fn fire(id: i64, name: &str, minutes: i64, outcome: FireOutcome, state: Option<JobState>) -> Fire {
    Fire {
        id,
        name: name.to_owned(),
        at: ago(minutes * 60),
        recorded_at: ago(minutes * 60),
        outcome,
        missed: 0,
        project: None,
        job: state.map(|_| JobId(1400 + id)),
        job_state: state,
        manual: false,
        found: None,
        note: None,
        tokens: if state.is_some() { 1200 } else { 0 },
    }
}

fn row(name: &str, schedule: &str, minutes: i64, tokens: u64) -> CronRow {
    CronRow {
        name: name.to_owned(),
        schedule: schedule.to_owned(),
        timezone: "Europe/London".to_owned(),
        enabled: true,
        enabled_by: "file".to_owned(),
        catch_up: Catch::Skip,
        overlap: Overlap::Skip,
        jitter_ms: 30_000,
        next: Some(ago(-minutes * 60)),
        last: Some(fire(1, name, 15, FireOutcome::Fired, Some(JobState::Done))),
        every: 1,
        skip: 0,
        quiet: 0,
        tokens,
        title: name.to_owned(),
        backend: if tokens == 0 { "shell" } else { "claude" }.to_owned(),
        kind: Kind::Maintenance,
        skills: vec!["healthcheck".to_owned()],
        problem: None,
    }
}

fn schedules() -> (CronView, Vec<Fire>) {
    let mut view = CronView::default();
    view.rows.push(row("status-snapshot", "*/15 8-23 * * *", 13, 0));
    view.rows.push(CronRow { every: 4, skip: 3, quiet: 2, ..row("project-advance", "0 9-22 * * *", 28, 5200) });
    view.rows.push(CronRow {
        problem: Some("there is no skill `briefing`: the skills are healthcheck, planning".to_owned()),
        last: Some(fire(2, "briefing-evening", 1200, FireOutcome::Missed, None)),
        ..row("briefing-evening", "0 18 * * *", 208, 14_000)
    });
    view.rows.push(CronRow {
        enabled: false,
        next: None,
        last: None,
        enabled_by: "operator".to_owned(),
        ..row("inbox-1", "*/30 8-23 * * *", 0, 900)
    });
    for hour in 0..9u32 {
        for quarter in 0..4u32 {
            let at = ago(-13 * 60) + Duration::from_secs(u64::from(hour * 3600 + quarter * 900));
            let collides = if quarter == 1 { vec!["project-advance".to_owned()] } else { Vec::new() };
            view.upcoming.push(Upcoming { name: "status-snapshot".to_owned(), scheduled: at, at, tokens: 0, backed_off: false, collides });
        }
        let at = ago(-28 * 60) + Duration::from_secs(u64::from(hour * 3600));
        view.upcoming.push(Upcoming {
            name: "project-advance".to_owned(),
            scheduled: at,
            at,
            tokens: if hour < 3 { 0 } else { 5200 },
            backed_off: hour < 3,
            collides: Vec::new(),
        });
    }
    view.jobs.insert("status-snapshot".to_owned(), (JobSpec::new("Status snapshot", "shell", "orc doctor"), false));
    let mut past = vec![
        fire(31, "status-snapshot", 15, FireOutcome::Fired, Some(JobState::Running)),
        fire(30, "status-snapshot", 30, FireOutcome::Fired, Some(JobState::Failed)),
        fire(29, "status-snapshot", 45, FireOutcome::Overlap, None),
        fire(28, "status-snapshot", 60, FireOutcome::Missed, None),
        fire(27, "status-snapshot", 61, FireOutcome::Fired, Some(JobState::Done)),
    ];
    past[2].note = Some("job 1430 is open\u{1b}[2J".to_owned());
    past[3].missed = 7;
    past[4].manual = true;
    (view, past)
}

fn console(size: (u16, u16)) -> Console {
    let mut c = Console::new(size, world::busy());
    c.cron = schedules();
    c
}

#[test]
fn the_schedules_at_three_sizes() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let mut c = console(size);
        c.keys("7");
        assert_snapshot!(format!("cron_{}x{}", size.0, size.1), c.screen());
    }
    let mut c = console((80, 24));
    c.keys("7 j tab G");
    assert_snapshot!("cron_reading_80x24", c.screen());
    c.cron.0.problem = Some("cron.toml:4: `schedule`: minute `61`: `61` has to be 0 to 59. It has to be five fields".to_owned());
    c.keys("esc 7");
    assert!(c.screen().contains("last good"), "{}", c.screen());
}

#[test]
fn an_empty_list_says_what_fills_it_and_a_broken_desk_why() {
    let mut c = Console::new((80, 24), world::busy());
    c.keys("7");
    assert!(c.screen().contains("Nothing starts by the clock.") && c.screen().contains("orc init"), "{}", c.screen());
    let mut c = console((80, 24));
    c.keys("7 / 'nothing like it' enter");
    assert!(c.screen().contains("No schedule matches the filter."), "{}", c.screen());
}

#[test]
fn keys_switch_run_and_open() {
    let mut c = console((120, 40));
    c.keys("7 space");
    assert_eq!(c.commands(), [Command::SetCron { name: "status-snapshot".into(), enabled: Some(false) }]);
    c.effects.clear();
    c.keys("j j j e");
    assert_eq!(c.commands(), [Command::SetCron { name: "inbox-1".into(), enabled: Some(true) }]);
    c.effects.clear();
    // What cannot work is not sent.
    c.keys("k t");
    assert!(c.commands().is_empty() && c.screen().contains("there is no skill"), "{}", c.screen());
    c.keys("g t");
    assert!(
        matches!(&c.commands()[..], [Command::RunCron { name, spec, each_project: false }] if name == "status-snapshot" && spec.prompt == "orc doctor")
    );
    // Undo takes a switch back.
    c.effects.clear();
    c.replies.push(orc::domain::Applied::Done {
        message: "schedule status-snapshot disabled".into(),
        undo: Some(Command::SetCron { name: "status-snapshot".into(), enabled: None }),
    });
    c.keys("space u");
    assert_eq!(c.commands().last(), Some(&Command::SetCron { name: "status-snapshot".into(), enabled: None }));
    // Enter opens the last job; in the lower pane that of the line.
    c.keys("enter");
    assert!(c.asked.contains(&orc::wire::Query::Job { job: JobId(1401) }));
    c.keys("esc tab G enter");
    assert!(c.asked.contains(&orc::wire::Query::Job { job: JobId(1427) }));
    // By name, from anywhere.
    let mut c = console((120, 40));
    c.keys("7 1 : 'disable schedule stat' enter");
    assert_eq!(c.commands(), [Command::SetCron { name: "status-snapshot".into(), enabled: Some(false) }]);
}

#[test]
fn it_asks_again_when_something_happened_and_not_otherwise() {
    let mut c = console((120, 40));
    c.keys("7");
    let asked = c.asked.len();
    c.show(|s| s.at = NOW + Duration::from_secs(1));
    assert_eq!(c.asked.len(), asked);
    c.show(|s| s.log.last_mut().unwrap().id += 1);
    assert_eq!(c.asked.len(), asked + 1);
    c.keys("j");
    assert_eq!(c.asked.len(), asked + 2, "another one's past");
    // A minute later the day ahead is another.
    c.send(orc::tui::Msg::Tick { now: NOW + Duration::from_secs(120), utc_offset: 0 });
    assert_eq!(c.asked.len(), asked + 3);
}
