//! Tests: a small seeded generator (`SplitMix64`), so that every failure can be run again from its seed.

pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// Random bytes that are rich in what the filter and the line breaker care about.
    pub(super) fn bytes_like_output(&mut self, about: usize) -> Vec<u8> {
        const PIECES: &[&[u8]] = &[
            b"\x1b[31m",
            b"\x1b[0m",
            b"\x1b[m",
            b"\x1b[8m",
            b"\x1b[2J",
            b"\x1b[?25l",
            b"\x1b]0;title\x07",
            b"\x1b]52;c;aGk=\x1b\\",
            b"\x1bP1;2q\x1b\\",
            b"\x1b",
            b"\x1b[",
            b"\x1b]",
            b"\x9b",
            b"\xc2\x9b1m",
            b"\x9d",
            b"\x1b(B",
            b"\x1bc",
            b"\x07",
            b"\x08",
            b"\x0e",
            b"\x7f",
            b"\t",
            b"\r",
            b"\n",
            b"\r\n",
            b"\xff",
            b"\xc3",
            b"\xe2\x82",
            b"\x00",
            b"\x18",
            b"\x9c",
            b"\xc2\x9c",
            b"\x1b[38;5;8m",
            b"\x1b_x",
            b"\x1b^y\x1b\\",
        ];
        let mut bytes = Vec::new();
        while bytes.len() < about {
            match self.below(8) {
                0 | 1 => bytes.extend_from_slice(PIECES[self.below(PIECES.len())]),
                2 => bytes.push(self.next().to_le_bytes()[0]),
                3 => bytes.extend_from_slice("é€😀界".as_bytes()),
                4 if about > 100_000 => bytes.extend(std::iter::repeat_n(b'y', self.below(40_000))),
                _ => bytes.extend(std::iter::repeat_n(b'a' + self.next().to_le_bytes()[0] % 26, self.below(12))),
            }
        }
        bytes
    }
}
