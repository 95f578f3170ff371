//! The skills as consoles and lists show them.

use super::skills::{differences, kept};
use crate::config::{Skill, SkillError, Workspace, lint_skill, skill, skills};
use crate::domain::{SkillFrom, SkillHold, SkillUse};
use crate::store::{Store, StoreError};
use crate::wire::{SkillDetail, SkillRow};
use std::collections::BTreeSet;

/// How many outputs of a skill a console gets.
const OUTPUTS: usize = 100;

/// All skills, by name.
///
/// # Errors
/// The database.
pub fn rows(store: &Store, workspace: &Workspace) -> Result<Vec<SkillRow>, StoreError> {
    let all = skills(&workspace.skills_dir());
    let (uses, mut holds) = (store.skill_uses()?, store.skill_holds()?);
    let names: BTreeSet<&String> = all.skills.keys().chain(all.broken.keys()).collect();
    let made = names.into_iter().map(|name| {
        let found = all.skills.get(name).ok_or_else(|| all.broken.get(name));
        row(name, found, holds.remove(name).unwrap_or_default(), uses.get(name).copied().unwrap_or_default())
    });
    Ok(made.collect())
}

fn row(name: &str, found: Result<&Skill, Option<&SkillError>>, hold: SkillHold, use_: SkillUse) -> SkillRow {
    let success = use_.success();
    match found {
        Ok(s) => SkillRow {
            name: name.to_owned(),
            description: s.description.split_whitespace().collect::<Vec<_>>().join(" "),
            hash: Some(s.hash.clone()),
            version: s.version.clone(),
            source: s.from(),
            file: s.origin(),
            triggers: s.triggers.clone(),
            license: s.license.clone(),
            hold,
            use_,
            success,
            problems: lint_skill(s).iter().map(ToString::to_string).collect(),
        },
        Err(e) => SkillRow {
            name: name.to_owned(),
            description: String::new(),
            hash: None,
            version: None,
            source: SkillFrom::Workspace,
            file: match e {
                Some(SkillError::Broken { file, .. } | SkillError::Read { file, .. }) => file.clone(),
                _ => String::new(),
            },
            triggers: Vec::new(),
            license: None,
            hold,
            use_,
            success,
            problems: e.map(ToString::to_string).into_iter().collect(),
        },
    }
}

/// One skill in full.
///
/// # Errors
/// There is none of that name; the database.
pub fn detail(store: &Store, workspace: &Workspace, name: &str) -> Result<SkillDetail, StoreError> {
    let found = skill(&workspace.skills_dir(), name);
    if let Err(SkillError::Unknown { .. } | SkillError::Name { .. }) = &found {
        return Err(StoreError::Unknown { what: "skill", name: name.to_owned() });
    }
    let versions = store.skill_versions(Some(name))?;
    let hold = store.skill_hold(name)?;
    let used = hold.pin.clone().or_else(|| versions.first().map(|v| v.hash.clone()));
    let in_use = match (&found, &used) {
        (Ok(skill), Some(hash)) if skill.hash == *hash => Some(skill.clone()),
        (_, Some(hash)) => kept(store, workspace, name, hash).ok(),
        _ => None,
    };
    let diff = match versions.as_slice() {
        [new, old, ..] => differences(store, old, new)?,
        _ => String::new(),
    };
    let use_ = store.skill_uses()?.get(name).copied().unwrap_or_default();
    Ok(SkillDetail {
        row: row(name, found.as_ref().map_err(Some), hold, use_),
        text: in_use.as_ref().map(|s| s.body.clone()).unwrap_or_default(),
        files: in_use.map(|s| s.files).unwrap_or_default(),
        diff,
        outputs: store.skill_outputs(name, None, OUTPUTS)?,
        versions,
    })
}
