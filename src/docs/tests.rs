//! What a reader of a terminal page may rely on.

use super::{TOPICS, index, nearest, render, topic, width};
use expect_test::{Expect, expect};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

fn check(markdown: &str, columns: usize, page: &Expect) {
    // The first line stands at the left, so that the snapshot keeps the indentation of the others.
    page.assert_eq(&format!("page:\n{}", render(markdown, columns, false)));
}

/// A page without its SGR sequences.
fn bare(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    text + rest
}

#[test]
fn the_index_begins_with_its_fixed_line_with_and_without_colors() {
    for colors in [false, true] {
        let page = index(80, colors);
        assert_eq!(page.lines().next(), Some("DEVLOOP DOCUMENTATION"));
        for topic in TOPICS {
            assert!(page.contains(topic.name), "{} is not listed", topic.name);
        }
    }
}

#[test]
fn the_fixed_topics_are_there() {
    for name in ["config", "behavior", "security", "development", "artifacts"] {
        assert!(topic(name).is_some(), "{name} is missing");
    }
    assert!(topic("CONFIG").is_some(), "case does not matter");
    assert!(topic("confug").is_none());
}

#[test]
fn a_misspelt_topic_has_a_nearest_one_and_nonsense_has_none() {
    let suggestion = |name| nearest(name).map(|topic| topic.name);
    assert_eq!(suggestion("confug"), Some("config"));
    assert_eq!(suggestion("behaviour"), Some("behavior"));
    assert_eq!(suggestion("Artefacts"), Some("artifacts"));
    assert_eq!(suggestion("dev"), Some("development"));
    assert_eq!(suggestion("changes"), Some("changelog"));
    assert_eq!(suggestion("zzz"), None);
    assert_eq!(suggestion(""), None);
}

#[test]
fn every_topic_says_something_begins_with_a_title_and_fits_the_page() {
    for topic in TOPICS {
        assert!(topic.text.starts_with("# "), "{} has no title", topic.name);
        assert!(topic.text.len() > 200, "{} says nothing", topic.name);
        for columns in [80, 100] {
            let page = render(topic.text, columns, false);
            for line in page.lines().filter(|line| !line.starts_with("      ")) {
                assert!(line.width() <= columns, "{}: {line}", topic.name);
            }
        }
    }
}

#[test]
fn no_page_has_a_stray_escape_a_blank_at_a_line_end_or_two_blank_lines() {
    for topic in TOPICS {
        let page = render(topic.text, 80, false);
        assert!(!page.contains('\x1b'));
        assert!(!page.contains("\n\n\n"), "{} has a hole", topic.name);
        assert!(!page.contains(" \n"), "{} has a trailing blank", topic.name);
        let is_marker = |line: &str| line.trim_start().starts_with("<!--");
        assert!(!page.lines().any(is_marker), "{} shows a marker", topic.name);
    }
}

#[test]
fn the_width_follows_the_terminal_within_reason() {
    assert_eq!(width(None), 80);
    assert_eq!(width(Some(72)), 72);
    assert_eq!(width(Some(240)), 100);
    assert_eq!(width(Some(0)), 20);
}

