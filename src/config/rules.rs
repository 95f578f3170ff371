//! The critical rules: one line each in the operating file, with incident and date.

/// The heading under which they stand.
const HEADING: &str = "## Critical rules";

/// The rules of an operating file: the list items below its heading "Critical rules", without their dashes.
pub fn rules(operating_file: &str) -> Vec<String> {
    let mut lines = operating_file.lines().skip_while(|l| !l.trim_end().eq_ignore_ascii_case(HEADING)).skip(1);
    let mut comment = false;
    let mut rules = Vec::new();
    for line in lines.by_ref().take_while(|l| !l.starts_with("## ")) {
        let line = line.trim();
        comment |= line.starts_with("<!--");
        if !comment && let Some(rule) = line.strip_prefix("- ") {
            rules.push(rule.trim().to_owned());
        }
        comment &= !line.ends_with("-->");
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_items_below_the_heading_count_and_comments_do_not() {
        let text = "# X\n- no\n## Critical rules\nSome words.\n<!-- for example\n- not this\n-->\n- Do it. (incident A, 2026-01-02)\n## Next\n- no\n";
        assert_eq!(rules(text), ["Do it. (incident A, 2026-01-02)"]);
        assert!(rules("nothing").is_empty());
    }
}
