//! What waits for the operator: how it looks, and what keys do to it.

use super::desk::Console;
use super::{waiting, world};
use insta::assert_snapshot;
use orc::domain::{Applied, Command, DecisionId, EntryId, PlanId, ProjectId, Says};
use orc::tui::{Effect, Msg};
use orc::wire::{Answer, Query};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// A console in front of all that waits.
fn all(size: (u16, u16)) -> Console {
    let mut c = Console::new(size, waiting::all());
    c.reviews = world::rounds(orc::domain::JobId(1468));
    c.plans = vec![waiting::plan(3, None)];
    c.said = waiting::said();
    c
}

fn small() -> Console {
    all((80, 24))
}

fn answer(card: i64, key: &str, remark: Option<&str>) -> Command {
    Command::Answer { decision: DecisionId(card), key: key.into(), remark: remark.map(str::to_owned) }
}

#[test]
fn what_waits_at_three_sizes() {
    for size in SIZES {
        for (name, keys) in [
            ("card", "4"),
            ("card_open", "4 enter"),
            ("deadlock", "4 j"),
            ("deadlock_open", "4 j enter"),
            ("spending", "4 j j"),
            ("spending_open", "4 j j enter"),
            ("unclear_open", "4 j j j enter"),
            ("plan", "4 j j j j"),
            ("plan_read", "4 j j j j enter j j enter"),
            ("plan_approve", "4 j j j j a"),
            ("project", "4 j j j j j"),
            ("talk", "M"),
            ("message", "m 'is 日本語 fine?' alt-enter 'and a second line'"),
        ] {
            let mut c = all(size);
            c.keys(keys);
            assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), c.screen());
        }
        let mut c = Console::new(size, waiting::none());
        c.keys("4");
        assert_snapshot!(format!("nothing_waits_{}x{}", size.0, size.1), c.screen());
    }
}

#[test]
fn whoever_comes_for_what_waits_begins_with_the_first() {
    let mut c = Console::new((80, 24), waiting::none());
    // Only the talk was there, and it is still chosen when something waits.
    c.keys("4 1").show(|s| *s = waiting::all());
    c.keys("4 enter");
    assert!(c.screen().contains("Which host?"), "{}", c.screen());
    c.keys("1");
    assert!(c.commands().contains(&answer(7, "fly", None)), "{:?}", c.commands());
}

#[test]
fn keys_do_what_the_line_says() {
    let yes = Command::ApprovePlan { plan: PlanId(3), revision: Some(2) };
    let no = |reason: &str| Command::RejectPlan { plan: PlanId(3), reason: reason.into() };
    let back = Command::RejectProject { project: ProjectId(2), reason: "the footer".into() };
    let cases: &[(&str, &[Command])] = &[
        ("4 enter", &[]),
        ("4 a esc", &[]),
        ("4 r", &[]),
        ("4 j j j j a", &[]),
        ("4 j j j j a esc", &[]),
        ("4 j j j j a enter", std::slice::from_ref(&yes)),
        ("4 j j j j r 'too large' enter", &[no("too large")]),
        ("4 j j j j r enter", &[]),
        ("4 j j j j j a enter", &[Command::ApproveProject { project: ProjectId(2), remark: None }]),
        ("4 j j j j j r 'the footer' enter", &[back]),
        (": 'approve plan 3' enter enter", std::slice::from_ref(&yes)),
        (": 'reject plan 3' enter 'no' enter", &[no("no")]),
        (": 'approve plan 77' enter enter", &[]),
        (": 'reopen project 5' enter", &[Command::ReopenProject { project: ProjectId(5) }]),
        (": 'cancel question 7' enter", &[Command::CancelDecision { decision: DecisionId(7) }]),
    ];
    for (keys, commands) in cases {
        let mut c = small();
        c.keys(keys);
        assert_eq!(c.commands(), *commands, "{keys}\n{}", c.screen());
    }
    let mut c = small();
    c.keys(": 'new plan' enter 'limits' enter");
    assert!(matches!(c.commands().as_slice(), [Command::NewPlan { request, .. }] if request == "limits"));
}

