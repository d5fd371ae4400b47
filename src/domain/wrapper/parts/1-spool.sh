# Shuntyard's wrapper: starts, follows and stops attempts of jobs on this host. docs/PROTOCOL.md describes it.
# Run as `exec /bin/sh BASE/wrapper-HASH VERB ARGS`; without a #! line, so that a noexec mount does not matter.
# Standard output: noise of login files, the line @@NONCE, then the job's bytes. Standard error: lines @NONCE WORD ...
# BASE (0700): c/ID claim   j/ID/ spool: script log outputs pid result limits att cancel   w/ID/ work directory   instance
# Forks are what a short job pays for: `read`, `case` and redirections instead of programs wherever it is hot.
# The bootstrap may set in front of this text: shunt_base, shunt_setsid (path or `none`), shunt_tail (follow or poll),
# shunt_home (the HOME of jobs, when it is not the account's), shunt_cgroup (how a job gets a cgroup of its own: `own`,
# below the one that the channel is in; `sudo`, after root's enter-cgroup has moved us; else not).
set -u
# Lengths and patterns count bytes, and programs load no locale. The job does not inherit it.
export LC_ALL=C
boot='' process_state='' shunt_limits='' shunt_script='' shunt_secrets='' cgroups='' cgroup=''
base=${shunt_base:-${0%/*}}
nonce=0
newline='
'

# ---------- small tools. Results come back in variables: a command substitution is a fork ----------

say() { echo "@$nonce $*" >&2; }
refuse() { say err "$@"; exit 64; }
nap() { sleep 0.1 2>/dev/null || sleep 1; }

# Writes $1 as it is, by a builtin: data must not reach an argument list. mksh has no builtin printf.
case ${KSH_VERSION:-} in
*?) emit() { print -rn -- "$1"; } ;;
*) emit() { printf %s "$1"; } ;;
esac

# Replaces file $1 by the line $2. The write is short: readers see all of it or an empty file.
put() { { emit "$2$newline" >"$1"; } 2>/dev/null; }
# Overwrites the reserved file $1 in place: this works on a full disk.
put_in_place() { { emit "$2 " 1<>"$1"; } 2>/dev/null; }
# Creates the file $1, or fails when it exists. O_EXCL: one of many wins.
create() {
  set -C
  { true >"$1"; } 2>/dev/null
  set -- $?
  set +C
  return "$1"
}
# Reads the first line of file $1 into `line`, which is empty when there is none.
get() {
  line=
  { IFS= read -r line <"$1"; } 2>/dev/null || [ -n "$line" ]
}
# Sets `size` to the length of the attempt's log. (busybox's `wc -c` reads all of it.)
measure() {
  size=0
  [ -s "$spool/log" ] || return 0
  # shellcheck disable=SC2046,SC2012 # words: MODE LINKS OWNER GROUP SIZE
  set -- $(ls -ln "$spool/log" 2>/dev/null)
  size=${5:-0}
}
# Tells whether $1 is above $2. Large numbers are compared in millions: mksh counts in 32 bits.
above() {
  if [ "${#1}" -ne "${#2}" ]; then [ "${#1}" -gt "${#2}" ]
  elif [ "${#1}" -lt 10 ]; then [ "$1" -gt "$2" ]
  else [ "${1%??????}" -gt "${2%??????}" ]; fi
}
# Sets `next` to offset $1 + 1. mksh counts in 32 bits.
next_byte() {
  # shellcheck disable=SC2003
  if [ "${#1}" -lt 10 ]; then next=$(($1 + 1)); else next=$(expr "$1" + 1); fi
}
# Tells whether the spool's disk takes another block. Where it does not, bytes of the log may be lost, and a job that
# ignores write errors would look as if it had said everything. One block, and larger than what file systems keep
# inside the inode.
space_left() {
  block=................................................................
  block=$block$block$block$block$block$block$block$block
  { emit "$block$block$block$block$block$block$block$block" >"$spool/probe"; } 2>/dev/null && [ -s "$spool/probe" ] &&
    { true >"$spool/probe"; } 2>/dev/null
}
# Names the files of attempt $1.
attempt() { id=$1 claim=$base/c/$1 spool=$base/j/$1 work=$base/w/$1; }
# Removes the attempt's files, also what the job made unwritable. The claim stays: it still fences.
remove() {
  ! get "$spool/cgroup" || drop_cgroup "$line"
  rm -rf "$spool" "$work" 2>/dev/null
  [ ! -d "$work" ] || { chmod -R u+rwx "$work"; rm -rf "$work"; } 2>/dev/null
}

# ---------- process identity: pid, kernel start time and boot id. Never a file's age ----------

# Splits a line of /proc/PID/stat: sets state, parent, group, session, start.
split_stat() {
  # The name in parentheses may hold anything, also `) `: cut at the last one.
  set -f
  # shellcheck disable=SC2086 # splitting is meant
  set -- ${1##*) }
  set +f
  process_state=$1 parent=$2 group=$3 session=$4 start=${20}
}
# Sets `start` of process $1; fails when there is no such process.
start_of() {
  { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null && { split_stat "$stat"; return; }
  [ ! -r /proc/self/stat ] || return 1
  start=$(ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _)
  [ -n "$start" ]
}
# Sets `boot`, once.
boot_id() {
  [ -z "$boot" ] || return 0
  { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null && return
  boot=$(sysctl -n kern.bootsessionuuid 2>/dev/null || sysctl -n kern.boottime 2>/dev/null | tr -cd 0-9)
  boot=${boot:-unknown}
}
# Sets `pid` and `me` (PID START BOOT) of the very process that asks; `$$` would name a subshell's parent.
identify() {
  if { IFS= read -r stat </proc/self/stat; } 2>/dev/null; then
    pid=${stat%% *}
    split_stat "$stat"
  else
    # shellcheck disable=SC2016 # the inner shell expands it
    pid=$(exec sh -c 'echo $PPID')
    start_of "$pid"
  fi
  boot_id
  me="$pid $start $boot"
}
# Tells whether process $1 with start $2 of boot $3 runs; a zombie does not.
alive() {
  boot_id
  [ "$#" -ge 3 ] && [ "$3" = "$boot" ] && kill -0 "$1" 2>/dev/null && start_of "$1" && [ "$start" = "$2" ] && [ "$process_state" != Z ]
}

# ---------- cgroups (version 2): what is born in one stays there, whatever it does to its session or environment ----------

# Sets `cgroups` to the directory in which this process may make cgroups and move itself into them; fails when there is
# none. `sudo` costs a few processes, once a channel.
find_cgroups() {
  [ -z "$cgroups" ] || return 0
  case ${shunt_cgroup:-} in
  own) own_cgroup ;;
  sudo) own_cgroup || { sudo -n /bin/sh "${0%/*}/enter-cgroup" </dev/null >/dev/null 2>&1 3<&- && own_cgroup; } ;;
  *) return 1 ;;
  esac
}
# Sets `cgroups` to the cgroup of this process, when it is ours to divide.
own_cgroup() {
  at_cgroup
  case $line in '' | *..*) return 1 ;; esac
  mounted=/sys/fs/cgroup
  [ -e "$mounted/cgroup.procs" ] || mounted=/sys/fs/cgroup/unified
  line=$mounted${line%/}
  [ -w "$line/cgroup.procs" ] && [ -w "$line" ] && cgroups=$line
}
# Sets `line` to the path of this very process's cgroup, empty when it has none.
at_cgroup() {
  { while IFS= read -r line; do case $line in 0::/*) break ;; esac; done </proc/self/cgroup; } 2>/dev/null
  line=${line#0::}
}
# Makes the cgroup $1 and sets `cgroup`, which stays empty where that cannot be: the other means remain.
make_cgroup() {
  cgroup=
  [ -n "$cgroups" ] && mkdir "$cgroups/shuntyard-$1" 2>/dev/null || return 1
  if [ -w "$cgroups/shuntyard-$1/cgroup.kill" ]; then cgroup=$cgroups/shuntyard-$1; else drop_cgroup "$cgroups/shuntyard-$1"; fi
}
# Moves this very process into `cgroup`.
enter_cgroup() {
  put "$cgroup/cgroup.procs" 0
  at_cgroup
  case $line in */"${cgroup##*/}") ;; *) return 1 ;; esac
}
# Removes a job's cgroup with those that the job made below it. One in which something lives stays, for `hello`.
drop_cgroup() {
  case $1 in /*/shuntyard-*) rmdir "$1"/*/*/*/ "$1"/*/*/ "$1"/*/ "$1" 2>/dev/null ;; esac
}

# ---------- what the spool says ----------

# Reads a complete result into `result` (RC SIZE CKSUM WHY, and `outputs` when there are some); the mark at its end tells a reserved file from a written one.
finished() {
  get "$spool/result" || return 1
  case $line in [0-9]*' = '*) result=${line%% =*} ;; *) return 1 ;; esac
}
# Reads the pid file: `waiter` (PID START BOOT of the process that writes the result), `leader` (PID START BOOT of the
# script), `own` (1: the leader leads a session of its own).
started() {
  get "$spool/pid" || return 1
  # shellcheck disable=SC2086 # splitting is meant
  set -- $line
  [ "${6:-}" = = ] || return 1
  waiter="$1 $2 $5" waiter_pid=$1 leader="$3 $4 $5" leader_pid=$3 own=${7:-1}
}
# Sets `state`: none, removed, fenced, reserved, run, `end RESULT` or `lost WHY`.
# shellcheck disable=SC2086 # identities are split on purpose
look() {
  [ -e "$claim" ] || { state=none; return; }
  if finished; then state="end $result"; return; fi
  get "$claim"
  owner=$line
  if [ "$owner" = fenced ]; then state=fenced
  elif started; then
    # The leader without its waiter still runs, though nobody will record its result.
    if alive $waiter || alive $leader; then state=run
    elif finished; then state="end $result"
    elif set -- $waiter && [ "$3" = "$boot" ]; then state='lost killed'
    else state='lost reboot'; fi
  elif [ -z "$owner" ] || alive $owner; then state=reserved
  elif [ ! -d "$spool" ]; then state=removed
  # After a boot the files may be older than what happened.
  elif set -- $owner && [ "${3:-}" = "$boot" ]; then state='lost nostart'
  else state='lost reboot'; fi
}
# Waits (3 s) while a launcher is between its claim and its start, or may have left a start under way; leaves the answer
# in `state`.
settle() {
  tries=0
  while look && [ "$tries" -lt 30 ]; do
    case $state in reserved | 'lost nostart') ;; *) return 0 ;; esac
    nap
    tries=$((tries + 1))
  done
  [ "$state" != reserved ] || [ -n "$owner" ] || decide_empty_claim
}
# The launcher died, or hangs, before it wrote its claim. It makes the spool after that and starts only if it could: the
# spool made here is a fence. One that is there already, with the claim still empty, is older than a boot.
decide_empty_claim() {
  if mkdir "$spool" 2>/dev/null; then
    put "$claim" fenced
    state=fenced
  else
    look
    [ "$state" != reserved ] || [ -n "$owner" ] || [ ! -d "$spool" ] || { put "$claim" "0 0 forgotten"; look; }
  fi
}
# Reports `state` as control words after $1 (nothing, or `job ID`).
report() {
  case $state in
  run) measure; say ${1+"$@"} run "$size" ;;
  lost*) measure; say ${1+"$@"} "$state" "$size" ;;
  *) say ${1+"$@"} "$state" ;;
  esac
}

