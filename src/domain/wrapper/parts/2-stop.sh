# ---------- stopping ----------

# Tells whether `grep` finds text behind a NUL byte (busybox does not).
grep_reads_nul() { printf 'a\000b' | grep -qF b; }

# Sets `members` to the live processes of the session that the job leads. Zombies do not count: in a container
# without an init nobody reaps them.
find_session() {
  members=
  # shellcheck disable=SC2044 # names are numbers
  for entry in /proc/[0-9]*; do
    { IFS= read -r stat <"$entry/stat"; } 2>/dev/null || continue
    split_stat "$stat"
    case $process_state in Z | X) continue ;; esac
    if [ "$own" = 1 ] && [ "$session" = "$leader_pid" ]; then members="$members ${entry#/proc/}"; fi
  done
}
# Adds the processes that carry the job's cookie, wherever they went.
find_members() {
  [ -r /proc/self/stat ] || { members=''; members_by_ps; return; }
  find_session
  for holder in $(find_cookie); do
    holder=${holder#/proc/}
    holder=${holder%/environ}
    # shellcheck disable=SC2254 # a list of numbers
    case " $members " in *" $holder "*) ;; *) ! start_of "$holder" || [ "$process_state" = Z ] || members="$members $holder" ;; esac
  done
}
# Prints the environ files of /proc that hold the job's cookie.
find_cookie() {
  if grep_reads_nul; then
    grep -slF "SHUNT_COOKIE=$spool." /proc/[0-9]*/environ
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
    signal_group KILL
    # Other groups of the session, too.
    # shellcheck disable=SC2086 # a list
    [ -z "${members:-}" ] || kill -KILL $members 2>/dev/null
    nap
    tries=$((tries + 1))
  done
}
# Kills what left the group: other groups of the session, and holders of the cookie.
sweep() {
  for round in 1 2 3 4 5; do
    find_members
    [ -n "$members" ] || return 0
    # shellcheck disable=SC2086 # a list
    kill -KILL $members 2>/dev/null
    receipt sent KILL "$members"
    nap
  done
  : "$round"
}
# With `receipts` set: reports $1 (before, sent, left) and what follows.
receipt() {
  [ -n "${receipts:-}" ] || return 0
  # shellcheck disable=SC2086 # a list
  case $1 in sent) say receipt sent "$2" "$(date +%s)" $3 ;; *) say receipt "$1" $2 ;; esac
}
# The kill ladder. $1 reason, $2 grace in seconds. Whoever waits for the job writes the result; if that one is dead, we do.
stop() {
  create "$spool/cancel" && put "$spool/cancel" "$1 $2"
  settle
  [ "$state" = run ] && started || return 0
  if [ -n "${receipts:-}" ]; then find_members; receipt before "$members"; receipt sent TERM "$members"; fi
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
    [ -z "${receipts:-}" ] || { find_members; receipt sent KILL "$members"; }
    signal_group KILL
  fi
  tries=0
  # shellcheck disable=SC2086 # an identity
  while [ "$tries" -lt 100 ] && ! finished && alive $waiter; do
    nap
    tries=$((tries + 1))
  done
  sweep
  finished || record 137
  if [ -n "${receipts:-}" ]; then find_members; receipt left "$members"; fi
}
# Writes the result: exit code $1, size and cksum of the log in one fork (none for an empty log), why it was stopped.
record() {
  why=-
  if [ -e "$spool/cancel" ]; then
    get "$spool/cancel"
    why=${line%% *}
    why=${why:-user}
  elif [ -e "$spool/full" ] || ! space_left; then
    why=disk_full
  fi
  code=$1
  if [ -s "$spool/log" ]; then
    # shellcheck disable=SC2046 # two numbers
    set -- $(cksum <"$spool/log")
  else
    set -- 4294967295 0
  fi
  put_in_place "$spool/result" "$code ${2:-0} ${1:-0} $why ="
}

