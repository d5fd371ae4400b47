//! Every sealed column of the schema is known to the rotation of the master key.

use std::collections::BTreeSet;
use std::fs;

use shuntyard::store::SEALED_COLUMNS;

#[test]
fn the_rotation_knows_every_sealed_column_of_the_migrations() {
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    let mut folders: Vec<_> = fs::read_dir("migrations").unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let mut table = String::new();
        for line in fs::read_to_string(folder.join("up.sql")).unwrap().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["CREATE", "TABLE", name, ..] | ["ALTER", "TABLE", name, ..] => table = name.to_owned(),
                _ => {}
            }
            if let ["ALTER", "TABLE", from, "RENAME", "TO", to] = words[..] {
                let to = to.trim_end_matches(';');
                found = found.into_iter().map(|(t, c)| (if t == from { to.to_owned() } else { t }, c)).collect();
            }
            let column = words
                .iter()
                .find(|word| word.starts_with("sealed") && words.iter().any(|word| word.starts_with("TEXT")));
            if let Some(column) = column.filter(|_| !line.trim_start().starts_with("--")) {
                found.insert((table.clone(), (*column).to_owned()));
            }
        }
    }
    let known = SEALED_COLUMNS.map(|(table, column)| (table.to_owned(), column.to_owned()));
    assert_eq!(found, BTreeSet::from(known), "enter it in src/store/sealed_columns.rs");
}
