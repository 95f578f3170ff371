//! What keys do: commands, effects and what is on the screen then.

use super::desk::{Console, options};
use super::world;
use orc::domain::{Applied, AttemptId, Category, Command, DecisionId, JobId, JobState, Lane, MemoryId, Priority, Seen, Settle, WorkerId};
use orc::tui::{Effect, Keymap, Msg};
use orc::wire::{Answer, EngineMode, Query, Severity};

fn busy() -> Console {
    Console::new((120, 40), world::busy())
}

fn seen(state: JobState, attempt: Option<i64>) -> Option<Seen> {
    Some(Seen { state, attempt: attempt.map(AttemptId) })
}

fn priority(level: u8) -> Priority {
    Priority::new(level).unwrap()
}

#[test]
fn p_pauses_what_has_the_focus() {
    let cases: &[(&str, Command)] = &[
        ("p", Command::PauseLane { lane: Lane::Urgent, paused: true }),
        ("j j j p", Command::PauseLane { lane: Lane::Normal, paused: true }),
        ("G p", Command::PauseLane { lane: Lane::Background, paused: false }),
        ("tab p", Command::PauseBackend { backend: "claude".into(), paused: true }),
        ("tab j j p", Command::PauseBackend { backend: "gemini".into(), paused: false }),
        ("tab tab p", Command::PauseWorker { worker: WorkerId(4), paused: true }),
        ("tab tab G p", Command::PauseWorker { worker: WorkerId(7), paused: true }),
        ("tab tab G k p", Command::PauseWorker { worker: WorkerId(8), paused: false }),
        ("tab tab tab p", Command::PauseEngine { paused: true }),
        ("P", Command::PauseEngine { paused: true }),
        ("2 p", Command::PauseEngine { paused: true }),
        ("3 j p", Command::PauseWorker { worker: WorkerId(1), paused: true }),
    ];
    for (keys, command) in cases {
        let mut c = busy();
        c.keys(keys);
        assert_eq!(c.commands(), std::slice::from_ref(command), "{keys}");
    }
}

#[test]
fn kill_asks_once_says_what_dies_and_carries_what_was_seen() {
    let mut c = busy();
    c.keys("tab tab j x");
    assert!(c.commands().is_empty());
    let screen = c.screen();
    for part in
        ["Kill job 1471?", "Migrate the billing tables", "claude-main for 14m05s", "48.2k tokens", "1 job depends on it", "enter kill"]
    {
        assert!(screen.contains(part), "{part} missing:\n{screen}");
    }
    c.keys("y x k");
    assert!(c.commands().is_empty(), "no letter confirms");
    c.keys("enter");
    assert_eq!(c.commands(), [Command::Kill { job: JobId(1471), seen: seen(JobState::Running, Some(14_710)) }]);
    assert!(!c.screen().contains("Kill job"));
}

#[test]
fn escape_takes_a_question_back() {
    let mut c = busy();
    c.keys("tab tab x esc");
    assert!(c.commands().is_empty());
    assert!(!c.screen().contains("Kill job"));
}

#[test]
fn what_changed_meanwhile_is_shown_and_asked_again() {
    let mut c = busy();
    c.replies = vec![Applied::Stale { message: "job 1471 is on its second attempt now".into() }];
    c.keys("tab tab j x enter");
    let screen = c.screen();
    for part in ["Job 1471 has changed", "second attempt", "Still kill it?", "Now it is running on claude-main"] {
        assert!(screen.contains(part), "{part} missing:\n{screen}");
    }
    c.keys("enter");
    assert_eq!(c.commands().len(), 2);
    assert_eq!(c.commands()[1], Command::Kill { job: JobId(1471), seen: seen(JobState::Running, Some(14_710)) });
}

#[test]
fn enter_waits_until_the_new_state_has_been_read() {
    let mut c = busy();
    c.keys(":");
    c.deaf = true;
    c.keys("'kill 1200' enter enter");
    assert!(c.commands().is_empty(), "nothing is sent blindly");
    assert!(c.screen().contains("one moment"));
}

