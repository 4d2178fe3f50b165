//! Takes keys from a table one by one; what is left over becomes a diagnostic.
//!
//! A reader knows by `keys.rs` which keys its table may hold, what type they have and what holds without them. A wrong
//! value is reported and the default goes on in its place, so that the rest of the text is still looked at.

use crate::diagnostic::{Bag, Diagnostic};
use crate::keys::{self, Fallback, Key, Kind, MILLIS_MAX};
use crate::span::Span;
use crate::{suggest, words};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// How many entries are looked at for one that is a misspelt required key; no sound table has as many.
const ENTRIES_COMPARED_MAX: usize = 100;

/// A value with its place.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    /// The key as a path from the top: `process.server.command`.
    pub(crate) path: String,
    /// Where the key is.
    pub(crate) key: Span,
    /// What it holds.
    pub(crate) value: &'a DeValue<'a>,
    /// Where that is.
    pub(crate) span: Span,
}

/// A string with its place.
#[derive(Clone)]
pub(crate) struct Text<'a> {
    /// The key that holds it, as a path from the top.
    pub(crate) path: String,
    /// The string.
    pub(crate) value: &'a str,
    /// Where it is, quotes included.
    pub(crate) span: Span,
}

/// A table that is being taken apart.
pub(crate) struct Reader<'a> {
    bag: &'a Bag<'a>,
    /// The kinds of tables in `keys.rs` whose keys it may hold.
    tables: Vec<&'static str>,
    /// The table as a path from the top; empty for the top itself.
    path: String,
    /// Where it is named.
    span: Span,
    entries: &'a DeTable<'a>,
    taken: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// The whole text.
    pub(crate) fn top(bag: &'a Bag<'a>, entries: &'a DeTable<'a>) -> Self {
        Self { bag, tables: vec!["top"], path: String::new(), span: 0..0, entries, taken: Vec::new() }
    }

    /// The table that an item must be, holding keys of the kind `table`.
    pub(crate) fn of(bag: &'a Bag<'a>, item: &Item<'a>, table: &'static str) -> Option<Self> {
        let Some(entries) = item.value.as_table() else {
            bag.add(words::wrong_type(item, "a table"));
            return None;
        };
        let span = if item.key.is_empty() { item.span.clone() } else { item.key.clone() };
        Some(Self { bag, tables: vec![table], path: item.path.clone(), span, entries, taken: Vec::new() })
    }

    /// Lets the table hold the keys of one more kind: those of a probe's `kind` or of a step's `action`.
    pub(crate) fn allow(&mut self, table: &'static str) {
        self.tables.push(table);
    }

    /// Where the table is named.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The table as a path from the top.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The table's name in messages.
    pub(crate) fn title(&self) -> String {
        match self.path.as_str() {
            "" => "the config".to_owned(),
            // Elements of lists have no header of their own.
            path if path.contains('[') => format!("`{path}`"),
            path => format!("`[{path}]`"),
        }
    }

    /// A key's value. The key must be in `keys.rs`.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Item<'a>> {
        let key = keys::find(&self.tables, name);
        debug_assert!(key.is_some(), "'{name}' is no key of {:?} in keys.rs", self.tables);
        self.taken.push(name);
        let (written, value) = self.entries.get_key_value(name)?;
        #[cfg(test)]
        tests::TAKEN.with_borrow_mut(|taken| taken.extend(key.map(|key| (key.table, key.name))));
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Some(Item { path, key: written.span(), value: value.get_ref(), span: value.span() })
    }

    /// A key's value, reported when the table says that it is required and it is not there.
    fn expect(&mut self, name: &'static str) -> Option<Item<'a>> {
        let item = self.take(name);
        let required = keys::find(&self.tables, name).filter(|key| key.fallback == Fallback::Required);
        if let (None, Some(key)) = (&item, required) {
            self.report_missing(key);
        }
        item
    }

    /// Reports a required key that is not there, unless `finish` will say that it is misspelt.
    pub(crate) fn report_missing(&self, key: &Key) {
        let misspelt = self
            .entries
            .keys()
            .take(ENTRIES_COMPARED_MAX)
            .find(|written| self.meant(written.get_ref()) == Some(key.name));
        if misspelt.is_none() {
            self.bag.add_missing(words::missing_key(self.span(), &self.title(), key));
        }
    }

    /// What an unknown key was most likely meant to be.
    fn meant(&self, name: &str) -> Option<&'static str> {
        if keys::find(&self.tables, name).is_some() || self.bag.is_full() {
            return None;
        }
        suggest::nearest(name, keys::names_of(&self.tables))
    }

    /// A string without NUL.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<Text<'a>> {
        let item = self.expect(name)?;
        text_of(self.bag, &item)
    }

    /// A list of strings; what is no string is reported and left out. None when the key is not there or no list.
    pub(crate) fn texts(&mut self, name: &'static str) -> Option<(Item<'a>, Vec<Text<'a>>)> {
        let item = self.expect(name)?;
        let Some(array) = item.value.as_array() else {
            self.bag.add(words::wrong_type(&item, "a list of strings"));
            return None;
        };
        let texts = array.iter().filter_map(|element| {
            let element =
                Item { path: item.path.clone(), key: item.key.clone(), value: element.get_ref(), span: element.span() };
            text_of(self.bag, &element)
        });
        let texts = texts.collect();
        Some((item, texts))
    }

    /// `true` or `false`.
    pub(crate) fn switch(&mut self, name: &'static str) -> bool {
        let default = self.default(name) == "true";
        let Some(item) = self.take(name) else { return default };
        item.value.as_bool().unwrap_or_else(|| {
            self.bag.add(words::wrong_type(&item, "true or false"));
            default
        })
    }

    /// Milliseconds, or the default.
    pub(crate) fn millis(&mut self, name: &'static str) -> Duration {
        let default = self.default(name).parse().unwrap_or(0);
        Duration::from_millis(self.integer(name).and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
    }

    /// Milliseconds, if the key is there.
    pub(crate) fn millis_if_any(&mut self, name: &'static str) -> Option<Duration> {
        self.integer(name).and_then(|value| u64::try_from(value).ok()).map(Duration::from_millis)
    }

    /// A small number, or the default.
    pub(crate) fn small(&mut self, name: &'static str) -> usize {
        let default = self.default(name).parse().unwrap_or(0);
        self.integer(name).and_then(|value| usize::try_from(value).ok()).unwrap_or(default)
    }

    /// An integer in the range that the key's kind allows.
    fn integer(&mut self, name: &'static str) -> Option<i64> {
        let item = self.expect(name)?;
        let (least, most) = match keys::find(&self.tables, name)?.kind {
            Kind::Millis { least } => (least, MILLIS_MAX),
            Kind::Small { least } => (least, 255),
            Kind::Text | Kind::Texts | Kind::Switch | Kind::Word(_) | Kind::Table | Kind::Tables => return None,
        };
        let Some(integer) = item.value.as_integer() else {
            self.bag.add(words::wrong_type(&item, "an integer"));
            return None;
        };
        let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = value.filter(|value| (least..=most).contains(value));
        if value.is_none() {
            self.bag.add(words::out_of_range(&item, least, most));
        }
        value
    }

    /// What the key's word means, or the default; none when it is a wrong word or required and not there. `meanings`
    /// has exactly the words of `keys.rs`.
    pub(crate) fn choice<T: Copy>(&mut self, name: &'static str, meanings: &[(&'static str, T)]) -> Option<T> {
        let known = keys::find(&self.tables, name).map(|key| key.kind);
        debug_assert!(
            matches!(known, Some(Kind::Word(words)) if words.iter().eq(meanings.iter().map(|(word, _)| word))),
            "the words of '{name}' are not those of keys.rs"
        );
        let meaning = |word: &str| meanings.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
        let default = meaning(self.default(name));
        let Some(item) = self.expect(name) else { return default };
        let Some(word) = item.value.as_str() else {
            self.bag.add(words::wrong_type(&item, "a string"));
            return None;
        };
        let found = meaning(word);
        if found.is_none() {
            let words: Vec<&str> = meanings.iter().map(|(word, _)| *word).collect();
            self.bag.add(words::unknown_word(&item, word, &words));
        }
        found
    }

    /// A table of keys of the kind `table`, if the key is there.
    pub(crate) fn table(&mut self, name: &'static str, table: &'static str) -> Option<Self> {
        let item = self.expect(name)?;
        Self::of(self.bag, &item, table)
    }

    /// A list of tables, each with its number as its name.
    pub(crate) fn tables(&mut self, name: &'static str) -> Vec<Item<'a>> {
        let Some(item) = self.expect(name) else { return Vec::new() };
        let Some(array) = item.value.as_array() else {
            self.bag.add(words::wrong_type(&item, "a list of tables"));
            return Vec::new();
        };
        let numbered = array.iter().enumerate().map(|(index, element)| Item {
            path: format!("{}[{index}]", item.path),
            // An element has no key of its own: it is named by where it stands.
            key: element.span().start..element.span().start,
            value: element.get_ref(),
            span: element.span(),
        });
        numbered.collect()
    }

    /// The entries of a table whose keys are the user's own; empty when it is not there, none when it is no table.
    pub(crate) fn own_entries(&mut self, name: &'static str) -> Option<Vec<(Text<'a>, Item<'a>)>> {
        let Some(item) = self.take(name) else { return Some(Vec::new()) };
        let Some(entries) = item.value.as_table() else {
            self.bag.add(words::wrong_type(&item, "a table"));
            return None;
        };
        let own = entries.iter().map(|(key, value)| {
            let path = format!("{}.{}", item.path, words::quoted(key.get_ref()));
            let name = Text { path: path.clone(), value: key.get_ref(), span: key.span() };
            (name, Item { path, key: key.span(), value: value.get_ref(), span: value.span() })
        });
        Some(own.collect())
    }

    /// Where a key is written, if it is.
    pub(crate) fn place(&self, name: &str) -> Option<Span> {
        self.entries.get_key_value(name).map(|(key, _)| key.span())
    }

    /// Reports what nobody took.
    pub(crate) fn finish(self) {
        self.report_leftovers(|name| self.taken.contains(&name));
    }

    /// Reports what none of some kinds of tables may hold. For a table whose `kind` or `action` is unknown: nobody can
    /// say which of the other keys are right, but some are wrong in any case.
    pub(crate) fn finish_unsure(mut self, tables: impl IntoIterator<Item = &'static str>) {
        self.tables.extend(tables);
        self.report_leftovers(|name| keys::find(&self.tables, name).is_some());
    }

    fn report_leftovers(&self, is_taken: impl Fn(&str) -> bool) {
        for (key, _) in self.entries {
            let name: &str = key.get_ref();
            if is_taken(name) {
                continue;
            }
            if self.bag.is_full() {
                self.bag.count_error();
                continue;
            }
            let meant = self.meant(name);
            self.bag.add(words::unknown_key(key.span(), &self.tables, &self.title(), name, meant));
        }
    }

    /// The key's default as the table writes it.
    fn default(&self, name: &str) -> &'static str {
        match keys::find(&self.tables, name) {
            Some(Key { fallback: Fallback::Value(value), .. }) => value,
            _ => "",
        }
    }
}

