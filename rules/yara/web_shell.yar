rule php_web_shell : webshell
{
    meta:
        title = "PHP web shell"
        description = "A PHP page that runs what its visitor sends: a command or code taken from the request, plain or decoded first"
        severity = "critical"
        attack = "T1505.003"
    strings:
        $php = /<\?(php|=)/ nocase
        $command = /\b(system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec)\s{0,4}\(\s{0,4}(\w{1,20}\(\s{0,4}){0,3}\$_(GET|POST|REQUEST|COOKIE|SERVER)\s{0,4}\[/ nocase
        $code = /\b(eval|assert|create_function)\s{0,4}\(\s{0,4}(\w{1,20}\(\s{0,4}){0,3}@?\$_(GET|POST|REQUEST|COOKIE|SERVER)\s{0,4}\[/ nocase
        $input = /\b(eval|assert)\s{0,4}\(\s{0,4}(\w{1,20}\(\s{0,4}){0,3}file_get_contents\s{0,4}\(\s{0,4}['"]php:\/\/input/ nocase
        $call = /\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[\s{0,4}['"]?\w{1,20}['"]?\s{0,4}\]\s{0,4}\(\s{0,4}\$_(GET|POST|REQUEST|COOKIE)/ nocase
        $packed = /\beval\s{0,4}\(\s{0,4}(gzinflate|gzuncompress|str_rot13)\s{0,4}\(\s{0,4}(base64_decode|str_rot13)\s{0,4}\(/ nocase
        $backtick = /`\s{0,4}\{?\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[/ nocase
    condition:
        filesize < 1MB and $php and any of ($command, $code, $input, $call, $packed, $backtick)
}
