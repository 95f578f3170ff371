//! What a setting's value may be, and reading it from a file or from text.

use std::fmt;
use std::time::Duration;
use toml::de::DeValue;

/// The type and range of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A whole number.
    Count { min: u64, max: u64, unit: &'static str },
    /// A number between two marks.
    Share { min: f64, max: f64 },
    /// A time with its unit, such as "90s", "15m", "1h 30m". In seconds here.
    Time { min: u64, max: u64 },
    /// A size with its unit, such as "512MiB", "2GiB".
    Bytes { min: u64, max: u64 },
    /// true or false.
    Switch,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A time zone's IANA name, or `system`.
    Zone,
    /// A time of day, `HH:MM`, or `off`.
    TimeOfDay,
    /// Any text without line breaks or control characters.
    Text,
}

/// A value that has passed its shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Count(u64),
    Share(f64),
    Time(Duration),
    Bytes(u64),
    Switch(bool),
    Text(String),
}

/// A value as it was written.
pub(super) enum Raw<'a> {
    /// In a TOML file: it has a type already.
    Toml(&'a DeValue<'a>),
    /// In the environment or on the command line: text.
    Text(&'a str),
}

impl Shape {
    /// The unit, in a word; empty where there is none.
    pub fn unit(&self) -> &'static str {
        match self {
            Shape::Count { unit, .. } => unit,
            Shape::Share { .. } => "share",
            Shape::Time { .. } => "time",
            Shape::Bytes { .. } => "bytes",
            Shape::Switch | Shape::Word(_) | Shape::Zone | Shape::TimeOfDay | Shape::Text => "",
        }
    }

    /// The range as people write it.
    pub fn range(&self) -> String {
        match self {
            Shape::Count { min, max, .. } => format!("{min} to {max}"),
            Shape::Share { min, max } => format!("{min} to {max}"),
            Shape::Time { min, max } => format!("{} to {}", time_text(Duration::from_secs(*min)), time_text(Duration::from_secs(*max))),
            Shape::Bytes { min, max } => format!("{} to {}", bytes_text(*min), bytes_text(*max)),
            Shape::Switch => "true or false".to_owned(),
            Shape::Word(words) => words.join(", "),
            Shape::Zone => "`system` or a name such as `Europe/London`".to_owned(),
            Shape::TimeOfDay => "`HH:MM` or `off`".to_owned(),
            Shape::Text => "one line of text".to_owned(),
        }
    }

    /// Reads and checks a value. The error says what it should be, without naming the key.
    pub(super) fn read(&self, raw: &Raw<'_>) -> Result<Value, String> {
        match self {
            Shape::Count { min, max, unit } => {
                let n = raw.integer().ok_or_else(|| format!("must be a whole number of {unit}, {}; it is {raw}", self.range()))?;
                let n = u64::try_from(n).ok().filter(|n| (min..=max).contains(&n));
                n.map(Value::Count).ok_or_else(|| format!("must be {} {unit}; it is {raw}", self.range()))
            }
            Shape::Share { min, max } => {
                let x = raw.number().ok_or_else(|| format!("must be a number, {}; it is {raw}", self.range()))?;
                if (*min..=*max).contains(&x) { Ok(Value::Share(x)) } else { Err(format!("must be {}; it is {raw}", self.range())) }
            }
            Shape::Time { min, max } => {
                let wrong = || format!("must be a time with its unit, such as \"90s\" or \"15m\"; it is {raw}");
                let time = humantime::parse_duration(raw.text().ok_or_else(wrong)?.trim()).map_err(|_| wrong())?;
                if time >= Duration::from_secs(*min) && time <= Duration::from_secs(*max) {
                    Ok(Value::Time(time))
                } else {
                    Err(format!("must be {}; it is {raw}", self.range()))
                }
            }
            Shape::Bytes { min, max } => {
                let wrong = || format!("must be a size with its unit, such as \"512MiB\" or \"2GiB\"; it is {raw}");
                let size = parse_bytes(raw.text().ok_or_else(wrong)?).ok_or_else(wrong)?;
                if (*min..=*max).contains(&size) { Ok(Value::Bytes(size)) } else { Err(format!("must be {}; it is {raw}", self.range())) }
            }
            Shape::Switch => raw.switch().map(Value::Switch).ok_or_else(|| format!("must be true or false, without quotes; it is {raw}")),
            Shape::Word(words) => match raw.text() {
                Some(w) if words.contains(&w) => Ok(Value::Text(w.to_owned())),
                _ => Err(format!("must be one of {}; it is {raw}", words.join(", "))),
            },
            Shape::Zone => match raw.text() {
                Some(z) if z == "system" || z.parse::<chrono_tz::Tz>().is_ok() => Ok(Value::Text(z.to_owned())),
                _ => Err(format!("must be `system` or a time zone such as \"Europe/London\"; it is {raw}")),
            },
            Shape::TimeOfDay => match raw.text() {
                Some(t) if t == "off" || chrono::NaiveTime::parse_from_str(t, "%H:%M").is_ok() => Ok(Value::Text(t.to_owned())),
                _ => Err(format!("must be a time of day such as \"21:30\", or \"off\"; it is {raw}")),
            },
            Shape::Text => match raw.text() {
                Some(t) if !t.is_empty() && !t.chars().any(char::is_control) => Ok(Value::Text(t.to_owned())),
                _ => Err(format!("must be one line of text in quotes; it is {raw}")),
            },
        }
    }
}

