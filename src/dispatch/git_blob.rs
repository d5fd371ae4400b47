//! Git's name of a file's contents.

use sha1::{Digest as _, Sha1};

/// Returns the id that git gives a file with this text: what `git hash-object` says in a repository with SHA-1 names.
///
/// It tells whether two files are the same. It is no proof against somebody who makes two files with one SHA-1.
#[must_use]
pub fn git_blob_id(text: &[u8]) -> String {
    let mut sum = Sha1::new();
    sum.update(format!("blob {}\0", text.len()));
    sum.update(text);
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_named_as_git_names_it() {
        // `git hash-object --stdin </dev/null`, and of `printf 'hello\n'`.
        assert_eq!(git_blob_id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(git_blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
