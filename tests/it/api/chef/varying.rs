//! What differs from run to run, as placeholders.

/// Values that were seen, in the order in which they came.
#[derive(Default)]
pub struct Varying {
    seen: Vec<(String, String)>,
}

/// The form of a value: `x` a hexadecimal digit, `9` a digit, `a` a character of URL-safe base64, `b` one of base64, else
/// itself.
const FORMS: [(&str, &str, bool); 8] = [
    ("id", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", true),
    ("request", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false),
    ("token", "\"shyu_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", true),
    ("fingerprint", "SHA256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", false),
    ("key", "AAAAC3NzaC1lZDI1NTE5AAAAbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", false),
    ("time", "9999-99-99T99:99:99.999Z", false),
    ("chef time", "9999-99-99 99:99:99", false),
    ("clock", "\"99:99:99\"", false),
];

/// Keys whose values depend on the machine or on the version.
const KEYS: [&str; 12] = [
    "port",
    "cpus",
    "memory_mib",
    "memory_bytes",
    "connections",
    "wrapper_version",
    "stop_means",
    "kernel",
    "kernel_version",
    "arch",
    "command_output",
    "log_cksum",
];

fn fits(text: &str, form: &str) -> bool {
    let good = |c: char, f: char| match f {
        'x' => c.is_ascii_hexdigit() && !c.is_ascii_uppercase(),
        '9' => c.is_ascii_digit(),
        'a' => c.is_ascii_alphanumeric() || c == '-' || c == '_',
        'b' => c.is_ascii_alphanumeric() || c == '+' || c == '/',
        f => c == f,
    };
    text.len() >= form.len()
        && text.is_char_boundary(form.len())
        && text[..form.len()].len() == form.len()
        && text[..form.len()].chars().zip(literal(form)).all(|(c, f)| match f {
            Letter::Of(f) => good(c, f),
            Letter::Itself(f) => c == f,
        })
}

enum Letter {
    Of(char),
    Itself(char),
}

/// Letters of words, such as `shyu_` and `SHA256:`, stand for themselves.
fn literal(form: &str) -> impl Iterator<Item = Letter> + '_ {
    let words = ["\"shyu_", "SHA256:", "AAAAC3NzaC1lZDI1NTE5AAAA"];
    let fixed = words.iter().find(|word| form.starts_with(**word)).map_or(0, |word| word.len());
    form.chars().enumerate().map(move |(n, f)| if n < fixed { Letter::Itself(f) } else { Letter::Of(f) })
}

impl Varying {
    /// The text with placeholders in place of what differs.
    pub fn written(&mut self, text: &str) -> String {
        let (mut rest, mut out) = (text, String::new());
        while let Some(first) = rest.chars().next() {
            if let Some((name, form, numbered)) = FORMS.iter().find(|(_, form, _)| fits(rest, form)) {
                let found = &rest[..form.len()];
                let quoted = form.starts_with('"');
                let value = found.trim_matches('"');
                let shown = if *numbered { self.number(name, value) } else { format!("{{{{{name}}}}}") };
                out += &if quoted { format!("\"{shown}\"") } else { shown };
                rest = &rest[form.len()..];
            } else if let Some((key, value)) = of_the_machine(rest) {
                out += &format!("\"{key}\":{{{{{key}}}}}");
                rest = &rest[value..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }

    fn number(&mut self, name: &str, value: &str) -> String {
        if let Some((shown, _)) = self.seen.iter().find(|(_, known)| known == value) {
            return shown.clone();
        }
        let of_name = self.seen.iter().filter(|(shown, _)| shown.starts_with(&format!("{{{{{name} "))).count();
        let shown = format!("{{{{{name} {}}}}}", of_name + 1);
        self.seen.push((shown.clone(), value.to_owned()));
        shown
    }

    /// The text with the values that its placeholders stand for.
    pub fn read(&self, text: &str) -> String {
        self.seen.iter().fold(text.to_owned(), |text, (shown, value)| text.replace(shown, value))
    }
}

/// `"KEY":VALUE` of such a key: the key, and the length of both.
fn of_the_machine(text: &str) -> Option<(&'static str, usize)> {
    let key = KEYS.into_iter().find(|key| text.starts_with(&format!("\"{key}\":")))?;
    let begins = key.len() + 3;
    let value = &text[begins..];
    if value.starts_with("null") {
        return None;
    }
    let length = match value.chars().next()? {
        '[' => value.find(']')? + 1,
        '"' => value[1..].find('"')? + 2,
        _ => value.find([',', '}'])?,
    };
    Some((key, begins + length))
}
