//! The palette holds every verb of the command line, or says why it does not.

use super::desk::Console;
use super::waiting;
use orc::tui::{PALETTE_VERBS, Way};
use std::collections::BTreeSet;

#[test]
fn every_verb_of_the_command_line_is_in_the_table_and_no_other() {
    let known: BTreeSet<&str> = PALETTE_VERBS.iter().map(|(verb, _)| *verb).collect();
    let there = orc::cli::verbs();
    let missing: Vec<&String> = there.iter().filter(|v| !known.contains(v.as_str())).collect();
    let gone: Vec<&&str> = known.iter().filter(|k| !there.iter().any(|v| v == *k)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in the table: {missing:?}; in the table only: {gone:?}");
    assert_eq!(known.len(), PALETTE_VERBS.len(), "a verb is there twice");
}

#[test]
fn what_the_table_promises_the_palette_offers() {
    let mut s = waiting::all();
    s.workers[7].session = Some("x".to_owned());
    for (verb, way) in PALETTE_VERBS {
        let Way::Words(words) = way else { continue };
        let mut c = Console::new((120, 60), s.clone());
        c.keys(&format!(": '{words}'"));
        let screen = c.screen();
        let offered = screen.lines().skip_while(|l| !l.contains("Command")).skip(3).any(|l| l.contains(words));
        assert!(offered, "{verb}: `{words}` is not offered\n{screen}");
    }
}
