rule eicar_test_file : test
{
    meta:
        title = "EICAR test file"
        description = "The file that every scanner agrees to find, to show that scanning works; harmless"
        severity = "low"
        attack = "T1204.002"
    strings:
        // Written in bytes, so that other scanners leave this file alone.
        $eicar = { 58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41 52 }
    condition:
        $eicar at 0 and filesize <= 128
}
