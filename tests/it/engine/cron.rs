//! Schedules in a running engine: saved, fired by hand and by the clock, with Redis that comes and goes.

use super::Bench;
use orc::domain::{FireOutcome, JobState, LogLine};
use orc::os::clock;
use orc::store::CRON_GOOD;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(super) fn told(b: &Bench, what: &str) -> Vec<LogLine> {
    b.store.log_after(0, usize::MAX >> 1).unwrap().into_iter().filter(|l| l.what == what).collect()
}

pub(super) fn save(b: &Bench, text: &str) {
    std::fs::write(b.workspace.cron_file(), text).unwrap();
}

pub(super) fn entry(name: &str, more: &str, prompt: &str) -> String {
    format!("[[cron]]\nname = \"{name}\"\n{more}\n[cron.job]\ntitle = \"{name}\"\ntype = \"shell\"\nprompt = \"{prompt}\"\n")
}

/// A schedule whose one fire of the day is `ago` minutes back.
pub(super) fn minutes_ago(ago: i64) -> String {
    let t = chrono::DateTime::from_timestamp_millis(clock::now().0 - ago * 60_000).unwrap();
    format!("schedule = \"{}\"\ntimezone = \"UTC\"", t.format("%M %H * * *"))
}

pub(super) fn pm(b: &Bench, args: &[&str]) -> serde_json::Value {
    let out = b.command("pm").arg("cron").args(args).arg("--json").output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn schedules_are_taken_over_when_saved_and_a_broken_file_leaves_the_last_good_ones() {
    let mut b = Bench::new(&[]);
    save(&b, &entry("sweep", "schedule = \"0 3 * * *\"", "true"));
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    let good = b.store.meta(CRON_GOOD).unwrap().unwrap();
    save(&b, "[[cron]]\nname = \"sweep\"\nschedule = \"61 * * * *\"\n");
    let warned = b.within(|| told(&b, "cron").get(1).cloned());
    assert!(
        warned.text.contains("cron.toml:3: `schedule`: minute `61`") && warned.severity == orc::domain::Severity::Warn,
        "{}",
        warned.text
    );
    assert_eq!(b.store.meta(CRON_GOOD).unwrap().unwrap(), good);
    // An engine that begins with the broken file has them too, and so has the command line, which says what is wrong.
    b.crash();
    b.start();
    b.within(|| (told(&b, "cron").len() > 2).then_some(()));
    let out = b.command("pm").args(["cron", "ls"]).output().unwrap();
    assert_eq!(out.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&out.stdout).contains("sweep") && String::from_utf8_lossy(&out.stderr).contains("cron.toml:3"));
    let job = pm(&b, &["run", "sweep"])["id"].as_i64().unwrap();
    assert_eq!(b.ends(orc::domain::JobId(job)), JobState::Done);
    // Mended, and another one beside it.
    save(&b, &(entry("sweep", "schedule = \"0 3 * * *\"", "true") + &entry("more", "schedule = \"@daily\"", "true")));
    b.within(|| told(&b, "cron").iter().any(|l| l.text.contains("2 schedules; new or changed: more")).then_some(()));
}

#[test]
fn what_was_missed_while_no_engine_ran_is_made_up_for_once_and_never_twice() {
    let mut b = Bench::new(&["cron_late=1s"]);
    let two = entry("once", &format!("{}\ncatch_up = \"once\"", minutes_ago(10)), "echo hello") + &entry("skip", &minutes_ago(10), "true");
    save(&b, &two);
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    b.crash();
    assert!(b.store.fires(None, 9).unwrap().is_empty(), "an entry that is new has missed nothing");
    // As if both had been there since yesterday.
    let db = rusqlite::Connection::open(b.workspace.database()).unwrap();
    db.execute("UPDATE cron_entries SET since = since - 86400000 / 2", []).unwrap();
    for _ in 0..3 {
        b.start();
        b.within(|| (b.store.fires(None, 9).unwrap().len() == 2).then_some(()));
        b.crash();
    }
    b.start();
    let fires = b.within(|| Some(b.store.fires(None, 9).unwrap()).filter(|f| f.iter().any(|f| f.job_state == Some(JobState::Done))));
    let of = |name: &str| fires.iter().find(|f| f.name == name).unwrap();
    assert_eq!((fires.len(), of("once").outcome, of("skip").outcome), (2, FireOutcome::Fired, FireOutcome::Missed));
    let job = b.job(of("once").job.unwrap());
    assert_eq!((job.spec.origin, job.spec.dedup_key.as_deref()), (orc::domain::Origin::Cron, Some("cron:once")));
    let by: String = db.query_row("SELECT cron FROM jobs WHERE id = ?1", [job.id.0], |r| r.get(0)).unwrap();
    assert_eq!(by, "once");
    assert!(told(&b, "cron").iter().any(|l| l.text.starts_with("skip: a fire was left out")));
}

