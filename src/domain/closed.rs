//! Closed lists of words: one enum, one spelling for columns, JSON and the command line.

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident { $($(#[$member:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        #[cfg_attr(feature = "openapi", derive(::schemars::JsonSchema))]
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$member])* $variant),+ }

        impl $name {
            /// Every member, in the order in which a pipeline meets them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in configuration, columns, JSON and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::closed::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|m| m.as_str() == text).ok_or_else(|| $crate::closed::UnknownWord {
                    found: text.chars().take(80).collect(),
                    allowed: Self::ALL.iter().map(|m| m.as_str()).collect(),
                })
            }
        }
    };
}
pub(crate) use closed_list;

/// A word outside a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of {}", allowed.join(", "))]
pub struct UnknownWord {
    pub found: String,
    pub allowed: Vec<&'static str>,
}
