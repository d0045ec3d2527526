import "elf"

rule memfd_loader : loader
{
    meta:
        title = "Loader that runs a program from memory"
        description = "A small program that makes a file in memory, executes it from there, and fills it from the network"
        severity = "high"
        attack = "T1620"
        attack = "T1105"
    strings:
        // Not execveat: every tool with a table of system call names has it, beside memfd_create, socket and connect.
        $memfd = "memfd_create"
        $fexecve = "fexecve"
        $descriptor = /\/proc\/(self|%d|%i)\/fd\/%[di]/
        $http = /GET \/[^\n]{0,80} HTTP\/1\.[01]/
        $socket = "socket"
        $connect = "connect"
    condition:
        uint32(0) == 0x464c457f and filesize < 512KB
        and (
            elf.type == elf.ET_EXEC
            or (elf.type == elf.ET_DYN and for any segment in elf.segments : (segment.type == elf.PT_INTERP))
        )
        and $memfd and any of ($fexecve, $descriptor) and ($http or ($socket and $connect))
}
