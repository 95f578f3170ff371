//! The schedules that ship: what they name is there, what they tell an agent to run parses, and their prompts and skills agree.

use super::texts::unparsed;
use orc::config::{CRON_TEMPLATES, Persona, Settings, built_in, cron_problem, init, parse_cron, skill};
use orc::domain::{CronEntry, Kind, NOTHING};
use tempfile::tempdir;

fn entries() -> Vec<CronEntry> {
    parse_cron(std::path::Path::new("cron.toml"), CRON_TEMPLATES, &Settings::default()).unwrap()
}

#[test]
fn they_can_fire_as_they_stand() {
    let home = tempdir().unwrap();
    let (workspace, _) = init(&home.path().join("ws")).unwrap();
    let backends = built_in();
    for e in entries() {
        let known = |name: &str| match name {
            "auto" => Ok("claude".to_owned()),
            name if backends.contains_key(name) => Ok(name.to_owned()),
            name => Err(format!("no backend {name}")),
        };
        assert_eq!(cron_problem(&workspace, &e, known), None, "{}", e.name);
        if let Some(persona) = &e.job.persona {
            Persona::find(&workspace, persona).unwrap();
        }
        // None is tied to one agent, and what a model does has a skill, but for the review of the day, whose prompt the engine makes.
        assert!(matches!(e.job.backend.as_str(), "auto" | "shell"), "{}: {}", e.name, e.job.backend);
        assert_eq!(e.job.skills.is_empty(), e.job.backend == "shell" || e.job.kind == Kind::Consolidate, "{}", e.name);
    }
}

#[test]
fn every_command_in_their_prompts_parses_as_it_stands() {
    let mut checked = 0;
    for e in entries() {
        // A script is one command; in a prompt they are quoted.
        let text = if e.job.backend == "shell" { format!("    {}", e.job.prompt) } else { e.job.prompt.clone() };
        let (wrong, seen) = unparsed(&text);
        assert_eq!(wrong, Vec::<String>::new(), "{}", e.name);
        checked += seen;
    }
    assert!(checked > 5, "only {checked} commands were found");
}

#[test]
fn what_backs_off_is_told_how_to_say_that_there_is_nothing_to_do() {
    let home = tempdir().unwrap();
    for e in entries() {
        assert_eq!(e.job.prompt.contains(NOTHING), e.back_off, "{}", e.name);
        for name in &e.job.skills {
            let skill = skill(home.path(), name).unwrap();
            assert_eq!(skill.body.contains(NOTHING), e.back_off, "{}: its skill {name} says otherwise", e.name);
        }
    }
}
