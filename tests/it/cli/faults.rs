//! Fault by fault: `orc doctor` names it and what to do, in text and as JSON, and its exit code says how bad it is.

use super::doctor::{component, doctor, part};
use super::{Bench, write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What the text and the JSON say of a part of a component, beside what the others say.
#[track_caller]
fn named(b: &Bench, whole: &str, one: &str, status: &str, says: &str, fix: &str) {
    let (code, found) = doctor(b);
    let p = part(&found, one);
    assert_eq!((p["status"].as_str(), p["component"].as_str()), (Some(status), Some(whole)), "{p}");
    assert!(p["says"].as_str().unwrap().contains(says), "{p}");
    assert!(p["fix"].as_str().unwrap().contains(fix), "{p}");
    assert_eq!(code, Some(i32::from(found["status"] == "fail")), "{found}");
    let c = component(&found, whole);
    assert!(c["status"] == "fail" || c["status"] == status, "a component is as its worst part: {c}");

    let out = b.command("orc").env("COLUMNS", "400").args(["doctor"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), code);
    let word = if status == "fail" { "FAIL" } else { status };
    let line = |start: &str| text.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("no {start:?} in {text}")).to_owned();
    assert!(line(&format!("  {one} ")).contains(word), "{text}");
    assert!(line(&format!("  {one}: ")).contains(fix), "{text}");
}

#[test]
fn the_disk_nearly_full() {
    // The mark lies above what any disk has.
    let b = Bench::new();
    write(&b.workspace().join("orc.toml"), "disk_low_water = \"1024TiB\"\n");
    named(&b, "disk", "disk", "fail", "below the low-water mark of 1024.0 TiB: no job starts", "orc tidy");
    let (_, found) = doctor(&b);
    let space = part(&found, "space")["says"].as_str().unwrap();
    assert!(["work trees", "results", "spools", "memory", "copies", "trash"].iter().all(|p| space.contains(p)), "{space}");
}

/// A workspace whose memories are in the dataset.
fn remembering() -> (Bench, PathBuf) {
    let b = Bench::new();
    b.do_all(&["orc memory add 'The warehouse has two gates' --category fact --importance 0.8"]);
    let memory = b.workspace().join("memory");
    let tuning = orc::memory::Tuning { formula: orc::domain::Formula::default(), floor: 0.3, merge: 0.95 };
    let store = orc::memory::Semantic::open(&memory, orc::memory::Shipped::get(), tuning).unwrap();
    store.fold().unwrap();
    let lance = memory.join("semantic.lance");
    assert!(lance.join("_versions").is_dir());
    (b, lance)
}

fn newest(dir: PathBuf, extension: &str) -> PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == extension));
    files.min().unwrap()
}

#[test]
fn the_dataset_of_the_memories_unreadable() {
    let lance = "semantic.lance";
    let (b, _) = remembering();
    let (_, found) = doctor(&b);
    assert_eq!(component(&found, "vector store")["status"], "ok", "{found}");

    // A file in the place of its folder, and of the folder of its versions.
    let (b, at) = remembering();
    std::fs::remove_dir_all(&at).unwrap();
    write(&at, "no dataset");
    named(&b, "vector store", "vector store", "fail", lance, "orc memory import");
    let (b, at) = remembering();
    std::fs::remove_dir_all(at.join("_versions")).unwrap();
    write(&at.join("_versions"), "no versions");
    named(&b, "vector store", "vector store", "fail", lance, "orc memory import");
    // Gone.
    let (b, at) = remembering();
    std::fs::remove_dir_all(&at).unwrap();
    named(&b, "vector store", "vector store", "fail", lance, "orc memory import");

    let (b, at) = remembering();
    let manifest = newest(at.join("_versions"), "manifest");
    let bytes = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, &bytes[..bytes.len() / 2]).unwrap();
    named(&b, "vector store", "vector store", "fail", lance, "orc memory import");

    let (b, at) = remembering();
    std::fs::remove_file(newest(at.join("data"), "lance")).unwrap();
    named(&b, "vector store", "vector store", "fail", lance, "orc memory import");
    let (b, at) = remembering();
    let data = newest(at.join("data"), "lance");
    let bytes = std::fs::read(&data).unwrap();
    std::fs::write(&data, &bytes[..bytes.len() / 2]).unwrap();
    named(&b, "vector store", "vector store", "fail", lance, "orc memory import");
}

struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn redis_gone() {
    let b = Bench::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("redis-server");
    server.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(b.path(""));
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok().map(Redis);
    write(&b.workspace().join("orc.toml"), &format!("redis_url = \"redis://:secret-word@127.0.0.1:{port}/0\"\n"));
    if let Some(server) = server {
        write(&b.workspace().join("orc.toml"), &format!("redis_url = \"redis://127.0.0.1:{port}/0\"\n"));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while part(&doctor(&b).1, "redis")["status"] != "ok" {
            assert!(std::time::Instant::now() < until, "the server never answered");
        }
        drop(server);
    } else {
        println!("without redis-server only a port that nobody listens on is tried");
    }
    named(&b, "scheduler", "redis", "warn", "the database alone keeps duplicates out", "redis_url = \"none\"");
    write(&b.workspace().join("orc.toml"), &format!("redis_url = \"redis://:secret-word@127.0.0.1:{port}/0\"\n"));
    named(&b, "scheduler", "redis", "warn", "does not answer", "redis-server");
    assert!(!doctor(&b).1.to_string().contains("secret-word"));
}

#[test]
fn an_agents_program_missing() {
    // Nothing but the system's own folders is searched here.
    let b = Bench::new();
    named(&b, "backends", "backend claude", "warn", "claude is not installed", "npm install");
    named(&b, "backends", "backends", "warn", "no coding agent", "fixes");
}

#[test]
fn the_clock_wrong() {
    // Set back: what has happened lies ahead.
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let db = rusqlite::Connection::open(b.workspace().join("pm.db")).unwrap();
    let event = |by: i64| {
        let sql = "INSERT INTO events (at, actor, what, text) SELECT at + ?1, actor, what, 'a test' FROM events ORDER BY id LIMIT 1";
        db.execute(sql, [by]).unwrap();
    };
    event(7_200_000);
    named(&b, "scheduler", "clock", "fail", "set back by 7", "set-ntp");
    named(&b, "scheduler", "clock", "fail", "or was ahead before", "nothing is to be set");
    // Put right, and something has happened since: that is known by now.
    event(0);
    let (code, found) = doctor(&b);
    assert_eq!((part(&found, "clock")["status"].as_str(), code), (Some("ok"), Some(i32::from(found["status"] == "fail"))), "{found}");
    assert!(part(&found, "clock")["says"].as_str().unwrap().contains("before it was put right"), "{found}");

    // Set ahead: the kernel has not counted what the clock has passed.
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let mut mark = orc::os::clock::mark().unwrap();
    mark.clock = orc::domain::Timestamp(mark.clock.0 - 7_200_000);
    let db = rusqlite::Connection::open(b.workspace().join("pm.db")).unwrap();
    db.execute("INSERT INTO meta (key, value) VALUES ('clock_mark', ?1)", [serde_json::to_string(&mark).unwrap()]).unwrap();
    named(&b, "scheduler", "clock", "warn", "set ahead by 7", "housekeeping waits a day");
}

#[test]
fn the_configuration_broken() {
    let b = Bench::new();
    write(&b.workspace().join("orc.toml"), "max_running = \"many\"\n");
    named(&b, "configuration", "configuration", "fail", "max_running", "correct what is named");
    // Prices broken: a warning, and the shipped ones are used.
    let b = Bench::new();
    write(&b.workspace().join("models.toml"), "[[model]]\nname = \"x\"\n");
    named(&b, "configuration", "prices", "warn", "models.toml", "models.toml");
}

#[test]
fn schedules_that_start_nothing() {
    let entry = |more: &str| {
        format!("[[cron]]\nname = \"a\"\nschedule = \"@daily\"\n[cron.job]\ntitle = \"a\"\nprompt = \"true\"\ntype = \"shell\"\n{more}")
    };
    let b = Bench::new();
    write(&b.workspace().join("cron.toml"), &entry(""));
    let (_, found) = doctor(&b);
    assert_eq!(part(&found, "schedules")["says"], "1 of 1 switched on");
    // Its last fire was refused.
    let db = rusqlite::Connection::open(b.workspace().join("pm.db")).unwrap();
    let sql =
        "INSERT INTO cron_fires (name, at, recorded_at, outcome, settled_at, note) VALUES ('a', 1, 1, 'refused', 1, 'no such worker')";
    db.execute(sql, []).unwrap();
    named(&b, "scheduler", "schedules", "warn", "was refused: no such worker", "orc cron run a");
    // What it needs is not there.
    write(&b.workspace().join("cron.toml"), &entry("skill = \"nowhere\"\n"));
    named(&b, "scheduler", "schedules", "warn", "a will make no job: there is no skill `nowhere`", "orc cron disable a");
    // The file is broken.
    write(&b.workspace().join("cron.toml"), "[[cron]]\nname = \"a\"\nschedule = \"61 * * * *\"\n");
    named(&b, "scheduler", "schedules", "warn", "cron.toml:3: `schedule`: minute `61`", "correct what is named in cron.toml");
}

