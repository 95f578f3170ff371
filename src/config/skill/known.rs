//! Skills that were read before, for who asks again and again: their files are read anew only when one of them has changed.

use super::folder::{Stamp, skill_file, stamp};
use super::{Skill, SkillError, skill};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

/// Skills of one folder by name, each with the stamp of its files.
#[derive(Debug, Default)]
pub struct KnownSkills {
    known: BTreeMap<String, (Stamp, Skill)>,
    /// How often files were read, for tests.
    pub reads: usize,
}

impl KnownSkills {
    /// As `skill`. What has no folder right below `folder` is looked for, and one that is broken is read, each time.
    ///
    /// # Errors
    /// As `skill`.
    pub fn skill(&mut self, folder: &Path, name: &str) -> Result<Skill, SkillError> {
        let own = folder.join(name);
        // Before the files are read: what changes meanwhile is seen the next time.
        let now = skill_file(&own).and_then(|_| stamp(&own).ok());
        if let (Some(now), Some((then, skill))) = (&now, self.known.get(name))
            && now == then
        {
            return Ok(skill.clone());
        }
        self.known.remove(name);
        self.reads += 1;
        let read = skill(folder, name)?;
        if let Some(stamp) = now.filter(|s| s.is_settled(SystemTime::now())) {
            self.known.insert(name.to_owned(), (stamp, read.clone()));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn a_skill_is_read_once_until_one_of_its_files_changes() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("count");
        fs::create_dir_all(own.join("scripts")).unwrap();
        let text = |word: &str| format!("---\nname: count\ndescription: Counts {word}. Use to count.\n---\nCount.\n");
        fs::write(own.join("SKILL.md"), text("one")).unwrap();
        fs::write(own.join("scripts/run.sh"), "echo 1\n").unwrap();
        let mut known = KnownSkills::default();
        // Changed a moment ago: another change within the same tick would not show, so nothing is kept.
        let first = known.skill(dir.path(), "count").unwrap();
        known.skill(dir.path(), "count").unwrap();
        assert_eq!(known.reads, 2);
        let settled = stamp(&own).unwrap();
        assert!(!settled.is_settled(SystemTime::now()) && settled.is_settled(SystemTime::now() + Duration::from_secs(60)));
        // As if it had been read a minute later.
        known.known.insert("count".into(), (settled, first.clone()));
        assert_eq!((known.skill(dir.path(), "count").unwrap(), known.reads), (first.clone(), 2));
        fs::write(own.join("scripts/run.sh"), "echo two\n").unwrap();
        let second = known.skill(dir.path(), "count").unwrap();
        assert_eq!((known.reads, second.hash == first.hash), (3, false));
        fs::remove_file(own.join("scripts/run.sh")).unwrap();
        assert_eq!(known.skill(dir.path(), "count").unwrap().files.len(), 1);
        fs::remove_dir_all(&own).unwrap();
        assert!(matches!(known.skill(dir.path(), "count"), Err(SkillError::Unknown { .. })));
    }
}
