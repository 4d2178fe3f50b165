//! One child's two pipes: reading them, making lines of them, and telling what was found.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::super::log_index::LabelLook;
use super::filter::{self, Look};
use super::label::Label;
use super::lines::{BREAK_MARK, Line, Lines};
use super::rules::Search;
use super::secrets::Secrets;
use super::sinks::{Place, Sinks};
use super::tail::Tail;
use devloop_core::notice::Who;

use super::{BodyStyle, CAPTURE_MAX, ChildStreams, Drained, Heard, SILENCE, StreamsId};

/// How long words about one child are gathered after one was told.
const TELLING_GAP: Duration = Duration::from_millis(5);

/// Bytes read in one go that make a child loud. Its pipe then grows to `GROWN`: children that say little cost the user no
/// pipe memory, which the system limits (`pipe-user-pages-soft`, pipe(7)).
const LOUD: usize = 32 * 1024;

/// How long a loud child's grown pipe is left to fill, so that bytes are moved in few large pieces instead of a switch
/// between threads for each small one. The child does not wait unless it writes 2 GB/s.
const REST: Duration = Duration::from_micros(500);

/// Bytes of one read from which on it is asked as a whole whether it is plain.
const PLAIN_MIN: usize = 4 * 1024;

/// Which of a child's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Stdout,
    Stderr,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];

    fn place(self) -> Place {
        match self {
            Self::Stdout => Place::Stdout,
            Self::Stderr => Place::Stderr,
        }
    }
}

/// What comes next in a stream.
#[derive(Clone, Copy)]
enum Next<'a> {
    Bytes(&'a [u8]),
    Silence,
    End,
}

struct Stream {
    pipe: OwnedFd,
    lines: Lines,
    /// When the unfinished line is shown.
    show_at: Option<Instant>,
    /// Until when a loud child fills its pipe.
    rest_until: Option<Instant>,
    /// Bytes read since the last rest.
    streak: usize,
    size: Size,
}

/// What is known of a pipe's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    AsMade,
    Grown,
    /// The system allows no more.
    Fixed,
}

/// How a child's lines are made.
struct Body {
    label: Label,
    inherit: bool,
    dim: bool,
    raw: bool,
}

/// One start of one child.
pub(super) struct Child {
    pub(super) id: StreamsId,
    streams: [Option<Stream>; 2],
    body: Body,
    search: Search,
    captured: Option<Vec<u8>>,
    overflowed: bool,
    /// Its last lines, and whose they are.
    tail: Option<(Who, Tail)>,
    heard: Box<dyn Fn(Heard) + Send>,
    told_at: Option<Instant>,
    drained: bool,
}

impl Child {
    pub(super) fn new(id: StreamsId, streams: ChildStreams, sinks: &Sinks) -> Self {
        let open = |pipe: OwnedFd| {
            // The read end is ours alone; where this fails, a read waits only for bytes that `poll` has promised.
            let _ = rustix::io::ioctl_fionbio(&pipe, true);
            Some(Stream {
                pipe,
                lines: Lines::default(),
                show_at: None,
                rest_until: None,
                streak: 0,
                size: Size::AsMade,
            })
        };
        let label = Label::new(&streams.label, sinks.label_width());
        Self {
            id,
            streams: [open(streams.stdout), open(streams.stderr)],
            tail: streams.who.map(|who| (who, Tail::new(label.clone()))),
            body: Body { label, inherit: streams.inherit, dim: streams.style == BodyStyle::Dim, raw: streams.raw },
            search: Search::new(streams.rules, streams.patterns),
            captured: streams.capture.then(Vec::new),
            overflowed: false,
            heard: streams.heard,
            told_at: None,
            drained: false,
        }
    }

    /// How its label looks, and its lines.
    pub(super) fn look(&self) -> LabelLook {
        self.body.label.look(self.body.dim && !self.body.raw)
    }

