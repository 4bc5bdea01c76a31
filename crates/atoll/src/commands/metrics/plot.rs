//! Series over time, drawn in characters: one as a line of braille dots, several by a mark
//! for each, which tells them apart without colours too.

use super::axis::{Values, moments};
use super::screen::Screen;

/// A point: milliseconds since 1970, and a value.
pub type Point = (i64, f64);

/// What stands for each of several series; more could not be told apart.
pub const MARKS: [char; 8] = ['*', 'o', '+', 'x', '#', '@', '%', '&'];

/// Their colours on a terminal, as SGR parameters (ECMA-48 8.3.117).
const COLOURS: [u8; 8] = [36, 33, 32, 35, 34, 31, 96, 93];

/// Dots of a braille character, by row and column (Unicode 2800 to 28FF).
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Columns of a text on the axis of time, with what keeps it from the next.
const MOMENT: usize = 11;

/// Where a plot is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Milliseconds since 1970 at its left edge, and at its right.
    pub start: i64,
    pub end: i64,
    /// From one point of a series to the next; where more lies between, there is a gap.
    pub step: i64,
    /// Lines, without the axis of time.
    pub rows: usize,
    pub screen: Screen,
}

/// What is at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Cell {
    #[default]
    Empty,
    Dots(u8),
    Mark(usize),
}

/// Cells, and the values and times they stand for.
struct Canvas<'a> {
    frame: &'a Frame,
    values: &'a Values,
    columns: usize,
    cells: Vec<Cell>,
}

/// The lines of a plot of up to as many series as there are [`MARKS`]; none where there is
/// no finite value.
pub fn lines(frame: &Frame, series: &[Vec<Point>]) -> Vec<String> {
    let points = series.iter().flatten().map(|&(_, value)| value);
    let finite = points.filter(|value| value.is_finite());
    let Some((low, high)) = finite.fold(None, |bounds: Option<(f64, f64)>, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    }) else {
        return Vec::new();
    };
    // A text on every third line is as dense as can be read.
    let values = Values::new(low, high, (frame.rows / 3).max(2));
    let gutter = values
        .ticks()
        .map(|(_, text)| text.len())
        .max()
        .unwrap_or_default();
    let columns = frame.screen.columns.saturating_sub(gutter + 2).max(1);
    let mut canvas = Canvas {
        frame,
        values: &values,
        columns,
        cells: vec![Cell::Empty; columns * frame.rows],
    };
    match series {
        [only] => canvas.draw_line(only),
        several => (0..several.len()).for_each(|index| canvas.draw_marks(index, &several[index])),
    }
    let mut lines = canvas.rows(gutter);
    lines.extend(canvas.time_axis(gutter));
    lines
}

/// The mark of a series among `of`, as it is drawn.
pub fn mark(index: usize, of: usize, screen: Screen) -> String {
    let mark = if of == 1 {
        '⠒'
    } else {
        MARKS[index % MARKS.len()]
    };
    painted(&mark.to_string(), index, screen)
}

fn painted(text: &str, index: usize, screen: Screen) -> String {
    match screen.is_coloured {
        true => format!("\x1b[{}m{text}\x1b[m", COLOURS[index % COLOURS.len()]),
        false => text.to_owned(),
    }
}

