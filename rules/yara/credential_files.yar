rule ssh_key_stealer : stealer
{
    meta:
        title = "Collects SSH keys and sends them away"
        description = "The file names private SSH keys of several kinds together with a way to send them to another machine"
        severity = "high"
        attack = "T1552.004"
        attack = "T1041"
    strings:
        $rsa = ".ssh/id_rsa"
        $ed25519 = ".ssh/id_ed25519"
        $ecdsa = ".ssh/id_ecdsa"
        $dsa = ".ssh/id_dsa"
        $known = ".ssh/known_hosts"
        $glob = ".ssh/id_*"
        $curl = /curl [^\n]{0,80}(-F|-T|--data-binary|--upload-file|-d @)/
        $wget = "--post-file"
        $tcp = "/dev/tcp/"
        $nc = /\bnc (-\w+ )*[\w.$\{\}-]+ [\w$\{\}]{1,12} ?</
        $webhook = /(api\.telegram\.org\/bot|discord(app)?\.com\/api\/webhooks\/)/
        $post = /POST \/[^\n]{0,80} HTTP\/1\.[01]/
    condition:
        filesize < 16MB and (2 of ($rsa, $ed25519, $ecdsa, $dsa, $known) or $glob)
        and any of ($curl, $wget, $tcp, $nc, $webhook, $post)
}

rule account_file_thief : stealer
{
    meta:
        title = "Reads the password hashes and sends them away"
        description = "The file names /etc/shadow together with a connection to another machine opened by a shell"
        severity = "high"
        attack = "T1003.008"
        attack = "T1041"
    strings:
        $shadow = "/etc/shadow"
        $tcp = /\/dev\/(tcp|udp)\/[\w.$\{\}-]{1,64}\/[\w$\{\}]{1,12}/
        $curl = /curl [^\n]{0,80}(-F|-T|--data-binary|--upload-file|-d @)[^\n]{0,80}\/etc\/shadow/
        $nc = /\bnc (-\w+ )*[\w.$\{\}-]+ [\w$\{\}]{1,12} ?< ?\/etc\/shadow/
    condition:
        filesize < 4MB and (($shadow and $tcp) or $curl or $nc)
}
