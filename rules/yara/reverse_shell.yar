rule elf_reverse_shell : shell
{
    meta:
        title = "Program that carries a reverse shell"
        description = "An ELF program with the command line of a shell whose input and output are a network connection"
        severity = "high"
        attack = "T1059.004"
        attack = "T1095"
    strings:
        $redirect = /(ba|da|z)?sh -i ?[0-9]?[<>]{1,2}&? ?\/dev\/(tcp|udp)\//
        $exec = /exec [0-9]{1,3}<> ?\/dev\/(tcp|udp)\//
        $loop = /0<&[0-9]{1,3};? ?exec [0-9]{1,3}<> ?\/dev\/tcp\//
        $fifo = /mkfifo [^\n;]{1,60};[^\n]{0,120}(sh -i|\/bin\/sh)[^\n]{0,80}\bnc /
        $netcat = /\bnc(at)? [^\n]{0,60}-e ?\/bin\/(ba|da)?sh/
        $socat = /socat [^\n]{0,80}exec:["']?(\/bin\/)?(ba)?sh/ nocase
    condition:
        uint32(0) == 0x464c457f and filesize < 32MB and any of them
}

rule script_reverse_shell : shell
{
    meta:
        title = "Script that opens a reverse shell"
        description = "A script that binds a shell to a network connection, in one of the usual ways of sh, Python, Perl, PHP or Ruby"
        severity = "high"
        attack = "T1059.004"
        attack = "T1095"
    strings:
        $sh_redirect = /(ba|da|z)?sh -i ?[0-9]?[<>]{1,2}&? ?\/dev\/(tcp|udp)\/[\w.$\{\}-]{1,64}\/[\w$\{\}]{1,12}/
        $sh_exec = /exec [0-9]{1,3}<> ?\/dev\/(tcp|udp)\/[\w.$\{\}-]{1,64}\//
        $sh_fifo = /mkfifo [^\n;]{1,60};[^\n]{0,120}(sh -i|\/bin\/sh)[^\n]{0,80}\bnc /
        $sh_netcat = /\bnc(at)? [^\n]{0,60}-e ?\/bin\/(ba|da)?sh/
        $py_connect = /\.connect\(\(["'][\w.-]{1,64}["'], ?\d{1,5}\)\)/
        $py_dup = /os\.dup2\(\w{1,20}\.fileno\(\), ?[012]\)/
        $py_pty = /pty\.spawn\(["'](\/bin\/)?(ba|da)?sh["']\)/
        $perl = /open\(STDIN,["']>&S["']\);[^\n]{0,120}exec\(["']\/bin\/(ba)?sh -i["']\)/
        $php = /fsockopen\([^\n]{1,80}\);[^\n]{0,40}(exec|shell_exec|system|proc_open)\([^\n]{0,20}sh -i/
        $ruby = /TCPSocket\.(new|open)\([^\n]{1,80}exec[^\n]{0,20}sh -i/
    condition:
        uint32(0) != 0x464c457f and filesize < 256KB
        and (any of ($sh_*) or ($py_connect and any of ($py_dup, $py_pty)) or $perl or $php or $ruby)
}
