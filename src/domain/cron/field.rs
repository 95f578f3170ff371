//! One field of a crontab line: lists, ranges, steps and names become a set of numbers. After crontab(5).

/// What is wrong with a schedule, and how it should look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSchedule(pub String);

/// The numbers that a field allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Bit n is number n.
    bits: u64,
    /// It begins with `*`: crontab(5) then joins the two day fields by "and", and takes minute or hour as "every so often".
    pub star: bool,
}

/// What a field is about.
pub(super) struct Sort {
    name: &'static str,
    pub min: u32,
    pub max: u32,
    /// The words for `first` and what follows.
    words: &'static [&'static str],
    first: u32,
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

pub(super) const MINUTE: Sort = Sort { name: "minute", min: 0, max: 59, words: &[], first: 0 };
pub(super) const HOUR: Sort = Sort { name: "hour", min: 0, max: 23, words: &[], first: 0 };
pub(super) const DAY: Sort = Sort { name: "day of the month", min: 1, max: 31, words: &[], first: 0 };
pub(super) const MONTH: Sort = Sort { name: "month", min: 1, max: 12, words: MONTHS, first: 1 };
/// 0 and 7 are both Sunday.
pub(super) const WEEKDAY: Sort = Sort { name: "day of the week", min: 0, max: 7, words: DAYS, first: 0 };

impl Field {
    pub fn read(sort: &Sort, text: &str) -> Result<Field, BadSchedule> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= sort.part(part, text)?;
        }
        if sort.max == WEEKDAY.max && bits & 1 << 7 != 0 {
            bits = bits & !(1 << 7) | 1;
        }
        Ok(Field { bits, star: text.starts_with('*') })
    }

    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        (0..64).filter(|n| self.bits & 1 << n != 0)
    }

    /// The set as a list of numbers, the way that the crate `cron` reads them.
    pub fn list(&self) -> String {
        join(self.numbers().map(|n| n.to_string()))
    }

    /// The set as a list of weekdays' names: their numbers mean other days there.
    pub fn weekdays(&self) -> String {
        if self.numbers().count() == 7 { "*".to_owned() } else { join(self.numbers().map(|n| DAYS[n as usize].to_owned())) }
    }
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(",")
}

impl Sort {
    fn part(&self, part: &str, field: &str) -> Result<u64, BadSchedule> {
        let bad = |what: String| BadSchedule(format!("{} `{field}`: {what}", self.name));
        if part.is_empty() {
            return Err(bad("a comma without a number; write a list as `1,15`".into()));
        }
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => {
                let wide = if self.max == WEEKDAY.max { 7 } else { self.max - self.min + 1 };
                let n = step.parse().ok().filter(|n| (1..=wide).contains(n));
                (range, Some(n.ok_or_else(|| bad(format!("the step `{step}` has to be a number from 1 to {wide}")))?))
            }
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (self.min, self.max),
            (_, Some((from, to))) => {
                let (from, mut to) = (self.number(from, &bad)?, self.number(to, &bad)?);
                if self.max == WEEKDAY.max && to == 0 && from > 0 {
                    // `fri-sun`: Sunday ends a week as well as it begins one.
                    to = 7;
                }
                if from > to {
                    return Err(bad(format!("the range `{range}` runs backwards; write `{from}-{},{}-{to}`", self.max, self.min)));
                }
                (from, to)
            }
            (one, None) if step.is_some() => {
                return Err(bad(format!("a step needs a range or `*`; write `{one}-{}/{}`", self.max, step.unwrap_or(1))));
            }
            (one, None) => {
                let n = self.number(one, &bad)?;
                (n, n)
            }
        };
        Ok((from..=to).step_by(step.unwrap_or(1) as usize).fold(0, |bits, n| bits | 1 << n))
    }

    fn number(&self, text: &str, bad: &dyn Fn(String) -> BadSchedule) -> Result<u32, BadSchedule> {
        if let Some(at) = self.words.iter().position(|w| w.eq_ignore_ascii_case(text)) {
            return Ok(self.first + at as u32);
        }
        let digits = !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
        if !digits && text.contains(['?', 'L', 'W', '#', '*']) {
            return Err(bad(format!("`{text}` is no crontab: numbers, names, `*`, lists `a,b`, ranges `a-b` and steps `*/n` are")));
        }
        let number = digits.then(|| text.parse().ok()).flatten().filter(|n| (self.min..=self.max).contains(n));
        number.ok_or_else(|| {
            let words = self.words.first().zip(self.words.last()).map(|(a, b)| format!(" or {a} to {b}")).unwrap_or_default();
            bad(format!("`{text}` has to be {} to {}{words}", self.min, self.max))
        })
    }
}
