//! A command's words as a line of POSIX shell that means exactly these words.

/// Returns the words quoted and joined by blanks.
#[must_use]
pub fn quote_all(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// Plain words stay as they are; others go into single quotes, where the shell reads nothing but the end.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn plain_words_stay_readable() {
        let words = |words: &[&str]| quote_all(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["uname", "-a"]), "uname -a");
        assert_eq!(words(&["echo", "a b", "", "it's", "~", "A=1"]), r"echo 'a b' '' 'it'\''s' '~' 'A=1'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_real_shell_reads_back_the_same_words(words in prop::collection::vec("[^\0]{0,12}", 1..6)) {
            let script = format!("printf '%s\\0' {}", quote_all(&words));
            let output = Command::new("sh").arg("-c").arg(&script).output().unwrap();
            let expected: Vec<u8> = words.iter().flat_map(|w| w.bytes().chain([0])).collect();
            prop_assert_eq!(output.stdout, expected, "{}", script);
        }
    }
}
