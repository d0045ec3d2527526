"""Random process trees for argv[2] seconds from the seed argv[3], and the truth about them in the file argv[1].

A process is named pid:start, as /proc shows it. Lines: `R root`, `F maker child`, `X process tag` for each exec, `E process code signal`.
"""

import ctypes
import os
import random
import signal
import sys
import threading
import time

LIBC = ctypes.CDLL(None)
SET_CHILD_SUBREAPER = 36
EXIT_THREAD = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT]
TRUTH = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
DEPTH_MAX = 5


def name(pid):
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return f"{pid}:{stat.read().rpartition(b')')[2].split()[19].decode()}"


def say(*words):
    os.write(TRUTH, (" ".join(map(str, words)) + "\n").encode())


def fork(maker, life, *more):
    pid = os.fork()
    if pid == 0:
        try:
            me = name(os.getpid())
            say("F", maker, me)
            life(me, *more)
        finally:
            os._exit(99)
    return pid


def end(me, code):
    say("E", me, code, 0)
    os._exit(code)


def leaf(me, seed, depth):
    end(me, seed % 256)


def branch(me, seed, depth):
    dice = random.Random(seed)
    for _ in range(dice.randrange(1, 4)):
        lives = LIVES if depth < DEPTH_MAX else LAST
        action = dice.choice(lives)
        more = (dice.getrandbits(32), depth + 1)
        if action in (kill, spawn, thread_forks):
            action(me, *more)
            continue
        pid = fork(me, action, *more)
        if dice.randrange(3):
            os.waitpid(pid, 0)
    end(me, dice.randrange(256))


def double_fork(me, seed, depth):
    fork(me, branch, seed, depth)
    end(me, 0)


def program(me, seed):
    """What to exec, told before it is done."""
    tag, code = f"soak-{me}", seed % 256
    args, tags, code = [
        (["/bin/true", tag], [tag], 0),
        (["/bin/sh", "-c", f"exit {code}", tag], [tag], code),
        (["/bin/sh", "-c", f"exec /bin/true {tag}-again", tag], [tag, tag + "-again"], 0),
    ][seed % 3]
    for told in tags:
        say("X", me, told)
    say("E", me, code, 0)
    return args


def execs(me, seed, depth):
    args = program(me, seed)
    os.execv(args[0], args)


def thread_execs(me, seed, depth):
    args = program(me, seed)
    for _ in range(seed % 3):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    threading.Thread(target=os.execv, args=(args[0], args)).start()
    time.sleep(60)


def leader_goes_first(me, seed, depth):
    def last():
        time.sleep(0.005)
        end(me, seed % 256)

    threading.Thread(target=last).start()
    LIBC.syscall(EXIT_THREAD, 0)


def thread_forks(me, seed, depth):
    pids = []
    thread = threading.Thread(target=lambda: pids.append(fork(me, branch, seed, depth)))
    thread.start()
    thread.join()
    os.waitpid(pids[0], 0)


def sleeper(me, seed, depth):
    tag = f"soak-{me}"
    say("X", me, tag)
    os.execv("/bin/sleep", [tag, "60"])


def kill(me, seed, depth):
    read, write = os.pipe()
    pid = fork(me, sleeper, seed, depth)
    os.close(write)
    # The child's end is closed by its exec.
    os.read(read, 1)
    os.close(read)
    child, number = name(pid), SIGNALS[seed % len(SIGNALS)]
    os.kill(pid, number)
    os.waitpid(pid, 0)
    say("E", child, 0, int(number))


def spawn(me, seed, depth):
    tag = f"soak-{me}-{seed}"
    pid = os.posix_spawn("/bin/sh", ["/bin/sh", "-c", f"exit {seed % 256}", tag], {})
    child = name(pid)
    os.waitpid(pid, 0)
    say("F", me, child)
    say("X", child, tag)
    say("E", child, seed % 256, 0)


LAST = [leaf, execs, thread_execs, leader_goes_first, kill, spawn]
LIVES = LAST + [branch, double_fork, thread_forks]


def main():
    LIBC.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    me = name(os.getpid())
    say("R", me)
    dice, until, trees = random.Random(int(sys.argv[3])), time.monotonic() + float(sys.argv[2]), 0
    while True:
        while trees < 4 and time.monotonic() < until:
            fork(me, branch, dice.getrandbits(32), 0)
            trees += 1
        try:
            os.waitpid(-1, 0)
            trees = max(0, trees - 1)
        except ChildProcessError:
            if time.monotonic() >= until:
                break
            trees = 0
    end(me, 0)


main()
