rule coin_miner : miner
{
    meta:
        title = "Cryptocurrency miner"
        description = "The file speaks a mining pool's protocol and names what only miners name: algorithms, donation level, hash rate"
        severity = "high"
        attack = "T1496.001"
    strings:
        $pool_tcp = "stratum+tcp://" nocase
        $pool_ssl = "stratum+ssl://" nocase
        $login = "\"method\":\"login\"" nocase
        $submit = "mining.submit"
        $subscribe = "mining.subscribe"
        $randomx = "randomx" nocase
        $cryptonight = "cryptonight" nocase
        $argon = "argon2/chukwa" nocase
        $donate = "donate-level"
        $hugepages = "huge-pages-jit"
        $hashrate = "hashrate" nocase
        $wallet = "--wallet"
        $xmrig = "xmrig" nocase
    condition:
        filesize < 32MB and any of ($pool_*, $login, $submit, $subscribe)
        and 2 of ($randomx, $cryptonight, $argon, $donate, $hugepages, $hashrate, $wallet, $xmrig)
}