#[test]
fn priorities_move_in_steps_and_pressing_twice_is_two_steps() {
    let mut c = busy();
    c.deaf = true;
    c.keys("j - -");
    let to: Vec<Priority> = c
        .commands()
        .into_iter()
        .map(|c| match c {
            Command::SetPriority { job: JobId(1492), priority, seen: Some(s) } if s.state == JobState::Queued => priority,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(to, [priority(1), priority(2)]);
    c.keys("+");
    assert_eq!(c.commands().len(), 3);
}

#[test]
fn what_cannot_change_is_said_instead_of_sent() {
    let mut c = busy();
    c.keys("j +");
    assert!(c.commands().is_empty(), "P0 cannot be raised");
    assert!(c.screen().contains("already there"));
    c.keys("R");
    assert!(c.screen().contains("only a finished job is retried"));
    c.keys("g x");
    assert!(c.screen().contains("no job is selected here"));
    assert!(c.commands().is_empty());
}

#[test]
fn a_command_is_not_aimed_at_a_log_that_moves() {
    let mut c = busy();
    c.keys("tab tab tab x");
    assert!(c.screen().contains("the log is moving"));
    c.keys("f x");
    assert!(c.screen().contains("Kill job 1492?"), "{}", c.screen());
}

#[test]
fn undo_takes_back_step_by_step() {
    let mut c = busy();
    c.keys("j j j j + u");
    let commands = c.commands();
    assert_eq!(commands.len(), 2);
    assert!(matches!(&commands[0], Command::SetPriority { priority: p, .. } if *p == priority(1)), "{commands:?}");
    assert!(matches!(&commands[1], Command::SetPriority { priority: p, .. } if *p == priority(2)), "{commands:?}");
    c.keys("u");
    assert!(c.screen().contains("nothing to undo"));
}

#[test]
fn several_jobs_are_marked_asked_about_and_undone_as_one() {
    let mut c = busy();
    c.keys("2 l l l space space space +");
    let screen = c.screen();
    assert!(screen.contains("Reprioritise 2 jobs?"), "one of three is P0 already:\n{screen}");
    c.keys("enter");
    assert_eq!(c.commands().len(), 2);
    assert!(c.screen().contains("u undoes it"));
    assert!(!c.screen().contains("marked"), "marks are used up");
    c.keys("u");
    assert_eq!(c.commands().len(), 4, "one key takes both back");
}

#[test]
fn killing_several_tells_the_running_from_the_waiting() {
    let mut c = busy();
    c.keys("2 l space space space space space space space x");
    let screen = c.screen();
    assert!(screen.contains("Kill 7 jobs?"), "{screen}");
    assert!(screen.contains("running jobs end with all their processes"), "{screen}");
    assert!(screen.contains("will not run"), "{screen}");
    c.keys("enter");
    assert_eq!(c.commands().len(), 7);
}

#[test]
fn retry_of_a_failed_job_is_at_once_and_of_a_done_one_asks() {
    let mut c = busy();
    c.keys("2 left R");
    assert!(matches!(c.commands().as_slice(), [Command::Retry { seen: Some(_), .. }]));
    c.keys("left R");
    assert_eq!(c.commands().len(), 1);
    assert!(c.screen().contains("again?"));
    c.keys("enter");
    assert_eq!(c.commands().len(), 2);
}

#[test]
fn the_form_dispatches_with_few_keys() {
    let mut c = busy();
    c.keys("n 'Fix the login test' tab 'cod' tab 'P1' enter");
    let commands = c.commands();
    let [Command::AddJob { spec }] = commands.as_slice() else { panic!("{commands:?}\n{}", c.screen()) };
    assert_eq!((spec.title.as_str(), spec.prompt.as_str()), ("Fix the login test", "Fix the login test"));
    assert_eq!((spec.backend.as_str(), spec.priority), ("codex", priority(1)));
}

#[test]
fn choices_are_picked_with_arrows_or_by_their_beginning() {
    let mut c = busy();
    c.keys("n 'Fix it' tab down tab up tab tab tab 'cod' tab 'bill' enter");
    let commands = c.commands();
    let [Command::AddJob { spec }] = commands.as_slice() else { panic!("{commands:?}\n{}", c.screen()) };
    assert_eq!(spec.backend, "codex");
    assert_eq!(spec.priority, priority(1));
    assert_eq!(spec.skills, ["code-review"]);
    assert_eq!(spec.project_id, Some(orc::domain::ProjectId(1)));
    assert!(c.screen().contains("job 1496 queued"));
}

#[test]
fn a_wrong_form_says_what_is_wrong_and_sends_nothing() {
    let mut c = busy();
    c.keys("n 'Fix it' tab ctrl-u 'nobody' tab ctrl-u 'P9' tab tab 'ghost' ctrl-s");
    let screen = c.screen();
    for part in ["no backend is called nobody", "P0 (urgent) to P5", "no worker is called ghost"] {
        assert!(screen.contains(part), "{part} missing:\n{screen}");
    }
    assert!(c.commands().is_empty());
}

#[test]
fn a_draft_survives_escape_and_a_refusal() {
    let mut c = busy();
    c.keys("n 'Fix it' esc");
    assert!(c.screen().contains("the draft is kept"));
    c.replies = vec![Applied::Refused { message: "the disk is full: free some space".into() }];
    c.keys("n ctrl-s");
    assert!(c.screen().contains("the disk is full"));
    c.keys("n");
    assert!(c.screen().contains("Fix it"));
    c.keys("ctrl-s n");
    assert!(!c.screen().contains("Fix it"), "what was queued is no draft any more");
}

#[test]
fn the_editor_gets_the_prompt_and_gives_it_back() {
    let mut c = busy();
    c.keys("n 'Fix it' ctrl-o");
    assert_eq!(c.effects, [Effect::OpenEditor { text: "Fix it".into() }]);
    c.send(Msg::EditorDone(Ok("Fix it\nwell\u{1b}[31m\n".into())));
    c.keys("ctrl-s");
    let commands = c.commands();
    let [Command::AddJob { spec }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(spec.prompt, "Fix it\nwell");
    c.send(Msg::EditorDone(Err("`vi` is not there: set EDITOR".into())));
    assert!(c.screen().contains("set EDITOR"));
}

#[test]
fn leaving() {
    // attached: at once
    let mut o = options((120, 40));
    o.hosting = false;
    let mut c = Console::with(o, world::busy());
    c.keys("q");
    assert_eq!(c.effects, [Effect::Quit]);
    // hosting with work: three ways
    for (keys, effect) in
        [("q enter", Some(Effect::HandOverAndQuit)), ("ctrl-c e", Some(Effect::EndEngineAndQuit)), ("q esc", None), ("q x", None)]
    {
        let mut c = busy();
        c.keys(keys);
        assert_eq!(c.effects, effect.into_iter().collect::<Vec<_>>(), "{keys}");
    }
    // hosting without work: nothing to ask
    let mut c = Console::new((120, 40), world::empty());
    c.keys("q");
    assert_eq!(c.effects, [Effect::EndEngineAndQuit]);
}

#[test]
fn keys_that_reach_the_terminal() {
    let mut c = busy();
    c.keys("ctrl-z ctrl-l n ctrl-l esc");
    assert_eq!(c.effects, [Effect::Suspend, Effect::Redraw, Effect::Redraw]);
}

#[test]
fn copying_says_that_it_was_sent() {
    let mut c = busy();
    c.keys("j y");
    assert_eq!(c.effects, [Effect::Copy("1492".into())]);
    assert!(c.screen().contains("sent to your clipboard"));
    c.keys("tab tab enter tab y");
    assert!(matches!(c.effects.last(), Some(Effect::Copy(text)) if text.starts_with("Move `billing.invoices`")), "{:?}", c.effects);
}

#[test]
fn a_watching_console_sends_nothing() {
    let mut o = options((120, 40));
    o.read_only = true;
    let mut c = Console::with(o, world::busy());
    c.keys("p P tab tab x enter esc n 'Fix it' ctrl-s esc j +");
    assert!(c.commands().is_empty());
    assert!(c.screen().contains("watching"));
}

#[test]
fn rebound_keys_work_and_are_shown() {
    let mut o = options((120, 40));
    o.keymap = Keymap::new(&[("dispatch".to_owned(), "ctrl-n".to_owned()), ("jobs".to_owned(), "f2".to_owned())].into()).unwrap();
    let mut c = Console::with(o, world::busy());
    assert!(c.screen().contains("ctrl-n dispatch"), "{}", c.screen());
    assert!(c.screen().contains("f2 Jobs"));
    c.keys("n 2");
    assert!(!c.screen().contains("Dispatch a job"));
    c.keys("ctrl-n");
    assert!(c.screen().contains("Dispatch a job"));
}

#[test]
fn the_palette_runs_what_is_typed() {
    let cases: &[(&str, Command)] = &[
        (": 'drain' enter enter", Command::Drain { on: true }),
        (": 'resume backend gem' enter", Command::PauseBackend { backend: "gemini".into(), paused: false }),
        (
            ": 'pause lane back' backspace backspace backspace backspace 'nor' enter",
            Command::PauseLane { lane: Lane::Normal, paused: true },
        ),
        (
            ": 'priority 1479 P0' enter",
            Command::SetPriority { job: JobId(1479), priority: Priority::P0, seen: seen(JobState::Queued, None) },
        ),
        ("j : 'priority p4' enter", Command::SetPriority { job: JobId(1492), priority: priority(4), seen: seen(JobState::Queued, None) }),
        (": 'kill 1200' enter enter", Command::Kill { job: JobId(1200), seen: seen(JobState::Done, Some(12_000)) }),
    ];
    for (keys, command) in cases {
        let mut c = busy();
        c.keys(keys);
        assert_eq!(c.commands(), std::slice::from_ref(command), "{keys}\n{}", c.screen());
    }
    let mut asked = world::busy();
    asked.cards = vec![world::card(7)];
    let mut c = Console::new((120, 40), asked);
    c.keys(": 'answer own'");
    assert!(c.screen().contains("Own server · Which host?"), "{}", c.screen());
    c.keys("enter");
    assert_eq!(c.commands(), [Command::Answer { decision: DecisionId(7), key: "own".into(), remark: None }]);
    let mut c = busy();
    c.keys(": 'why 1481' enter");
    assert!(c.screen().contains("Why it does not run"), "{}", c.screen());
    c.keys(": 'goto wor' enter");
    assert!(c.screen().contains("tab detail"));
    c.keys(": 'kill <' tab");
    assert!(c.screen().contains(": kill "), "{}", c.screen());
}

#[test]
fn filters_narrow_as_they_are_typed_and_escape_brings_back() {
    let mut c = busy();
    c.keys("2 / 'billing'");
    let screen = c.screen();
    assert!(screen.contains("Migrate the billing") && !screen.contains("Triage the inbox"), "{screen}");
    assert!(c.asked.iter().any(|q| matches!(q, Query::Jobs { filter, .. } if filter.text == "billing")), "the database is asked as well");
    c.keys("esc");
    assert!(c.screen().contains("Triage the inbox"));
    c.keys("/ 'billing' enter j esc");
    assert!(c.screen().contains("Triage the inbox"));
}

#[test]
fn the_log_stands_still_for_its_reader() {
    let mut c = Console::new((80, 24), world::busy());
    c.keys("6 f");
    let before = c.screen();
    let add = |c: &mut Console, n: i64| {
        c.show(|s| {
            for _ in 0..n {
                let mut line = s.log[0].clone();
                line.id = s.log.last().unwrap().id + 1;
                line.text = format!("new line {}", line.id);
                s.log.push(line);
            }
        })
        .screen()
    };
    let after = add(&mut c, 40);
    let rows = |s: &str| s.lines().skip(3).take(10).map(|l| l.trim_end_matches(['│', ' ']).to_owned()).collect::<Vec<_>>();
    assert_eq!(rows(&before), rows(&after));
    assert!(after.contains("40 newer (f follows)"), "{after}");
    c.keys("f");
    assert!(c.screen().contains("new line 9050"));
}

#[test]
fn jobs_open_over_one_another_and_close_again() {
    let mut c = busy();
    c.keys("2 l l l l enter");
    assert!(c.screen().contains("#1481"));
    let on_dependency = |c: &mut Console| c.screen().lines().any(|l| l.contains('▌') && l.contains("#1494"));
    for _ in 0..40 {
        if !on_dependency(&mut c) {
            c.keys("j");
        }
    }
    c.keys("enter");
    assert!(c.screen().contains("▸#1494 Refresh the TLS"), "{}", c.screen());
    c.keys("esc");
    assert!(c.screen().contains("▸#1481"));
    c.keys("esc");
    assert!(c.screen().contains("▸Jobs"));
    c.keys("esc");
    assert!(c.screen().contains("Lanes"));
}

#[test]
fn the_transcript_streams_while_it_is_read() {
    let mut c = busy();
    c.keys("tab tab j enter");
    c.transcript.push(orc::wire::SpooledEvent {
        seq: c.transcript.len() as u64 + 1,
        at: world::NOW,
        event: orc::domain::AgentEvent::Text { text: "All **41** tests pass now.".into() },
    });
    c.show(|s| s.at = orc::domain::Timestamp(s.at.0 + 500));
    assert!(c.screen().contains("All 41 tests pass now."), "{}", c.screen());
}

#[test]
fn the_bell_rings_for_what_is_new_and_urgent_only() {
    let mut c = busy();
    c.show(|s| s.attention[0].says.push('!'));
    assert!(c.effects.is_empty());
    c.show(|s| {
        let mut a = s.attention[0].clone();
        a.severity = Severity::Fail;
        a.says = "claude: login refused".into();
        s.attention.insert(0, a);
    });
    assert_eq!(c.effects, [Effect::Bell { says: "claude: login refused".into() }]);
}

#[test]
fn a_lost_engine_is_not_asked_and_found_again_everything_is() {
    let mut c = busy();
    c.keys("2");
    c.show(|s| s.engine.mode = EngineMode::Disconnected);
    let asked = c.asked.len();
    c.keys("pgdn pgdn 1 2 tab");
    assert_eq!(c.asked.len(), asked);
    c.show(|s| s.engine.mode = EngineMode::Running);
    assert!(c.asked.len() > asked);
    assert!(c.screen().contains("connected again"));
}

#[test]
fn messages_go_away_by_themselves() {
    let mut c = busy();
    c.send(Msg::Say(Severity::Info, "copied".into()));
    assert!(c.screen().contains("copied"));
    // the clock may have slept for long: the message is still up for its full time
    let tick = |c: &mut Console, ms: i64| {
        c.send(Msg::Tick { now: orc::domain::Timestamp(world::NOW.0 + ms), utc_offset: 0 });
    };
    tick(&mut c, 50_000);
    tick(&mut c, 53_000);
    assert!(c.screen().contains("copied"));
    tick(&mut c, 54_000);
    assert!(!c.screen().contains("copied"));
}

#[test]
fn a_refused_command_says_why() {
    let mut c = busy();
    c.replies = vec![Applied::Refused { message: "lane 0 is never paused: P0 work must run".into() }];
    c.keys("p");
    assert!(c.screen().contains("lane 0 is never paused"));
    c.deaf = true;
    c.keys("P");
    let query = Query::Command(Command::PauseEngine { paused: true });
    c.send(Msg::Answer(Box::new(Answer::Failed { query, message: "the engine does not answer".into() })));
    assert!(c.screen().contains("the engine does not answer"));
}

#[test]
fn s_steps_into_an_idle_worker_s_session_and_never_into_a_running_one() {
    let mut c = busy();
    c.keys("tab tab s");
    assert!(c.screen().contains("codex-api works on job 1468: step in when that has ended"), "{}", c.screen());
    assert!(c.effects.is_empty() && !c.asked.iter().any(|q| matches!(q, Query::Step { .. })));
    // the last one is idle and has a session
    c.keys("G");
    assert!(c.screen().contains("s step into its session"), "{}", c.screen());
    c.keys("s");
    let step = match c.effects.as_slice() {
        [Effect::StepInto(step)] => step.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((step.worker, step.argv[1].as_str()), (WorkerId(7), "--resume"));
    c.send(Msg::SteppedOut { name: step.name.clone(), release: step.release.clone(), outcome: Ok(()) });
    assert_eq!(c.commands(), [Command::PauseWorker { worker: WorkerId(7), paused: false }], "the worker is given back");
    assert!(c.screen().contains("back from the session of gemini-scout"), "{}", c.screen());
    // without a session there is nothing to step into
    c.show(|s| s.workers.iter_mut().find(|w| w.id == WorkerId(7)).unwrap().session = None);
    c.keys("s");
    assert!(c.screen().contains("has no session yet"), "{}", c.screen());
}

#[test]
fn jobs_are_narrowed_by_lane_state_backend_and_project() {
    let mut c = busy();
    for (typed, shows, hides) in [
        ("lane:0", "Answer the customer", "Add pagination"),
        ("state:run", "Nightly vacuum", "Add pagination"),
        ("backend:gem", "Compare the three", "Add pagination"),
        ("lane:2 rotate", "Rotate and compress", "Collect new papers"),
    ] {
        c.keys("2 /");
        c.keys(&format!("'{typed}' enter"));
        let screen = c.screen();
        assert!(screen.contains(shows) && !screen.contains(hides), "{typed}\n{screen}");
        c.keys("esc");
    }
    c.keys("2 / 'lane:0 zzz' enter");
    assert!(c.screen().contains("lane:0 state:running backend:codex project:x"), "an empty list says what can be typed: {}", c.screen());
}

#[test]
fn what_matters_among_the_workers_is_at_the_top_of_a_pane_nobody_has_chosen_in() {
    let mut c = busy();
    let first = |c: &mut Console| c.screen().lines().skip_while(|l| !l.contains("worker  ")).nth(1).unwrap_or_default().to_owned();
    assert!(first(&mut c).contains("codex-api"), "the stuck one: {}", first(&mut c));
    c.show(|s| {
        let l = s.workers[3].live.take();
        s.workers[3].status = orc::domain::WorkerStatus::Idle;
        drop(l);
    });
    assert!(first(&mut c).contains("claude-main"), "{}", c.screen());
}

#[test]
fn memories_are_searched_as_one_types_forgotten_and_brought_back() {
    let mut c = busy();
    c.keys("5");
    assert!(c.screen().contains("Commit messages in the imperative"), "{}", c.screen());
    c.keys("/ 'staging'");
    let screen = c.screen();
    assert!(screen.contains("0.71") && !screen.contains("Commit messages"), "{screen}");
    assert!(c.asked.iter().any(|q| matches!(q, Query::MemorySearch { text, .. } if text == "staging")));
    c.replies = vec![Applied::Done { message: "forgotten".into(), undo: Some(Command::RestoreMemory { memory: MemoryId(7) }) }];
    c.keys("enter x");
    assert_eq!(c.commands(), [Command::ForgetMemory { memory: MemoryId(7) }], "it is not asked about: u takes it back");
    c.keys("u");
    assert_eq!(c.commands()[1], Command::RestoreMemory { memory: MemoryId(7) });
}

#[test]
fn a_memory_is_changed_in_a_form() {
    let mut c = busy();
    c.keys("5 j e '!' tab down tab backspace backspace backspace backspace '2' ctrl-s");
    assert!(c.screen().contains("importance is a number from 0 to 1"), "{}", c.screen());
    c.keys("backspace '0.9' enter");
    let commands = c.commands();
    let [Command::EditMemory { memory, text, category, importance, external: None, seen }] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    assert_eq!((*memory, *category, *importance), (MemoryId(8), Some(Category::Decision), Some(0.9)));
    assert!(text.as_ref().unwrap().ends_with("60 characters.!"));
    assert_eq!(seen.as_deref().map(|t| format!("{t}!")).as_ref(), text.as_ref(), "it is refused where the text has changed meanwhile");
    // What was left as it was is not sent: somebody else may have changed it.
    let mut c = busy();
    c.keys("5 j e '!' ctrl-s");
    let commands = c.commands();
    assert!(matches!(commands.as_slice(), [Command::EditMemory { text: Some(_), category: None, importance: None, .. }]), "{commands:?}");
    // No longer than what the command line takes.
    let mut c = busy();
    c.keys(&format!("5 j e '{}' ctrl-s", "x".repeat(601)));
    assert!(c.screen().contains("600 is the most") && c.commands().is_empty(), "{}", c.screen());
}

#[test]
fn a_contradiction_is_settled_with_one_key_and_both_texts_in_sight() {
    let mut c = busy();
    c.keys("5 left left");
    assert!(c.screen().contains("1 to settle"), "{}", c.screen());
    c.keys("c");
    let screen = c.screen();
    assert!(screen.contains("until the totals agree") && screen.contains("at once"), "{screen}");
    c.keys("x 2");
    assert_eq!(c.commands(), [Command::SettleMemory { memory: MemoryId(5), keep: Settle::Older }]);
}

#[test]
fn what_a_job_was_given_shows_with_its_terms_and_is_vetoed() {
    let mut c = busy();
    assert!(c.screen().contains("Recalled"), "{}", c.screen());
    c.keys("tab tab j enter tab tab");
    let screen = c.screen();
    assert!(screen.contains("×0.5 given shortly before") && screen.contains("0.71"), "{screen}");
    c.keys("v");
    assert!(c.commands().is_empty(), "a heading is no memory");
    c.keys("j v");
    assert_eq!(c.commands(), [Command::VetoMemory { job: JobId(1471), memory: MemoryId(9), on: true }]);
}

#[test]
fn the_recall_pane_has_the_focus_and_a_veto() {
    let mut c = Console::new((160, 50), world::busy());
    // Whatever was asked for has come: the pane of the selected job is filled.
    c.keys("tab tab j tab tab");
    let screen = c.screen();
    assert!(screen.contains("Recalled") && screen.contains("◇") && screen.contains("0.71"), "{screen}");
    c.keys("j v");
    let commands = c.commands();
    assert!(matches!(commands.as_slice(), [Command::VetoMemory { on: true, .. }]), "{commands:?}\n{}", c.screen());
}

#[test]
fn a_memory_of_the_list_is_vetoed_for_a_job_of_choice() {
    let mut c = busy();
    c.keys("5 j v");
    let screen = c.screen();
    assert!(screen.contains("memory veto") && screen.contains("Command"), "{screen}");
    c.keys("'1471' enter");
    assert_eq!(c.commands(), [Command::VetoMemory { job: JobId(1471), memory: MemoryId(8), on: true }]);
}

#[test]
fn the_palette_knows_what_the_command_line_does_to_memories() {
    let sent = |typed: &str| {
        let mut c = busy();
        c.keys(&format!(": '{typed}' enter"));
        c.commands()
    };
    let memory = MemoryId(5);
    let add = Command::AddMemory { text: "Ship on Thursdays.".into(), category: Category::Fact, importance: 0.5 };
    assert_eq!(sent("memory add Ship on Thursdays."), [add]);
    assert_eq!(sent("memory forget m5"), [Command::ForgetMemory { memory }]);
    assert_eq!(sent("memory restore 5"), [Command::RestoreMemory { memory }]);
    assert_eq!(sent("memory settle 5 both"), [Command::SettleMemory { memory, keep: Settle::Both }]);
    assert_eq!(sent("memory veto 1471 5"), [Command::VetoMemory { job: JobId(1471), memory, on: true }]);
    assert_eq!(sent("memory settle 5 neither"), []);
}
