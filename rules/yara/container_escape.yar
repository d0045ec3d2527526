rule container_escape : escape
{
    meta:
        title = "Tool to break out of a container"
        description = "The file carries the steps of a known way from a container to its host: cgroup release_agent, core_pattern pipe, or the container runtime's socket"
        severity = "critical"
        attack = "T1611"
    strings:
        $agent = /(>|echo)[^\n]{0,120}\/release_agent/
        $notify = "notify_on_release"
        $cgroup_mount = /mount -t cgroup[^\n]{0,80}(rdma|memory|cgroup)/
        $core = /echo[^\n]{0,20}\|[^\n]{0,120}> ?\/proc\/sys\/kernel\/core_pattern/
        $overlay = "upperdir="
        $socket = "/var/run/docker.sock"
        $create = "/containers/create"
        $privileged = /"Privileged" ?: ?true/
        $host_root = /"Binds" ?: ?\[ ?"\/:/
    condition:
        filesize < 16MB and (
            ($agent and $notify and $cgroup_mount)
            or ($core and $overlay)
            or ($socket and $create and any of ($privileged, $host_root))
        )
}
