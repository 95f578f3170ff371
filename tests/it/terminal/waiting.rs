//! What waits for the operator, on a real terminal: the bell, a question answered, a plan edited and approved.

use super::pty::{Pty, eventually};
use super::workspace::Workspace;

fn project(workspace: &Workspace, title: &str) -> String {
    workspace.json(&["project", "add", "--title", title])["id"].to_string()
}

#[test]
fn the_bell_rings_once_when_something_starts_to_wait_and_says_what() {
    let workspace = Workspace::new();
    let id = project(&workspace, "website");
    let mut command = workspace.console_command();
    command.env("TERM_PROGRAM", "WezTerm");
    command.env_remove("TMUX");
    let mut pty = Pty::start(command);
    pty.wait_for("● running");
    pty.wait_for("nothing needs you");
    pty.look(|seen| assert_eq!(seen.parser.callbacks().bells, 0));
    workspace.orc(&["project", "submit", &id]);
    // It is in the header, not only behind the badge.
    pty.wait_for("project 1 says");
    pty.wait("the bell", |seen| seen.parser.callbacks().bells > 0);
    // What happens meanwhile is no news of it.
    workspace.job("beside", "true");
    pty.wait_for("· done");
    pty.look(|seen| {
        let heard = seen.parser.callbacks();
        assert_eq!(heard.bells, 1);
        assert_eq!(heard.notices, ["orc: project 1 says it is done: website"]);
    });
    pty.keys("4");
    pty.wait_for("website says it is done");
    pty.keys("a");
    pty.wait_for("Approve project 1?");
    pty.keys("\r");
    pty.wait_for("nothing waits for you");
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn a_question_is_answered_with_a_word_more() {
    let workspace = Workspace::new();
    let id = project(&workspace, "website");
    let task = workspace.json(&["task", "add", "--title", "Host it", "--project-id", &id])["id"].to_string();
    workspace.orc(&["task", "ask", &task, "--question", "Which host?", "--option", "fly:Fly.io:5 $ a month", "--option", "own:Own server"]);
    let mut pty = workspace.console();
    pty.keys("4");
    pty.wait_for("? question Which host?");
    pty.keys("\r");
    pty.wait_for("1  Fly.io");
    pty.keys("r");
    pty.wait_for("You add:");
    pty.keys("klein, 日本\r");
    pty.wait_for("You add: klein, 日本");
    pty.keys("1");
    pty.wait_for("nothing waits for you");
    let card = workspace.json(&["decision", "show", "1"]);
    assert_eq!((card["answer"].as_str(), card["remark"].as_str()), (Some("fly"), Some("klein, 日本")), "{card}");
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn a_plan_is_edited_refused_put_right_and_approved() {
    let workspace = Workspace::new();
    let file = workspace.path().join("plan.json");
    let plan = r#"{"goal":"The disk is clean.","tasks":[{"key":"a","title":"First","kind":"maintenance","type":"shell","prompt":"true"}]}"#;
    std::fs::write(&file, plan).unwrap();
    workspace.orc(&["plan", "new", "clean up", "--file", &file.display().to_string()]);
    // It names a type that nobody has, and the second time puts that right.
    let editor = workspace.path().join("editor");
    let script = "#!/bin/sh\nif grep -q nosuch \"$1\"; then sed -i 's/nosuch/shell/; s/First/Second/' \"$1\"; else sed -i 's/\"shell\"/\"nosuch\"/' \"$1\"; fi\n";
    std::fs::write(&editor, script).unwrap();
    assert!(std::process::Command::new("chmod").arg("+x").arg(&editor).status().unwrap().success());
    let mut command = workspace.console_command();
    command.env("VISUAL", editor.display().to_string());
    let mut pty = Pty::start(command);
    pty.wait_for("● running");
    pty.keys("4");
    pty.wait_for("First · maintenance");
    pty.keys("e");
    pty.wait_for("not taken");
    pty.wait_for("task `a` names the type `nosuch`");
    let kept = workspace.path().join("drafts/plan-1.json");
    eventually("the text is kept", || std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("nosuch")));
    pty.keys("e");
    pty.wait_for("Second · maintenance");
    pty.keys("a");
    pty.wait_for("Approve plan 1?");
    pty.keys("\r");
    pty.wait_for("1 of 1 jobs done");
    assert_eq!(workspace.json(&["plan", "show", "1"])["plan"]["state"], "dispatched");
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}