#[test]
fn digits_answer_what_was_seen_and_nothing_else() {
    let mut c = small();
    c.keys("4 enter 1");
    assert!(c.commands().is_empty(), "it was not on the screen yet");
    c.screen();
    c.keys("9");
    assert!(c.screen().contains("there are 2 options"), "{}", c.screen());
    c.keys("2 2 2");
    assert_eq!(c.commands(), [answer(7, "own", None)], "pressed twice, it does not answer the next one");
    let screen = c.screen();
    assert!(screen.contains("Review deadlock (question 8)") && screen.contains("2 more after this"), "{screen}");
    c.keys("3");
    c.screen();
    c.keys("3");
    assert_eq!(c.commands()[1..], [answer(8, "fail", None), answer(9, "hold", None)]);
}

#[test]
fn an_answer_that_was_not_taken_leaves_the_card() {
    let mut c = small();
    c.snapshot.cards.truncate(1);
    c.show(|_| {});
    c.keys("4 enter");
    c.screen();
    c.replies = vec![Applied::Refused { message: "question 7 was answered by its default".into() }];
    c.keys("1");
    let screen = c.screen();
    assert!(screen.contains("answered by its default") && screen.contains("Which host?"), "{screen}");
    c.deaf = true;
    c.keys("enter");
    c.screen();
    c.keys("1");
    assert!(!c.screen().contains("? question"));
    let query = Query::Command(answer(7, "fly", None));
    c.send(Msg::Answer(Box::new(Answer::Failed { query, message: "the database is locked".into() })));
    assert!(c.screen().contains("? question"), "{}", c.screen());
}

#[test]
fn the_text_scrolls_and_the_options_stay() {
    let mut c = small();
    c.keys("4 j enter");
    for keys in ["", "down down", "pgdn", "G", "pgup", "g"] {
        let screen = c.keys(keys).screen();
        for part in ["1  Accept as is", "2  Another round", "3  Fail the job"] {
            assert!(screen.contains(part), "{keys}: {part}\n{screen}");
        }
    }
    assert!(!c.screen().contains("20. Refuse"));
    assert!(c.screen().contains("Scores by round: none, 0.62"), "{}", c.screen());
    assert!(c.keys("G").screen().contains("20. Refuse"), "{}", c.screen());
    // With nine wordy options each has a line, and something of the text still shows.
    let wordy = |n: usize| format!("k{n}:Option {n}:{}", "a detail that goes on and on ".repeat(6)).parse().unwrap();
    let mut many = world::card(11);
    many.asked.choices = (1..=9).map(wordy).collect();
    many.asked.question = "Long.\n".repeat(30);
    c.keys("esc").show(|s| s.cards = vec![many]);
    c.keys("4 g enter");
    let screen = c.screen();
    assert!((1..=9).all(|n| screen.contains(&format!("{n}  Option {n} · a detail"))) && screen.contains("Long."), "{screen}");
}

#[test]
fn a_card_is_answered_in_the_operator_s_own_words() {
    let mut c = small();
    c.snapshot.cards = vec![waiting::unclear(10)];
    c.show(|_| {});
    c.keys("4 enter");
    c.screen();
    c.keys("1");
    assert!(c.commands().is_empty() && c.screen().contains("Go on, in your words"), "{}", c.screen());
    c.keys("enter");
    assert!(c.commands().is_empty(), "nothing was written");
    c.keys("'the 2nd, 日本' enter");
    assert_eq!(c.commands(), [answer(10, "go", Some("the 2nd, 日本"))], "the figures of the text answer nothing");
    // With any other card: a remark, then the digit.
    let mut c = small();
    c.keys("4 enter r 'but small' enter");
    assert!(c.screen().contains("You add: but small"), "{}", c.screen());
    c.keys("1");
    assert_eq!(c.commands(), [answer(7, "fly", Some("but small"))]);
    // By the editor.
    let mut c = small();
    c.keys("4 enter r 'x' ctrl-o");
    assert_eq!(c.effects, [Effect::OpenEditor { text: "x".into() }]);
    c.send(Msg::EditorDone(Ok("two\nlines".into())));
    c.keys("enter");
    c.screen();
    c.keys("2");
    assert_eq!(c.commands(), [answer(7, "own", Some("two\nlines"))]);
}

