import "elf"

rule preload_rootkit : rootkit
{
    meta:
        title = "Library that hides things from every program"
        description = "A shared library that takes the place of directory or process listing functions, knows the preload list, and looks up the functions it replaces"
        severity = "critical"
        attack = "T1574.006"
        attack = "T1014"
    strings:
        $list = "/etc/ld.so.preload"
        $lookup = "dlsym"
        $readdir = "readdir64"
        $readdir_plain = "readdir"
        $open = "fopen"
        $tcp_table = "/proc/net/tcp"
        $stat = "__xstat"
        $lstat = "lstat64"
    condition:
        uint32(0) == 0x464c457f and filesize < 2MB and elf.type == elf.ET_DYN
        and $list and $lookup and 2 of ($readdir, $readdir_plain, $open, $tcp_table, $stat, $lstat)
        and not for any segment in elf.segments : (segment.type == elf.PT_INTERP)
}
