//! What a folder of skills costs: read whole, one by name, and a prompt looked at for triggers.

use crate::spread::{Spread, head, line};
use orc::config::{skill, skills};
use orc::domain::Phrases;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

pub fn run(n: usize) {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..n {
        let at = dir.path().join(format!("skill-{i:04}"));
        fs::create_dir_all(at.join("references")).unwrap();
        let text = format!(
            "---\nname: skill-{i:04}\ndescription: Does the work number {i}. Use for work of this kind.\ntriggers: [\"work {i}\", \"number {i}\"]\n---\n\n"
        );
        fs::write(at.join("SKILL.md"), text + &"A line of what is to be done, with its command.\n".repeat(60)).unwrap();
        fs::write(at.join("references/more.md"), "More.\n".repeat(200)).unwrap();
    }
    println!("skills: {n} folders of two files, {} of text each", 60 * 48 + 120);
    head("in this process");
    let (mut all, mut one, mut match_) = (Spread::default(), Spread::default(), Spread::default());
    let found = skills(dir.path());
    let prompt = "Please look at what was done last week and say what is left of it. ".repeat(60);
    for i in 0..50 {
        let begun = Instant::now();
        black_box(skills(dir.path()));
        all.time(begun.elapsed());
        let begun = Instant::now();
        black_box(skill(dir.path(), &format!("skill-{:04}", i % n.max(1))).unwrap());
        one.time(begun.elapsed());
        let begun = Instant::now();
        let text = Phrases::new(&prompt);
        black_box(found.skills.values().filter_map(|s| text.first(&s.triggers)).count());
        match_.time(begun.elapsed());
    }
    line("all read, with hashes", all.show("ms"));
    line("one by name", one.show("ms"));
    line("triggers of all, a prompt of 4 kB", match_.show("ms"));
}
