//! The closed vocabularies. Each word is spelled once: here, and the same in the database, on the wire, in flags.

/// Declares an enum whose variants have one spelling each, with `as_str`, `FromStr`, `Display` and serde.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The one spelling.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::words::UnknownWord;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                match s {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::domain::words::UnknownWord {
                        what: stringify!($name),
                        got: s.to_owned(),
                        known: &[$($word),+],
                    }),
                }
            }
        }
    };
}
pub(crate) use words;

/// A word outside its vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{got}` is not one of: {}", known.join(", "))]
pub struct UnknownWord {
    /// Which vocabulary was asked.
    pub what: &'static str,
    /// What was given.
    pub got: String,
    /// What would have been accepted.
    pub known: &'static [&'static str],
}