#[test]
fn headings_stand_out_without_colors_and_paragraphs_wrap() {
    check(
        "# The title\n\nSome words that\nrun on and *on* and **on** until the line is full.\n\n## A part\n\n### A detail\n\ntext\n",
        30,
        &expect![[r"
            page:
            THE TITLE

              Some words that run on and
              on and on until the line is
              full.

            A part
            ──────

            A detail

              text
        "]],
    );
}

#[test]
fn lists_nest_and_hang() {
    check(
        "- one two three four five six\n  - inner words that wrap around\n- last\n\n1. first\n2. second\n\n9. loose\n\n   more\n\n10. end\n",
        24,
        &expect![[r"
            page:
              - one two three four
                five six
                - inner words that
                  wrap around
              - last

              1. first

              2. second

              3. loose

                 more

              4. end
        "]],
    );
}

#[test]
fn a_table_is_aligned_by_display_width_and_its_cells_wrap() {
    check(
        "| key | means | n |\n|---|:-:|--:|\n| `a` | 日本語 | 1 |\n| bb | some words that are too long for it | 200 |\n",
        34,
        &expect![[r"
            page:
              key          means             n
              ───  ──────────────────────  ───
              `a`          日本語            1
              bb    some words that are    200
                      too long for it
        "]],
    );
}

#[test]
fn a_word_that_is_wider_than_its_column_is_cut() {
    check(
        "abcdefghijklmnopqrstuvwxyz\n\n| a | b |\n|-|-|\n| abcdefghijklmnopqrstuvwxyz | x |\n",
        20,
        &expect![[r"
            page:
              abcdefghijklmnopqr
              stuvwxyz

              a                b
              ───────────────  ─
              abcdefghijklmno  x
              pqrstuvwxyz
        "]],
    );
}

#[test]
fn code_is_indented_and_never_wrapped() {
    check(
        "Run:\n\n```console\n$ devloop run --config some/rather/long/path.toml\n\n  # indented\n```\n\n- item\n\n  ```toml\n  a = 1\n  ```\n",
        30,
        &expect![[r"
            page:
              Run:

                  $ devloop run --config some/rather/long/path.toml

                    # indented

              - item

                    a = 1
        "]],
    );
}

#[test]
fn quotes_rules_breaks_and_links_have_their_form_and_comments_have_none() {
    check(
        "> said\n> so\n\n---\n\none\\\ntwo [here](config.md) and [there](https://example.org/a)\n\n<!-- keys: process -->\n<!-- /keys -->\n\nend<!-- x -->\n",
        50,
        &expect![[r"
            page:
              │ said so

              ────────────────────────────────────────────────

              one
              two here and there (https://example.org/a)

              end
        "]],
    );
}

#[test]
fn colors_add_sequences_and_nothing_else() {
    let text = "# T\n\nA **bold *both*** word, `code here`, [link](x.md).\n\n| a |\n|---|\n| b |\n";
    let page = render(text, 60, true);
    assert!(page.contains("\x1b[1;3mboth\x1b[0m"), "{page:?}");
    assert!(page.contains("\x1b[36mcode here\x1b[0m"), "{page:?}");
    assert!(page.contains("\x1b[4mlink\x1b[0m"), "{page:?}");
    let plain = render(text, 60, false).replace('`', "");
    assert_eq!(bare(&page), plain);
}

#[test]
fn any_text_is_drawn_at_any_width_without_a_panic() {
    let samples = [
        "",
        "|",
        "| a | b | c | d | e | f | g | h | i | j |\n|-|-|-|-|-|-|-|-|-|-|\n| 1 |\n",
        "- - - - - - - - - - - x\n",
        "> > > > > > > > > > > > x\n",
        "# \n\n```\n",
        "\u{200b}\u{301}e\u{301} 👩‍👩‍👧 日\n",
        "* a\n\n      code\n* <b>c</b>\n[x]: y\n![img](a.png)\n",
    ];
    for sample in samples {
        for columns in [0, 1, 19, 20, 33, 100, 1000] {
            for colors in [false, true] {
                let page = render(sample, columns, colors);
                assert!(page.is_empty() || page.ends_with('\n'));
            }
        }
    }
}

#[test]
fn a_generated_table_may_touch_its_markers() {
    check(
        "before\n\n<!-- keys: x -->\n| key |\n|---|\n| a |\n<!-- /keys -->\n\nafter\n",
        40,
        &expect![[r"
            page:
              before

              key
              ───
              a

              after
        "]],
    );
}

#[test]
fn every_page_of_the_folder_is_a_topic_and_every_topic_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut pages: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .collect();
    // The changelog lies where everybody looks for it, at the top.
    pages.push("changelog".to_owned());
    pages.sort();
    let mut topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
    topics.sort_unstable();
    assert_eq!(topics, pages);
}

#[test]
fn promises_are_numbered_without_a_gap_and_are_one_sentence() {
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    for line in topic("behavior").unwrap().text.lines() {
        let Some(promise) = line.strip_prefix("- `") else {
            assert!(!line.starts_with('-'), "no promise: {line}");
            continue;
        };
        let (id, sentence) = promise.split_once("` ").unwrap();
        let (subject, number) = id.rsplit_once('.').unwrap();
        assert_eq!(subject.split('.').count(), 2, "{id}");
        let before = last.entry(subject).or_insert(0);
        assert_eq!(number.parse::<u32>().unwrap(), *before + 1, "{id}");
        *before += 1;
        assert!(sentence.ends_with('.'), "{id} has no full stop");
        assert!(!sentence.contains(". "), "{id} is more than a sentence");
    }
    assert!(last.len() > 20, "the promises were not found");
}

#[test]
fn code_blocks_say_what_they_are() {
    let known = ["toml", "toml,fragment", "console", "text", "sh", "js", "html", "python", "rust"];
    for topic in TOPICS {
        let mut fences = topic.text.lines().filter_map(|line| line.strip_prefix("```"));
        while let Some(kind) = fences.next() {
            // What a reader of the page does with it stands behind the language (`docs/development.md`).
            let (language, what) = kind.split_once(' ').unwrap_or((kind, ""));
            let is_done =
                ["", "rough", "session"].contains(&what) || what.starts_with("file=") || what.starts_with("append=");
            assert!(known.contains(&language) && is_done, "{}: '{kind}'", topic.name);
            assert_eq!(fences.next(), Some(""), "{}: an open block", topic.name);
        }
    }
}
