//! A folder of skills that other people made drops in unchanged: each reads, what is odd is listed, nothing is fatal.

use orc::config::{BUILTIN_SKILLS, Skill, lint_skill, skill, skills};
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/skills").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { _ = fs::copy(entry.path(), to).unwrap() }
    }
}

#[test]
fn a_collection_of_odd_ones_reads_with_its_problems_listed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("skills");
    copy(&fixtures("pack"), &dir.join("pack"));
    let all = skills(&dir);
    assert!(all.broken.is_empty(), "{:?}", all.problems);
    let theirs: Vec<&Skill> = all.skills.values().filter(|s| s.folder().is_some()).collect();
    let told: Vec<String> = theirs
        .iter()
        .map(|s| {
            let problems: Vec<String> = lint_skill(s)
                .iter()
                .map(|p| format!("    {}", p.to_string().replace(&format!("{}/", home.path().display()), "")))
                .collect();
            let files: Vec<&str> = s.files.iter().map(|f| f.path.as_str()).collect();
            let description: String = s.description.chars().take(60).collect();
            format!("{} [{}] {description:?} tools {:?}\n{}", s.name, files.join(" "), s.allowed_tools, problems.join("\n"))
                .trim_end()
                .to_owned()
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    let shadowed: Vec<String> = all.shadowed.iter().map(|(n, p)| format!("{n} {}", p.strip_prefix(&dir).unwrap().display())).collect();
    assert_eq!(shadowed, ["plain pack/twice/a/plain/SKILL.md"]);

    let of = |name: &str| all.skills[name].clone();
    assert_eq!(
        of("unquoted-colon").description,
        "Makes slides: title, three points, one picture. Use when: the user says \"deck\" or \"slides\""
    );
    assert_eq!(of("unquoted-colon").triggers, ["slides", "slide deck"]);
    assert_eq!(of("folded").description, "A description over several lines, which are one in the end.\nAnd a second paragraph.");
    assert_eq!(
        (of("crlf").body.as_str(), of("rule-in-body").body.as_str()),
        ("# Title\n\nFirst line.\nSecond line.", "Above.\n\n---\n\nBelow.")
    );
    assert!(of("latin1").body.starts_with("Caf\u{fffd}"));
    assert_eq!(
        (of("with-files").license.as_deref(), of("with-files").version.as_deref()),
        (Some("Complete terms in LICENSE.txt"), Some("1.4"))
    );
    // by its name alone, wherever it lies
    assert_eq!(skill(&dir, "nested").unwrap().body, "Found.");
    assert_eq!(skill(&dir, "Other Name").unwrap().body, "Still of use.");
}

#[test]
fn what_cannot_be_read_is_told_with_file_and_line_and_stops_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("skills");
    copy(&fixtures("broken"), &dir);
    copy(&fixtures("pack/plain"), &dir.join("plain"));
    let all = skills(&dir);
    let told: Vec<String> = all.problems.iter().map(|p| p.to_string().replace(&format!("{}/", dir.display()), "")).collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(all.skills.len(), BUILTIN_SKILLS.len() + 1);
}

#[test]
fn one_hash_stands_for_all_files_of_a_skill_and_for_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("with-files");
    copy(&fixtures("pack/with-files"), &dir);
    let hash = || skill(home.path(), "with-files").unwrap().hash;
    let first = hash();
    fs::write(dir.join("scripts/count.py~"), "left by an editor").unwrap();
    fs::create_dir(dir.join("__pycache__")).unwrap();
    fs::write(dir.join("__pycache__/count.pyc"), "x").unwrap();
    assert_eq!(hash(), first, "what programs leave behind is none of it");
    fs::write(dir.join("references/limits.md"), "# Other limits\n").unwrap();
    let second = hash();
    assert_ne!(second, first, "a file beside it is a part of it");
    fs::rename(dir.join("references/limits.md"), dir.join("references/bounds.md")).unwrap();
    assert_ne!(hash(), second, "so is its name");
}

/// The first read of a folder looks at each file once; what ships is read once in a process.
#[test]
fn hundreds_are_read_file_by_file_and_found_by_name() {
    let home = tempfile::tempdir().unwrap();
    for i in 0..300 {
        let dir = home.path().join(format!("skill-{i:03}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(
            dir.join("SKILL.md"),
            format!("---\nname: skill-{i:03}\ndescription: Number {i}.\ntriggers: [\"number {i}\"]\n---\nBody {i}.\n"),
        )
        .unwrap();
    }
    let all = skills(home.path());
    assert_eq!((all.skills.len(), all.problems.len()), (300 + BUILTIN_SKILLS.len(), 0));
    assert_eq!(skill(home.path(), "skill-299").unwrap().body, "Body 299.");
}
