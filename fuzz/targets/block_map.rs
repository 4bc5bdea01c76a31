//! Block maps: any bytes are refused or understood, and the places of an
//! understood map's chunks add up.

#![no_main]

use libfuzzer_sys::fuzz_target;
use store::blob::BlockMap;

fuzz_target!(|input: &[u8]| {
    let Ok(map) = BlockMap::decode(input) else {
        return;
    };
    assert_eq!(BlockMap::decode(&map.encode()).as_ref(), Ok(&map));
    let mut offset = 0;
    for (number, chunk) in map.chunks().iter().enumerate() {
        assert_eq!(map.start(number), offset);
        assert_eq!(map.chunk_at(offset), Some(number));
        offset += u64::from(chunk.len);
    }
    assert_eq!(map.total_len(), offset);
    assert_eq!(map.chunk_at(offset), None);
});
