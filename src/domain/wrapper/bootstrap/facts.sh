# Tells what the host is. os-release goes back as it is; the mapping to Ohai's words is made by the dispatcher.
first_line() { { IFS= read -r line <"$1"; } 2>/dev/null && tell "$2" "$line"; }
os_release() {
  for file in "${SHUNT_OS_RELEASE:-/etc/os-release}" /usr/lib/os-release; do
    [ -r "$file" ] || continue
    while IFS= read -r line || [ -n "$line" ]; do tell os_release "$line"; done <"$file"
    break
  done
  # What os-release does not say: the whole version of CentOS, that of Debian testing, hosts without os-release.
  [ -n "${SHUNT_OS_RELEASE:-}" ] && return
  for file in /etc/redhat-release /etc/system-release /etc/centos-release; do
    first_line "$file" redhat_release && break
  done
  first_line /etc/debian_version debian_version
  ! have sw_vers || tell mac_version "$(sw_vers -productVersion)"
}
processors() { getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 0; }
# mksh counts in 32 bits.
# shellcheck disable=SC2003
memory_bytes() {
  { while read -r key value _; do [ "$key" != MemTotal: ] || { expr "$value" "*" 1024; return; }; done </proc/meminfo; } 2>/dev/null
  sysctl -n hw.memsize 2>/dev/null || sysctl -n hw.physmem 2>/dev/null || echo 0
}
facts() {
  tell kernel "$(uname -s)"
  tell kernel_release "$(uname -r)"
  tell machine "$(uname -m)"
  tell hostname "$(uname -n)"
  os_release
  tell cpus "$(processors)"
  tell memory_bytes "$(memory_bytes)"
  first_line /proc/sys/kernel/random/boot_id boot_id || tell boot_id "$(sysctl -n kern.bootsessionuuid 2>/dev/null || echo unknown)"
  tell uid "$(id -u)"
  tell user "$(id -un)"
  tell home "${HOME:-}"
  tell shell "${SHELL:-}"
  for tool in setsid tail head cksum git tar zstd gzip rsync curl docker podman python3 make sudo restorecon systemd-run; do
    ! have "$tool" || tell tool "$tool"
  done
}
