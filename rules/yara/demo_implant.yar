rule bongsu_demo_implant : demo
{
    meta:
        title = "Implant of the Bongsu demonstration"
        description = "The harmless program that plays the attacker's tool in the demonstration: its marker, and the behaviour of a real implant"
        severity = "critical"
        attack = "T1059.004"
        attack = "T1620"
    strings:
        $marker = "BONGSU-DEMO-IMPLANT-v1"
        $does_connect = "/dev/tcp/"
        $does_read_hashes = "/etc/shadow"
        $does_hide = "memfd:"
        $does_spawn = "/bin/sh"
    condition:
        $marker and any of ($does_*)
}
