//! Every map, its size, and why.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use bongsu_sensor_abi::{
    Capabilities, Counters, Creds, FAMILIES, ITEM_MAX, OTHER_RING_BYTES, PROCESS_RING_BYTES, Pulse, SENSITIVE_MAX,
    SPENDERS_MAX, Spender, Spent,
};

use crate::{
    asked::Asked,
    connection::{Attempt, Open, Owner, Peer},
    held::Held,
    login::{Call, Item},
    pending::Pending,
    record::Scratch,
    tamper::Repeated,
    writing::Writing,
};

/// Fork, exec, exit and credentials: rare, and the rest makes no sense without them. A file storm cannot push them out.
#[map]
pub(crate) static PROCESS_RING: RingBuf = RingBuf::with_byte_size(PROCESS_RING_BYTES, 0);

/// Files and sockets.
#[map]
pub(crate) static OTHER_RING: RingBuf = RingBuf::with_byte_size(OTHER_RING_BYTES, 0);

/// Wakes the reader out of its pace: a program was started whose image has no name and is gone with its process. What is written does not
/// matter, nor whether there is room: a full one has woken it already.
#[map]
pub(crate) static URGENT: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Two rows: the process ring's, then the other's.
#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(2, 0);

/// What processes used up of their allowances.
#[map]
pub(crate) static SPENT: LruHashMap<Spender, Spent> = LruHashMap::with_max_entries(SPENDERS_MAX, 0);

/// Records left out for want of an allowance, by family: exact, whatever [`SPENT`] forgets.
#[map]
pub(crate) static SUPPRESSED: PerCpuArray<[u64; FAMILIES]> = PerCpuArray::with_max_entries(1, 0);

/// Where a record is put together; the stack has 512 bytes. Two for each CPU (the loader sets how many): one for programs on tracepoints, one for
/// programs on functions. The kernel's own per-CPU maps hold no value as large as the longest argv makes a record.
#[map]
pub(crate) static SCRATCH: Array<Scratch> = Array::with_max_entries(1, 0);

/// CPUs whose second room a program is using; the loader sets how many there may be.
#[map]
pub(crate) static BUSY: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);

/// Inode numbers of files whose reading may be an event. Userland keeps it, and tells the file from others with the same number: the
/// device that stat(2) shows is not the kernel's own on every file system (btrfs).
#[map]
pub(crate) static SENSITIVE: HashMap<u64, u32> = HashMap::with_max_entries(SENSITIVE_MAX, 0);

/// Seconds since 1970; userland sets it each second, or sooner.
#[map]
pub(crate) static WALL_CLOCK: Array<u64> = Array::with_max_entries(1, 0);

/// Credentials at the entry of a call of the setuid family, by thread. A call that never returns (the thread is killed) leaves its
/// entry to be evicted.
#[map]
pub(crate) static BEFORE: LruHashMap<u32, Creds> = LruHashMap::with_max_entries(1024, 0);

/// Connections that this host's processes have begun and that do not stand yet, by their `struct sock`. Each leaves when it stands or fails.
/// When the map is full, the next connect is reported at once, without a result.
#[map]
pub(crate) static ATTEMPTS: HashMap<u64, Attempt> = HashMap::with_max_entries(4096, 0);

/// Connections that stand, begun or accepted, by their `struct sock`. Each leaves when it ends; when there are more, the one that did nothing
/// for longest is forgotten, and its end is not told.
#[map]
pub(crate) static OPEN: LruHashMap<u64, Open> = LruHashMap::with_max_entries(16_384, 0);

/// Regular files that are open for writing, by their `struct file`. Each leaves when its last descriptor is closed; when there are more, the one
/// opened longest ago is forgotten, and its closing is not told.
#[map]
pub(crate) static WRITING: LruHashMap<u64, Writing> = LruHashMap::with_max_entries(8192, 0);

/// Capabilities at the entry of capset(2), by thread; as above.
#[map]
pub(crate) static CAPABILITIES_BEFORE: LruHashMap<u32, Capabilities> = LruHashMap::with_max_entries(256, 0);

/// When an act that programs repeat was told last. What is evicted is told again too early, which does no harm.
#[map]
pub(crate) static TOLD: LruHashMap<Repeated, u64> = LruHashMap::with_max_entries(1024, 0);

/// Who used a UDP socket last, by its `struct sock`: datagrams arrive on whatever process happens to run.
#[map]
pub(crate) static OWNERS: LruHashMap<u64, Owner> = LruHashMap::with_max_entries(8192, 0);

/// When a datagram to or from a peer was last told. What falls out is told once more than it need be.
#[map]
pub(crate) static PEERS: LruHashMap<Peer, u64> = LruHashMap::with_max_entries(8192, 0);

/// What the functions of libpam were called with that have not returned yet, by thread. One that never returns leaves its entry to be evicted.
#[map]
pub(crate) static PAM_CALLS: LruHashMap<Call, [u64; 3]> = LruHashMap::with_max_entries(1024, 0);

/// What programs told PAM, by handle: four items each, so 512 logins at a time. Of more, those that did nothing for longest are told without names.
#[map]
pub(crate) static PAM_ITEMS: LruHashMap<Item, [u8; ITEM_MAX]> = LruHashMap::with_max_entries(2048, 0);

/// Which of the sensor's threads makes calls for the hooks to see, and how often they saw one.
#[map]
pub(crate) static PULSE: Array<Pulse> = Array::with_max_entries(1, 0);

/// What a thread asked for when it entered a call that names files, by thread; taken when the call returns. When there is no room, the call's
/// return reads what is there by then. Not one that evicts: what it would evict can be of a call that has not returned.
#[map]
pub(crate) static ASKED: HashMap<u32, Asked> = HashMap::with_max_entries(1024, 0);

/// What the kernel is about to do to a file, by thread; taken when it is done or has failed. What a security module then refuses leaves its
/// entry until the thread's next, or to be evicted.
#[map]
pub(crate) static PENDING: LruHashMap<u32, Pending> = LruHashMap::with_max_entries(1024, 0);

/// Records of what the kernel has begun, by thread; taken when it is done or has failed. So large that paths fit, so few because what waits takes
/// no time. Without room, the record is lost, counted, or made of what the program said.
#[map]
pub(crate) static HELD: HashMap<u32, Held> = HashMap::with_max_entries(64, 0);
