//! `cron.toml`: the schedules. Strict, every mistake at once with its line; what is wrong anywhere leaves the last good entries in
//! force.

use super::load::{Origin, Problem, Problems};
use super::settings::Settings;
use super::workspace::Workspace;
use crate::domain::{Catch, CronEntry, JobSpec, Kind, Overlap, Schedule, default_kind};
use chrono_tz::Tz;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The shipped schedules.
pub const CRON_TEMPLATES: &str = include_str!("../../config/cron.toml");

/// No two fires are closer.
const MINUTE: Duration = Duration::from_secs(60);

/// The longest jitter.
const MOST_JITTER: Duration = Duration::from_secs(3600);

const ENTRY_KEYS: &[&str] =
    &["name", "schedule", "timezone", "enabled", "catch_up", "overlap", "jitter", "back_off", "each_project", "job"];
const JOB_KEYS: &[&str] = &[
    "title",
    "prompt",
    "prompt_file",
    "type",
    "kind",
    "priority",
    "skill",
    "project_id",
    "task_id",
    "worker",
    "model",
    "persona",
    "timeout",
    "max_attempts",
    "dedup",
    "tag",
    "artefact",
];

/// The schedules of a workspace. Without a file there are none.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn cron(workspace: &Workspace, settings: &Settings) -> Result<Vec<CronEntry>, Problems> {
    let path = workspace.cron_file();
    match std::fs::read_to_string(&path) {
        Ok(text) => parse_cron(&path, &text, settings),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Problems(vec![Problem {
            origin: Origin::File { path, line: 1 },
            what: format!("cannot read it: {e}"),
            fix: "Make it a file that its owner may read".into(),
        }])),
    }
}

/// Reads the text of a `cron.toml`. A `prompt_file` is read from the folder that the file is in.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn parse_cron(path: &Path, text: &str, settings: &Settings) -> Result<Vec<CronEntry>, Problems> {
    let mut reading = Reading { path, text, settings, problems: Vec::new() };
    let entries = reading.all();
    reading.problems.sort_by_key(|p| if let Origin::File { line, .. } = p.origin { line } else { 0 });
    if reading.problems.is_empty() { Ok(entries) } else { Err(Problems(reading.problems)) }
}

/// The files that the text of a `cron.toml` takes prompts from, whether they are there or not.
pub fn prompt_files(path: &Path, text: &str) -> Vec<PathBuf> {
    let (table, _) = DeTable::parse_recoverable(text);
    let folder = path.parent().unwrap_or(Path::new("."));
    let named = |entry: &DeValue<'_>| Some(folder.join(entry.get("job")?.get_ref().get("prompt_file")?.get_ref().as_str()?));
    let entries = table.get_ref().get("cron").and_then(|all| all.get_ref().as_array());
    let mut files: Vec<PathBuf> = entries.into_iter().flat_map(|all| all.iter()).filter_map(|e| named(e.get_ref())).collect();
    files.sort();
    files.dedup();
    files
}

/// What will go wrong when an entry fires, as things stand: a name that nothing has. `backend`: what its type comes to, or why to none.
pub fn cron_problem(workspace: &Workspace, entry: &CronEntry, backend: impl Fn(&str) -> Result<String, String>) -> Option<String> {
    let job = &entry.job;
    // A review of the day has the backend that memory has.
    if let (Err(none), true) = (backend(&job.backend), job.kind != Kind::Consolidate) {
        return Some(none);
    }
    let skills = job.skills.iter().find_map(|s| super::skill::skill(&workspace.skills_dir(), s).err()).map(|e| e.to_string());
    skills.or_else(|| job.persona.as_ref().and_then(|p| super::persona::Persona::find(workspace, p).err()).map(|e| e.to_string()))
}

impl Settings {
    /// The workspace's time zone, by name: the machine's own where the settings say so, UTC where that cannot be told.
    pub fn zone(&self) -> Tz {
        self.timezone.parse().unwrap_or_else(|_| system_zone())
    }
}

