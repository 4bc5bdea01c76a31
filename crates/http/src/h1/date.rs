//! The date of responses, as RFC 9110 5.6.7 wants it. The time is an argument: a
//! driver asks its clock once a second and keeps the text.

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// `seconds` after 1970 as an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
/// The form has four digits for a year; times after 9999 are given as its end.
#[must_use]
pub fn imf_fixdate(seconds: u64) -> [u8; 29] {
    const LAST: u64 = 253_402_300_799;
    const DAY: u64 = 24 * 60 * 60;
    let seconds = seconds.min(LAST);
    let (day, second) = (seconds / DAY, seconds % DAY);
    let (year, month, day_of_month) = civil(day);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    text[..3].copy_from_slice(DAYS[(day % 7) as usize]);
    text[8..11].copy_from_slice(MONTHS[month as usize]);
    two_digits(&mut text[5..7], day_of_month);
    two_digits(&mut text[12..14], year / 100);
    two_digits(&mut text[14..16], year % 100);
    two_digits(&mut text[17..19], second / 3600);
    two_digits(&mut text[20..22], second / 60 % 60);
    two_digits(&mut text[23..25], second % 60);
    text
}

/// Year, month from 0 and day from 1 of a day after 1970. A year that begins in
/// March has its leap day last, so that months have a fixed rhythm.
fn civil(day: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let day = day + DAYS_BEFORE_1970;
    let era = day / DAYS_OF_400_YEARS;
    let day = day % DAYS_OF_400_YEARS;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = 400 * era + year + u64::from(month < 2);
    (year, month, day_of_month)
}

fn two_digits(place: &mut [u8], number: u64) {
    place[0] = b'0' + (number / 10) as u8;
    place[1] = b'0' + (number % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::imf_fixdate;

    fn check(seconds: u64, expected: &str) {
        let text = imf_fixdate(seconds);
        assert_eq!(str::from_utf8(&text), Ok(expected));
    }

    #[test]
    fn dates() {
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
        check(951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT");
        check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT");
        check(253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT");
        check(u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