#[test]
fn no_copy_of_the_database() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let (_, found) = doctor(&b);
    assert!(part(&found, "copies")["says"].as_str().unwrap().starts_with("none yet"), "a workspace of today has none");
    let db = rusqlite::Connection::open(b.workspace().join("pm.db")).unwrap();
    let old =
        "INSERT INTO events (id, at, actor, what, text) SELECT 0, at - 5 * 86400000, actor, what, 'old' FROM events ORDER BY id LIMIT 1";
    db.execute(old, []).unwrap();
    named(&b, "database", "copies", "warn", "there is none", "orc tidy");
    write(&b.workspace().join("backups/pm-2020-01-01.db"), "");
    named(&b, "database", "copies", "warn", "is of 2020-01-01", "orc tidy");
    b.do_all(&["orc tidy"]);
    let (_, found) = doctor(&b);
    assert_eq!(part(&found, "copies")["status"], "ok");
}

/// A page of the database is overwritten: nothing is deleted while there may be nothing to go back to.
#[test]
fn housekeeping_stops_at_a_damaged_database() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true", "orc tidy"]);
    std::fs::remove_dir_all(b.workspace().join("backups")).unwrap();
    let trash = b.workspace().join("trash/2020-01-01");
    write(&trash.join("old"), "kept until the database is whole");
    let path = b.workspace().join("pm.db");
    let page: u64 = {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        db.query_row("SELECT rootpage FROM sqlite_master WHERE name = 'spending'", [], |r| r.get::<_, i64>(0)).unwrap() as u64
    };
    let mut bytes = std::fs::read(&path).unwrap();
    let at = (page as usize - 1) * 4096;
    bytes[at..at + 512].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let text = b.run("orc tidy");
    assert!(text.contains("[exit 1]") && text.contains("nothing was put away or removed: ") && text.contains("is damaged"), "{text}");
    assert!(trash.exists() && !b.workspace().join("backups").exists());
    named(&b, "database", "database", "fail", "damaged", "restore the newest of backups/");
    let db = rusqlite::Connection::open(&path).unwrap();
    let meta = |key: &str| db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| r.get::<_, String>(0)).unwrap();
    assert!(meta("tidy_failed").contains("damaged"), "{}", meta("tidy_failed"));
    let warned: i64 = db.query_row("SELECT count(*) FROM events WHERE what = 'tidied' AND severity = 'warn'", [], |r| r.get(0)).unwrap();
    assert_eq!(warned, 1);
}

#[test]
fn lint_knows_every_file_of_a_workspace() {
    let b = Bench::new();
    write(&b.workspace().join("models.toml"), "");
    assert!(b.run("orc lint --strict").contains("[exit 0]"), "{}", b.run("orc lint --strict"));
    write(&b.workspace().join("stray.txt"), "");
    let told = b.run("orc lint --strict");
    assert!(told.contains("[exit 1]") && told.contains("stray.txt lies at the top"), "{told}");
}

#[test]
fn what_lint_calls_left_over_housekeeping_puts_away() {
    let b = Bench::new();
    let old = b.workspace().join("drafts/plan/notes.tmp");
    let repository = b.workspace().join("projects/repo");
    for path in [&old, &repository.join("x.bak"), &b.workspace().join("drafts/fresh.tmp")] {
        write(path, "text");
    }
    std::fs::create_dir_all(repository.join(".git")).unwrap();
    let back = std::time::SystemTime::now() - std::time::Duration::from_secs(5 * 86_400);
    for path in [&old, &repository.join("x.bak")] {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(back).unwrap();
    }
    assert!(!b.run("orc lint").contains("notes.tmp"), "five days are less than seven");
    write(&b.workspace().join("orc.toml"), "keep_temporary = \"4days\"\n");
    assert!(b.run("orc lint").contains("drafts/plan/notes.tmp is a temporary file, 5 days old"), "{}", b.run("orc lint"));
    let done = b.json("orc tidy --json");
    let away: Vec<&str> = done["put_away"].as_array().unwrap().iter().map(|i| i["path"].as_str().unwrap()).collect();
    assert_eq!(away, [old.canonicalize().unwrap_or(old.clone()).to_str().unwrap()]);
    assert!(!old.exists() && repository.join("x.bak").exists() && b.workspace().join("drafts/fresh.tmp").exists());
    let day = std::fs::read_dir(b.workspace().join("trash")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(day.join("temporary-drafts-plan-notes.tmp")).unwrap(), "text");
    assert!(!b.run("orc lint").contains("notes.tmp"));
}
