//! What takes long keeps no command waiting.

use orc::config::Settings;
use orc::domain::{Applied, Command, JobSpec};
use orc::engine::{Desk, Library};
use orc::wire::{Answer, Query};
use std::sync::Arc;

#[test]
fn a_command_is_applied_while_health_is_looked_at() {
    let dir = tempfile::Builder::new().prefix("orc-desk-").tempdir().unwrap();
    let (workspace, _) = orc::config::init(&dir.path().join("ws")).unwrap();
    // Whoever reads this waits until somebody writes.
    let slow = workspace.core_memory();
    std::fs::remove_file(&slow).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&slow).status().unwrap().success());
    let (answer, mut answers) = tokio::sync::mpsc::channel(8);
    let library = Library::new(workspace.clone());
    let desk = Desk::start(workspace, Arc::new(Settings::default()), library, answer, Arc::new(|| ())).unwrap();
    desk.ask(Query::Health);
    desk.ask(Query::Command(Command::AddJob { spec: Box::new(JobSpec::new("job", "shell", "true")) }));
    let first = answers.blocking_recv().unwrap();
    assert!(matches!(&first, Answer::Applied { applied: Applied::Added { .. }, .. }), "{first:?}");
    std::fs::write(&slow, "").unwrap();
    assert!(matches!(answers.blocking_recv().unwrap(), Answer::Health(_)));
}
