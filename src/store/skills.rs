//! Versions of skills, who was given which, and what the operator laid down about them.

use super::events::Event;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{Applied, AttemptId, Command, JobId, SkillFile, SkillGiven, SkillHold, SkillOutput, SkillUse, SkillVersion, Timestamp};
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// The failure that a rule was written for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOrigin {
    /// The rule's line, as it stands in the operating file.
    pub rule: String,
    pub job: JobId,
    pub fingerprint: String,
    pub at: Timestamp,
}

/// What came of attempts, summed; `a` are attempts that were given a skill.
const USE: &str = "count(a.id) AS uses, coalesce(sum(a.outcome = 'ok'), 0) AS ok,
    coalesce(sum(a.outcome IN ('error', 'timeout', 'stalled')), 0) AS failed,
    coalesce(sum(a.input + a.output + a.cache_write), 0) AS tokens, coalesce(sum(a.cost_usd), 0.0) AS cost_usd, max(a.started_at) AS last_used";

/// The same where nobody asks: who starts a job waits for no sum over all attempts.
const NO_USE: &str = "0 AS uses, 0 AS ok, 0 AS failed, 0 AS tokens, 0.0 AS cost_usd, NULL AS last_used";

impl Tx<'_> {
    /// Keeps a version with its files, and notes that it is the one in place now. `contents` has those that are small enough.
    ///
    /// # Errors
    /// The database.
    pub fn keep_skill(&self, v: &SkillVersion, contents: &[(String, Vec<u8>)], now: Timestamp) -> Result<bool, StoreError> {
        let new = self.run(
            "INSERT INTO skill_versions (name, hash, source, version, files, first_seen, seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
             ON CONFLICT (name, hash) DO NOTHING",
            params![v.name, v.hash, v.from.as_str(), v.version, row::to_json(&v.files), now.0],
        )? > 0;
        for (hash, content) in contents.iter().filter(|_| new) {
            self.run("INSERT OR IGNORE INTO skill_files (hash, content) VALUES (?1, ?2)", params![hash, content])?;
        }
        if !new {
            // Only where another one has been in place since: it costs no write each time.
            self.run(
                "UPDATE skill_versions SET seen = ?3 WHERE name = ?1 AND hash = ?2
                 AND EXISTS (SELECT 1 FROM skill_versions o WHERE o.name = ?1 AND o.hash <> ?2 AND o.seen >= skill_versions.seen)",
                params![v.name, v.hash, now.0],
            )?;
        }
        Ok(new)
    }

    /// Notes what an attempt is given.
    ///
    /// # Errors
    /// The database.
    pub fn note_skills(&self, attempt: AttemptId, given: &[SkillGiven]) -> Result<(), StoreError> {
        for g in given {
            self.run(
                "INSERT OR IGNORE INTO attempt_skills (attempt_id, skill, hash, how, phrase) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![attempt.0, g.skill, g.hash, g.how.as_str(), g.trigger],
            )?;
        }
        Ok(())
    }

    /// Notes which skills would have fitted a job: those now, and no longer those before.
    ///
    /// # Errors
    /// The database.
    pub fn suggest_skills(&self, job: JobId, suggested: &[(String, String)]) -> Result<(), StoreError> {
        if self.suggested_skills(job)?.iter().map(|(s, p)| (s, p)).eq(suggested.iter().map(|(s, p)| (s, p))) {
            return Ok(());
        }
        self.run("DELETE FROM suggested_skills WHERE job_id = ?1", [job.0])?;
        for (skill, phrase) in suggested {
            self.run("INSERT OR IGNORE INTO suggested_skills (job_id, skill, phrase) VALUES (?1, ?2, ?3)", params![job.0, skill, phrase])?;
        }
        Ok(())
    }

    pub(super) fn pin_skill(&self, skill: &str, hash: Option<&str>, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let before = self.skill_hold(skill)?;
        let refused = |message: String| Ok(Applied::Refused { message });
        let message = match hash {
            Some(hash) => {
                let Some(v) = self.skill_version(skill, hash)? else {
                    return refused(format!("there is no version {hash} of the skill {skill}: `orc skill log {skill}` lists them"));
                };
                if let Some(lost) = v.files.iter().find(|f| !self.has_content(&f.hash).unwrap_or(false)) {
                    return refused(format!(
                        "version {} of {skill} cannot be pinned: its file {} was too large to be kept",
                        short(hash),
                        lost.path
                    ));
                }
                self.run(
                    "INSERT INTO skill_holds (name, pin, base, percent) VALUES (?1, ?2, NULL, 0)
                     ON CONFLICT (name) DO UPDATE SET pin = ?2, base = NULL, percent = 0",
                    params![skill, hash],
                )?;
                format!("skill {skill} is pinned to {}", short(hash))
            }
            None => {
                if before.pin.is_none() {
                    return refused(format!("skill {skill} is not pinned"));
                }
                self.run("DELETE FROM skill_holds WHERE name = ?1", [skill])?;
                format!("skill {skill} is not pinned any more: the version in place is used")
            }
        };
        self.event(&Event::new(now, actor, "skill", &message))?;
        let undo = match (before.pin, before.base) {
            (Some(pin), _) => Command::PinSkill { skill: skill.to_owned(), hash: Some(pin) },
            (None, Some(base)) => Command::CanarySkill { skill: skill.to_owned(), base, percent: before.percent },
            (None, None) => Command::PinSkill { skill: skill.to_owned(), hash: None },
        };
        Ok(Applied::Done { message, undo: Some(undo) })
    }

    pub(super) fn canary_skill(&self, skill: &str, base: &str, percent: u8, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let before = self.skill_hold(skill)?;
        let refused = |message: String| Ok(Applied::Refused { message });
        if percent > 100 {
            return refused(format!("{percent} % is more than all jobs"));
        }
        let message = if percent == 100 {
            if before.base.is_none() {
                return refused(format!("no version of {skill} is on trial"));
            }
            self.run("DELETE FROM skill_holds WHERE name = ?1", [skill])?;
            format!("all jobs get the newest version of {skill}")
        } else {
            if self.skill_version(skill, base)?.is_none() {
                return refused(format!("there is no version {base} of the skill {skill}: `orc skill log {skill}` lists them"));
            }
            self.run(
                "INSERT INTO skill_holds (name, pin, base, percent) VALUES (?1, NULL, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET pin = NULL, base = ?2, percent = ?3",
                params![skill, base, percent],
            )?;
            format!("{percent} % of the jobs get the newest version of {skill}, the others {}", short(base))
        };
        self.event(&Event::new(now, actor, "skill", &message))?;
        let undo = match (before.pin, before.base) {
            (Some(pin), _) => Command::PinSkill { skill: skill.to_owned(), hash: Some(pin) },
            (None, Some(base)) => Command::CanarySkill { skill: skill.to_owned(), base, percent: before.percent },
            (None, None) => Command::CanarySkill { skill: skill.to_owned(), base: base.to_owned(), percent: 100 },
        };
        Ok(Applied::Done { message, undo: Some(undo) })
    }

    /// Remembers which failure a rule was written for.
    ///
    /// # Errors
    /// The database.
    pub fn keep_rule_origin(&self, origin: &RuleOrigin) -> Result<(), StoreError> {
        self.run(
            "INSERT OR REPLACE INTO rule_origins (rule, job_id, fingerprint, at) VALUES (?1, ?2, ?3, ?4)",
            params![origin.rule, origin.job.0, origin.fingerprint, origin.at.0],
        )
        .map(drop)
    }

    /// Forgets it, with the rule.
    ///
    /// # Errors
    /// The database.
    pub fn drop_rule_origin(&self, rule: &str) -> Result<(), StoreError> {
        self.run("DELETE FROM rule_origins WHERE rule = ?1", [rule]).map(drop)
    }
}

