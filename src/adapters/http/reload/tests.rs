//! A listener that takes nothing, over a real socket with small buffers.

use super::*;
use crate::report::filter::Filter;
use crate::report::{LineSink, Look, Reporter};
use devloop_core::plan::Plan;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

const BLOCKED: Duration = Duration::from_millis(200);
/// What a condition may take on a slow machine.
const DEADLINE: Duration = Duration::from_secs(60);

struct Nowhere;

impl LineSink for Nowhere {
    fn line(&self, _: String, _: String) {}
}

fn reloads() -> Rc<Reloads> {
    let plan = Arc::new(Plan::empty("/project".into()));
    let look = Look {
        colors: false,
        columns: None,
        is_terminal: false,
        is_quiet: false,
        zone: crate::report::local::Zone::of_user(Some("UTC0")),
    };
    let resolve = Box::new(|words: &devloop_core::plan::words::Words| words.source().to_owned());
    let reporter = Arc::new(Reporter::new(Box::new(Nowhere), Filter::parse(None).0, plan, resolve, look));
    let warnings = Rc::new(Warnings::new("reload", "the browser reload server", reporter));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut reloads = Reloads::new(Hosts::new(address), Vec::new(), warnings).unwrap();
    reloads.blocked_max = BLOCKED;
    Rc::new(reloads)
}

/// A listener's two ends, with buffers as small as the system gives.
async fn pair() -> (TcpStream, TcpStream) {
    let server = TcpSocket::new_v4().unwrap();
    server.set_send_buffer_size(1).unwrap();
    server.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let server = server.listen(1).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(1).unwrap();
    let client = client.connect(server.local_addr().unwrap()).await.unwrap();
    (server.accept().await.unwrap().0, client)
}

/// Reads until the stream has told the reload of this number, and no other one.
async fn hears(client: &mut TcpStream, reload: &str) {
    let told = format!("id: {reload}\ndata: reload\n\n");
    let mut so_far = String::new();
    while !so_far.ends_with(&told) {
        let mut bytes = [0; 512];
        let count = timeout(DEADLINE, client.read(&mut bytes)).await.expect("the reload came").unwrap();
        assert_ne!(count, 0, "the stream ended: {so_far}");
        so_far.push_str(str::from_utf8(&bytes[..count]).unwrap());
    }
    assert_eq!(so_far.matches("data").count(), 1, "{so_far}");
}

#[test]
fn ss6_a_listener_that_takes_nothing_is_dropped_and_the_others_hear_every_reload() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let reloads = reloads();
        let ((slow, _never_reads), (quick, mut client)) = (pair().await, pair().await);
        let (of_slow, of_quick) = (Rc::clone(&reloads), Rc::clone(&reloads));
        let dropped = spawn_local(async move { of_slow.listen(&slow, None, None).await });
        let listening = spawn_local(async move { of_quick.listen(&quick, None, None).await });
        yield_now().await;
        // Each reload is written on its own, since the one before was heard: so the buffers fill.
        let (mut count, began) = (0, Instant::now());
        while !dropped.is_finished() {
            assert!(began.elapsed() < DEADLINE, "the slow listener is still there after {count} reloads");
            count += 1;
            reloads.broadcast();
            hears(&mut client, &reloads.id(count)).await;
        }
        let why = dropped.await.unwrap().unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::TimedOut);
        assert!(!listening.is_finished());
        // Many at once are one, and it carries the latest number.
        for _ in 0..100 {
            reloads.broadcast();
        }
        hears(&mut client, &reloads.id(count + 100)).await;
        listening.abort();
    });
}