#[test]
fn the_command_line_runs_switches_and_tells() {
    let b = Bench::new(&[]);
    save(
        &b,
        &(entry("a", "schedule = \"*/15 * * * *\"\ntimezone = \"UTC\"", "true")
            + &entry("b", "schedule = \"*/30 * * * *\"\nenabled = false", "true")),
    );
    let rows = pm(&b, &["ls"]);
    assert_eq!(
        (rows[0]["name"].as_str(), rows[0]["schedule"].as_str(), rows[0]["timezone"].as_str()),
        (Some("a"), Some("*/15 * * * *"), Some("UTC"))
    );
    assert_eq!((rows[0]["enabled"].as_bool(), rows[1]["enabled"].as_bool()), (Some(true), Some(false)));
    assert!(rows[0]["next"].as_str().unwrap().ends_with("Z") && rows[1]["next"].is_null());
    let next = pm(&b, &["next", "a", "-n", "3"]);
    assert_eq!(next.as_array().unwrap().len(), 3);
    assert!(pm(&b, &["next"]).as_array().unwrap().iter().all(|u| u["collides"].as_array().unwrap().is_empty()));
    pm(&b, &["enable", "b"]);
    let day = pm(&b, &["next"]);
    assert!((143..=145).contains(&day.as_array().unwrap().len()), "{day}");
    assert!(day.as_array().unwrap().iter().any(|u| u["collides"][0] == "b"));
    pm(&b, &["disable", "a"]);
    assert_eq!(pm(&b, &["ls"])[0]["enabled"], false);
    let first = pm(&b, &["run", "a"])["id"].as_i64();
    let second = pm(&b, &["run", "a"]);
    assert_eq!((second["id"].as_i64(), second["existing"].as_bool()), (first, Some(true)), "its job is open");
    let past = pm(&b, &["history", "a"]);
    assert_eq!(
        (past[0]["outcome"].as_str(), past[1]["outcome"].as_str(), past[1]["manual"].as_bool()),
        (Some("duplicate"), Some("fired"), Some(true))
    );
    let out = b.command("pm").args(["cron", "run", "c"]).output().unwrap();
    assert!(out.status.code() == Some(3) && String::from_utf8_lossy(&out.stderr).contains("known: a, b"));
    // A name that nothing has is told before it fires.
    save(&b, &entry("a", "schedule = \"@daily\"", "true").replace("type =", "skill = \"no-such\"\ntype ="));
    assert!(pm(&b, &["ls"])[0]["problem"].as_str().unwrap().contains("no-such"));
}

/// A real server on a free port, without a file.
struct Redis {
    child: Child,
    url: String,
}

fn redis(dir: &Path, port: u16) -> Option<Redis> {
    let port = port.to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(dir);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    Some(Redis { child, url: format!("redis://127.0.0.1:{port}/0") })
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn redis_is_asked_first_believed_never_and_missed_by_nobody() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = redis(dir.path(), port) else {
        println!("skipped: redis-server is not installed");
        return;
    };
    let client = redis::Client::open(server.url.as_str()).unwrap();
    let mut b = Bench::new(&["cron_late=1s", &format!("redis_url={}", server.url)]);
    let mut talk = b.within(|| client.get_connection().ok());
    let key = format!("orc:{}:dedup:cron:late", b.store.workspace_id().unwrap());
    let get = |talk: &mut redis::Connection| redis::cmd("GET").arg(&key).query::<Option<String>>(talk).unwrap();
    // Stale: it names a job that there never was.
    redis::cmd("SET").arg(&key).arg(4711).exec(&mut talk).unwrap();
    let script = b.gated("pid", "go");
    let late = entry("late", &format!("{}\ncatch_up = \"once\"", minutes_ago(10)), &script);
    save(&b, &late);
    b.start();
    b.within(|| told(&b, "cron").first().cloned());
    b.crash();
    let db = rusqlite::Connection::open(b.workspace.database()).unwrap();
    db.execute("UPDATE cron_entries SET since = since - 86400000 / 2", []).unwrap();
    b.start();
    b.appears("pid");
    let fire = b.store.fires(None, 9).unwrap().remove(0);
    assert_eq!(fire.outcome, FireOutcome::Fired, "the database knew better");
    let job = fire.job.unwrap();
    b.within(|| (get(&mut talk) == Some(job.to_string())).then_some(()));
    b.touch("go");
    assert_eq!(b.ends(job), JobState::Done);
    b.within(|| get(&mut talk).is_none().then_some(()));

    // Dead in the middle: a warning, and no lost fire.
    drop(server);
    save(&b, &late.replace("name = \"late\"", "name = \"later\""));
    b.within(|| told(&b, "cron").iter().any(|l| l.text.contains("later")).then_some(()));
    b.crash();
    db.execute("UPDATE cron_entries SET since = since - 86400000 / 2", []).unwrap();
    b.start();
    let fire = b.within(|| b.store.fires(Some("later"), 9).unwrap().pop());
    assert_eq!(fire.outcome, FireOutcome::Fired);
    assert_eq!(b.ends(fire.job.unwrap()), JobState::Done);
    let warned = b.within(|| told(&b, "dedup").pop());
    assert!(warned.text.contains("the database alone keeps duplicates out"), "{}", warned.text);
}