    /// The command is dead and was answered for; descendants may still write.
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }

    /// Its last lines, if it is the one.
    pub(super) fn tail_of(&self, who: &Who) -> Option<&Tail> {
        self.tail.as_ref().filter(|(own, _)| own == who).map(|(_, tail)| tail)
    }

    /// What is left of it.
    pub(super) fn into_tail(self) -> Option<(Who, Tail)> {
        self.tail
    }

    /// Nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        self.drained && self.streams.iter().all(Option::is_none)
    }

    /// The pipe, while it is open, not left to fill, and every file that its lines go to has room.
    pub(super) fn wanted(&self, side: Side, sinks: &Sinks) -> Option<&OwnedFd> {
        let stream = self.streams[side as usize].as_ref().filter(|stream| stream.rest_until.is_none())?;
        let has_room = sinks.has_room(Place::Log) && (!self.body.inherit || sinks.has_room(side.place()));
        has_room.then_some(&stream.pipe)
    }

    /// The next moment at which `tick` has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let tell_at = self.told_at.filter(|_| self.search.has_found()).map(|at| at + TELLING_GAP);
        let streams = self.streams.iter().flatten();
        streams.flat_map(|stream| [stream.show_at, stream.rest_until]).flatten().chain(tell_at).min()
    }

    /// Does what is due: shows lines whose stream is silent, tells what was gathered.
    pub(super) fn tick(&mut self, now: Instant, sinks: &mut Sinks) {
        for side in Side::BOTH {
            let Some(stream) = &mut self.streams[side as usize] else { continue };
            stream.rest_until = stream.rest_until.filter(|until| *until > now);
            if stream.show_at.take_if(|at| *at <= now).is_none() {
                continue;
            }
            if rustix::io::ioctl_fionread(&stream.pipe).unwrap_or(0) > 0 {
                // Not silent: it waits for room in a file, and its line would be torn.
                stream.show_at = Some(now + SILENCE);
            } else {
                self.advance(side, Next::Silence, sinks);
            }
        }
        self.tell(now);
    }

    /// Reads once; answers the number of bytes, none at the end, nothing when the pipe is empty.
    pub(super) fn read(&mut self, side: Side, buffer: &mut [u8], sinks: &mut Sinks) -> Option<usize> {
        let stream = self.streams[side as usize].as_mut()?;
        let count = match rustix::io::read(&stream.pipe, &mut *buffer) {
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return None,
            // A pipe that cannot be read has ended.
            Err(_) => 0,
        };
        if count == 0 {
            self.advance(side, Next::End, sinks);
            self.streams[side as usize] = None;
            return Some(0);
        }
        if side == Side::Stdout
            && let Some(captured) = &mut self.captured
        {
            let fits = count.min(CAPTURE_MAX - captured.len());
            captured.extend_from_slice(&buffer[..fits]);
            if fits < count && !self.overflowed {
                self.overflowed = true;
                (self.heard)(Heard::CaptureOverflowed);
            }
        }
        self.advance(side, Next::Bytes(&buffer[..count]), sinks);
        let now = Instant::now();
        if let Some(stream) = &mut self.streams[side as usize] {
            stream.show_at = stream.lines.has_unseen().then(|| now + SILENCE);
            stream.pace(count, count == buffer.len(), now);
        }
        self.tell(now);
        Some(count)
    }

    /// Reads what is in the pipes now, as much as a dead child can have left there, and shows the unfinished lines.
    pub(super) fn read_all(&mut self, buffer: &mut [u8], sinks: &mut Sinks) {
        for side in Side::BOTH {
            let Some(stream) = &self.streams[side as usize] else { continue };
            let mut left = rustix::io::ioctl_fionread(&stream.pipe).unwrap_or(0);
            while left > 0 {
                let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
                match self.read(side, &mut buffer[..most], sinks) {
                    Some(count) if count > 0 => left = left.saturating_sub(count as u64),
                    _ => break,
                }
            }
            self.advance(side, Next::End, sinks);
        }
    }

    /// After `read_all`: tells what is left to tell and gives the captured bytes away. From here on nothing is searched.
    pub(super) fn settle(&mut self, secrets: &Secrets) -> Drained {
        if !self.drained {
            self.search.take(&self.heard);
            self.search = Search::new(Vec::new(), Vec::new());
            self.drained = true;
        }
        let mut captured = self.captured.take();
        if let Some(captured) = &mut captured {
            secrets.mask(captured);
        }
        Drained { captured, overflowed: self.overflowed }
    }

    fn tell(&mut self, now: Instant) {
        if self.search.has_found() && self.told_at.is_none_or(|at| now >= at + TELLING_GAP) {
            self.search.take(&self.heard);
            self.told_at = Some(now);
        }
    }

    fn advance(&mut self, side: Side, next: Next<'_>, sinks: &mut Sinks) {
        let Some(stream) = &mut self.streams[side as usize] else { return };
        let place = side.place();
        let logs = sinks.has(Place::Log);
        let stamp = if self.body.inherit { sinks.stamp() } else { Vec::new() };
        let is_alike = stamp.is_empty() && self.body.label.logged() == self.body.label.shown(false);
        let same = logs && self.body.inherit && is_alike && !sinks.has_colours(place);
        let mut batch = Batch {
            shown: self.body.inherit.then(|| sinks.buffer()),
            // Without a log what nobody sees is made all the same, for its tail.
            logged: (logs || !self.body.inherit).then(|| sinks.buffer()),
            stamp,
            colours: sinks.has_colours(place),
            same,
            plain: matches!(next, Next::Bytes(bytes) if stream.is_plain_with(bytes)),
        };
        let search = &mut self.search;
        let secrets = Arc::clone(sinks.secrets());
        let mut each = |line: Line<'_>| {
            batch.add(&self.body, line);
            search.look(line, &secrets);
        };
        match next {
            Next::Bytes(bytes) => stream.lines.feed(bytes, &secrets, &mut each),
            Next::Silence => stream.lines.silent(&secrets, &mut each),
            Next::End => {
                stream.lines.end(&mut each);
                stream.show_at = None;
            }
        }
        let mut tail = self.tail.as_mut().map(|(_, tail)| tail);
        match batch {
            Batch { same: true, logged: Some(both), shown: Some(unused), .. } => {
                sinks.keep(unused);
                sinks.hand_over_both(place, both, tail);
            }
            Batch { shown, logged, .. } => {
                for (place, batch) in [(Place::Log, logged), (place, shown)] {
                    if let Some(batch) = batch {
                        // The first of them that there is.
                        sinks.hand_over(place, batch, tail.take());
                    }
                }
            }
        }
    }
}