/// The string that an item must be.
pub(crate) fn text_of<'a>(bag: &Bag<'_>, item: &Item<'a>) -> Option<Text<'a>> {
    let Some(value) = item.value.as_str() else {
        bag.add(words::wrong_type(item, "a string"));
        return None;
    };
    if value.contains('\0') {
        let nul = Diagnostic::error(item.span.clone(), format!("`{}` holds a NUL character", item.path));
        bag.add(nul.saying("holds \\u0000").hint("remove it"));
        return None;
    }
    Some(Text { path: item.path.clone(), value, span: item.span.clone() })
}

#[cfg(test)]
mod tests {
    use crate::keys::KEYS;
    use crate::place::Place;
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local! {
        /// Keys that were found and taken by loads of this thread.
        pub(super) static TAKEN: RefCell<BTreeSet<(&'static str, &'static str)>> =
            const { RefCell::new(BTreeSet::new()) };
    }

    #[test]
    fn every_key_of_the_table_is_taken_from_a_config_that_sets_all() {
        TAKEN.take();
        let place = Place { folder: "/home/me/site".into() };
        let loaded = crate::load(include_str!("../tests/accepts/every_key.toml"), &place);
        assert_eq!(loaded.diagnostics, []);
        let known: BTreeSet<_> = KEYS.iter().map(|key| (key.table, key.name)).collect();
        assert_eq!(TAKEN.take(), known);
    }
}
