# ---------- stopping ----------

# Tells whether `grep` takes NUL bytes as ends of lines: without, busybox finds nothing behind the first.
grep_reads_nul() { printf 'a\000b' | grep -qzF b 2>/dev/null; }

# Sets `members` to the live processes of the session that the job leads, `grouped` to those of its group. Zombies do
# not count: in a container without an init nobody reaps them.
find_session() {
  members='' grouped=''
  # shellcheck disable=SC2044 # names are numbers
  for entry in /proc/[0-9]*; do
    { IFS= read -r stat <"$entry/stat"; } 2>/dev/null || continue
    split_stat "$stat"
    case $process_state in Z | X) continue ;; esac
    if [ "$own" != 1 ] || [ "$session" != "$leader_pid" ]; then continue; fi
    members="$members ${entry#/proc/}"
    [ "$group" != "$leader_pid" ] || grouped="$grouped ${entry#/proc/}"
  done
}
# Adds the processes of the job's cgroup, and those that carry its cookie or write to its log, wherever they went. Sets
# `strays` to those of the cgroup that are neither in the group nor about to lead it.
find_members() {
  strays=''
  [ -r /proc/self/stat ] || { members=''; members_by_ps; grouped=$members; return; }
  find_session
  find_confined
  for holder in $(find_cookie) $(find_writers); do
    holder=${holder#/proc/}
    add_member "${holder%%/*}"
  done
  [ "$own" = 1 ] || grouped=$members
}
# Adds process $1 when it is alive and not known yet.
add_member() {
  # shellcheck disable=SC2254 # a list of numbers
  case " $members " in *" $1 "*) ;; *) ! start_of "$1" || [ "$process_state" = Z ] || members="$members $1" ;; esac
}
# Sets `cgroup` to the job's own; fails when it has none.
confined() { cgroup=; get "$spool/cgroup" && [ -w "$line/cgroup.kill" ] && cgroup=$line; }
# Adds what is in the job's cgroup, and in those that the job made below it.
find_confined() {
  confined || return 0
  for file in "$cgroup/cgroup.procs" "$cgroup"/*/cgroup.procs "$cgroup"/*/*/cgroup.procs; do
    [ -e "$file" ] || continue
    while read -r holder; do
      add_member "$holder"
      case " $grouped $leader_pid " in *" $holder "*) ;; *) [ "$own" != 1 ] || strays="$strays $holder" ;; esac
    done <"$file"
  done 2>/dev/null
}
# Prints the processes of /proc whose standard output or standard error is the job's log: `env -i` takes the cookie from
# a process, not its files.
find_writers() {
  for entry in /proc/[0-9]*; do
    # shellcheck disable=SC3013 # without it nothing is found
    if [ "$entry/fd/1" -ef "$spool/log" ] || [ "$entry/fd/2" -ef "$spool/log" ]; then echo "$entry"; fi
  done 2>/dev/null
}
# Prints the environ files of /proc that hold the job's cookie.
find_cookie() {
  if grep_reads_nul; then
    grep -slzF "SHUNT_COOKIE=$spool." /proc/[0-9]*/environ
    return
  fi
  for entry in /proc/[0-9]*/environ; do
    [ -r "$entry" ] || continue
    tr '\000' '\n' 2>/dev/null <"$entry" | grep -qxF "SHUNT_COOKIE=$spool." && echo "$entry"
  done
}
# Without /proc: the leader's group and its descendants.
members_by_ps() {
  tree=" $leader_pid "
  for round in 1 2 3 4 5 6 7 8; do
    before=$tree
    while read -r pid parent group; do
      case $tree in *" $pid "*) continue ;; esac
      case $tree in *" $parent "*) tree="$tree$pid " ;; esac
      if [ "$own" = 1 ] && [ "$group" = "$leader_pid" ]; then tree="$tree$pid "; fi
    done <<END