#[test]
fn a_plan_is_read_in_full_before_it_is_approved() {
    let mut c = all((120, 40));
    c.plans = vec![waiting::plan(3, Some("its jobs cannot be made: there is no backend `codexx`"))];
    c.keys("4 j j j j enter");
    let screen = c.screen();
    assert!(screen.contains("its jobs cannot be made"), "why it came back: {screen}");
    for _ in 0..20 {
        if !c.screen().lines().any(|l| l.contains('▌') && l.contains("Measure how often")) {
            c.keys("j");
        }
    }
    c.keys("enter");
    let screen = c.screen();
    for part in
        ["read docs/limits.md first", "a table of tenants and hits", "reports/hits.md", "codex, model gpt-5-codex, persona researcher"]
    {
        assert!(screen.contains(part), "{part} missing:\n{screen}");
    }
    c.keys("j j enter");
    let screen = c.screen();
    assert!(!screen.contains("read docs/limits.md first"), "a line of it folds it: {screen}");
    assert!(screen.lines().any(|l| l.contains('▌') && l.contains("Measure how often")), "{screen}");
    c.keys("O");
    assert!(c.screen().contains("read docs/limits.md first"));
    c.keys("a");
    let screen = c.screen();
    for part in ["4 jobs will be made; ready at once: Measure how often", "160k tokens", "Mind: its jobs cannot be made"] {
        assert!(screen.contains(part), "{part} missing:\n{screen}");
    }
}

#[test]
fn a_plan_is_edited_and_nothing_that_was_typed_is_lost() {
    let mut c = small();
    c.keys("4 j j j j e");
    let before = match c.effects.as_slice() {
        [Effect::OpenEditor { text }] => text.clone(),
        other => panic!("{other:?}"),
    };
    c.effects.clear();
    c.send(Msg::EditorDone(Ok(before.clone())));
    assert!(c.effects.is_empty() && c.screen().contains("as it was"), "{}", c.screen());
    // A mistake in the form is told with its line; the text is kept, here and in a file.
    let broken = before.replacen("\"kind\": \"writing\"", "\"kind\": \"wrighting\"", 1);
    c.keys("e");
    c.effects.clear();
    c.send(Msg::EditorDone(Ok(broken.clone())));
    assert_eq!(c.effects, [Effect::Keep { name: "plan-3.json".into(), text: broken.clone() }]);
    let screen = c.screen();
    assert!(screen.contains("wrighting") && screen.contains(" line "), "{screen}");
    c.effects.clear();
    c.keys("e");
    assert_eq!(c.effects, [Effect::OpenEditor { text: broken }]);
    // What the desk refuses is kept as well.
    let wrong = before.replacen("\"codex\"", "\"codexx\"", 1);
    c.effects.clear();
    c.replies = vec![Applied::Refused { message: "that is no plan: task `measure` names the type `codexx`".into() }];
    c.send(Msg::EditorDone(Ok(wrong.clone())));
    assert!(matches!(&c.effects[1], Effect::Keep { text, .. } if *text == wrong), "{:?}", c.effects);
    assert!(c.screen().contains("names the type `codexx`"), "{}", c.screen());
    // One that is a plan goes out with the revision that was on the screen.
    c.keys("e");
    c.effects.clear();
    c.send(Msg::EditorDone(Ok(before.replacen("Measure how", "Count how", 1))));
    let commands = c.commands();
    let [Command::EditPlan { plan: PlanId(3), document, revision: Some(2) }] = commands.as_slice() else { panic!("{commands:?}") };
    assert!(document.tasks[0].title.starts_with("Count how"));
    c.effects.clear();
    c.keys("e");
    assert_eq!(c.effects, [Effect::OpenEditor { text: before }], "what was taken is no draft any more");
    // An editor that failed leaves nothing behind for the next text.
    c.send(Msg::EditorDone(Err("the editor ended with 1".into())));
    c.keys("esc m");
    c.send(Msg::EditorDone(Ok("hello".into())));
    c.keys("enter");
    assert!(c.commands().iter().any(|c| matches!(c, Command::SendMessage { text, .. } if text == "hello")));
}