/// A server that hangs and comes back under a living engine: each fire gets its job, and the engine uses it again.
#[test]
fn redis_may_hang_in_the_middle_of_a_fire_and_come_back() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = redis(dir.path(), port) else {
        println!("skipped: redis-server is not installed");
        return;
    };
    let client = redis::Client::open(server.url.as_str()).unwrap();
    let mut b = Bench::new(&["cron_late=1s", &format!("redis_url={}", server.url)]);
    let mut talk = b.within(|| client.get_connection().ok());
    let workspace = b.store.workspace_id().unwrap();
    let mut held = |name: &str| {
        let key = format!("orc:{workspace}:dedup:cron:{name}");
        redis::cmd("GET").arg(&key).query::<Option<String>>(&mut talk).unwrap()
    };
    let db = rusqlite::Connection::open(b.workspace.database()).unwrap();
    let mut text = String::new();
    // An entry that is new, as if it had been there since this morning: the living engine fires it.
    let mut fires = |b: &mut Bench, name: &str, script: &str| {
        text += &entry(name, &format!("{}\ncatch_up = \"once\"", minutes_ago(10)), script);
        save(b, &text);
        b.within(|| told(b, "cron").iter().any(|l| l.text.ends_with(&format!("new or changed: {name}"))).then_some(()));
        db.execute("UPDATE cron_entries SET since = since - 86400000 / 2 WHERE name = ?1", [name]).unwrap();
        b.apply(orc::domain::Command::SetCron { name: name.into(), enabled: Some(true) });
        let fire = b.within(|| b.store.fires(Some(name), 1).unwrap().pop());
        assert_eq!(fire.outcome, FireOutcome::Fired, "{name}");
        fire.job.unwrap()
    };
    b.start();
    let scripts = [b.gated("pid", "go"), b.gated("pid2", "go2")];
    let first = fires(&mut b, "well", &scripts[0]);
    b.appears("pid");
    b.within(|| (held("well") == Some(first.to_string())).then_some(()));
    b.touch("go");
    assert_eq!(b.ends(first), JobState::Done);
    b.within(|| held("well").is_none().then_some(()));
    assert!(told(&b, "dedup").is_empty());

    let server_process = orc::os::process::identity(server.child.id() as i32).unwrap();
    let signal = |signal| orc::os::process::Handle::of(&server_process).unwrap().signal(signal);
    signal(orc::os::process::Signal::STOP);
    let hung = fires(&mut b, "hung", "true");
    assert_eq!(b.ends(hung), JobState::Done);
    let warned = b.within(|| told(&b, "dedup").pop());
    assert!(warned.text.contains("the database alone keeps duplicates out"), "{}", warned.text);

    // It answers again. After a failure the engine rests before it connects anew: the first fire after that finds it.
    signal(orc::os::process::Signal::CONT);
    let mut n = 0;
    while told(&b, "dedup").last().is_some_and(|l| l.text != "Redis answers again") {
        n += 1;
        assert!(n < 200, "it never asked again: {:?}", told(&b, "dedup"));
        let job = fires(&mut b, &format!("after-{n}"), "true");
        assert_eq!(b.ends(job), JobState::Done);
    }
    let last = fires(&mut b, "last", &scripts[1]);
    b.appears("pid2");
    b.within(|| (held("last") == Some(last.to_string())).then_some(()));
    b.touch("go2");
    assert_eq!(b.ends(last), JobState::Done);
}
