//! Who reviews: somebody of another model family before another backend, before another model. Nobody reviews their own work.

/// A backend that could review.
#[derive(Clone, Debug, PartialEq)]
pub struct Eligible {
    pub backend: String,
    /// What its description says of the family of its models.
    pub family: Option<String>,
    /// The model that a review gets there; `None` = the CLI's own choice.
    pub model: Option<String>,
    /// Every model that is known of it, the best first.
    pub models: Vec<String>,
    /// A limit holds it.
    pub paused: bool,
}

/// Who wrote what is to be reviewed.
#[derive(Clone, Debug, PartialEq)]
pub struct Author {
    pub backend: String,
    pub family: Option<String>,
    pub model: Option<String>,
}

/// Who reviews.
#[derive(Clone, Debug, PartialEq)]
pub struct Reviewer {
    pub backend: String,
    pub model: Option<String>,
    pub distance: Distance,
}

/// How far a reviewer is from the author, the farthest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distance {
    OtherFamily,
    OtherBackend,
    OtherModel,
}

impl Distance {
    /// In words, for the verdict.
    pub fn says(self) -> &'static str {
        match self {
            Distance::OtherFamily => "another model family",
            Distance::OtherBackend => "another backend",
            Distance::OtherModel => "only another model: no other backend was available",
        }
    }
}

/// The family of a backend's models: as its description says, else as the model's name tells.
pub fn family(described: Option<&str>, model: Option<&str>) -> Option<String> {
    const NAMES: &[(&str, &[&str])] = &[
        ("anthropic", &["claude", "opus", "sonnet", "haiku"]),
        ("openai", &["gpt", "codex", "chatgpt"]),
        ("google", &["gemini", "gemma"]),
        ("meta", &["llama"]),
        ("mistral", &["mistral", "mixtral", "devstral", "codestral"]),
        ("qwen", &["qwen", "qwq"]),
        ("deepseek", &["deepseek"]),
    ];
    let told = || {
        let model = model?.to_lowercase();
        NAMES.iter().find(|(_, words)| words.iter().any(|w| model.contains(w))).map(|(family, _)| (*family).to_owned())
    };
    described.map(str::to_owned).or_else(told)
}

/// The reviewer for an author: of `candidates`, in the order of preference, the farthest that no limit holds; where a limit holds
/// all of them, the farthest, which waits. `None` = nobody is another one.
pub fn choose(author: &Author, candidates: &[Eligible]) -> Option<Reviewer> {
    let mine = family(author.family.as_deref(), author.model.as_deref());
    let of = |c: &Eligible| {
        if c.backend != author.backend {
            let theirs = family(c.family.as_deref(), c.model.as_deref());
            let other = theirs.is_some() && mine.is_some() && theirs != mine;
            let distance = if other { Distance::OtherFamily } else { Distance::OtherBackend };
            return Some(Reviewer { backend: c.backend.clone(), model: c.model.clone(), distance });
        }
        // Without a name for the author's model nobody can say that another one is another.
        let used = author.model.as_ref()?;
        let model = c.model.iter().chain(&c.models).find(|m| *m != used)?;
        Some(Reviewer { backend: c.backend.clone(), model: Some(model.clone()), distance: Distance::OtherModel })
    };
    let farthest = |paused: bool| candidates.iter().filter(|c| c.paused == paused).filter_map(of).min_by_key(|r| r.distance);
    farthest(false).or_else(|| farthest(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eligible(backend: &str, family: Option<&str>, models: &[&str]) -> Eligible {
        Eligible {
            backend: backend.into(),
            family: family.map(str::to_owned),
            model: models.first().map(|m| (*m).to_owned()),
            models: models.iter().map(|m| (*m).to_owned()).collect(),
            paused: false,
        }
    }

    fn chosen(model: Option<&str>, candidates: &[Eligible]) -> Option<(String, Option<String>, Distance)> {
        let author = Author { backend: "claude".into(), family: Some("anthropic".into()), model: model.map(str::to_owned) };
        choose(&author, candidates).map(|r| (r.backend, r.model, r.distance))
    }

    #[test]
    fn the_farthest_that_can_reviews() {
        let claude = eligible("claude", Some("anthropic"), &["opus", "sonnet"]);
        let codex = eligible("codex", Some("openai"), &[]);
        let router = eligible("opencode", None, &["anthropic/claude-sonnet"]);
        let all = [claude.clone(), router.clone(), codex.clone()];
        let told = |c: &[Eligible]| chosen(Some("opus"), c);
        assert_eq!(told(&all), Some(("codex".into(), None, Distance::OtherFamily)));
        assert_eq!(told(&all[..2]), Some(("opencode".into(), Some("anthropic/claude-sonnet".into()), Distance::OtherBackend)));
        assert_eq!(told(&all[..1]), Some(("claude".into(), Some("sonnet".into()), Distance::OtherModel)));
        assert_eq!(chosen(Some("sonnet"), &all[..1]).unwrap().1.as_deref(), Some("opus"));
        assert_eq!(chosen(None, &all[..1]), None, "nobody knows whether it would be another");
        assert_eq!(told(&[eligible("claude", None, &["opus"])]), None);
        assert_eq!(told(&[]), None);
        let paused = Eligible { paused: true, ..codex };
        assert_eq!(told(&[claude.clone(), paused.clone()]).unwrap().2, Distance::OtherModel, "who is there reviews");
        assert_eq!(told(std::slice::from_ref(&paused)).unwrap().0, "codex", "or is waited for");
    }

    #[test]
    fn a_family_is_described_or_told_by_the_name() {
        assert_eq!(family(Some("x"), Some("gpt-5")).as_deref(), Some("x"));
        assert_eq!(family(None, Some("openrouter/Qwen3-coder")).as_deref(), Some("qwen"));
        assert_eq!(family(None, Some("local")), None);
        assert_eq!(family(None, None), None);
    }
}
