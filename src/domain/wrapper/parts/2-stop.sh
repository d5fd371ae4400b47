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
# Adds the processes that carry the job's cookie or write to its log, wherever they went.
find_members() {
  [ -r /proc/self/stat ] || { members=''; members_by_ps; grouped=$members; return; }
  find_session
  for holder in $(find_cookie) $(find_writers); do
    holder=${holder#/proc/}
    holder=${holder%%/*}
    # shellcheck disable=SC2254 # a list of numbers
    case " $members " in *" $holder "*) ;; *) ! start_of "$holder" || [ "$process_state" = Z ] || members="$members $holder" ;; esac
  done
  [ "$own" = 1 ] || grouped=$members
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
  while group_lives && [ "$tries" -lt $(($1 * 10)) ]; do
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
# Kills what left the group: other groups of the session, holders of the cookie, writers of the log. Ends the receipt.
sweep() {
  for round in 1 2 3 4 5; do
    find_members
    note_before
    [ -n "$members" ] || break
    note_sent KILL "$members"
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
# Notes once by which means processes are found, and the `members` before the first signal.
# shellcheck disable=SC2086 # lists
note_before() {
  [ ! -s "$spool/receipt" ] || return 0
  means=children
  [ ! -r /proc/self/stat ] || means='cookie log'
  [ "$own" != 1 ] || means="$means session group"
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
  note_sent TERM "$grouped"
  note_sent CONT "$grouped"
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
    note_sent KILL "$grouped"
    signal_group KILL
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
  if [ -s "$spool/log" ]; then
    # shellcheck disable=SC2046 # two numbers
    set -- $(cksum <"$spool/log")
  else
    set -- 4294967295 0
  fi
  put_in_place "$spool/result" "$code ${2:-0} ${1:-0} $why ="
}

