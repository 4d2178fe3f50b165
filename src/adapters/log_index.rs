//! Tool: what a session log leaves out, in a small file beside it: when its bytes came, and how each label looked.
//!
//! Lines of text, so that a torn one at the end spoils nothing but itself:
//!
//! ```text
//! devloop log index 1
//! state state.json
//! label 32 dim build [cargo build]
//! at 4096 1795361205446
//! ```
//!
//! `at OFFSET UNIX_MS`: bytes of the log from there on came then, or up to [`Mark::within`] later. Absent on purpose: what
//! was said, and who may read it: nothing of a child but its label is in it.

use std::fs::File;
use std::io::{self, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes that an index may have in all.
pub const INDEX_BYTES_MAX: u64 = 4 * 1024 * 1024;

const HEAD: &str = "devloop log index 1";

/// How far marks are apart, by the bytes that the index has already: a session that talks for days has fewer.
const GAPS: [(u64, Duration); 3] = [
    (1024 * 1024, Duration::from_millis(100)),
    (3 * 1024 * 1024, Duration::from_secs(1)),
    (INDEX_BYTES_MAX - 4096, Duration::from_secs(10)),
];

/// The index of a log that is being written. What goes wrong ends the index and nothing else.
#[derive(Debug)]
pub struct IndexWriter {
    file: Option<File>,
    bytes: u64,
    /// Bytes that the log has.
    offset: u64,
    marked: Option<Instant>,
}

impl IndexWriter {
    /// Begins the index of a log that is empty; `state_file` is the name of the session's state file.
    pub fn new(file: File, state_file: &str) -> Self {
        let mut index = Self { file: Some(file), bytes: 0, offset: 0, marked: None };
        let state = if state_file.contains(['\n', '\r']) { String::new() } else { format!("state {state_file}\n") };
        index.write(format!("{HEAD}\n{state}").as_bytes());
        index
    }

    /// Notes lines made by [`label_line`].
    pub fn labels(&mut self, lines: &[u8]) {
        self.write(lines);
    }

    /// The log is about to get this many bytes more.
    pub fn before(&mut self, bytes: usize) {
        self.before_at(bytes, Instant::now(), SystemTime::now);
    }

    fn before_at(&mut self, bytes: usize, now: Instant, clock: impl Fn() -> SystemTime) {
        let gap = gap_at(self.bytes);
        let is_due = self.marked.is_none_or(|at| gap.is_some_and(|gap| now.saturating_duration_since(at) >= gap));
        if is_due && gap.is_some() {
            self.marked = Some(now);
            let unix_ms = clock().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            self.write(format!("at {} {unix_ms}\n", self.offset).as_bytes());
        }
        self.offset += bytes as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let is_written = self.bytes + bytes.len() as u64 <= INDEX_BYTES_MAX && file.write_all(bytes).is_ok();
        if is_written {
            self.bytes += bytes.len() as u64;
        } else {
            self.file = None;
        }
    }
}

/// How far the next mark of an index of this length is from the last; none when there are no more.
fn gap_at(bytes: u64) -> Option<Duration> {
    GAPS.iter().find(|(until, _)| bytes < *until).map(|(_, gap)| *gap)
}

/// How a label looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelLook {
    /// With its brackets, as it stands in the log.
    pub label: String,
    /// The process or hook.
    pub name: String,
    /// Its colour: the parameter of SGR (ECMA-48 8.3.117).
    pub colour: u8,
    /// The lines behind it are dim.
    pub is_dim: bool,
}

/// The line of an index that tells of a label; nothing where the label cannot be told in one line.
pub fn label_line(look: &LabelLook) -> Option<String> {
    let is_line = !look.label.contains(['\n', '\r']) && !look.name.contains([' ', '\n', '\r']);
    let style = if look.is_dim { "dim" } else { "plain" };
    is_line.then(|| format!("label {} {style} {} {}\n", look.colour, look.name, look.label))
}

/// From where on the bytes of a log came when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Bytes from the beginning of the log.
    pub offset: u64,
    /// When the byte there came.
    pub at: SystemTime,
    /// Those up to the next mark came that much later at most.
    pub within: Duration,
}

/// What an index says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// The name of the state file of the session.
    pub state_file: Option<String>,
    /// In the order in which they were first seen; of two for one label the later one holds.
    pub labels: Vec<LabelLook>,
    /// In the order of their offsets.
    pub marks: Vec<Mark>,
}

