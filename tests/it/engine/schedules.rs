//! What the schedules make, with real engines: a job for each project, the backend that is there, switches, prompts in files.

use super::cron::{entry, minutes_ago, pm, save, told};
use super::{Bench, gate};
use crate::agents::{Mock, installed};
use orc::config::CRON_TEMPLATES;
use orc::domain::{Applied, Command, FireOutcome, JobId, JobState, Origin, ProjectId, TaskId};
use orc::os::clock;
use serde_json::json;

/// As if all entries had been there since half a day ago.
fn half_a_day_older(b: &Bench) {
    let db = rusqlite::Connection::open(b.workspace.database()).unwrap();
    db.execute("UPDATE cron_entries SET since = since - 86400000 / 2", []).unwrap();
}

impl Bench {
    fn project(&mut self, title: &str, tasks: &[&str]) -> ProjectId {
        let now = clock::now();
        let made = self.store.write::<_, orc::store::StoreError>(|tx| {
            let id = tx.add_project(title, None, "operator", now)?;
            tasks.iter().try_for_each(|t| tx.add_task(id, t, "operator", now).map(drop))?;
            Ok(id)
        });
        made.unwrap()
    }
}

/// Real Claude Code, whose model runs what the skill tells it to: the job may act in its project, and does.
#[test]
fn the_shipped_advance_adds_a_job_to_the_project_that_is_stalled() {
    let Some(program) = installed("claude") else { return };
    let mock = Mock::start();
    let mut b = Bench::new(&[]);
    std::fs::write(b.workspace.settings_file(), format!("[backend.claude]\nprogram = \"{}\"\n", program.display())).unwrap();
    let templates = toml::from_str::<toml::Table>(CRON_TEMPLATES).unwrap();
    let advance = templates["cron"].as_array().unwrap().iter().find(|e| e["name"].as_str() == Some("project-advance")).unwrap();
    save(&b, &toml::to_string(&json!({"cron": [advance]})).unwrap());
    let tea = b.project("Tea shop", &["Read the price lists", "Open the till"]);
    b.project("Nothing to do here", &[]);
    let key = [("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", mock.port)), ("ANTHROPIC_API_KEY", "test-key".to_owned())];
    b.env.extend(key.clone());
    let add = "echo 'Read list 2.' | pm job add --title 'Tea: list 2' --type shell --kind code --priority P3 --project-id 1 --task-id 1 \
               --dedup advance-1 --prompt -";
    let elsewhere = "pm job add --title other --type shell --project-id 2 --prompt true 2>&1 || true";
    mock.scenario(&json!({"rules": [
        {"match": {"prompt": "This is about project 1, \"Tea shop\"", "system": "Skill: project-advance"},
         "turns": [{"shell": add}, {"shell": elsewhere}, {"text": "Task 1: the second list was never read: job 2."}]},
    ]}));
    b.start();
    let out = b.command("orc").args(["cron", "run", "project-advance", "--json"]).envs(key).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let ids: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(ids, json!({"ids": [1]}), "one stalled project, one job");
    let job = JobId(1);
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
    let spec = b.job(job).spec;
    assert_eq!((spec.backend.as_str(), spec.project_id, spec.origin), ("claude", Some(tea), Origin::Cron));
    assert_eq!(spec.title, "Advance: Tea shop");
    let made = b.job(JobId(2)).spec;
    assert_eq!((made.project_id, made.task_id, made.dedup_key.as_deref()), (Some(tea), Some(TaskId(1)), Some("advance-1")));
    assert!(b.store.job(JobId(3)).unwrap().is_none(), "in another project it may not");
    assert!(told(&b, "refused").iter().any(|l| l.text.contains("own-project")), "{:?}", told(&b, "refused"));
}

