//! The nearest known word for a misspelt one.

/// How many candidates are compared: a text with thousands of names must not cost minutes.
const CANDIDATES_MAX: usize = 1000;

/// The candidate that was most likely meant, if one is near enough.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word_plain = plain(word);
    if word_plain.is_empty() {
        return None;
    }
    // One slip is forgiven, in longer words one for every three letters; in a single letter it would make any other
    // letter out of it.
    let letters = word_plain.chars().count();
    let slips_max = (letters / 3).max(1).min(letters - 1);
    let near = candidates.into_iter().take(CANDIDATES_MAX).filter_map(|candidate| {
        let candidate_plain = plain(candidate);
        if candidate_plain.len().abs_diff(word_plain.len()) > slips_max * 4 {
            return None;
        }
        let slips = strsim::damerau_levenshtein(&word_plain, &candidate_plain);
        let is_start = word_plain.len() >= 3
            && (candidate_plain.starts_with(&word_plain) || word_plain.starts_with(&candidate_plain));
        (slips <= slips_max || is_start).then_some((slips, candidate))
    });
    near.min_by_key(|(slips, _)| *slips).map(|(_, candidate)| candidate)
}

/// Case and the kind of dash are no differences worth counting.
fn plain(word: &str) -> String {
    word.chars().take(128).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_case_and_dashes_are_forgiven() {
        let keys = ["command", "cwd", "on_busy", "restart", "restart_delay_ms"];
        assert_eq!(nearest("comand", keys), Some("command"));
        assert_eq!(nearest("On-Busy", keys), Some("on_busy"));
        assert_eq!(nearest("restart_delay", keys), Some("restart_delay_ms"));
        assert_eq!(nearest("cdw", keys), Some("cwd"));
    }

    #[test]
    fn a_word_that_is_like_none_has_no_suggestion() {
        assert_eq!(nearest("colour", ["command", "cwd"]), None);
        assert_eq!(nearest("", ["a", "bc"]), None);
        assert_eq!(nearest("c", ["a", "b"]), None);
    }
}
