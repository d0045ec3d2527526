//! What PAM tells programs of who logs in.
//!
//! These programs stand on public functions of libpam and take what is passed through them; how its handles look inside is no business of theirs. Each
//! function has one program at its beginning, which keeps the arguments, and one at its end, which knows the result.

use aya_ebpf::{
    macros::{uprobe, uretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use bongsu_sensor_abi::{Authentication, Header, Kind};

use crate::{
    login::{Call, Function, Item, keep, read_user},
    record::{Counted, Ring, now},
    task::Task,
};

/// PAM_CONV_AGAIN and PAM_INCOMPLETE: nothing was decided, the program will ask again.
const LATER: [i32; 2] = [30, 31];

#[inline(always)]
fn argument(context: &ProbeContext, number: usize) -> u64 {
    context.arg(number).unwrap_or(0)
}

/// `pam_start(const char *service, const char *user, const struct pam_conv *conversation, pam_handle_t **handle)`.
#[uprobe]
pub(crate) fn pam_starting(context: ProbeContext) -> u32 {
    let arguments = [argument(&context, 3), argument(&context, 0), argument(&context, 1)];
    Call::enter(&context, Function::Start, arguments);
    0
}

/// `pam_start_confdir`, which has a `const char *folder` before the handle.
#[uprobe]
pub(crate) fn pam_starting_in(context: ProbeContext) -> u32 {
    let arguments = [argument(&context, 4), argument(&context, 0), argument(&context, 1)];
    Call::enter(&context, Function::Start, arguments);
    0
}

/// The end of both.
#[uretprobe]
pub(crate) fn pam_started(context: RetProbeContext) -> u32 {
    if let Some([place, service, user]) = Call::leave(&context, Function::Start)
        && context.ret::<i32>() == 0
    {
        let handle = read_user(place);
        keep(handle, Item::SERVICE, service);
        keep(handle, Item::USER, user);
        // Of an earlier handle at this address, or the parent's.
        keep(handle, Item::TERMINAL, 0);
        keep(handle, Item::REMOTE_HOST, 0);
    }
    0
}

/// `pam_set_item(pam_handle_t *handle, int item, const void *value)`. Passwords are items, too: of those not even the address is kept.
#[uprobe]
pub(crate) fn pam_setting_item(context: ProbeContext) -> u32 {
    let item = argument(&context, 1) as u32;
    if item >= Item::SERVICE && item <= Item::REMOTE_HOST {
        Call::enter(&context, Function::SetItem, [argument(&context, 0), u64::from(item), argument(&context, 2)]);
    }
    0
}

#[uretprobe]
pub(crate) fn pam_item_set(context: RetProbeContext) -> u32 {
    if let Some([handle, item, value]) = Call::leave(&context, Function::SetItem)
        && context.ret::<i32>() == 0
    {
        keep(handle, item as u32, value);
    }
    0
}

/// `pam_get_user(pam_handle_t *handle, const char **user, const char *prompt)`: a module asks, and perhaps the user is asked for a name.
#[uprobe]
pub(crate) fn pam_asking_user(context: ProbeContext) -> u32 {
    Call::enter(&context, Function::GetUser, [argument(&context, 0), argument(&context, 1), 0]);
    0
}

#[uretprobe]
pub(crate) fn pam_user_known(context: RetProbeContext) -> u32 {
    if let Some([handle, place, _]) = Call::leave(&context, Function::GetUser)
        && context.ret::<i32>() == 0
    {
        keep(handle, Item::USER, read_user(place));
    }
    0
}

/// `pam_authenticate(pam_handle_t *handle, int flags)`.
#[uprobe]
pub(crate) fn pam_asked(context: ProbeContext) -> u32 {
    Call::enter(&context, Function::Authenticate, [argument(&context, 0), 0, 0]);
    0
}

#[uretprobe]
pub(crate) fn pam_decided(context: RetProbeContext) -> u32 {
    let result = context.ret::<i32>();
    if let Some([handle, ..]) = Call::leave(&context, Function::Authenticate)
        && result != LATER[0]
        && result != LATER[1]
    {
        send(handle, result as u32);
    }
    0
}

#[inline(always)]
fn send(handle: u64, result: u32) {
    let Some(counted) = Counted::new(Ring::Process) else { return };
    let Some(mut entry) = counted.ring.reserve::<Authentication>(0) else { return counted.lost() };
    let room = entry.as_mut_ptr();
    let (task, kind) = (Task::current().reference(), Kind::Authentication as u32);
    // SAFETY: `room` is an Authentication.
    unsafe {
        (&raw mut (*room).header).write(Header { time_ns: now(), task, kind, flags: 0, user: Task::current().user() });
        (&raw mut (*room).result).write(result);
        (&raw mut (*room).reserved).write(0);
        Item::write(handle, Item::SERVICE, &raw mut (*room).service);
        Item::write(handle, Item::USER, &raw mut (*room).user);
        Item::write(handle, Item::REMOTE_HOST, &raw mut (*room).remote_host);
        Item::write(handle, Item::TERMINAL, &raw mut (*room).terminal);
    }
    entry.submit(0);
}
