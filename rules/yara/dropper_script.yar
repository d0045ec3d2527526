rule dropper_script : dropper
{
    meta:
        title = "Script that fetches a program and makes it stay"
        description = "The script pipes a download into a shell, or runs what it downloaded, and puts a line into cron, a service or a shell profile so that it comes back"
        severity = "high"
        attack = "T1105"
        attack = "T1053.003"
    strings:
        $pipe = /(curl|wget)[ \t][^\n|]{1,200}\|[ \t]*(sudo[ \t]+)?(ba|da|z)?sh\b/
        $fetch = /(curl|wget)[ \t][^\n]{1,200}(\/tmp\/|\/dev\/shm\/|\/var\/tmp\/)/
        $run = /chmod[ \t]+(\+x|0?7[0-7]{2})[ \t]+["']?(\/tmp\/|\/dev\/shm\/|\/var\/tmp\/)/
        $cron_file = /(>|>>|tee( -a)?)[ \t]*\/(etc\/cron|var\/spool\/cron)/
        $cron_line = /crontab[ \t]+-(\s|$)/
        $service = /(>|>>|tee( -a)?)[ \t]*\/etc\/systemd\/system\//
        $profile = /(>|>>)[ \t]*[^\n]{0,20}(\.bashrc|\.profile|\/etc\/profile|\/etc\/rc\.local)/
    condition:
        uint16(0) == 0x2123 and filesize < 256KB
        and ($pipe or ($fetch and $run)) and any of ($cron_*, $service, $profile)
}
