//! The processes below this one.

use super::platform::{self, Member};

/// How many are held at the same time, so that descriptors are left to look with.
const HELD_MAX: usize = 256;

/// How often is looked again at most, where somebody comes to us in every moment.
const WALKS_MAX: usize = 16;

/// Shows every process below this one to `visit`, parents before their children, without those that `leave_out` names
/// and what is below them.
///
/// The children of a process are listed after its visit: one that was killed there can have no further children, so
/// nothing slips through below it.
pub(super) fn walk(leave_out: &dyn Fn(i32) -> bool, visit: &mut dyn FnMut(Member)) {
    let me = std::process::id().cast_signed();
    let mut waiting: Vec<(i32, i32)> = platform::children(me).into_iter().map(|pid| (pid, me)).collect();
    while let Some((pid, parent)) = waiting.pop() {
        if leave_out(pid) {
            continue;
        }
        // An orphan comes to us between the list and the look; anything else is a stranger with a used number.
        let Some(member) = Member::look(pid, [parent, me]) else { continue };
        let is_zombie = member.is_zombie;
        visit(member);
        if !is_zombie {
            waiting.extend(platform::children(pid).into_iter().map(|child| (child, pid)));
        }
    }
}

/// Who lives below this one, to be signalled once each.
///
/// Whose parent ends during a walk comes to us behind its back: it is gone from the one list, and we had read ours
/// before. So we look again until nobody has come meanwhile.
pub(super) fn living() -> Vec<Member> {
    let me = std::process::id().cast_signed();
    let (mut found, mut known) = (Vec::new(), Vec::new());
    let mut before = platform::children(me);
    for _ in 0..WALKS_MAX {
        walk(&|_| false, &mut |member| {
            if !member.is_zombie
                && let Err(place) = known.binary_search(&member.pid)
            {
                known.insert(place, member.pid);
                found.push(if found.len() < HELD_MAX { member } else { member.let_go() });
            }
        });
        let after = platform::children(me);
        if after.iter().all(|pid| before.contains(pid)) {
            break;
        }
        before = after;
    }
    found
}

/// A living process below this one for which `wanted` holds.
pub(super) fn find(wanted: &dyn Fn(&Member) -> bool) -> Option<i32> {
    living().into_iter().find(wanted).map(|member| member.pid)
}