#[test]
fn a_fire_makes_a_job_for_each_stalled_project_and_each_backs_off_by_itself() {
    let mut b = Bench::new(&["cron_late=1s"]);
    let (tea, coffee) = (b.project("Tea", &["a"]), b.project("Coffee", &["b"]));
    b.project("No tasks", &[]);
    let busy = b.project("Busy", &["c"]);
    let script = format!("echo ran >> {}/ran; [ $ORC_JOB = 2 ] && echo NOTHING TO DO || echo Moved on.", b.dir.path().display());
    let each =
        |minutes| entry("each", &format!("{}\neach_project = true\nback_off = true\ncatch_up = \"once\"", minutes_ago(minutes)), &script);
    let holds = b.add(orc::domain::JobSpec { project_id: Some(busy), ..b.spec(&b.gated("pid", "go")) });
    save(&b, &each(10));
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    b.crash();
    half_a_day_older(&b);
    for _ in 0..3 {
        b.start();
        b.within(|| (b.store.fires(Some("each"), 9).unwrap().len() == 3).then_some(()));
        b.crash();
    }
    b.start();
    let parts: Vec<_> = b.store.fires(Some("each"), 9).unwrap();
    let whole = parts.iter().find(|f| f.project.is_none()).unwrap();
    assert_eq!((whole.note.as_deref(), whole.outcome, whole.job), (Some("2 projects are stalled"), FireOutcome::Fired, None));
    let job = |p| parts.iter().find(|f| f.project == Some(p)).and_then(|f| f.job).unwrap();
    assert_eq!([job(tea), job(coffee)].map(|j| b.ends(j)), [JobState::Done; 2]);
    let keys = [job(tea), job(coffee)].map(|j| b.job(j).spec.dedup_key.unwrap());
    assert_eq!(keys, [format!("cron:each:project-{tea}"), format!("cron:each:project-{coffee}")]);
    // The first found nothing to do, and is left out of the next fire.
    b.within(|| {
        told(&b, "cron").iter().any(|l| l.text.contains(&format!("each, project {tea}: nothing to do once: every 2nd"))).then_some(())
    });
    b.crash();
    save(&b, &each(5));
    b.start();
    b.within(|| told(&b, "cron").iter().filter(|l| l.text.contains("new or changed: each")).nth(1).cloned());
    b.crash();
    half_a_day_older(&b);
    b.start();
    let parts = b.within(|| Some(b.store.fires(Some("each"), 9).unwrap()).filter(|f| f.len() == 6));
    let newest = |p| parts.iter().find(|f| f.project == Some(p)).unwrap().outcome;
    assert_eq!((newest(tea), newest(coffee)), (FireOutcome::BackedOff, FireOutcome::Fired));
    // Nothing is stalled: no job, and that is said. By hand too.
    b.within(|| b.store.stalled_projects().unwrap().iter().all(|(id, _)| *id != busy).then_some(()));
    let now = clock::now();
    let db = rusqlite::Connection::open(b.workspace.database()).unwrap();
    db.execute("UPDATE tasks SET state = 'done'", []).unwrap();
    let out = b.command("pm").args(["cron", "run", "each"]).output().unwrap();
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("no project has open tasks and no open job"));
    assert!(b.store.fires(Some("each"), 1).unwrap()[0].at >= now);
    b.touch("go");
    b.ends(holds);
}

