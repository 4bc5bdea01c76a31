//! Columns of text, as wide as what is in them.

use sync::printable::printable;

/// Between two columns.
const GAP: &str = "  ";

/// Rows beneath headings; the last column is one of numbers.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With so many columns as there are `headings`.
    pub fn new(headings: Vec<String>) -> Self {
        let mut table = Self::default();
        table.add(headings);
        table
    }

    /// Adds a row, as long as the others.
    pub fn add(&mut self, row: Vec<String>) {
        let row = row.into_iter().map(|cell| printable(&cell).into_owned());
        self.rows.push(row.collect());
    }

    /// All of it, ready to be written.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(move |row| {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| match column + 1 == columns {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                });
            cells.collect::<Vec<_>>().join(GAP)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let mut table = Table::new(row(["cpu", "mode", "value"]));
        table.add(row(["0", "idle", "0.5"]));
        table.add(row(["10", "übrig\x1b", "12345678"]));
        let lines: Vec<_> = table.lines().collect();
        let expected = [
            "cpu  mode            value",
            "0    idle              0.5",
            "10   übrig\\u001b  12345678",
        ];
        assert_eq!(lines, expected);
    }
}
