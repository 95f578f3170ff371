//! Whole screens, as an operator sees them.

use super::desk::{Console, options};
use super::world;
use insta::assert_snapshot;
use orc::domain::CostBy;
use orc::tui::{ColorLevel, Ground, Theme};
use orc::wire::Query;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

#[test]
fn the_dashboard_at_three_sizes_and_in_three_moods() {
    for size in SIZES {
        for (mood, snapshot) in [("empty", world::empty()), ("busy", world::busy()), ("trouble", world::trouble())] {
            let mut c = Console::new(size, snapshot);
            assert_snapshot!(format!("dashboard_{mood}_{}x{}", size.0, size.1), c.screen());
        }
    }
}

#[test]
fn other_screens() {
    let scenes: &[(&str, &str)] = &[
        ("jobs", "2"),
        ("jobs_marked_and_filtered", "2 j space space / 'bill'"),
        ("jobs_failed", "2 left"),
        ("workers", "3 j"),
        ("logs", "6 k k k"),
        ("memory", "5"),
        ("memory_search", "5 / 'in'"),
        ("memory_superseded", "5 left left"),
        ("memory_edit", "5 e tab down"),
        ("memory_settle", "5 left left c"),
        ("job_memory", "tab tab enter tab tab j"),
        ("job_transcript", "tab tab enter"),
        ("job_unfolded", "tab tab enter k o G k k k k k k k k k k k k k k k k k k k k o"),
        ("job_overview", "tab tab enter shift-tab"),
        ("job_prompt", "tab tab enter tab"),
        ("job_result", "2 'jjjjjjjjjjjj' enter tab tab tab"),
        ("job_waiting", "2 l l l l enter"),
        ("confirm_kill", "tab tab x"),
        ("confirm_many", "2 'jj' space space space x"),
        ("palette", ": 'pri'"),
        ("form", "n 'Fix the login test' tab down"),
        ("form_errors", "n ctrl-s"),
        ("leave", "q"),
        ("help", "?"),
        ("filter", "/ 'claude'"),
    ];
    for (name, keys) in scenes {
        for size in [(120, 40), (80, 24)] {
            let mut c = Console::new(size, world::busy());
            // the panes of the low screen are one less
            let keys =
                if size.0 == 80 { keys.replace("tab tab enter", "tab enter").replace("tab tab x", "tab x") } else { (*keys).to_owned() };
            c.keys(&keys);
            assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), c.screen());
        }
    }
}

#[test]
fn what_was_spent_and_how_the_installation_is() {
    for size in [(80, 24), (120, 36), (200, 60)] {
        for (name, keys) in [("costs", "8"), ("costs_jobs", "8 j enter"), ("health", "0 j j j j"), ("health_disk", "0 G k")] {
            let mut c = Console::new(size, world::busy());
            c.keys(keys);
            assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), c.screen());
        }
        let mut c = Console::new(size, world::empty());
        c.keys("8");
        assert_snapshot!(format!("costs_empty_{}x{}", size.0, size.1), c.screen());
    }
    let mut o = options((80, 24));
    o.theme = Theme::new(Ground::Dark, ColorLevel::None, true);
    let mut c = Console::with(o, world::busy());
    let screen = c.keys("0").screen();
    assert!(screen.is_ascii() && screen.contains("FAIL disk") && screen.contains("warn backends"), "{screen}");
}

#[test]
fn costs_are_walked_into_and_out_of() {
    let mut c = Console::new((120, 36), world::busy());
    c.keys("8 enter");
    assert!(c.screen().contains("Jobs of project billing"), "{}", c.screen());
    let asked = |c: &Console| {
        c.asked.iter().filter_map(|q| if let Query::Costs { by, within } = q { Some((*by, within.clone())) } else { None }).next_back()
    };
    assert_eq!(asked(&c), Some((CostBy::Job, Some((CostBy::Project, "1".to_owned())))));
    c.keys("enter");
    assert!(c.asked.iter().any(|q| matches!(q, Query::Job { job } if job.0 == 1468)));
    c.keys("esc esc right");
    assert_eq!(asked(&c), Some((CostBy::Kind, None)));
    let before = c.asked.len();
    c.show(|s| s.today.tokens += 1);
    assert_eq!(c.asked.len(), before + 1, "what is spent meanwhile is added up");
    c.show(|s| s.today.created += 1);
    assert_eq!(c.asked.len(), before + 1, "and nothing else is");
    c.keys("0");
    let looks = |c: &Console| c.asked.iter().filter(|q| matches!(q, Query::Health)).count();
    assert_eq!(looks(&c), 1);
    c.keys("R");
    assert_eq!(looks(&c), 2, "R looks again");
}

#[test]
fn an_opened_job_on_a_wide_screen() {
    let mut c = Console::new((200, 50), world::busy());
    c.keys("tab tab enter");
    assert_snapshot!("job_200x50", c.screen());
}

#[test]
fn a_job_under_review_shows_its_rounds() {
    for size in [(120, 40), (80, 24), (200, 60)] {
        let mut c = Console::new(size, world::busy());
        let job = c.rows.iter_mut().find(|r| r.id.0 == 1468).unwrap();
        job.state = orc::domain::JobState::Reviewing;
        job.note = Some("round 3 of 3: codex gpt-5-codex reviews (job 1503)".to_owned());
        let id = job.id;
        c.show(|s| s.workers.iter_mut().filter(|w| w.live.as_ref().is_some_and(|l| l.job == id)).for_each(|w| w.live = None));
        c.reviews = world::rounds(id);
        c.keys("2");
        assert_snapshot!(format!("jobs_reviewing_{}x{}", size.0, size.1), c.screen().lines().take(14).collect::<Vec<_>>().join("\n"));
        c.keys("/ 'limiter' enter enter");
        assert_snapshot!(format!("job_reviews_{}x{}", size.0, size.1), c.screen());
        // Of a round that is over, the criteria too.
        c.reviews.pop();
        c.keys("esc enter");
        assert_snapshot!(format!("job_reviewed_{}x{}", size.0, size.1), c.screen());
    }
}

#[test]
fn the_demo_says_so_and_a_lost_engine_too() {
    let mut demo = world::busy();
    demo.demo = true;
    assert_snapshot!("demo_120x40", Console::new((120, 40), demo).screen().lines().take(2).collect::<Vec<_>>().join("\n"));
    let mut lost = world::busy();
    lost.engine.mode = orc::wire::EngineMode::Disconnected;
    assert_snapshot!("lost_80x24", Console::new((80, 24), lost).screen().lines().take(2).collect::<Vec<_>>().join("\n"));
}

#[test]
fn ascii_is_ascii_and_lines_up() {
    let mut o = options((120, 40));
    o.theme = Theme::new(Ground::Dark, ColorLevel::None, true);
    let mut c = Console::with(o, world::trouble());
    let screen = c.screen();
    assert!(screen.is_ascii());
    assert_snapshot!("ascii_120x40", screen);
}

#[test]
fn a_terminal_too_small_says_so_and_recovers() {
    let mut c = Console::new((30, 6), world::busy());
    assert!(c.screen().contains("orc needs 40x10"), "{}", c.screen());
    c.size = (80, 24);
    c.send(orc::tui::Msg::Resize(80, 24));
    assert!(c.screen().contains("Lanes"));
}
