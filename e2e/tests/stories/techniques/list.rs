//! The techniques: by name and ATT&CK number, how each is done, and what it should leave.

/// One technique.
pub(super) struct Technique {
    pub(super) name: &'static str,
    /// For bash; `$1` is a folder of its own.
    pub(super) script: &'static str,
    /// What the event did.
    pub(super) action: &'static str,
    /// Fields of the event. `$1` is the folder; a value that begins with `~` is a part of the field's.
    pub(super) fields: &'static [(&'static str, &'static str)],
}

const fn technique(
    name: &'static str,
    script: &'static str,
    action: &'static str,
    fields: &'static [(&'static str, &'static str)],
) -> Technique {
    Technique { name, script, action, fields }
}

pub(super) const TECHNIQUES: &[Technique] = &[
    technique(
        "T1059.004 a shell runs a command",
        "sh -c 'id >/dev/null; : ran in '\"$1\"; true",
        "exec",
        &[("process.command_line", "~id >/dev/null; : ran in $1"), ("user.name", "root"), ("process.parent.name", "bash")],
    ),
    technique(
        "T1059.004 a script names its interpreter",
        "printf '#!/bin/sh\\nexit 0\\n' >\"$1/script\"; chmod 755 \"$1/script\"; \"$1/script\" argument",
        "exec",
        &[("bongsu.process.script", "$1/script"), ("process.command_line", "~$1/script argument")],
    ),
    technique(
        "T1548.001 a file becomes set-uid",
        "cp /bin/true \"$1/suid\"; chmod 4755 \"$1/suid\"",
        "file-chmod",
        &[("file.path", "$1/suid"), ("bongsu.file.mode", "2541"), ("process.name", "chmod"), ("user.name", "root")],
    ),
    technique(
        "T1548.001 a set-uid program is started by somebody else",
        "cp /bin/true \"$1/suid2\"; chmod 4755 \"$1/suid2\"; setpriv --reuid=65534 --regid=65534 --clear-groups \"$1/suid2\"",
        "exec",
        &[("process.executable", "$1/suid2"), ("bongsu.process.setuid", "true"), ("user.name", "nobody"), ("user.effective.name", "root")],
    ),
    technique(
        "T1548 a program gets capabilities",
        "python3 -c 'import os, struct, sys
path = sys.argv[1] + \"/capable\"
open(path, \"w\").close()
os.setxattr(path, \"security.capability\", struct.pack(\"<IIIII\", 0x02000001, 1 << 7, 0, 0, 0))' \"$1\"",
        "file-set-attribute",
        &[("file.path", "$1/capable"), ("bongsu.file.attribute", "security.capability")],
    ),
    technique(
        "T1222.002 a file is given to somebody else",
        "touch \"$1/own\"; chown nobody \"$1/own\"",
        "file-chown",
        &[("file.path", "$1/own"), ("bongsu.file.uid", "65534"), ("process.name", "chown")],
    ),
    technique(
        "T1546.004 a line is added to a shell's start file",
        "echo >\"$1/.bashrc\"; echo : >>\"$1/.bashrc\"",
        "file-write",
        &[("file.path", "$1/.bashrc"), ("process.name", "bash")],
    ),
    technique(
        "T1098.004 a key is added for ssh, through a link that hides the path",
        "mkdir \"$1/.ssh\"; ln -s .ssh \"$1/harmless\"; echo key >>\"$1/harmless/authorized_keys\"",
        "file-create",
        &[("file.path", "$1/.ssh/authorized_keys")],
    ),
    technique(
        "T1003.008 password hashes are read",
        "cat /etc/shadow >/dev/null; : \"$1\"",
        "file-read",
        &[("file.path", "/etc/shadow"), ("process.name", "cat"), ("user.name", "root")],
    ),
    technique(
        "T1552.004 a private key is read",
        "cat /root/.ssh/id_bongsu_technique >/dev/null; : \"$1\"",
        "file-read",
        &[("file.path", "/root/.ssh/id_bongsu_technique"), ("process.name", "cat")],
    ),
    technique(
        "T1552.004 a private key that was just made is read",
        "echo key >/root/.ssh/id_bongsu_new; cat /root/.ssh/id_bongsu_new >/dev/null; rm /root/.ssh/id_bongsu_new; : \"$1\"",
        "file-read",
        &[("file.path", "/root/.ssh/id_bongsu_new"), ("process.name", "cat")],
    ),
    technique(
        "T1070.002 a log is emptied by the shell",
        "echo line >\"$1/wtmp\"; : >\"$1/wtmp\"",
        "file-truncate",
        &[("file.path", "$1/wtmp"), ("process.name", "bash")],
    ),
    technique(
        "T1003.007 the memory of another process is opened to read it",
        "sleep 60 & python3 -c 'import sys; open(f\"/proc/{sys.argv[2]}/mem\", \"rb\", 0)' \"$1\" $!; kill -9 $!",
        "memory-open",
        &[("bongsu.target.executable", "~sleep"), ("bongsu.tamper.number", "0"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1611 what runs when a program crashes is opened for writing",
        "bash -c 'exec 3>>/proc/sys/kernel/core_pattern' \"$1\"",
        "file-write",
        &[("file.path", "/proc/sys/kernel/core_pattern"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1070.002 a log is emptied",
        "echo line >\"$1/auth.log\"; truncate -s 0 \"$1/auth.log\"",
        "file-truncate",
        &[("file.path", "$1/auth.log"), ("process.name", "truncate")],
    ),
    technique(
        "T1070.003 a history leads nowhere",
        "ln -s /dev/null \"$1/.bash_history\"",
        "file-symlink",
        &[("file.path", "$1/.bash_history"), ("process.name", "ln")],
    ),
    technique(
        "T1070.004 a file is deleted",
        "touch \"$1/gone\"; cd \"$1\"; rm ./gone",
        "file-delete",
        &[("file.path", "$1/gone"), ("process.name", "rm")],
    ),
    technique(
        "T1486 a file is renamed",
        "touch \"$1/plan\"; mv \"$1/plan\" \"$1/plan.locked\"",
        "file-rename",
        &[("file.path", "$1/plan.locked"), ("bongsu.file.previous_path", "$1/plan"), ("process.name", "mv")],
    ),
    technique(
        "T1574 a second name for a file",
        "touch \"$1/first\"; ln \"$1/first\" \"$1/second\"",
        "file-link",
        &[("file.path", "$1/second"), ("process.name", "ln")],
    ),
    technique(
        "T1564.001 a hidden file is dropped",
        "echo payload >\"$1/.hidden\"",
        "file-create",
        &[("file.path", "$1/.hidden")],
    ),
    technique(
        "T1105 a file is written to its end",
        "echo payload >\"$1/dropped\"",
        "file-close-write",
        &[("file.path", "$1/dropped")],
    ),
    technique(
        "T1036.005 a program is called like a thread of the kernel",
        "cp /bin/true \"$1/[kworker]\"; \"$1/[kworker]\"",
        "exec",
        &[("process.executable", "$1/[kworker]")],
    ),
    technique(
        "T1036.004 a process gives itself another name",
        "python3 -c 'import ctypes; ctypes.CDLL(None).prctl(15, b\"kworker/0:1\", 0, 0, 0)' \"$1\"",
        "set-name",
        &[("bongsu.process.comm", "kworker/0:1"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1620 a program that was never a file",
        "python3 -c 'import os, sys
fd = os.memfd_create(\"implant\")
os.write(fd, open(\"/bin/true\", \"rb\").read())
os.execv(f\"/proc/self/fd/{fd}\", [\"implant\", sys.argv[1]])' \"$1\"",
        "exec",
        &[("bongsu.process.memfd", "true"), ("process.command_line", "implant $1")],
    ),
    technique(
        "T1070.004 a program that deleted itself",
        "cp /bin/sleep \"$1/ghost\"; python3 -c 'import os, sys
fd = os.open(sys.argv[1] + \"/ghost\", os.O_RDONLY)
os.unlink(sys.argv[1] + \"/ghost\")
os.execv(f\"/proc/self/fd/{fd}\", [\"ghost\", \"0\"])' \"$1\"",
        "exec",
        &[("bongsu.process.deleted", "true"), ("process.command_line", "ghost 0")],
    ),
    technique(
        "T1055.008 another process is attached to",
        "sleep 60 & python3 -c 'import ctypes, sys
libc = ctypes.CDLL(None)
assert libc.ptrace(16, int(sys.argv[2]), None, None) == 0' \"$1\" $!; kill -9 $!",
        "ptrace",
        &[("bongsu.target.executable", "~sleep"), ("bongsu.tamper.number", "16"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1055.009 the memory of another process is opened for writing",
        "sleep 60 & python3 -c 'import sys; open(f\"/proc/{sys.argv[2]}/mem\", \"r+b\", 0)' \"$1\" $!; kill -9 $!",
        "memory-open",
        &[("bongsu.target.executable", "~sleep"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1027 memory is writable and executable",
        "python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7)' \"$1\"",
        "memory-write-execute",
        &[("process.command_line", "~$1")],
    ),
    technique(
        "T1071 a connection stands",
        "python3 -c 'import socket
listener = socket.create_server((\"127.0.0.1\", 0))
peer = socket.create_connection(listener.getsockname())
peer.sendall(b\"x\" * 1000)' \"$1\"",
        "connect",
        &[("bongsu.connect.result", "established"), ("destination.ip", "127.0.0.1"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1041 a connection carries bytes away",
        "python3 -c 'import socket
listener = socket.create_server((\"127.0.0.1\", 0))
peer = socket.create_connection(listener.getsockname())
other, _ = listener.accept()
peer.sendall(b\"x\" * 4321)
peer.close()
while other.recv(65536): pass' \"$1\"",
        "close",
        &[("bongsu.network.bytes_sent", "4321"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1046 a port is tried and closed",
        "python3 -c 'import socket
socket.socket().connect_ex((\"127.0.0.1\", 9))' \"$1\"",
        "connect",
        &[("bongsu.connect.result", "refused"), ("destination.port", "9"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1571 a program waits for connections",
        "python3 -c 'import socket
listener = socket.socket(); listener.bind((\"127.0.0.1\", 0)); listener.listen()' \"$1\"",
        "listen",
        &[("destination.ip", "127.0.0.1"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1071.004 a name is asked for",
        "python3 -c 'import socket
question = b\"\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x06bongsu\\x07example\\x00\\x00\\x10\\x00\\x01\"
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(question, (\"127.0.0.1\", 53))' \"$1\"",
        "dns-question",
        &[("dns.question.name", "bongsu.example"), ("dns.question.type", "TXT"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1095 a raw socket",
        "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)' \"$1\"",
        "raw-socket",
        &[("bongsu.tamper.number", "1"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1040 a socket that hears all packets",
        "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)' \"$1\"",
        "raw-socket",
        &[("bongsu.tamper.name", "~packet"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1611 new namespaces",
        "unshare --mount --uts true; : \"$1\"",
        "namespace-unshare",
        &[("bongsu.namespaces", "~mount"), ("process.name", "unshare")],
    ),
    technique(
        "T1611 the namespaces of another process are entered",
        "unshare --uts sleep 60 & python3 -c 'import ctypes, os, sys
assert ctypes.CDLL(None).setns(os.open(f\"/proc/{sys.argv[2]}/ns/uts\", os.O_RDONLY), 0) == 0' \"$1\" $!; kill -9 $!",
        "namespace-join",
        &[("bongsu.namespaces", "~uts"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1564 something is mounted over a folder",
        "mkdir \"$1/over\"; unshare --mount mount -t tmpfs nothing \"$1/over\"",
        "mount",
        &[("bongsu.mount.target", "$1/over"), ("bongsu.mount.kind", "tmpfs"), ("process.name", "mount")],
    ),
    technique(
        "T1134 a process becomes somebody else",
        "python3 -c 'import os; os.setuid(65534)' \"$1\"",
        "set-credentials",
        &[("user.name", "nobody"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1014 a program is loaded into the kernel",
        "python3 -c 'import ctypes, os, struct
code = struct.pack(\"<BBhiBBhi\", 0xb7, 0, 0, 0, 0x95, 0, 0, 0)
code, license, log = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b\"GPL\"), 0
attributes = struct.pack(\"<IIQQIIQII16s\", 1, 2, ctypes.addressof(code), ctypes.addressof(license), 0, 0, 0, 0, 0, b\"technique\")
assert ctypes.CDLL(None).syscall({\"x86_64\": 321, \"aarch64\": 280}[os.uname().machine], 5, attributes, len(attributes)) > 0' \"$1\"",
        "bpf-load",
        &[("bongsu.tamper.name", "technique"), ("process.command_line", "~$1")],
    ),
    technique(
        "T1106 a program that may not be started",
        "touch \"$1/refused\"; \"$1/refused\" || true",
        "exec-failed",
        &[("bongsu.process.tried", "$1/refused"), ("error.code", "13")],
    ),
    technique(
        "T1489 a process is killed",
        "bash -c 'kill -9 $$' \"$1\" || true",
        "exit",
        &[("process.exit_code", "137"), ("process.command_line", "~$1")],
    ),
];
