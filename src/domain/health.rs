//! The health of an installation: nine components, each ok, to be looked at, or failing, with what to do.

use super::words::words;
use serde::{Deserialize, Serialize};

words!(
    /// What the product stands on.
    Component {
        Engine = "engine",
        Database = "database",
        VectorStore = "vector store",
        Embedder = "embedder",
        Backends = "backends",
        Workers = "workers",
        Scheduler = "scheduler",
        Disk = "disk",
        Configuration = "configuration",
    }
);

words!(
    /// How something is.
    Health { Ok = "ok", Warn = "warn", Fail = "fail" }
);

/// What was found of one part of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub component: Component,
    /// Which part of it, in a word or two.
    pub part: String,
    pub status: Health,
    pub says: String,
    /// What to do; empty when nothing is to be done.
    pub fix: String,
}

impl Finding {
    /// Nothing is to be done.
    pub fn ok(component: Component, part: &str, says: impl Into<String>) -> Finding {
        Finding { component, part: part.to_owned(), status: Health::Ok, says: says.into(), fix: String::new() }
    }

    /// It works, but not as it should.
    pub fn warn(component: Component, part: &str, says: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { component, part: part.to_owned(), status: Health::Warn, says: says.into(), fix: fix.into() }
    }

    /// It does not work.
    pub fn fail(component: Component, part: &str, says: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { component, part: part.to_owned(), status: Health::Fail, says: says.into(), fix: fix.into() }
    }
}

/// One component as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentHealth {
    pub component: Component,
    /// As its worst part.
    pub status: Health,
    /// What its worst part says; when all are well, what the first does.
    pub says: String,
    pub fix: String,
    pub parts: Vec<Finding>,
}

/// All nine components, in their order, from what was found. One of which nothing was found could not be looked at.
pub fn components(findings: &[Finding]) -> Vec<ComponentHealth> {
    let of = |component: Component| {
        let parts: Vec<Finding> = findings.iter().filter(|f| f.component == component).cloned().collect();
        // The first of the worst ones: they are told in the order of their weight.
        let worst = parts.iter().rev().max_by_key(|f| f.status);
        let (status, says, fix) = match worst {
            Some(f) if f.status == Health::Ok => (Health::Ok, f.says.clone(), String::new()),
            Some(f) if f.part == component.as_str() => (f.status, f.says.clone(), f.fix.clone()),
            Some(f) => (f.status, format!("{}: {}", f.part, f.says), f.fix.clone()),
            None => (Health::Warn, "not looked at".to_owned(), "`orc doctor` looks at it".to_owned()),
        };
        ComponentHealth { component, status, says, fix, parts }
    };
    Component::ALL.iter().map(|c| of(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_as_well_as_its_worst_part() {
        let found = [
            Finding::ok(Component::Disk, "disk", "40 GiB free"),
            Finding::warn(Component::Backends, "claude", "not signed in", "sign in"),
            Finding::fail(Component::Backends, "codex", "gone", "install"),
            Finding::fail(Component::Backends, "gemini", "gone too", "install"),
        ];
        let all = components(&found);
        assert_eq!(all.iter().map(|c| c.component).collect::<Vec<_>>(), Component::ALL);
        let of = |c| all.iter().find(|h| h.component == c).unwrap();
        assert_eq!((of(Component::Disk).status, of(Component::Disk).says.as_str()), (Health::Ok, "40 GiB free"));
        let backends = of(Component::Backends);
        assert_eq!((backends.status, backends.says.as_str(), backends.fix.as_str()), (Health::Fail, "codex: gone", "install"));
        assert_eq!(backends.parts.len(), 3);
        assert_eq!(of(Component::Engine).status, Health::Warn, "what was not looked at is not well");
    }
}
