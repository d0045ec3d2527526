rule upx_packed_elf : packer
{
    meta:
        title = "Program packed with UPX"
        description = "An ELF program in UPX form. Packing is no crime, but few distributions ship packed programs and many intruders do"
        severity = "medium"
        attack = "T1027.002"
    strings:
        $magic = "UPX!"
        $info = "$Info: This file is packed with the UPX executable packer"
        $stub = "PROT_EXEC|PROT_WRITE failed."
    condition:
        uint32(0) == 0x464c457f and $magic in (0..1024)
        and ($magic in (filesize - 64 .. filesize) or any of ($info, $stub))
}
