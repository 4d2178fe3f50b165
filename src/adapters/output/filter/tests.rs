//! What passes the filter and what does not.

use super::*;

const COLOURS: Look = Look { colours: true, dim: false };

fn shown_as(line: &[u8], look: Look) -> String {
    let mut out = Vec::new();
    show(line, look, &mut out);
    String::from_utf8(out).unwrap()
}

fn shown(line: &[u8]) -> String {
    shown_as(line, COLOURS)
}

#[test]
fn text_and_tabs_pass_as_they_are() {
    for text in ["", "plain", "a\tb", "größe 界 😀 \u{a0}"] {
        assert_eq!(shown(text.as_bytes()), text);
    }
}

#[test]
fn colours_pass_and_are_closed_at_the_end_of_the_line() {
    assert_eq!(shown(b"\x1b[31mred"), "\x1b[31mred\x1b[0m");
    assert_eq!(shown(b"\x1b[1;38:2::1:2:3mx\x1b[0m y"), "\x1b[1;38:2::1:2:3mx\x1b[0m y");
    assert_eq!(shown(b"\x1b[4mx\x1b[m"), "\x1b[4mx\x1b[m");
    assert_eq!(shown(b"\xc2\x9b32mx"), "\x1b[32mx\x1b[0m");
    assert_eq!(shown(b"\x9b32mx"), "\x1b[32mx\x1b[0m");
}

#[test]
fn colours_are_removed_where_the_stream_has_none() {
    assert_eq!(shown_as(b"\x1b[31mred\x1b[0m", Look { colours: false, dim: true }), "red");
}

#[test]
fn dim_is_applied_again_after_each_colour() {
    let dim = Look { colours: true, dim: true };
    assert_eq!(shown_as(b"a", dim), "\x1b[2ma\x1b[0m");
    assert_eq!(shown_as(b"a\x1b[31mb\x1b[0mc", dim), "\x1b[2ma\x1b[31m\x1b[2mb\x1b[0m\x1b[2mc\x1b[0m");
}

#[test]
fn conceal_is_dropped_and_a_colour_number_eight_is_not() {
    assert_eq!(shown(b"\x1b[8mx"), "x");
    assert_eq!(shown(b"\x1b[08;31mx"), "\x1b[31mx\x1b[0m");
    assert_eq!(shown(b"\x1b[38;5;8mx"), "\x1b[38;5;8mx\x1b[0m");
    assert_eq!(shown(b"\x1b[48;2;8;8;8;8mx"), "\x1b[48;2;8;8;8mx\x1b[0m");
    assert_eq!(shown(b"\x1b[38;8mx"), "\x1b[38mx\x1b[0m");
}

#[test]
fn every_other_sequence_is_removed_whole() {
    let sequences: &[&[u8]] = &[
        b"\x1b[2J",
        b"\x1b[10;20H",
        b"\x1b[?1049h",
        b"\x1b[>4;1m",
        b"\x1b[6n",
        b"\x1b[c",
        b"\x1b[0 q",
        b"\x1b[1$m",
        b"\x1b]0;title\x07",
        b"\x1b]8;;http://x\x1b\\",
        b"\x1b]52;c;aGk=\x07",
        b"\x1b]1337;File=:\xe2\x9c\x9c\x07",
        b"\x1bP$qm\x1b\\",
        b"\x1bP\x07q\x1b\\",
        b"\x1b_app\x1b\\",
        b"\x1b^pm\x1b\\",
        b"\x1bXsos\x1b\\",
        b"\x1b(B",
        b"\x1b#8",
        b"\x1bc",
        b"\x1b7",
        b"\x1b=",
        b"\x1bM",
        b"\x9b2J",
        b"\xc2\x9b2J",
        b"\x9d0;t\x07",
        b"\xc2\x9d0;t\xc2\x9c",
        b"\x90q\x9c",
        b"\xc2\x84",
        b"\x1b]0;cut\x18",
    ];
    for sequence in sequences {
        let line = [b"a", *sequence, b"b"].concat();
        assert_eq!(shown(&line), "ab", "{sequence:x?}");
        assert_eq!(words(&line), "ab", "{sequence:x?}");
    }
}

#[test]
fn lone_controls_are_shown_in_caret_notation() {
    assert_eq!(shown(b"\x07\x08\x0e\x0b\x0c\x00\x7f"), "^G^H^N^K^L^@^?");
    assert_eq!(shown(b"end\x1b"), "end^[");
}

#[test]
fn a_sequence_that_is_never_finished_is_shown_as_text() {
    assert_eq!(shown(b"\x1b]0;title"), "^[]0;title");
    assert_eq!(shown(b"\x1b[31"), "^[[31");
    assert_eq!(shown(b"\x9d0;title"), "\u{fffd}0;title");
    let mut long = b"\x1b]".to_vec();
    long.resize(SEQUENCE_MAX, b'x');
    let mut longest = long.clone();
    *longest.last_mut().unwrap() = 0x07;
    assert_eq!(shown(&longest), "");
    long.extend(b"\x07 after");
    let text = shown(&long);
    assert!(text.starts_with("^[]xxx") && text.ends_with("x^G after"), "{}", text.len());
}

#[test]
fn what_is_no_utf8_is_replaced() {
    assert_eq!(shown(b"a\xffb\xe2\x82c\xc3"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    assert_eq!(shown(b"\x85\xf0\x9f\x98"), "\u{fffd}\u{fffd}");
    assert_eq!(words(b"a\xff\x1b[1mb\x07"), "a\u{fffd}b");
}

#[test]
fn an_unfinished_character_or_sequence_waits_for_its_end() {
    assert_eq!(whole_prefix(b"abc"), 3);
    assert_eq!(whole_prefix(b"ab\xe2\x82"), 2);
    assert_eq!(whole_prefix(b"ab\x1b[3"), 2);
    assert_eq!(whole_prefix(b"ab\x1b]0;t\x1b"), 2);
    assert_eq!(whole_prefix(b"ab\xc2"), 2);
    assert_eq!(whole_prefix(b"ab\xff"), 3);
    assert_eq!(whole_prefix(b"ab\x1b[31m"), 7);
}

#[test]
fn a_hostile_line_costs_no_more_than_its_length_allows() {
    let began = std::time::Instant::now();
    for byte in [0x9d, 0x9b, 0x1b, 0xc2, 0xff] {
        shown(&vec![byte; 64 * 1024]);
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
}