impl Raw<'_> {
    fn integer(&self) -> Option<i128> {
        match self {
            Raw::Toml(DeValue::Integer(i)) => i128::from_str_radix(i.as_str(), i.radix()).ok(),
            Raw::Toml(_) => None,
            Raw::Text(t) => t.trim().replace('_', "").parse().ok(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Raw::Toml(DeValue::Float(f)) => f.as_str().parse().ok(),
            Raw::Toml(DeValue::Integer(_)) => self.integer().map(|i| i as f64),
            Raw::Toml(_) => None,
            Raw::Text(t) => t.trim().parse().ok(),
        }
        .filter(|x: &f64| x.is_finite())
    }

    fn switch(&self) -> Option<bool> {
        match self {
            Raw::Toml(v) => v.as_bool(),
            Raw::Text(t) => t.trim().parse().ok(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Raw::Toml(v) => v.as_str(),
            Raw::Text(t) => Some(t),
        }
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Text(t) => write!(f, "{t:?}"),
            Raw::Toml(DeValue::String(s)) => write!(f, "{s:?}"),
            Raw::Toml(DeValue::Integer(i)) => write!(f, "{i}"),
            Raw::Toml(DeValue::Float(x)) => write!(f, "{x}"),
            Raw::Toml(DeValue::Boolean(b)) => write!(f, "{b}"),
            Raw::Toml(v) => write!(f, "a TOML {}", v.type_str()),
        }
    }
}

const UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// Bytes from "512MiB", "1.5GiB", "0B" (IEC and SI units).
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (unit, size) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: f64 = text[..text.len() - unit.len()].trim().parse().ok()?;
    let bytes = number * *size as f64;
    (number >= 0.0 && bytes.is_finite() && bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// A size in the largest unit that divides it.
pub(super) fn bytes_text(bytes: u64) -> String {
    let whole = UNITS
        .iter()
        .filter(|(unit, _)| unit.ends_with("iB") || *unit == "B")
        .find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    whole.map_or_else(|| format!("{bytes}B"), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// A time as the settings write it.
pub(super) fn time_text(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// Takes a value that has passed its shape into a field.
pub(super) trait Field {
    fn take(value: Value) -> Self;
    fn show(&self) -> String;
}

macro_rules! field {
    ($ty:ty, $($variant:ident)|+, |$v:ident| $take:expr, |$s:ident| $show:expr) => {
        impl Field for $ty {
            fn take(value: Value) -> Self {
                match value {
                    $(Value::$variant($v) => $take,)+
                    other => unreachable!("the table gives a {} the value {other:?}", stringify!($ty)),
                }
            }
            fn show(&self) -> String {
                let $s = self;
                $show
            }
        }
    };
}

field!(u32, Count, |v| u32::try_from(v).unwrap_or(u32::MAX), |s| s.to_string());
field!(f64, Share, |v| v, |s| s.to_string());
field!(Duration, Time, |v| v, |s| time_text(*s));
field!(bool, Switch, |v| v, |s| s.to_string());
field!(String, Text, |v| v, |s| s.clone());

impl Field for u64 {
    fn take(value: Value) -> Self {
        match value {
            Value::Count(v) | Value::Bytes(v) => v,
            other => unreachable!("the table gives a u64 the value {other:?}"),
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl<T: Field> Field for Option<T> {
    fn take(value: Value) -> Self {
        Some(T::take(value))
    }
    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_as_they_are_written() {
        for text in ["0B", "1GiB", "512MiB", "1536MiB", "7B"] {
            assert_eq!(bytes_text(parse_bytes(text).unwrap()), text);
        }
        assert_eq!(parse_bytes("1.5GiB"), Some(3 << 29));
        assert_eq!(parse_bytes("2 GB"), Some(2_000_000_000));
        for text in ["", "5", "-1MiB", "MiB", "1e300TiB", "5 apples"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}