$(ps -A -o pid= -o ppid= -o pgid= 2>/dev/null)
END
    [ "$before" != "$tree" ] || break
  done
  for pid in $tree; do ! kill -0 "$pid" 2>/dev/null || members="$members $pid"; done
  : "$round"
}
# Sends signal $1 to the job's group. (`--` before -GROUP does not work in dash and busybox.)
signal_group() {
  if [ "$own" = 1 ]; then
    kill -"$1" -"$leader_pid" 2>/dev/null
  else
    find_members
    # shellcheck disable=SC2086 # a list
    [ -z "$members" ] || kill -"$1" $members 2>/dev/null
  fi
}
# Sends signal $1 to the strays. Only a cgroup says of these before the KILL that they are the job's.
# shellcheck disable=SC2086 # a list
signal_strays() { [ -z "$strays" ] || kill -"$1" $strays 2>/dev/null; }
# Kills the job's cgroup, where it has one: at once, also what forks faster than it can be listed.
kill_confined() { confined && put "$cgroup/cgroup.kill" 1; }
# Tells whether a job that is stopped still has processes that were asked to end.
job_lives() {
  group_lives && return
  [ -e "$spool/cancel" ] && confined || return 1
  { while read -r word value; do [ "$word $value" != "populated 1" ] || return 0; done <"$cgroup/cgroup.events"; } 2>/dev/null
  return 1
}
# Tells whether something of the group is alive.
group_lives() {
  if [ "$own" = 1 ]; then
    kill -0 -"$leader_pid" 2>/dev/null || return 1
    [ -r /proc/self/stat ] || return 0
    find_session
  else
    find_members
  fi
  [ -n "$members" ]
}
# Asks the group to end; CONT lets stopped processes hear it. After $1 seconds it is killed.
end_group() {
  # Who cancels the job sends TERM himself: a second one would cut into handlers that are at work.
  [ -e "$spool/cancel" ] || { signal_group TERM; signal_group CONT; }
  tries=0
  while job_lives && [ "$tries" -lt $(($1 * 10)) ]; do
    nap
    tries=$((tries + 1))
  done
  tries=0
  while group_lives && [ "$tries" -lt 10 ]; do
    [ "$tries" != 0 ] || [ ! -e "$spool/cancel" ] || note_sent KILL "${members:-}"
    signal_group KILL
    # Other groups of the session, too.
    # shellcheck disable=SC2086 # a list
    [ -z "${members:-}" ] || kill -KILL $members 2>/dev/null
    nap
    tries=$((tries + 1))
  done
}
# Kills what left the group: the job's cgroup, other groups of the session, holders of the cookie, writers of the log.
# Ends the receipt.
sweep() {
  for round in 1 2 3 4 5; do
    find_members
    note_before
    [ -n "$members" ] || break
    note_sent KILL "$members"
    kill_confined
    # shellcheck disable=SC2086 # a list
    kill -KILL $members 2>/dev/null
    nap
  done
  [ -z "$members" ] || find_members
  # shellcheck disable=SC2086 # a list
  note left $members
  : "$round"
}
# The receipt of a stop: a line of words each, told before the end. A line is written before its signal goes: the end may
# follow that at once.
note() { { echo "$*" >>"$spool/receipt"; } 2>/dev/null; }
# Notes signal $1 to the processes $2, if there are any.
# shellcheck disable=SC2086 # a list
note_sent() { [ -z "$2" ] || note sent "$1" "$(date +%s)" $2; }
# Sets `means` to the words for how a job's processes are found, strongest first. $1 the job's cgroup or nothing, $2 1:
# the job has a session of its own.
name_means() {
  means=children
  [ ! -r /proc/self/stat ] || means="${1:+cgroup }environment log"
  [ "$2" != 1 ] || means="$means session group"
}
# Notes once by which means processes are found, and the `members` before the first signal.
# shellcheck disable=SC2086 # lists
note_before() {
  [ ! -s "$spool/receipt" ] || return 0
  confined
  name_means "$cgroup" "$own"
  note means $means
  note before $members
}
say_receipt() {
  [ -s "$spool/receipt" ] || return 0
  while IFS= read -r line; do say receipt "$line"; done <"$spool/receipt"
}
# The kill ladder. $1 reason, $2 grace in seconds. Whoever waits for the job writes the result; if that one is dead, we do.
stop() {
  create "$spool/cancel" && put "$spool/cancel" "$1 $2"
  settle
  [ "$state" = run ] && started || return 0
  find_members
  note_before
  note_sent TERM "$grouped$strays"
  note_sent CONT "$grouped$strays"
  signal_strays TERM
  signal_strays CONT
  # The leader is known a moment before it leads a group.
  tries=0
  # shellcheck disable=SC2086 # an identity
  while ! signal_group TERM && alive $leader && [ "$tries" -lt 30 ]; do
    nap
    tries=$((tries + 1))
  done
  signal_group CONT
  tries=0
  # shellcheck disable=SC2086 # an identity
  while [ "$tries" -lt $(($2 * 10)) ] && ! finished && alive $waiter; do
    nap
    tries=$((tries + 1))
  done
  if ! finished; then
    find_members
    note_sent KILL "$grouped$strays"
    signal_group KILL
    kill_confined
  fi
  tries=0
  # shellcheck disable=SC2086 # an identity
  while [ "$tries" -lt 100 ] && ! finished && alive $waiter; do
    nap
    tries=$((tries + 1))
  done
  finished || record 137
}
# Writes the result: exit code $1, size and cksum of the log in one fork (none for an empty log), why it was stopped.
# The end of a stopped job is the host's word that it is gone: what is left of it is killed first.
record() {
  code=$1 why=-
  if [ -e "$spool/cancel" ]; then
    get "$spool/cancel"
    why=${line%% *}
    why=${why:-user}
    ! started || sweep
  elif [ -e "$spool/full" ] || ! space_left; then
    why=disk_full
  fi
  # Their length and content are looked at when somebody asks for them (`get`).
  [ ! -s "$spool/outputs" ] || why="$why outputs"
  if [ -s "$spool/log" ]; then
    # shellcheck disable=SC2046 # two numbers
    set -- $(cksum <"$spool/log")
  else
    set -- 4294967295 0
  fi
  put_in_place "$spool/result" "$code ${2:-0} ${1:-0} $why ="
}