#[test]
fn nothing_to_do_is_not_reviewed_and_costs_no_second_backend() {
    let mut b = gate::bench(r#"say "\`\`NOTHING TO DO\`\`""#, "judge 1.0 ''", &[]);
    let of = |name: &str, more: &str| {
        entry(name, &format!("schedule = \"@yearly\"\n{more}"), "look").replace("\"shell\"", "\"author\"\nkind = \"writing\"")
    };
    save(&b, &(of("quiet", "back_off = true") + &of("plain", "")));
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    let quiet = JobId(pm(&b, &["run", "quiet"])["id"].as_i64().unwrap());
    assert_eq!(b.ends(quiet), JobState::Done);
    assert!(b.store.reviews(quiet).unwrap().is_empty());
    b.within(|| (b.store.fires(Some("quiet"), 1).unwrap()[0].found == Some(false)).then_some(()));
    assert_eq!(b.runs("judge"), 0);
    // Where nobody asked for it the same words are a result like any other.
    let plain = JobId(pm(&b, &["run", "plain"])["id"].as_i64().unwrap());
    assert_eq!(b.ends(plain), JobState::Done);
    assert_eq!((b.store.reviews(plain).unwrap().len(), b.runs("judge")), (1, 1));
}

#[test]
fn what_would_have_fired_while_an_entry_was_off_was_not_missed() {
    let mut b = Bench::new(&["cron_late=1s"]);
    let text = |enabled| {
        ["file", "switch", "undo"]
            .map(|n| entry(n, &format!("{}\ncatch_up = \"once\"\nenabled = {enabled}", minutes_ago(10)), "true"))
            .concat()
    };
    let set = |b: &mut Bench, name: &str, enabled| match b.apply(Command::SetCron { name: name.into(), enabled }) {
        Applied::Done { undo: Some(undo), .. } => undo,
        other => panic!("{other:?}"),
    };
    save(&b, &text(false));
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    half_a_day_older(&b);
    // On, by the operator.
    set(&mut b, "switch", Some(true));
    b.within(|| told(&b, "cron").iter().any(|l| l.text == "schedule switch enabled").then_some(()));
    set(&mut b, "switch", None);
    // On, in the file, and one that was switched off meanwhile.
    set(&mut b, "undo", Some(false));
    save(&b, &(text(true) + &entry("more", "schedule = \"@daily\"", "true")));
    b.within(|| told(&b, "cron").iter().any(|l| l.text.contains("new or changed: more")).then_some(()));
    half_a_day_older(&b);
    let db = rusqlite::Connection::open(b.workspace.database()).unwrap();
    db.execute("UPDATE cron_entries SET since = ?1 WHERE name <> 'undo'", [clock::now().0]).unwrap();
    set(&mut b, "undo", None);
    let marker = b.run("true");
    b.ends(marker);
    assert_eq!(b.store.fires(None, 9).unwrap(), [], "nothing was missed");
    let rows = pm(&b, &["ls"]);
    assert!(rows.as_array().unwrap().iter().all(|r| r["enabled"] == true && r["enabled_by"] == "file"), "{rows}");
}

#[test]
fn a_switch_is_shown_as_the_operators_and_reset_leaves_it_to_the_file() {
    let b = Bench::new(&[]);
    save(&b, &entry("a", "schedule = \"@daily\"", "true"));
    pm(&b, &["disable", "a"]);
    let ls = || String::from_utf8(b.command("pm").args(["cron", "ls"]).output().unwrap().stdout).unwrap();
    assert!(ls().contains("off, by you"), "{}", ls());
    pm(&b, &["reset", "a"]);
    assert!(!ls().contains("by you") && pm(&b, &["ls"])[0]["enabled"] == true, "{}", ls());
}

#[test]
fn saved_settings_do_not_mend_a_broken_file_and_their_time_zone_holds() {
    let mut b = Bench::new(&[]);
    save(&b, &entry("a", "schedule = \"0 9 * * *\"", "true"));
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    save(&b, "[[cron]]\nname = 1\n");
    b.within(|| told(&b, "cron").get(1).cloned());
    std::fs::write(b.workspace.settings_file(), "timezone = \"Asia/Kolkata\"\n").unwrap();
    b.within(|| told(&b, "settings").first().cloned());
    let times = || {
        let db = rusqlite::Connection::open(b.workspace.database()).unwrap();
        db.query_row("SELECT times FROM cron_entries WHERE name = 'a'", [], |r| r.get::<_, String>(0)).unwrap()
    };
    assert_eq!((told(&b, "cron").len(), times().as_str()), (2, "0 9 * * * Asia/Kolkata"), "{:?}", told(&b, "cron"));
    save(&b, &entry("a", "schedule = \"0 9 * * *\"", "true"));
    assert!(b.within(|| told(&b, "cron").get(2).cloned()).text.contains("1 schedules"));
}

#[test]
fn a_prompt_in_a_file_is_read_again_when_it_is_saved() {
    let mut b = Bench::new(&["cron_late=1s"]);
    let prompts = b.workspace.root().join("prompts");
    std::fs::create_dir(&prompts).unwrap();
    std::fs::write(prompts.join("p.md"), "echo old").unwrap();
    let text =
        entry("a", &format!("{}\ncatch_up = \"once\"", minutes_ago(10)), "x").replace("prompt = \"x\"", "prompt_file = \"prompts/p.md\"");
    save(&b, &text);
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    // It can no longer be read: that is told, without a change of cron.toml.
    std::fs::rename(prompts.join("p.md"), prompts.join("q.md")).unwrap();
    assert!(b.within(|| told(&b, "cron").get(1).cloned()).text.contains("`prompt_file`: cannot read"));
    std::fs::write(prompts.join("p.md"), "echo new").unwrap();
    b.within(|| told(&b, "cron").get(2).cloned());
    half_a_day_older(&b);
    // Something happens that makes the engine look.
    b.apply(Command::SetCron { name: "other".into(), enabled: Some(false) });
    let fire = b.within(|| b.store.fires(Some("a"), 1).unwrap().pop());
    assert_eq!(b.job(fire.job.unwrap()).spec.prompt, "echo new");
}

#[test]
fn an_entry_of_type_auto_goes_to_the_agent_that_is_there() {
    let mut b = gate::bench(r#"say "Looked.""#, "judge 1.0 ''", &[]);
    std::fs::write(b.workspace.settings_file(), "work_backend = \"author\"\n").unwrap();
    let timed = entry("a", &format!("{}\ncatch_up = \"once\"", minutes_ago(10)), "look").replace("\"shell\"", "\"auto\"");
    save(&b, &timed);
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    half_a_day_older(&b);
    let by_hand = JobId(pm(&b, &["run", "a"])["id"].as_i64().unwrap());
    assert_eq!(b.job(by_hand).spec.backend, "author");
    let fire = b.within(|| b.store.fires(Some("a"), 9).unwrap().into_iter().find(|f| !f.manual));
    let job = fire.job.map_or(by_hand, |j| j);
    assert_eq!(b.job(job).spec.backend, "author");
    assert_eq!(b.ends(job), JobState::Done);
    // Nobody is there: that is told before it fires.
    std::fs::write(b.workspace.settings_file(), "work_backend = \"none\"\n").unwrap();
    let problem = pm(&b, &["ls"])[0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("work_backend"), "{problem}");
}
