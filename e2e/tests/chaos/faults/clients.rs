//! Clients of the two servers: too many, too slow, too rude, and without the right to.
#![expect(clippy::unnecessary_wraps, reason = "all faults have one form")]

use super::pass;
use crate::dice::Dice;
use crate::load::{Key, send};
use crate::world::{Outcome, World};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Several clients post to the same two events at once.
pub(crate) fn storm(world: &mut World, dice: &mut Dice) -> Outcome {
    let (clients, posts) = (dice.between(2, 8), dice.between(5, 60));
    world.tell(format!("  {clients} clients, {posts} posts each"));
    let known: Vec<(usize, Key)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|client| {
                let load = &world.load;
                scope.spawn(move || {
                    let key = 2 + client % 2;
                    let mut known = Key::default();
                    for _ in 0..posts {
                        load.post_as(key, &mut known);
                    }
                    (key, known)
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for key in [2, 3] {
        world.load.merge(key, known.iter().filter(|(of, _)| *of == key).map(|(_, known)| known.clone()).collect());
    }
    Ok(())
}

/// Requests that end in the middle, or are none.
pub(crate) fn rude(world: &mut World, dice: &mut Dice) -> Outcome {
    for _ in 0..dice.between(5, 60) {
        // A value that must never be taken: it is not posted as a whole.
        let Some((address, request)) = world.load.request(3, "v0") else { continue };
        let Ok(mut stream) = TcpStream::connect(&address) else { continue };
        let cut = dice.between(1, request.len() - 1);
        let _ = match dice.below(5) {
            0 => stream.write_all(&request[..cut]),
            1 => stream.write_all(&request[..request.len() - 1]),
            2 => stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            3 => stream.write_all(&vec![b'A'; dice.between(1, 100_000)]),
            _ => {
                let head = format!("POST /events/e3 HTTP/1.1\r\nHost: {address}\r\nContent-Length: 99999999\r\n\r\n");
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&[b'x'; 10_000]))
            }
        };
        if dice.one_in(4) {
            // The end of our words, but not of the connection.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            pass(dice, 10);
        }
    }
    Ok(())
}

/// Many connections that say nothing, or one byte now and then; who behaves is served meanwhile.
pub(crate) fn half_open(world: &mut World, dice: &mut Dice) -> Outcome {
    let Some(address) = world.load.address("client.url") else { return Ok(()) };
    let mut held: Vec<TcpStream> =
        (0..dice.between(20, 150)).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    for stream in held.iter_mut().step_by(3) {
        let _ = stream.write_all(b"POST /events/e2 HTTP/1.1\r\nHo");
    }
    world.until_up("a post is accepted beside half-open connections", |world| {
        (world.load.post(2) == Some(204)).then_some(())
    })?;
    pass(dice, 500);
    Ok(())
}

pub(crate) fn wrong_tokens(world: &mut World, dice: &mut Dice) -> Outcome {
    for _ in 0..dice.between(10, 80) {
        let Some((address, request)) = world.load.request(3, "v0") else { continue };
        let request = String::from_utf8(request).unwrap();
        let Some(token) = world.load.token() else { continue };
        let request = match dice.below(3) {
            0 => request.replace(&token, "wrong"),
            1 => request.replace(&format!("Authorization: Bearer {token}\r\n"), ""),
            _ => request.replace(&token, &token.chars().rev().collect::<String>()),
        };
        if let Some(Some(204)) = send(&address, request.as_bytes()) {
            return Err(format!("this was accepted: {request}"));
        }
    }
    Ok(())
}

/// Browsers that connect and do not read, while pages change all the time.
pub(crate) fn stalled_listeners(world: &mut World, dice: &mut Dice) -> Outcome {
    let Some(address) = world.load.address("client.reload") else { return Ok(()) };
    let ask = || {
        let mut stream = TcpStream::connect(&address).ok()?;
        let head = format!("GET /browser-events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
        stream.write_all(head.as_bytes()).ok().map(|()| stream)
    };
    let stalled: Vec<TcpStream> = (0..dice.between(5, 40)).filter_map(|_| ask()).collect();
    world.tell(format!("  {} listeners", stalled.len()));
    for _ in 0..dice.between(1, 20) {
        world.project.file("page/reload.html", &world.load.new_value());
        pass(dice, 30);
    }
    let Some(mut good) = ask() else { return Ok(()) };
    good.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut heard = String::new();
    world.until_up("a browser that listens hears of a reload", |world| {
        world.project.file("page/reload.html", &world.load.new_value());
        let mut bytes = [0; 4096];
        let count = good.read(&mut bytes).unwrap_or_default();
        heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        heard.contains("data: reload").then_some(())
    })
}
