//! The critical rules of the operating file: one line each, with the incident that taught it and the day.

use chrono::NaiveDate;

/// The heading of the section that holds them.
pub const RULES_HEADING: &str = "Critical rules";

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its line in the file, from 1.
    pub line: usize,
    pub text: String,
    /// What happened.
    pub incident: String,
    pub date: NaiveDate,
}

/// A line of the section that is no proper rule. It reaches the agents nevertheless: a rule that is silently dropped is worse
/// than one without its incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    pub line: usize,
    pub text: String,
    /// What is wrong, and how it should look.
    pub what: String,
}

/// The section, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub rules: Vec<Rule>,
    pub problems: Vec<RuleProblem>,
}

impl Rules {
    /// The rules as they go into a prompt, in the order of the file, one line each; empty when there are none.
    pub fn prompt_lines(&self) -> String {
        let good = self.rules.iter().map(|r| (r.line, r.to_string()));
        let other = self.problems.iter().map(|p| (p.line, format!("- {}", p.text)));
        let mut lines: Vec<(usize, String)> = good.chain(other).collect();
        lines.sort();
        lines.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "- {} (incident {}, {})", self.text, self.incident, self.date)
    }
}

/// Reads the rules of an operating file: the list under the heading `Critical rules` (any level), up to the next heading of that
/// level or above. Comments (`<!-- -->`) and text that is no list item are for people.
pub fn parse(file: &str) -> Rules {
    let text = crate::domain::blank_comments(file);
    let mut found = Rules::default();
    let mut inside: Option<usize> = None;
    for (i, line) in text.lines().enumerate() {
        let level = line.chars().take_while(|c| *c == '#').count();
        if level > 0 && line[level..].starts_with(' ') {
            if line[level..].trim().eq_ignore_ascii_case(RULES_HEADING) {
                inside = Some(level);
            } else if inside.is_some_and(|own| level <= own) {
                inside = None;
            }
            continue;
        }
        let item = line.trim_start().strip_prefix("- ").or_else(|| line.trim_start().strip_prefix("* "));
        if let (Some(_), Some(item)) = (inside, item) {
            match rule(i + 1, item.trim()) {
                Ok(rule) => found.rules.push(rule),
                Err(what) => found.problems.push(RuleProblem { line: i + 1, text: item.trim().to_owned(), what }),
            }
        }
    }
    found
}

/// The file with a rule more, after the last one of its section; the section is made where there is none.
pub fn with(file: &str, rule: &str) -> String {
    let found = parse(file);
    let last = found.rules.iter().map(|r| r.line).chain(found.problems.iter().map(|p| p.line)).max();
    let mut lines: Vec<&str> = file.lines().collect();
    match last {
        Some(line) => lines.insert(line, rule),
        None => match heading(file) {
            Some(at) => {
                // After the heading and what is written for people below it, before the next heading.
                let next = lines.iter().skip(at).position(|l| l.starts_with('#')).map_or(lines.len(), |n| at + n);
                let end = (at..next).rev().find(|i| !lines[*i].trim().is_empty()).map_or(at, |i| i + 1);
                lines.insert(end, rule);
                lines.insert(end, "");
            }
            None => lines.extend(["", "## Critical rules", "", rule]),
        },
    }
    lines.join("\n") + "\n"
}

/// The file without one of its lines, from 1.
pub fn without(file: &str, line: usize) -> String {
    let kept: Vec<&str> = file.lines().enumerate().filter(|(i, _)| i + 1 != line).map(|(_, l)| l).collect();
    kept.join("\n") + "\n"
}

/// The line below the section's heading, from 0.
fn heading(file: &str) -> Option<usize> {
    let text = crate::domain::blank_comments(file);
    let is = |l: &str| l.starts_with('#') && l.trim_start_matches('#').trim().eq_ignore_ascii_case(RULES_HEADING);
    text.lines().position(is).map(|i| i + 1)
}

fn rule(line: usize, item: &str) -> Result<Rule, String> {
    let form = "a rule is one line: `- TEXT (incident NAME, YYYY-MM-DD)`";
    let (text, source) =
        item.strip_suffix(')').and_then(|rest| rest.rsplit_once("(incident ")).ok_or_else(|| format!("it names no incident; {form}"))?;
    let (incident, date) = source.rsplit_once(',').ok_or_else(|| format!("it has no date; {form}"))?;
    let date = date.trim().parse().map_err(|_| format!("`{}` is not a date; {form}", date.trim()))?;
    let (text, incident) = (text.trim(), incident.trim());
    if text.is_empty() || incident.is_empty() {
        return Err(format!("its text or its incident is empty; {form}"));
    }
    Ok(Rule { line, text: text.to_owned(), incident: incident.to_owned(), date })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Operating file\n\n- not a rule\n\n## Critical rules\n\nOne line each.\n\n<!--\n- an example (incident x, 2026-01-02)\n-->\n\
        - Ship nothing after one pass. (incident march-grammar, 2026-03-12)\n\
        * Show it (really), never a path (incident the (first) report, 2026-03-15)\n\
        - No incident here\n- A day that is none (incident x, 2026-02-30)\n\
        ### Still inside\n- Kept (incident y, 2026-04-01)\n## After\n- not a rule either\n";

    #[test]
    fn only_the_sections_items_are_rules_and_comments_are_not() {
        let found = parse(FILE);
        let told: Vec<_> = found.rules.iter().map(|r| (r.line, r.text.as_str(), r.incident.as_str(), r.date.to_string())).collect();
        assert_eq!(
            told,
            [
                (12, "Ship nothing after one pass.", "march-grammar", "2026-03-12".to_owned()),
                (13, "Show it (really), never a path", "the (first) report", "2026-03-15".to_owned()),
                (17, "Kept", "y", "2026-04-01".to_owned()),
            ]
        );
        let wrong: Vec<_> = found.problems.iter().map(|p| (p.line, p.what.split(';').next().unwrap())).collect();
        assert_eq!(wrong, [(14, "it names no incident"), (15, "`2026-02-30` is not a date")]);
    }

    #[test]
    fn a_rule_is_added_below_the_others_and_taken_out_again() {
        let rule = "- Look first (incident z, 2026-05-01)";
        let more = with(FILE, rule);
        let found = parse(&more);
        assert_eq!(found.rules.last().map(|r| (r.line, r.text.as_str())), Some((18, "Look first")));
        assert_eq!(parse(&more).problems, parse(FILE).problems);
        assert_eq!(without(&more, 18), FILE);
        // a section without any, with its comment, and a file without the section
        for file in ["# T\n\n## Critical rules\n\n<!--\nhow\n-->\n\n## After\n\ntext\n", "# T\n", ""] {
            let more = with(file, rule);
            assert_eq!(parse(&more).rules.len(), 1, "{more}");
            assert!(!more.contains("<!--") || more.find("-->").unwrap() < more.find(rule).unwrap(), "{more}");
        }
    }

    #[test]
    fn a_rule_without_its_incident_still_reaches_the_agents_in_its_place() {
        let lines = parse(FILE).prompt_lines();
        assert_eq!(lines.lines().nth(2), Some("- No incident here"));
        assert_eq!(lines.lines().count(), 5);
        assert_eq!(parse("# nothing\n").prompt_lines(), "");
    }
}
