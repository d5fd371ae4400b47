//! One pattern: read once, then asked of many paths.

/// A pattern that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    names: Vec<Name>,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// `**`
    AnyDirectories,
    Of(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    Any,
    /// `*`
    Many,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Why a text is no pattern, and what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct BadPattern {
    pub why: &'static str,
    pub allowed: &'static str,
}

const MAX_PATTERN_BYTES: usize = 1024;
/// Matching takes the product of the names of a pattern and of a path.
const MAX_PATTERN_NAMES: usize = 32;

impl Pattern {
    /// Reads a pattern. A leading `./` and a slash at the end mean nothing.
    ///
    /// # Errors
    /// `BadPattern` for one that leads out of the work directory, or that means something else elsewhere.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let bad = |why, allowed| Err(BadPattern { why, allowed });
        if text.trim().is_empty() {
            return bad("the pattern is empty", "a path relative to the work directory");
        }
        if text.len() > MAX_PATTERN_BYTES {
            return bad("the pattern is too long", "up to 1024 bytes");
        }
        if text.chars().any(char::is_control) {
            return bad("the pattern holds a control character", "one line of text");
        }
        if text.starts_with('/') || text.starts_with("~/") {
            return bad("the pattern is absolute", "a path relative to the work directory");
        }
        if text.starts_with('!') {
            return bad(
                "a pattern cannot exclude files",
                "patterns of the files to keep; `[!]` for a name that begins with !",
            );
        }
        if text.contains('\\') {
            return bad("the pattern holds a backslash", "a character in brackets, such as [*], stands for itself");
        }
        if text.contains(['{', '}']) && !text.contains("[{]") && !text.contains("[}]") {
            return bad("braces name no alternatives", "one pattern for each alternative; `[{]` for a brace");
        }
        let mut path = text;
        while let Some(rest) = path.strip_prefix("./") {
            path = rest;
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.split('/').count() > MAX_PATTERN_NAMES {
            return bad("the pattern has too many names", "up to 32 names between slashes");
        }
        let names = path.split('/').map(name).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text: text.to_owned(), names })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether the pattern names the file at `path`, or a directory above it.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        // Which of the pattern's names may come next.
        let mut next = vec![false; self.names.len() + 1];
        next[0] = true;
        self.pass_directories(&mut next);
        for part in path.split('/') {
            let part: Vec<char> = part.chars().collect();
            let mut after = vec![false; next.len()];
            for (at, name) in self.names.iter().enumerate().filter(|(at, _)| next[*at]) {
                match name {
                    Name::AnyDirectories => {
                        after[at] = true;
                        // `a/**` is what is in a, not a.
                        after[at + 1] |= at + 1 == self.names.len();
                    }
                    Name::Of(tokens) => after[at + 1] |= name_matches(tokens, &part),
                }
            }
            self.pass_directories(&mut after);
            if after[self.names.len()] {
                return true;
            }
            next = after;
        }
        false
    }

    /// `**` also stands for no directory, but not at the end.
    fn pass_directories(&self, next: &mut [bool]) {
        for (at, name) in self.names.iter().enumerate() {
            if next[at] && *name == Name::AnyDirectories && at + 1 < self.names.len() {
                next[at + 1] = true;
            }
        }
    }

    /// The path below which everything lies that the pattern can name; empty: the work directory itself.
    #[must_use]
    pub fn root(&self) -> String {
        let plain = |name: &Name| match name {
            Name::AnyDirectories => None,
            Name::Of(tokens) => {
                tokens.iter().map(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
            }
        };
        let names: Vec<String> = self.names.iter().map_while(plain).collect();
        names.join("/")
    }
}

fn name(text: &str) -> Result<Name, BadPattern> {
    let bad = |why, allowed| Err(BadPattern { why, allowed });
    match text {
        "" => return bad("the pattern has an empty name", "single slashes between names"),
        "." => return bad("the pattern has the name `.`", "names of files and directories"),
        ".." => return bad("the pattern leads upwards", "a path inside the work directory"),
        "**" => return Ok(Name::AnyDirectories),
        _ if text.contains("**") => return bad("`**` is a part of a name", "`**` alone between slashes"),
        _ => {}
    }
    let mut tokens = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' => Token::Many,
            '?' => Token::Any,
            '[' => {
                let Some((set, behind)) = set(rest.as_str()) else {
                    return bad("a bracket is not closed in its name", "[ab], [a-z] or [!a-z]; `[[]` for a bracket");
                };
                rest = behind.chars();
                set
            }
            c => Token::Char(c),
        });
    }
    Ok(Name::Of(tokens))
}

/// Reads a set behind its `[`; `]` as the first member stands for itself.
fn set(text: &str) -> Option<(Token, &str)> {
    let negated = text.starts_with(['!', '^']) && !text[1..].starts_with(']');
    let mut rest = if negated { &text[1..] } else { text };
    let mut ranges = Vec::new();
    loop {
        let mut chars = rest.chars();
        let first = chars.next()?;
        if first == ']' && !ranges.is_empty() {
            return Some((Token::Set { negated, ranges }, chars.as_str()));
        }
        rest = chars.as_str();
        let mut last = first;
        if let Some(behind) = rest.strip_prefix('-')
            && let Some(to) = behind.chars().next().filter(|to| *to != ']')
        {
            last = to;
            rest = &behind[to.len_utf8()..];
        }
        ranges.push((first, last));
    }
}

/// Goes back to the last `*` only: more is never needed.
fn name_matches(tokens: &[Token], name: &[char]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        let step = match tokens.get(token) {
            Some(Token::Many) => {
                star = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::Any) => true,
            Some(Token::Char(c)) => *c == name[at],
            Some(Token::Set { negated, ranges }) => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&name[at])) != *negated
            }
            None => false,
        };
        if step {
            (token, at) = (token + 1, at + 1);
        } else if let Some((of, from)) = star {
            star = Some((of, from + 1));
            (token, at) = (of + 1, from + 1);
        } else {
            return false;
        }
    }
    tokens[token.min(tokens.len())..].iter().all(|token| *token == Token::Many)
}