impl Index {
    /// Reads the text of an index. Lines that make no sense are passed over: somebody else may have written them.
    pub fn parse(text: &str) -> Self {
        let mut index = Self::default();
        let mut bytes = 0;
        for line in text.split_inclusive('\n') {
            let before = bytes;
            bytes += line.len() as u64;
            let Some(line) = line.strip_suffix('\n') else { break };
            match line.split_once(' ') {
                Some(("state", name)) => index.state_file = Some(name.to_owned()),
                Some(("label", rest)) => index.labels.extend(parse_label(rest)),
                Some(("at", rest)) => index.marks.extend(parse_mark(rest, before)),
                Some(_) | None => {}
            }
        }
        index
    }

    /// Where in the log begins what came at a moment or later: none when nothing did, as far as the marks tell.
    pub fn offset_since(&self, since: SystemTime) -> Option<u64> {
        self.marks.iter().find(|mark| mark.at + mark.within > since).map(|mark| mark.offset)
    }
}

fn parse_label(rest: &str) -> Option<LabelLook> {
    let mut words = rest.splitn(4, ' ');
    let colour = words.next()?.parse().ok()?;
    let is_dim = words.next()? == "dim";
    Some(LabelLook { colour, is_dim, name: words.next()?.to_owned(), label: words.next()?.to_owned() })
}

fn parse_mark(rest: &str, bytes_before: u64) -> Option<Mark> {
    let (offset, unix_ms) = rest.split_once(' ')?;
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms.parse().ok()?))?;
    // Room for what is added to it later.
    at.checked_add(Duration::from_secs(3600))?;
    Some(Mark { offset: offset.parse().ok()?, at, within: gap_at(bytes_before)? })
}

/// The text of an index file, cut where a character is not UTF-8.
pub fn read(mut file: File) -> io::Result<Index> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(&mut file, INDEX_BYTES_MAX), &mut bytes)?;
    Ok(Index::parse(&String::from_utf8_lossy(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_795_361_205_446 + millis)
    }

    /// An index of so many bytes that are written every 30 ms, with the file's length.
    fn written(chunks: u64) -> (Index, u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut index = IndexWriter::new(file.reopen().unwrap(), "state.json");
        let began = Instant::now();
        for chunk in 0..chunks {
            let passed = Duration::from_millis(chunk * 30);
            index.before_at(10, began + passed, || after(chunk * 30));
        }
        let length = file.as_file().metadata().unwrap().len();
        (read(file.reopen().unwrap()).unwrap(), length)
    }

    #[test]
    fn bytes_are_found_by_the_time_at_which_they_came() {
        let (index, _) = written(100);
        assert_eq!(index.state_file.as_deref(), Some("state.json"));
        // Every 120 ms, the first multiple of 30 ms that is 100 ms later.
        assert_eq!(index.marks.len(), 25);
        assert_eq!(index.marks[1], Mark { offset: 40, at: after(120), within: Duration::from_millis(100) });
        for chunk in 0..100 {
            let found = index.offset_since(after(chunk * 30)).unwrap();
            assert!(found <= chunk * 10 && chunk * 10 - found < 50, "{chunk}: {found}");
        }
        assert_eq!(index.offset_since(after(60_000)), None);
    }

    #[test]
    fn marks_get_fewer_and_the_index_stays_bounded() {
        // 90 hours of a session that always talks.
        let (index, length) = written(11_000_000);
        assert!(length <= INDEX_BYTES_MAX, "{length}");
        let gaps: Vec<Duration> =
            index.marks.windows(2).map(|two| two[1].at.duration_since(two[0].at).unwrap()).collect();
        assert!(gaps.is_sorted() && gaps.last().unwrap() >= &Duration::from_secs(10), "{:?}", gaps.last());
        let last = index.marks.last().unwrap();
        assert!(last.offset > 100_000_000, "{last:?}");
    }

    #[test]
    fn labels_are_told_as_they_looked_and_a_torn_end_spoils_nothing() {
        let look = |label: &str, name: &str| LabelLook {
            label: label.to_owned(),
            name: name.to_owned(),
            colour: 92,
            is_dim: true,
        };
        let build = look("[a ] b build]", "build");
        let text = label_line(&build).unwrap();
        assert_eq!(label_line(&look("[a\nb c]", "c")), None);
        let whole = format!("{HEAD}\nstate s.json\nnonsense\nlabel x dim y [y]\n{text}at 0 17\nat 9 x\nat 5");
        let index = Index::parse(&whole);
        assert_eq!((index.labels, index.marks.len()), (vec![build], 1));
        assert_eq!(Index::parse("\0\n\n at\nlabel\n"), Index::default());
    }

    #[test]
    fn a_full_disk_ends_the_index_and_nothing_else() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut index = IndexWriter::new(full, "state.json");
        assert!(index.file.is_none());
        index.before(10);
        index.labels(b"label");
        assert_eq!(index.offset, 10);
    }
}
