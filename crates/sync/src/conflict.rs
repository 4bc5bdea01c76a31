//! The name under which the losing side of a conflict is kept.

use base::calendar::civil_from_days;
use base::{Millis, Name, limits};

/// `report.conflict-20261120T153000Z-laptop.txt` beside `report.txt`: the
/// extension stays, so that the copy opens like the original; the middle says
/// when and whose. Shortened to a legal name at the stem.
pub fn conflict_name(name: &Name, device: &str, now: Millis) -> Name {
    let device: String = device
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '-' {
                c
            } else {
                '-'
            }
        })
        .take(24)
        .collect();
    insert(name, &format!(".conflict-{}-{device}", compact_time(now)))
}

/// The same name with a number, for when it is taken.
pub fn numbered(name: &Name, number: u32) -> Name {
    insert(name, &format!("-{number}"))
}

/// Puts `mark` before the extension.
fn insert(name: &Name, mark: &str) -> Name {
    // A dot in front hides a file; it does not begin an extension.
    let (stem, extension) = match name.as_str().rfind('.') {
        Some(dot) if dot > 0 && name.as_str().len() - dot <= 16 => name.as_str().split_at(dot),
        _ => (name.as_str(), ""),
    };
    let room = limits::NAME_BYTES.saturating_sub(mark.len() + extension.len());
    let mut end = stem.len().min(room);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    Name::new(&format!("{}{mark}{extension}", &stem[..end]))
        .expect("parts of a name without separators, shortened")
}

/// `20261120T153000Z` (ISO 8601 basic format).
fn compact_time(now: Millis) -> String {
    let seconds = now / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days as i64);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let now = 1_795_188_600_000; // 2026-11-20 15:30:00 UTC
        for (name, expected) in [
            (
                "report.txt",
                "report.conflict-20261120T153000Z-my-laptop.txt",
            ),
            ("Makefile", "Makefile.conflict-20261120T153000Z-my-laptop"),
            (".profile", ".profile.conflict-20261120T153000Z-my-laptop"),
            ("a.tar.gz", "a.tar.conflict-20261120T153000Z-my-laptop.gz"),
        ] {
            assert_eq!(
                conflict_name(&Name::new(name).unwrap(), "my laptop", now).as_str(),
                expected
            );
        }
        let long = Name::new(&format!("{}.txt", "ü".repeat(125))).unwrap();
        let copy = conflict_name(&long, "x", now);
        assert!(copy.as_str().len() <= 255 && copy.as_str().ends_with("-x.txt"));
        assert_eq!(
            numbered(&Name::new("a.txt").unwrap(), 2).as_str(),
            "a-2.txt"
        );
    }
}