/// The short form of a version's hash.
pub(super) fn short(hash: &str) -> &str {
    &hash[..hash.len().min(12)]
}

impl Store {
    /// The versions of a skill (of all, without a name) with what came of each, the newest first.
    ///
    /// # Errors
    /// The database.
    pub fn skill_versions(&self, name: Option<&str>) -> Result<Vec<SkillVersion>, StoreError> {
        let sql = format!(
            "SELECT v.*, {USE} FROM skill_versions v
             LEFT JOIN attempt_skills s ON s.skill = v.name AND s.hash = v.hash LEFT JOIN attempts a ON a.id = s.attempt_id
             WHERE ?1 IS NULL OR v.name = ?1 GROUP BY v.name, v.hash ORDER BY v.name, v.seen DESC, v.first_seen DESC, v.hash"
        );
        row::all(self, &sql, [name], read)
    }

    /// One version, by its hash or by how that begins, without what came of it.
    ///
    /// # Errors
    /// The database.
    pub fn skill_version(&self, name: &str, hash: &str) -> Result<Option<SkillVersion>, StoreError> {
        let sql = format!("SELECT v.*, {NO_USE} FROM skill_versions v WHERE v.name = ?1 AND substr(v.hash, 1, length(?2)) = ?2");
        let mut found = row::all(self, &sql, [name, hash], read)?;
        Ok(if found.len() == 1 { found.pop() } else { found.into_iter().find(|v| v.hash == hash) })
    }