impl Canvas<'_> {
    fn draw_line(&mut self, points: &[Point]) {
        let mut before: Option<(i64, (usize, usize))> = None;
        for &(time, value) in points {
            let Some(place) = self.place(time, value, 2, 4) else {
                before = None;
                continue;
            };
            let joined = before.filter(|(earlier, _)| time - earlier <= self.frame.step * 3 / 2);
            self.draw_dots(joined.map_or(place, |(_, from)| from), place);
            before = Some((time, place));
        }
    }

    /// All dots on the way from one to another.
    fn draw_dots(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1));
        for step in 0..=steps {
            let part = step as f64 / steps.max(1) as f64;
            let between = |a: usize, b: usize| (a as f64 + (b as f64 - a as f64) * part).round();
            let (x, y) = (
                between(from.0, to.0) as usize,
                between(from.1, to.1) as usize,
            );
            let cell = &mut self.cells[y / 4 * self.columns + x / 2];
            let dots = if let Cell::Dots(dots) = cell {
                *dots
            } else {
                0
            };
            *cell = Cell::Dots(dots | DOTS[y % 4][x % 2]);
        }
    }

    fn draw_marks(&mut self, index: usize, points: &[Point]) {
        for &(time, value) in points {
            if let Some((x, y)) = self.place(time, value, 1, 1) {
                self.cells[y * self.columns + x] = Cell::Mark(index);
            }
        }
    }

    /// Where a point is, from the left and from the top, if each cell is `wide` by `high`.
    fn place(&self, time: i64, value: f64, wide: usize, high: usize) -> Option<(usize, usize)> {
        let Frame {
            start, end, rows, ..
        } = *self.frame;
        if !value.is_finite() || !(start..=end).contains(&time) {
            return None;
        }
        let right = (time - start) as f64 / (end - start).max(1) as f64;
        let down = (self.values.high - value) / (self.values.high - self.values.low);
        let x = (right * (self.columns * wide - 1) as f64).round() as usize;
        let y = (down.clamp(0.0, 1.0) * (rows * high - 1) as f64).round() as usize;
        Some((x, y))
    }

    /// The axis of values, and the cells beside it.
    fn rows(&self, gutter: usize) -> Vec<String> {
        let start = self.frame.start;
        let mut texts = vec![None; self.frame.rows];
        for (value, text) in self.values.ticks() {
            if let Some((_, row)) = self.place(start, value, 1, 1) {
                texts[row] = Some(text);
            }
        }
        let rows = self.cells.chunks(self.columns).zip(texts);
        rows.map(|(cells, text)| {
            let line = if text.is_some() { '┤' } else { '│' };
            let text = text.unwrap_or_default();
            let cells = cells.iter().map(|cell| self.shown(*cell));
            let row = format!("{text:>gutter$} {line}{}", cells.collect::<String>());
            row.trim_end().to_owned()
        })
        .collect()
    }

    fn shown(&self, cell: Cell) -> String {
        match cell {
            Cell::Empty => " ".to_owned(),
            Cell::Dots(dots) => {
                let character = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
                painted(&character.to_string(), 0, self.frame.screen)
            }
            Cell::Mark(index) => {
                let mark = MARKS[index % MARKS.len()].to_string();
                painted(&mark, index, self.frame.screen)
            }
        }
    }

    /// The axis of time, and its texts below.
    fn time_axis(&self, gutter: usize) -> [String; 2] {
        let Frame { start, end, .. } = *self.frame;
        let mut axis = vec!['─'; self.columns];
        let mut texts = vec![' '; self.columns];
        let mut free = 0;
        for (moment, text) in moments(start, end, self.columns / MOMENT) {
            let Some((column, _)) = self.place(moment, self.values.low, 1, 1) else {
                continue;
            };
            axis[column] = '┬';
            let at = column
                .saturating_sub(text.len() / 2)
                .min(self.columns.saturating_sub(text.len()));
            if at < free {
                continue;
            }
            for (place, character) in texts[at..].iter_mut().zip(text.chars()) {
                *place = character;
            }
            free = at + text.len() + 1;
        }
        let indent = " ".repeat(gutter + 1);
        let texts: String = texts.iter().collect();
        [
            format!("{indent}└{}", axis.iter().collect::<String>()),
            format!("{indent} {}", texts.trim_end()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(columns: usize, is_coloured: bool) -> Frame {
        Frame {
            start: 0,
            end: 60_000,
            step: 5000,
            rows: 5,
            screen: Screen {
                columns,
                is_coloured,
            },
        }
    }

    #[track_caller]
    fn check(frame: &Frame, series: &[Vec<Point>], expected: &[&str]) {
        let lines = lines(frame, series);
        assert_eq!(lines, expected, "\n{}", lines.join("\n"));
        for line in lines {
            assert!(line.chars().count() <= frame.screen.columns);
        }
    }

    #[test]
    fn one_series_is_a_line_with_gaps() {
        let points = (0..=12)
            .filter(|step| *step != 6)
            .map(|step| (step * 5000, step as f64));
        let expected = [
            "20 ┤",
            "   │",
            "10 ┤                      ⢀⣀⣀⡠⠤⠤⠤⠤⠤⠔⠒⠒⠊⠉",
            "   │           ⣀⣀⣀⠤⠄    ⠈⠉⠁",
            " 0 ┤⣀⣀⠤⠤⠤⠒⠒⠒⠉⠉⠉",
            "   └┬─────────────────┬────────────────┬",
            "    00:00:00      00:00:30      00:01:00",
        ];
        check(&frame(40, false), &[points.collect()], &expected);
    }

    #[test]
    fn several_series_have_marks() {
        let rising = (0..=12).map(|step| (step * 5000, step as f64)).collect();
        let falling = (0..=12)
            .map(|step| (step * 5000, 12.0 - step as f64))
            .collect();
        let expected = [
            "20 ┤",
            "   │",
            "10 ┤o  o  o  o  o          *  *  *  *  *",
            "   │         *  *  o  o o  o  o",
            " 0 ┤*  *  *                      o  o  o",
            "   └┬─────────────────┬────────────────┬",
            "    00:00:00      00:00:30      00:01:00",
        ];
        check(&frame(40, false), &[rising, falling], &expected);
    }

    #[test]
    fn what_is_not_finite_is_not_drawn() {
        let none = vec![(0, f64::NAN), (5000, f64::INFINITY)];
        check(&frame(40, false), &[none], &[]);
    }

    #[test]
    fn colours_are_added_where_they_may_be() {
        let lines = lines(&frame(40, true), &[vec![(0, 1.0)], vec![(0, 1.1)]]);
        assert!(lines.iter().any(|line| line.contains("\x1b[33mo\x1b[m")));
        assert_eq!(mark(1, 2, frame(40, true).screen), "\x1b[33mo\x1b[m");
        assert_eq!(mark(1, 2, frame(40, false).screen), "o");
    }
}
