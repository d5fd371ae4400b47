# The text of PLACE/enter-cgroup, behind answer.sh. The account of the jobs may start it as root by sudo; it takes no argument
# and reads no input. It moves its caller, a process of that account, into the runner's own cgroup, below which that account
# may then make one for each job. The kernel lets nobody but root do that first step. The cgroup is made when it is missing:
# it does not outlive a boot. Assigned in front: cgroup_root.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
IFS=' 	
'
umask 022
cd /
deny() {
  echo "enter-cgroup: refused: $*" >&2
  exit 77
}
# Sets `parent`, and `real` and `effective` user, of process $1; fails when it is gone.
look_at() {
  parent='' real='' effective=''
  { while read -r word first second rest; do
    case $word in
    PPid:) parent=$first ;;
    Uid:) real=$first effective=$second ;;
    esac
  done <"/proc/$1/status"; } 2>/dev/null
  [ -n "$parent" ] && [ -n "$effective" ]
}
account=${SUDO_UID:-}
case $account in '' | 0 | *[!0-9]*) deny it is started by sudo for the account of the jobs ;; esac
# Between us and the caller is sudo, in one process or two, which are root's.
caller=$PPID
while look_at "$caller"; do
  [ "$real" != "$account" ] || [ "$effective" != "$account" ] || break
  caller=$parent
done
[ "$real" = "$account" ] || deny there is no process of the account above this one
[ -d "$cgroup_root" ] || mkdir "$cgroup_root" || deny the cgroup cannot be made
# What of it belongs to the account: it may make cgroups, and move its own processes between them.
chown "$account" "$cgroup_root" "$cgroup_root/cgroup.procs" || deny the cgroup cannot be given to the account
echo "$caller" >"$cgroup_root/cgroup.procs" || deny the caller cannot be moved
# The caller waits for us. If it was killed meanwhile, its number may be another's by now.
if ! look_at "$caller" || [ "$real" != "$account" ]; then
  echo "$caller" >"${cgroup_root%/*}/cgroup.procs"
  deny the caller is gone
fi
