//! What devloop and a keeper say to each other: one launch, then orders one way and reports the other.
//!
//! Both ends are the same program, so there are no versions here. Words end with a NUL so that the keeper can hand them
//! to `execve(2)` without a copy.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::{Contain, ExitStatus, Launch, Report, Stdin, Step, StopSignal};

/// Bytes of a launch before its body: the body's length.
pub(super) const HEADER_LEN: usize = 4;
/// Bytes of a report.
pub(super) const REPORT_LEN: usize = 9;
/// Bytes of an order.
pub(super) const ORDER_LEN: usize = 2;

/// What devloop asks of a keeper after the launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Signal the child, with this number.
    Stop(i32),
    /// End all of it.
    Kill,
    /// Pause all of it.
    Suspend,
    /// Let all of it go on.
    Resume,
}

/// A launch as the keeper sees it: words inside the received body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received<'a> {
    pub(super) contain: Contain,
    pub(super) stdin: Stdin,
    pub(super) marker: &'a CStr,
    pub(super) cwd: &'a CStr,
    pub(super) program: Vec<&'a CStr>,
    pub(super) argv: Vec<&'a CStr>,
    pub(super) env: Vec<&'a CStr>,
}

/// The launch as bytes, header included. Fails with `InvalidInput` when a word contains a NUL or all are over 4 GiB.
pub(super) fn encode(launch: &Launch) -> io::Result<Vec<u8>> {
    let mut out = vec![0; HEADER_LEN];
    out.push(u8::from(launch.contain == Contain::Group));
    out.push(u8::from(launch.stdin == Stdin::Open));
    put_word(&mut out, "the marker", &[launch.marker.as_deref().unwrap_or_default().as_bytes()])?;
    put_word(&mut out, "the working directory", &[launch.cwd.as_os_str().as_bytes()])?;
    put_count(&mut out, launch.program.len())?;
    for path in &launch.program {
        put_word(&mut out, "the program", &[path.as_os_str().as_bytes()])?;
    }
    put_count(&mut out, launch.argv.len())?;
    for (index, word) in launch.argv.iter().enumerate() {
        put_word(&mut out, &format!("argument {index}"), &[word.as_bytes()])?;
    }
    put_count(&mut out, launch.env.len())?;
    for (name, value) in &launch.env {
        put_variable(&mut out, name, value)?;
    }
    let length = u32::try_from(out.len() - HEADER_LEN).map_err(|_| io::ErrorKind::InvalidInput)?;
    out[..HEADER_LEN].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}

fn put_count(out: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let count = u32::try_from(count).map_err(|_| io::ErrorKind::InvalidInput)?;
    out.extend_from_slice(&count.to_le_bytes());
    Ok(())
}

fn put_word(out: &mut Vec<u8>, what: &str, parts: &[&[u8]]) -> io::Result<()> {
    let has_nul = parts.iter().any(|part| part.contains(&0));
    if has_nul {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{what} contains a NUL byte")));
    }
    put_count(out, parts.iter().map(|part| part.len()).sum::<usize>() + 1)?;
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(0);
    Ok(())
}

fn put_variable(out: &mut Vec<u8>, name: &OsStr, value: &OsStr) -> io::Result<()> {
    // The value may be a secret, the name is what the user wrote.
    if value.as_bytes().contains(&0) || name.as_bytes().contains(&0) {
        let what = format!("environment variable '{}' contains a NUL byte", name.display().to_string().escape_debug());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    put_word(out, "the environment", &[name.as_bytes(), b"=", value.as_bytes()])
}

/// The body of a launch taken apart; `None` when it is none.
pub(super) fn decode(body: &[u8]) -> Option<Received<'_>> {
    let (&[contain, stdin], mut rest) = body.split_first_chunk::<2>()?;
    Some(Received {
        contain: if contain == 0 { Contain::Tree } else { Contain::Group },
        stdin: if stdin == 0 { Stdin::Null } else { Stdin::Open },
        marker: take_word(&mut rest)?,
        cwd: take_word(&mut rest)?,
        program: take_words(&mut rest)?,
        argv: take_words(&mut rest)?,
        env: take_words(&mut rest)?,
    })
}

fn take_count(rest: &mut &[u8]) -> Option<usize> {
    let (count, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*count)).ok()
}

fn take_word<'a>(rest: &mut &'a [u8]) -> Option<&'a CStr> {
    let length = take_count(rest)?;
    let (word, after) = rest.split_at_checked(length)?;
    *rest = after;
    CStr::from_bytes_with_nul(word).ok()
}

fn take_words<'a>(rest: &mut &'a [u8]) -> Option<Vec<&'a CStr>> {
    (0..take_count(rest)?).map(|_| take_word(rest)).collect()
}

impl Order {
    pub(super) fn encode(self) -> [u8; ORDER_LEN] {
        match self {
            Self::Stop(signal) => [b's', signal.to_le_bytes()[0]],
            Self::Kill => [b'k', 0],
            Self::Suspend => [b'p', 0],
            Self::Resume => [b'c', 0],
        }
    }