impl Stream {
    /// Whether these bytes and the unfinished line before them are printable as they are; small pieces are not worth the
    /// question, their lines are asked one by one.
    fn is_plain_with(&self, bytes: &[u8]) -> bool {
        bytes.len() >= PLAIN_MIN && filter::is_plain(bytes) && filter::is_plain(self.lines.pending())
    }

    /// After a read: decides whether the pipe is left alone for a moment. `more` says that there may be bytes left in it.
    fn pace(&mut self, count: usize, more: bool, now: Instant) {
        self.streak += count;
        if more {
            return;
        }
        let is_loud = std::mem::take(&mut self.streak) >= LOUD;
        if is_loud && self.size == Size::AsMade {
            self.size = grow(&self.pipe);
        }
        self.rest_until = (is_loud && self.size == Size::Grown).then(|| now + REST);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn grow(pipe: &OwnedFd) -> Size {
    const GROWN: usize = 1024 * 1024;
    // Refused above the user's limit.
    if rustix::pipe::fcntl_setpipe_size(pipe, GROWN).is_ok() { Size::Grown } else { Size::Fixed }
}

/// Other systems grow their pipes themselves, or not at all.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn grow(_pipe: &OwnedFd) -> Size {
    Size::Fixed
}

/// The lines of one read, for the stream and for the log.
struct Batch {
    shown: Option<Vec<u8>>,
    logged: Option<Vec<u8>>,
    /// What stands in front of each line that is shown.
    stamp: Vec<u8>,
    colours: bool,
    /// So far the stream gets what the log gets, and `shown` is empty: what is in `logged` is for both.
    same: bool,
    /// Every line is printable as it is.
    plain: bool,
}

impl Batch {
    fn add(&mut self, body: &Body, line: Line<'_>) {
        let text = line.unseen();
        if self.same && !self.plain && !body.raw && !filter::is_printable(text) {
            // From here on the stream gets lines of its own.
            if let (Some(shown), Some(logged)) = (&mut self.shown, &self.logged) {
                shown.extend_from_slice(logged);
            }
            self.same = false;
        }
        let mark = if line.broken { BREAK_MARK.as_bytes() } else { b"" };
        if let Some(out) = &mut self.logged {
            put(out, body.label.logged(), text);
            out.extend_from_slice(mark);
            out.push(b'\n');
        }
        if let Some(out) = &mut self.shown
            && !self.same
        {
            out.extend_from_slice(&self.stamp);
            let label = body.label.shown(self.colours);
            if body.raw {
                put(out, label, text);
            } else {
                out.extend_from_slice(label);
                filter::show(text, Look { colours: self.colours, dim: body.dim }, out);
            }
            out.extend_from_slice(mark);
            out.push(b'\n');
        }
    }
}

/// Appends a line as it is. One look at the room for all of it: this is where all bytes pass.
fn put(out: &mut Vec<u8>, label: &[u8], text: &[u8]) {
    out.reserve(label.len() + text.len() + BREAK_MARK.len() + 1);
    out.extend_from_slice(label);
    out.extend_from_slice(text);
}