#[test]
fn a_stale_answer_is_said_and_read_again() {
    let mut c = small();
    c.replies = vec![Applied::Stale { message: "plan 3 was changed since it was shown: look at it again".into() }];
    c.keys("4 j j j j a");
    let asked = c.asked.len();
    c.keys("enter");
    assert!(c.screen().contains("was changed since it was shown"), "{}", c.screen());
    assert!(c.asked[asked..].contains(&Query::Plan { plan: PlanId(3) }), "{:?}", &c.asked[asked..]);
}

#[test]
fn a_plan_that_cannot_be_read_is_asked_for_once() {
    let mut c = small();
    c.plans.clear();
    c.keys("4 j j j j");
    let asked = |c: &Console| c.asked.iter().filter(|q| matches!(q, Query::Plan { .. })).count();
    assert_eq!(asked(&c), 1);
    c.show(|s| s.today.tokens += 1);
    c.keys("tab tab");
    assert_eq!(asked(&c), 1);
    assert!(c.screen().contains("It cannot be read: there is no plan 3"), "{}", c.screen());
    c.plans = vec![waiting::plan(3, None)];
    c.show(|s| s.plans[0].revision += 1);
    assert_eq!(asked(&c), 2, "something changed");
    assert!(c.screen().contains("Every tenant has a limit"), "{}", c.screen());
}

#[test]
fn what_is_said_is_told_wherever_the_operator_is() {
    let mut c = Console::new((80, 24), world::busy());
    c.said = waiting::said();
    c.show(|s| {
        s.unread = 1;
        s.said = vec![waiting::entry(3, Says::Reply, "Yes: /var is at 96 %.", false)];
    });
    let screen = c.screen();
    assert!(screen.contains("1 unread") && screen.contains("reply: Yes: /var is at 96 %.") && screen.contains("M reads it"), "{screen}");
    assert!(c.effects.is_empty(), "a reply does not ring");
    c.show(|s| s.today.tokens += 1);
    c.show(|s| {
        s.unread = 2;
        s.said.push(waiting::entry(5, Says::Reminder, "It is time: call the bank", false));
    });
    assert_eq!(c.effects, [Effect::Bell { says: "It is time: call the bank".into() }]);
    assert!(c.screen().contains("reminder: It is time"), "{}", c.screen());
    // One key leads there, and what is read there counts as seen, once.
    c.keys("M");
    assert!(c.screen().contains("▸Conversation") && c.screen().contains("call the bank"), "{}", c.screen());
    assert_eq!(c.commands(), [Command::ReadConversation { up_to: EntryId(5) }]);
    c.keys("k k");
    assert_eq!(c.commands().len(), 1);
    // What comes while nobody presses a key stays unread.
    c.said.push(waiting::entry(6, Says::Reply, "Done.", false));
    c.show(|s| {
        s.unread = 3;
        s.said.push(waiting::entry(6, Says::Reply, "Done.", false));
    });
    assert_eq!(c.commands().len(), 1);
    c.keys("G");
    assert_eq!(c.commands()[1], Command::ReadConversation { up_to: EntryId(6) });
}

