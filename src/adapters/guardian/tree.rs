//! The processes below this one.

use super::platform::{self, Member};

/// Shows every process below this one to `visit`, parents before their children, without those that `leave_out` names
/// and what is below them.
///
/// The children of a process are listed after its visit: one that was killed there can have no further children, so
/// nothing slips through below it.
pub(super) fn walk(leave_out: &dyn Fn(i32) -> bool, visit: &mut dyn FnMut(&Member)) {
    let me = std::process::id().cast_signed();
    let mut waiting: Vec<(i32, i32)> = platform::children(me).into_iter().map(|pid| (pid, me)).collect();
    while let Some((pid, parent)) = waiting.pop() {
        if leave_out(pid) {
            continue;
        }
        // An orphan comes to us between the list and the look; anything else is a stranger with a used number.
        let Some(member) = Member::look(pid, [parent, me]) else { continue };
        visit(&member);
        if !member.is_zombie {
            waiting.extend(platform::children(pid).into_iter().map(|child| (child, pid)));
        }
    }
}

/// A living process below this one for which `wanted` holds.
pub(super) fn find(wanted: &dyn Fn(&Member) -> bool) -> Option<i32> {
    let mut found = None;
    walk(&|_| false, &mut |member| {
        if !member.is_zombie && wanted(member) {
            found = Some(member.pid);
        }
    });
    found
}
