//! A remote write 1.0 request: protobuf in snappy's block format
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>).

use super::fleet::Sample;

/// The two wire types that it has beside [`FIXED`], as in a key's low bits.
const VARINT: u8 = 0;
const BYTES: u8 = 2;

/// Eight bytes.
const FIXED: u8 = 1;

/// `WriteRequest`, one `TimeSeries` for each sample.
pub fn request(samples: &[Sample<'_>]) -> Vec<u8> {
    let mut request = Vec::new();
    for sample in samples {
        bytes(&mut request, 1, &series(sample));
    }
    let compressed = snap::raw::Encoder::new().compress_vec(&request);
    compressed.expect("a request is shorter than 4 GiB")
}

fn series(sample: &Sample<'_>) -> Vec<u8> {
    let mut series = Vec::new();
    bytes(&mut series, 1, &label("__name__", &sample.series.name));
    for (name, value) in &sample.series.labels {
        bytes(&mut series, 1, &label(name, value));
    }
    let mut point = Vec::new();
    point.push(key(1, FIXED));
    point.extend(sample.value.to_le_bytes());
    point.push(key(2, VARINT));
    varint(&mut point, sample.time.cast_unsigned());
    bytes(&mut series, 2, &point);
    series
}

fn label(name: &str, value: &str) -> Vec<u8> {
    let mut label = Vec::new();
    bytes(&mut label, 1, name.as_bytes());
    bytes(&mut label, 2, value.as_bytes());
    label
}

fn bytes(into: &mut Vec<u8>, field: u8, value: &[u8]) {
    into.push(key(field, BYTES));
    varint(into, value.len() as u64);
    into.extend_from_slice(value);
}

const fn key(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        let check = |value, expected: &[u8]| {
            let mut written = Vec::new();
            varint(&mut written, value);
            assert_eq!(written, expected);
        };
        check(0, &[0]);
        check(127, &[127]);
        check(300, &[0xac, 0x02]);
    }

    #[test]
    fn a_label_is_two_texts() {
        assert_eq!(label("a", "bc"), [0x0a, 1, b'a', 0x12, 2, b'b', b'c']);
    }
}