#[test]
fn something_that_starts_to_wait_rings_once_and_says_what() {
    let mut c = Console::new((80, 24), world::busy());
    c.show(|s| {
        s.cards = vec![world::card(7)];
        let mut a = s.attention[0].clone();
        a.says = "asked: Which host?".into();
        s.attention.insert(0, a);
    });
    assert_eq!(c.effects, [Effect::Bell { says: "Question: Which host?".into() }]);
    c.show(|s| s.today.tokens += 1);
    c.show(|s| s.cards[0].remark = Some("x".into()));
    assert_eq!(c.effects.len(), 1);
    c.show(|s| s.pending = vec![waiting::project()]);
    assert_eq!(c.effects[1], Effect::Bell { says: "project 2 says it is done: website".into() });
}

#[test]
fn the_operator_s_own_message_shows_at_once_and_older_ones_page_in() {
    let mut c = small();
    c.said = (1..=250).map(|id| waiting::entry(id, Says::Message, &format!("message number {id}"), true)).collect();
    c.snapshot.unread = 0;
    c.snapshot.said.clear();
    c.show(|_| {});
    c.keys("M");
    assert!(c.screen().contains("message number 250"), "{}", c.screen());
    c.said.push(waiting::entry(251, Says::Message, "my own words", true));
    c.keys("m 'my own words' enter");
    assert!(c.screen().contains("my own words"), "{}", c.screen());
    // Back to the first page's beginning; the next page comes, and nothing moves.
    c.keys("g");
    let screen = c.screen();
    let page = Query::Conversation { page: orc::domain::Page { before: Some(151), limit: 100 } };
    assert!(c.asked.contains(&page), "{:?}", c.asked.last());
    let top = |s: &str| s.lines().find(|l| l.contains("message number")).unwrap_or_default().to_owned();
    assert!(top(&screen).contains("message number 151"), "{screen}");
    c.keys("g g g");
    assert!(
        top(&c.screen()).contains("message number 1 ") || top(&c.screen()).trim_end_matches(['│', ' ']).ends_with(" 1"),
        "{}",
        c.screen()
    );
    let all = c.asked.iter().filter(|q| matches!(q, Query::Conversation { .. })).count();
    c.keys("g k k");
    assert_eq!(c.asked.iter().filter(|q| matches!(q, Query::Conversation { .. })).count(), all, "there is no older one");
}

#[test]
fn messages_are_written_brought_back_and_sent() {
    let sent = |c: &Console| {
        c.commands()
            .into_iter()
            .filter_map(|c| if let Command::SendMessage { text, .. } = c { Some(text) } else { None })
            .collect::<Vec<_>>()
    };
    let mut c = Console::new((80, 24), world::busy());
    c.keys("m '日本語のメッセージ' left backspace 'x' enter");
    c.keys("m 'one' alt-enter 'two' enter");
    assert_eq!(sent(&c), ["日本語のメッセxジ", "one\ntwo"]);
    c.keys("m up");
    assert!(c.screen().contains("two"), "{}", c.screen());
    c.keys("up up down enter");
    assert_eq!(sent(&c).last().unwrap(), "one\ntwo");
    c.keys("m 'dropped by mistake' esc");
    assert!(c.screen().contains("m, then ↑, brings it back"), "{}", c.screen());
    c.keys("m up enter");
    assert_eq!(sent(&c).last().unwrap(), "dropped by mistake");
    c.keys("m 'draft' ctrl-o");
    assert_eq!(c.effects.last(), Some(&Effect::OpenEditor { text: "draft".into() }));
    c.send(Msg::EditorDone(Ok("from\nthe editor".into())));
    c.send(Msg::Paste("\npasted".into()));
    c.keys("enter");
    assert_eq!(sent(&c).last().unwrap(), "from\nthe editor\npasted");
    c.keys("m enter");
    assert!(c.screen().contains("the message is empty"));
}