    /// The version that was in place last, without what came of it.
    ///
    /// # Errors
    /// The database.
    pub fn last_skill(&self, name: &str) -> Result<Option<SkillVersion>, StoreError> {
        let sql =
            format!("SELECT v.*, {NO_USE} FROM skill_versions v WHERE v.name = ?1 ORDER BY v.seen DESC, v.first_seen DESC, v.hash LIMIT 1");
        row::optional(self, &sql, [name], read)
    }

    /// True if this version is kept already, and the newest.
    ///
    /// # Errors
    /// The database.
    pub fn knows_skill(&self, name: &str, hash: &str) -> Result<bool, StoreError> {
        let newest: Option<String> = row::optional(
            self,
            "SELECT hash FROM skill_versions WHERE name = ?1 ORDER BY seen DESC, first_seen DESC, hash LIMIT 1",
            [name],
            |r| r.get(0),
        )?;
        Ok(newest.as_deref() == Some(hash))
    }

    /// The content of a file of a version.
    ///
    /// # Errors
    /// The database.
    pub fn skill_content(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        row::optional(self, "SELECT content FROM skill_files WHERE hash = ?1", [hash], |r| r.get(0))
    }

    fn has_content(&self, hash: &str) -> Result<bool, StoreError> {
        row::optional(self, "SELECT 1 FROM skill_files WHERE hash = ?1", [hash], |_| Ok(())).map(|found| found.is_some())
    }

    /// What is laid down about a skill.
    ///
    /// # Errors
    /// The database.
    pub fn skill_hold(&self, name: &str) -> Result<SkillHold, StoreError> {
        row::optional(self, "SELECT * FROM skill_holds WHERE name = ?1", [name], read_hold).map(Option::unwrap_or_default)
    }