/// The machine's time zone: `TZ`, else what /etc/localtime points to, else /etc/timezone.
fn system_zone() -> Tz {
    let named = |name: &str| name.trim().trim_start_matches(':').rsplit_once("zoneinfo/").map_or(name.trim(), |(_, n)| n).parse().ok();
    let variable = std::env::var("TZ").ok().filter(|v| !v.is_empty());
    let link = || std::fs::read_link("/etc/localtime").ok().map(|p| p.to_string_lossy().into_owned());
    let file = || std::fs::read_to_string("/etc/timezone").ok();
    variable.as_deref().and_then(named).or_else(|| named(&link()?)).or_else(|| named(&file()?)).unwrap_or(Tz::UTC)
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    settings: &'a Settings,
    problems: Vec<Problem>,
}

type Table<'t> = DeTable<'t>;

impl Reading<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|b| **b == b'\n').count()
    }

    fn wrong(&mut self, offset: usize, what: impl Into<String>, fix: impl Into<String>) {
        let origin = Origin::File { path: self.path.to_owned(), line: self.line(offset) };
        self.problems.push(Problem { origin, what: what.into(), fix: fix.into() });
    }

    fn all(&mut self) -> Vec<CronEntry> {
        let text = self.text;
        let (table, errors) = DeTable::parse_recoverable(text);
        for e in errors {
            let message = e.message().lines().next().unwrap_or("it cannot be parsed").to_owned();
            self.wrong(
                e.span().map_or(0, |s| s.start),
                format!("not TOML: {message}"),
                "An entry begins with `[[cron]]`, its job with `[cron.job]`",
            );
        }
        let mut entries = Vec::new();
        let mut names = BTreeSet::new();
        for (key, value) in table.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("cron", DeValue::Array(all)) => {
                    for item in all.iter() {
                        let at = item.span().start;
                        let DeValue::Table(entry) = item.get_ref() else {
                            self.wrong(at, "an entry has to be a table", "Write `[[cron]]` and its keys below it");
                            continue;
                        };
                        let Some(entry) = self.entry(entry, at) else { continue };
                        if !names.insert(entry.name.clone()) {
                            self.wrong(
                                at,
                                format!("there are two entries named `{}`", entry.name),
                                "Rename one of them: a name is what its history hangs on",
                            );
                        }
                        entries.push(entry);
                    }
                }
                ("cron", _) => self.wrong(key.span().start, "`[cron]` is one table, and there may be several entries", "Write `[[cron]]`"),
                (other, _) => {
                    self.wrong(key.span().start, format!("`{other}` does not belong here"), "Everything is in `[[cron]]` and `[cron.job]`");
                }
            }
        }
        entries
    }

    fn known(&mut self, table: &Table<'_>, known: &[&str], of: &str) {
        for (key, _) in table.iter() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let near = known.iter().map(|k| (strsim::normalized_damerau_levenshtein(name, k), *k)).filter(|(n, _)| *n >= 0.5);
            let fix = match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((_, k)) => format!("Did you mean `{k}`?"),
                None if matches!(name, "after" | "depends_on") => "A schedule says when; take it out".to_owned(),
                None => format!("Known are {}", known.join(", ")),
            };
            self.wrong(key.span().start, format!("{of} has no key `{name}`"), fix);
        }
    }

    /// A value of a table, read by `read`; where that fails, `should` says what it has to be.
    fn get<T>(
        &mut self,
        table: &Table<'_>,
        name: &str,
        should: &str,
        read: impl Fn(&DeValue<'_>) -> Option<Result<T, String>>,
    ) -> Option<T> {
        let (key, value) = table.iter().find(|(k, _)| k.get_ref().as_ref() == name)?;
        match read(value.get_ref()) {
            Some(Ok(value)) => Some(value),
            Some(Err(says)) => {
                self.wrong(key.span().start, format!("`{name}`: {says}"), format!("It has to be {should}"));
                None
            }
            None => {
                self.wrong(
                    key.span().start,
                    format!("`{name}` is a TOML {}", value.get_ref().type_str()),
                    format!("It has to be {should}"),
                );
                None
            }
        }
    }

    fn text(&mut self, table: &Table<'_>, name: &str) -> Option<String> {
        self.get(table, name, "a text in quotes", |v| {
            let text = v.as_str()?;
            Some(if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) })
        })
    }

    fn word<T: FromStr>(&mut self, table: &Table<'_>, name: &str, should: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        self.get(table, name, should, |v| v.as_str().map(|s| s.parse().map_err(|e: T::Err| e.to_string())))
    }

    fn switch(&mut self, table: &Table<'_>, name: &str) -> Option<bool> {
        self.get(table, name, "true or false", |v| v.as_bool().map(Ok))
    }

    fn time(&mut self, table: &Table<'_>, name: &str) -> Option<Duration> {
        self.get(table, name, "a time with its unit in quotes, such as \"30s\" or \"15m\"", |v| {
            v.as_str().map(|s| humantime::parse_duration(s.trim()).map_err(|e| e.to_string()))
        })
    }

    fn number(&mut self, table: &Table<'_>, name: &str) -> Option<i64> {
        self.get(table, name, "a whole number from 1 on", |v| {
            let DeValue::Integer(i) = v else { return None };
            let n = i64::from_str_radix(i.as_str(), i.radix()).ok().filter(|n| *n > 0);
            Some(n.ok_or_else(|| format!("it is {i}")))
        })
    }

    /// A list, or one text with commas, as the flags have it.
    fn list(&mut self, table: &Table<'_>, name: &str) -> Vec<String> {
        let split = |s: &str| s.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        self.get(table, name, "a text such as \"a,b\" or a list of texts", |v| match v {
            DeValue::String(s) => Some(Ok(split(s))),
            DeValue::Array(all) => all.iter().map(|v| v.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>().map(Ok),
            _ => None,
        })
        .unwrap_or_default()
    }

    fn entry(&mut self, table: &Table<'_>, at: usize) -> Option<CronEntry> {
        let problems = self.problems.len();
        self.known(table, ENTRY_KEYS, "an entry");
        let name = self.get(table, "name", "letters, digits, `-`, `_` or `.`, at most 64", |v| {
            let good = |s: &str| !s.is_empty() && s.len() <= 64 && s.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            v.as_str().map(|s| if good(s) { Ok(s.to_owned()) } else { Err(format!("{s:?} is no name")) })
        });
        let schedule: Option<Schedule> = self.word(table, "schedule", "five fields as in crontab(5), or @daily and the like");
        let zone: Option<Tz> = self.word(table, "timezone", "a name such as \"Europe/London\"");
        let enabled = self.switch(table, "enabled").unwrap_or(true);
        let catch_up = self.word(table, "catch_up", "\"skip\", \"once\" or \"all\"").unwrap_or(Catch::Skip);
        let overlap = self.word(table, "overlap", "\"skip\" or \"allow\"").unwrap_or(Overlap::Skip);
        let jitter = self.time(table, "jitter").unwrap_or_default();
        if jitter > MOST_JITTER {
            self.wrong(at, "`jitter` is longer than an hour", "Choose another schedule instead");
        } else if let Some(gap) = schedule.as_ref().filter(|_| jitter >= MINUTE).map(Schedule::shortest).filter(|gap| jitter >= *gap) {
            let gap = humantime::format_duration(gap);
            self.wrong(
                at,
                format!("`jitter` is not shorter than the time between two fires ({gap})"),
                "Make it shorter: fires would pass each other",
            );
        }
        let back_off = self.switch(table, "back_off");
        let each_project = self.switch(table, "each_project").unwrap_or(false);
        let job = match table.iter().find(|(k, _)| k.get_ref().as_ref() == "job") {
            Some((key, value)) => match value.get_ref() {
                DeValue::Table(job) => self.job(job, key.span().start),
                _ => {
                    self.wrong(key.span().start, "`job` is no table", "Write `[cron.job]` and its keys below it");
                    None
                }
            },
            None => None,
        };
        if self.problems.len() == problems {
            let has = |key: &str| table.iter().any(|(k, _)| k.get_ref().as_ref() == key);
            for key in ["name", "schedule", "job"].into_iter().filter(|k| !has(k)) {
                let fix =
                    if key == "job" { "Add `[cron.job]` with title, type and prompt".to_owned() } else { format!("Add `{key} = \"...\"`") };
                self.wrong(at, format!("an entry without `{key}`"), fix);
            }
        }
        let (name, schedule, job) = (name?, schedule?, job?);
        if each_project && (job.project_id.is_some() || job.task_id.is_some() || job.kind == Kind::Consolidate) {
            self.wrong(at, "`each_project` beside `project_id`, `task_id` or the kind consolidate", "Keep one of them");
        }
        Some(CronEntry {
            zone: zone.unwrap_or_else(|| self.settings.zone()),
            // A script that says nothing has done its work; a model that says nothing has found none.
            back_off: back_off.unwrap_or(job.kind == Kind::Maintenance && job.backend != "shell"),
            line: self.line(at),
            name,
            schedule,
            enabled,
            catch_up,
            overlap,
            jitter,
            each_project,
            job,
        })
    }

    fn job(&mut self, table: &Table<'_>, at: usize) -> Option<JobSpec> {
        let problems = self.problems.len();
        self.known(table, JOB_KEYS, "a job");
        let title = self.text(table, "title");
        let backend = self.text(table, "type");
        let mut prompt = self.text(table, "prompt");
        if let Some(file) = self.text(table, "prompt_file") {
            let path = self.path.parent().unwrap_or(Path::new(".")).join(file);
            match std::fs::read_to_string(&path) {
                Ok(_) if prompt.is_some() => self.wrong(at, "a job with `prompt` and `prompt_file`", "Keep one of them"),
                Ok(text) => prompt = Some(text),
                Err(e) => self.wrong(at, format!("`prompt_file`: cannot read {}: {e}", path.display()), "Name a file below the workspace"),
            }
        }
        let mut job = JobSpec::new("", backend.as_deref().unwrap_or_default(), "");
        job.origin = crate::domain::Origin::Cron;
        job.kind = self.word(table, "kind", "a kind of job").unwrap_or_else(|| default_kind(&job.backend));
        job.priority = self.word(table, "priority", "\"P0\" to \"P5\"").unwrap_or(job.priority);
        job.skills = self.list(table, "skill");
        job.project_id = self.number(table, "project_id").map(crate::domain::ProjectId);
        job.task_id = self.number(table, "task_id").map(crate::domain::TaskId);
        job.worker = self.text(table, "worker");
        job.model = self.text(table, "model");
        job.persona = self.text(table, "persona");
        job.timeout = self.time(table, "timeout");
        if job.timeout.is_some_and(|t| t.is_zero()) {
            self.wrong(at, "`timeout` is zero", "Give a time, or take it out: the kind's own holds then");
        }
        job.max_attempts = self.number(table, "max_attempts").map_or(self.settings.max_attempts, |n| n.clamp(1, 100) as u32);
        job.dedup_key = self.text(table, "dedup");
        job.tags = self.list(table, "tag");
        job.artefacts = self.list(table, "artefact");
        if self.problems.len() == problems {
            for (key, there) in [("title", title.is_some()), ("type", backend.is_some()), ("prompt", prompt.is_some())] {
                if !there {
                    self.wrong(at, format!("a job without `{key}`"), format!("Add `{key} = \"...\"` below `[cron.job]`"));
                }
            }
        }
        (job.title, job.prompt) = (title?, prompt?);
        backend.map(|_| job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<CronEntry>, Problems> {
        parse_cron(Path::new("cron.toml"), text, &Settings { timezone: "Europe/London".into(), ..Settings::default() })
    }

    #[test]
    fn the_shipped_schedules_are_the_nine_of_the_article() {
        let all = read(CRON_TEMPLATES).unwrap();
        let told: Vec<_> = all.iter().map(|e| (e.name.as_str(), e.schedule.to_string(), e.enabled)).collect();
        let expected = [
            ("inbox-1", "*/30 8-23 * * *", false),
            ("inbox-2", "5,35 * * * *", false),
            ("status-snapshot", "*/15 8-23 * * *", true),
            ("project-advance", "0 9-22 * * *", true),
            ("briefing-morning", "0 8 * * *", true),
            ("briefing-evening", "0 18 * * *", true),
            ("end-of-day", "0 21 * * *", true),
            ("nightly-maintenance", "0 3 * * *", true),
            ("frontier-scout", "0 22 * * 0", true),
        ];
        assert_eq!(told, expected.map(|(n, s, e)| (n, s.to_owned(), e)));
        assert!(all.iter().all(|e| e.zone == Tz::Europe__London && e.job.origin == crate::domain::Origin::Cron));
        assert_eq!(all.iter().filter(|e| e.each_project).map(|e| e.name.as_str()).collect::<Vec<_>>(), ["project-advance"]);
        // What a model does without being asked slows down when there is nothing to do.
        let slows: Vec<_> = all.iter().filter(|e| e.back_off).map(|e| e.name.as_str()).collect();
        assert_eq!(slows, ["inbox-1", "inbox-2", "project-advance", "nightly-maintenance"]);
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_line() {
        let text = "top = 1\n[[cron]]\nname = \"a b\"\nschedule = \"61 * * * *\"\ntimezone = \"Mars/Base\"\nenabled = 1\n[cron.job]\n\
                    title = \"\"\nprio = \"P1\"\n[[cron]]\nname = \"ok\"\nschedule = \"@daily\"\n[[cron]]\nname = \"x\"\nschedule = \"@daily\"\n\
                    [cron.job]\ntitle = \"t\"\ntype = \"shell\"\n";
        let told = read(text).unwrap_err().to_string();
        for says in [
            "cron.toml:1: `top` does not belong here",
            "cron.toml:3: `name`: \"a b\" is no name",
            "cron.toml:4: `schedule`: minute `61`: `61` has to be 0 to 59",
            "cron.toml:5: `timezone`:",
            "cron.toml:6: `enabled` is a TOML integer",
            "cron.toml:8: `title`: it is empty",
            "cron.toml:9: a job has no key `prio`. Did you mean `priority`?",
            "cron.toml:10: an entry without `job`. Add `[cron.job]`",
            "cron.toml:16: a job without `prompt`",
        ] {
            assert!(told.contains(says), "{says}\n--\n{told}");
        }
        let twice =
            "[[cron]]\nname = \"a\"\nschedule = \"@daily\"\n[cron.job]\ntitle = \"t\"\ntype = \"shell\"\nprompt = \"true\"\n".repeat(2);
        assert!(read(&twice).unwrap_err().to_string().contains("cron.toml:8: there are two entries named `a`"));
    }

    #[test]
    fn a_delay_that_passes_the_next_fire_and_a_project_beside_each_project_are_refused() {
        let entry = |more: &str, job: &str| {
            format!(
                "[[cron]]\nname = \"a\"\nschedule = \"*/15 8-23 * * *\"\n{more}\n[cron.job]\ntitle = \"t\"\ntype = \"shell\"\nprompt = \"p\"\n{job}\n"
            )
        };
        let wrong = |more: &str, job: &str| read(&entry(more, job)).unwrap_err().to_string();
        assert!(wrong("jitter = \"15m\"", "").contains("not shorter than the time between two fires (15m)"));
        assert!(wrong("each_project = true", "project_id = 3").contains("`each_project` beside `project_id`"));
        assert!(read(&entry("jitter = \"14m 59s\"\neach_project = true", "")).unwrap()[0].each_project);
        let files = "[[cron]]\n[cron.job]\nprompt_file = \"a/b.md\"\n[[cron]]\nname = 1\n[[cron]]\n[cron.job]\nprompt_file = \"c.md\"\n";
        assert_eq!(prompt_files(Path::new("/w/cron.toml"), files), [Path::new("/w/a/b.md"), Path::new("/w/c.md")]);
    }

    #[test]
    fn a_job_has_the_keys_of_the_command_line() {
        let all = read(
            "[[cron]]\nname = \"a\"\nschedule = \"0 9 * * mon\"\ntimezone = \"America/New_York\"\ncatch_up = \"all\"\noverlap = \"allow\"\njitter = \"30s\"\n\
             [cron.job]\ntitle = \"t\"\ntype = \"claude\"\nprompt = \"p\"\nkind = \"maintenance\"\npriority = \"P4\"\nskill = \"healthcheck, triage\"\n\
             project_id = 3\ntimeout = \"5m\"\nmax_attempts = 1\ntag = [\"x\"]\nmodel = \"m\"\ndedup = \"k\"\n",
        )
        .unwrap();
        let e = &all[0];
        assert_eq!((e.zone, e.catch_up, e.overlap, e.jitter), (Tz::America__New_York, Catch::All, Overlap::Allow, Duration::from_secs(30)));
        assert!(e.back_off && e.enabled);
        let j = &e.job;
        assert_eq!((j.kind, j.priority.level(), j.max_attempts), (Kind::Maintenance, 4, 1));
        assert_eq!(j.skills, ["healthcheck", "triage"]);
        assert_eq!((j.timeout, j.project_id.map(|p| p.0), j.dedup_key.as_deref()), (Some(Duration::from_secs(300)), Some(3), Some("k")));
    }
}