    pub(super) fn decode(bytes: [u8; ORDER_LEN]) -> Option<Self> {
        match bytes {
            [b's', signal] => Some(Self::Stop(i32::from(signal))),
            [b'k', _] => Some(Self::Kill),
            [b'p', _] => Some(Self::Suspend),
            [b'c', _] => Some(Self::Resume),
            _ => None,
        }
    }
}

impl StopSignal {
    /// The system's number for it.
    pub(super) fn number(self) -> i32 {
        match self {
            Self::Term => libc::SIGTERM,
            Self::Int => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Hup => libc::SIGHUP,
            Self::Usr1 => libc::SIGUSR1,
            Self::Usr2 => libc::SIGUSR2,
            Self::Kill => libc::SIGKILL,
        }
    }
}

impl Step {
    /// All steps; the place is the code on the wire.
    pub(super) const ALL: [Self; 5] = [Self::Fork, Self::Prepare, Self::Chdir, Self::Exec, Self::Interpreter];
}

impl Report {
    pub(super) fn encode(self) -> [u8; REPORT_LEN] {
        let (kind, first, second) = match self {
            Self::Started { pid } => (0, pid.cast_signed(), 0),
            Self::StartFailed { step, errno } => {
                let place =
                    Step::ALL.iter().position(|known| *known == step).and_then(|place| i32::try_from(place).ok());
                (1, place.unwrap_or_default(), errno)
            }
            Self::Exited(ExitStatus::Code(code)) => (2, code, 0),
            Self::Exited(ExitStatus::Signal(signal)) => (3, signal, 0),
            Self::Gone => (4, 0, 0),
            Self::Stuck { pid } => (5, pid.cast_signed(), 0),
        };
        let mut out = [kind; REPORT_LEN];
        out[1..5].copy_from_slice(&i32::to_le_bytes(first));
        out[5..].copy_from_slice(&i32::to_le_bytes(second));
        out
    }

    pub(super) fn decode(bytes: [u8; REPORT_LEN]) -> Option<Self> {
        let [kind, a, b, c, d, second @ ..] = bytes;
        let (first, second) = (i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes(second));
        Some(match kind {
            0 => Self::Started { pid: first.cast_unsigned() },
            1 => Self::StartFailed { step: *Step::ALL.get(usize::try_from(first).ok()?)?, errno: second },
            2 => Self::Exited(ExitStatus::Code(first)),
            3 => Self::Exited(ExitStatus::Signal(first)),
            4 => Self::Gone,
            5 => Self::Stuck { pid: first.cast_unsigned() },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        let null = || std::fs::File::open("/dev/null").unwrap().into();
        Launch {
            program: vec!["/bin/a".into(), "/usr/bin/a".into()],
            argv: vec!["a".into(), String::new().into(), "ü".into()],
            env: vec![("NAME".into(), "a=b".into())],
            cwd: "/tmp".into(),
            stdin: Stdin::Open,
            contain: Contain::Group,
            marker: Some("MARK=1".to_owned()),
            stdout: null(),
            stderr: null(),
        }
    }

    #[test]
    fn a_launch_arrives_as_it_was_sent() {
        let bytes = encode(&launch()).unwrap();
        let (header, body) = bytes.split_first_chunk::<HEADER_LEN>().unwrap();
        assert_eq!(u32::from_le_bytes(*header) as usize, body.len());
        let expected = Received {
            contain: Contain::Group,
            stdin: Stdin::Open,
            marker: c"MARK=1",
            cwd: c"/tmp",
            program: vec![c"/bin/a", c"/usr/bin/a"],
            argv: vec![c"a", c"", c"ü"],
            env: vec![c"NAME=a=b"],
        };
        assert_eq!(decode(body), Some(expected));
    }

    #[test]
    fn a_body_that_is_cut_off_is_no_launch() {
        let bytes = encode(&launch()).unwrap();
        for end in HEADER_LEN..bytes.len() {
            assert_eq!(decode(&bytes[HEADER_LEN..end]), None, "{end}");
        }
    }

    #[test]
    fn a_nul_byte_is_refused_and_named_but_no_value_is_shown() {
        let mut with_argument = launch();
        with_argument.argv[2] = "a\0b".into();
        assert_eq!(encode(&with_argument).unwrap_err().to_string(), "argument 2 contains a NUL byte");
        let mut with_variable = launch();
        with_variable.env.push(("TOKEN".into(), "sec\0ret".into()));
        let error = encode(&with_variable).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "environment variable 'TOKEN' contains a NUL byte");
    }

    #[test]
    fn reports_and_orders_arrive_as_they_were_sent() {
        let steps = Step::ALL.map(|step| Report::StartFailed { step, errno: 2 });
        let others = [
            Report::Started { pid: 7 },
            Report::Exited(ExitStatus::Code(255)),
            Report::Exited(ExitStatus::Signal(9)),
            Report::Gone,
            Report::Stuck { pid: 8 },
        ];
        for report in steps.into_iter().chain(others) {
            assert_eq!(Report::decode(report.encode()), Some(report));
        }
        for order in [Order::Stop(15), Order::Kill, Order::Suspend, Order::Resume] {
            assert_eq!(Order::decode(order.encode()), Some(order));
        }
    }
}