    /// What is laid down, by skill.
    ///
    /// # Errors
    /// The database.
    pub fn skill_holds(&self) -> Result<BTreeMap<String, SkillHold>, StoreError> {
        let rows = row::all(self, "SELECT * FROM skill_holds", [], |r| Ok((r.get::<_, String>("name")?, read_hold(r)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// What came of each skill, whichever version.
    ///
    /// # Errors
    /// The database.
    pub fn skill_uses(&self) -> Result<BTreeMap<String, SkillUse>, StoreError> {
        let sql = format!("SELECT s.skill, {USE} FROM attempt_skills s JOIN attempts a ON a.id = s.attempt_id GROUP BY s.skill");
        Ok(row::all(self, &sql, [], |r| Ok((r.get::<_, String>("skill")?, read_use(r)?)))?.into_iter().collect())
    }

    /// What attempts with a skill made, the newest first.
    ///
    /// # Errors
    /// The database.
    pub fn skill_outputs(&self, name: &str, hash: Option<&str>, limit: usize) -> Result<Vec<SkillOutput>, StoreError> {
        row::all(
            self,
            "SELECT s.hash, a.id, a.job_id, j.title, j.state, a.outcome, a.input + a.output + a.cache_write AS tokens, a.cost_usd,
                    a.started_at, a.result_file
             FROM attempt_skills s JOIN attempts a ON a.id = s.attempt_id JOIN jobs j ON j.id = a.job_id
             WHERE s.skill = ?1 AND (?2 IS NULL OR s.hash = ?2) ORDER BY a.id DESC LIMIT ?3",
            params![name, hash, limit as i64],
            |r| {
                Ok(SkillOutput {
                    hash: r.get("hash")?,
                    attempt: AttemptId(r.get("id")?),
                    job: JobId(r.get("job_id")?),
                    title: r.get("title")?,
                    state: row::word(r, "state")?,
                    outcome: row::opt_word(r, "outcome")?,
                    tokens: row::count(r, "tokens")?,
                    cost_usd: r.get("cost_usd")?,
                    started_at: row::time(r, "started_at")?,
                    result_file: r.get("result_file")?,
                })
            },
        )
    }

    /// What a job's attempts were given, the newest attempt first.
    ///
    /// # Errors
    /// The database.
    pub fn skills_of(&self, job: JobId) -> Result<Vec<SkillGiven>, StoreError> {
        row::all(
            self,
            "SELECT s.* FROM attempt_skills s JOIN attempts a ON a.id = s.attempt_id WHERE a.job_id = ?1 ORDER BY a.id DESC, s.skill",
            [job.0],
            |r| {
                Ok(SkillGiven {
                    attempt: Some(AttemptId(r.get("attempt_id")?)),
                    skill: r.get("skill")?,
                    hash: r.get("hash")?,
                    how: row::word(r, "how")?,
                    trigger: r.get("phrase")?,
                })
            },
        )
    }

    /// The skills that would fit a job's prompt, with the phrase.
    ///
    /// # Errors
    /// The database.
    pub fn suggested_skills(&self, job: JobId) -> Result<Vec<(String, String)>, StoreError> {
        row::all(self, "SELECT skill, phrase FROM suggested_skills WHERE job_id = ?1 ORDER BY skill", [job.0], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
    }

    /// What rules were written for.
    ///
    /// # Errors
    /// The database.
    pub fn rule_origins(&self) -> Result<Vec<RuleOrigin>, StoreError> {
        row::all(self, "SELECT rule, job_id, fingerprint, at FROM rule_origins ORDER BY at", [], |r| {
            Ok(RuleOrigin { rule: r.get(0)?, job: JobId(r.get(1)?), fingerprint: r.get(2)?, at: Timestamp(r.get(3)?) })
        })
    }

    /// Attempts that ended badly since an instant: when, of which job, how, and with what message.
    ///
    /// # Errors
    /// The database.
    pub fn failures_since(&self, since: Timestamp) -> Result<Vec<(Timestamp, JobId, crate::domain::Outcome, String)>, StoreError> {
        row::all(
            self,
            "SELECT ended_at, job_id, outcome, coalesce(message, '') AS message FROM attempts
             WHERE ended_at > ?1 AND outcome IN ('error', 'timeout', 'stalled', 'lost') ORDER BY ended_at",
            [since.0],
            |r| Ok((row::time(r, "ended_at")?, JobId(r.get("job_id")?), row::word(r, "outcome")?, r.get("message")?)),
        )
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<SkillVersion> {
    Ok(SkillVersion {
        name: r.get("name")?,
        hash: r.get("hash")?,
        from: row::word(r, "source")?,
        version: r.get("version")?,
        files: row::json::<Vec<SkillFile>>(r, "files")?,
        first_seen: row::time(r, "first_seen")?,
        use_: read_use(r)?,
    })
}

fn read_use(r: &Row<'_>) -> rusqlite::Result<SkillUse> {
    Ok(SkillUse {
        uses: row::count(r, "uses")?,
        ok: row::count(r, "ok")?,
        failed: row::count(r, "failed")?,
        tokens: row::count(r, "tokens")?,
        cost_usd: r.get("cost_usd")?,
        last_used: row::opt_time(r, "last_used")?,
    })
}

fn read_hold(r: &Row<'_>) -> rusqlite::Result<SkillHold> {
    Ok(SkillHold { pin: r.get("pin")?, base: r.get("base")?, percent: r.get("percent")? })
}
