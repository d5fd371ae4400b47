//! Plain tables: aligned columns, no frames, so that they can be cut and grepped.

use comfy_table::{ContentArrangement, Table, presets};

use crate::terminal::plain;

/// Returns the rows under `header` as text with a line feed at the end of each line.
///
/// Cells are cleaned of control characters; an empty cell is written as `-`.
#[must_use]
pub fn render(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    // Never wrapped: one line per row is what `grep` and `awk` expect.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header.iter());
    for row in rows {
        table.add_row(row.iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { plain(cell) }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_blanks() {
        let text =
            render(&["NAME", "STATE"], vec![vec!["a-long-name".into(), "ok".into()], vec!["b".into(), "".into()]]);
        assert_eq!(text, "NAME         STATE\na-long-name  ok\nb            -\n");
    }
}
