# Shuntyard's wrapper: starts, follows and stops attempts of jobs on this host. docs/PROTOCOL.md describes it.
# Run as `exec /bin/sh BASE/wrapper-HASH VERB ARGS`; without a #! line, so that a noexec mount does not matter.
# Standard output: noise of login files, the line @@NONCE, then the job's bytes. Standard error: lines @NONCE WORD ...
# BASE (0700): c/ID claim   j/ID/ spool: script log pid result limits att cancel   w/ID/ work directory   instance
# Forks are what a short job pays for: `read`, `case` and redirections instead of programs wherever it is hot.
# The bootstrap may set in front of this text: shunt_base, shunt_setsid (path or `none`), shunt_tail (follow or poll).
set -u
# Lengths and patterns count bytes; the job does not inherit it.
LC_ALL=C
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
# Sets `size` to the length of the attempt's log.
measure() {
  size=0
  [ ! -s "$spool/log" ] || size=$(wc -c <"$spool/log") && size=$((size))
}
# Names the files of attempt $1.
attempt() { id=$1 claim=$base/c/$1 spool=$base/j/$1 work=$base/w/$1; }
# Removes the attempt's files, also what the job made unwritable. The claim stays: it still fences.
remove() {
  rm -rf "$spool" "$work" 2>/dev/null
  [ ! -d "$work" ] || { chmod -R u+rwx "$work" && rm -rf "$work"; } 2>/dev/null
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
# Sets `boot`.
boot_id() {
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
# Tells whether process $1 with start $2 of boot $3 runs.
alive() {
  boot_id
  [ "$#" -ge 3 ] && [ "$3" = "$boot" ] && kill -0 "$1" 2>/dev/null && start_of "$1" && [ "$start" = "$2" ]
}

# ---------- what the spool says ----------

# Reads a complete result into `result` (RC SIZE CKSUM WHY); the mark at its end tells a reserved file from a written one.
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
  elif [ -d "$spool" ]; then state='lost nostart'
  else state=removed; fi
}
# Waits (3 s) while a launcher is between its claim and its start; leaves the answer in `state`.
settle() {
  tries=0
  while look && [ "$state" = reserved ] && [ "$tries" -lt 30 ]; do
    nap
    tries=$((tries + 1))
  done
}
# Reports `state` as control words after $1 (nothing, or `job ID`).
report() {
  case $state in
  run) measure; say ${1+"$@"} run "$size" ;;
  lost*) measure; say ${1+"$@"} "$state" "$size" ;;
  *) say ${1+"$@"} "$state" ;;
  esac
}

# ---------- stopping ----------

# Tells whether `grep` finds text behind a NUL byte (busybox does not).
grep_reads_nul() { printf 'a\000b' | grep -qF b; }

# Sets `members` to the live processes of the job: those of its session, and those that carry its cookie.
find_members() {
  members=
  [ -r /proc/self/stat ] || { members_by_ps; return; }
  # shellcheck disable=SC2044 # names are numbers
  for entry in /proc/[0-9]*; do
    { IFS= read -r stat <"$entry/stat"; } 2>/dev/null || continue
    split_stat "$stat"
    case $process_state in Z | X) continue ;; esac
    if [ "$own" = 1 ] && [ "$session" = "$leader_pid" ]; then members="$members ${entry#/proc/}"; fi
  done
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
    grep -slF "SHUNT_COOKIE=$id." /proc/[0-9]*/environ
    return
  fi
  for entry in /proc/[0-9]*/environ; do
    [ -r "$entry" ] || continue
    tr '\000' '\n' 2>/dev/null <"$entry" | grep -qxF "SHUNT_COOKIE=$id." && echo "$entry"
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
group_lives() { if [ "$own" = 1 ]; then kill -0 -"$leader_pid" 2>/dev/null; else find_members; [ -n "$members" ]; fi; }
# Asks the group to end; CONT lets stopped processes hear it. After $1 seconds it is killed.
end_group() {
  signal_group TERM
  signal_group CONT
  tries=0
  while group_lives && [ "$tries" -lt $(($1 * 10)) ]; do
    nap
    tries=$((tries + 1))
  done
  # Zombies that nobody reaps keep the group: wait a bounded time.
  tries=0
  while group_lives && [ "$tries" -lt 10 ]; do
    signal_group KILL
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
  signal_group TERM
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
# Writes the result: exit code $1, size and cksum of the log in one fork, why it was stopped.
record() {
  why=-
  if [ -e "$spool/cancel" ]; then
    get "$spool/cancel"
    why=${line%% *}
    why=${why:-user}
  fi
  code=$1
  # shellcheck disable=SC2046 # two numbers
  set -- $(cksum <"$spool/log")
  put_in_place "$spool/result" "$code ${2:-0} ${1:-0} $why ="
}

# ---------- the job's side: waits for the script and writes its result ----------

# Runs in a subshell of the launcher, which may die: holds nothing of the channel but, until `ok`, standard error.
wait_for_job() {
  trap : HUP INT TERM PIPE
  identify
  say ok "$pid"
  exec 2>/dev/null
  waiter=$me
  # shellcheck disable=SC2086 # limits are four numbers
  set -- $shunt_limits
  watch=
  if [ "$1" -ge 0 ] || [ "$2" -ge 0 ]; then
    (watch_limits "$1" "$2" "$3") &
    watch=$!
  fi
  # In the foreground: dash and ksh would make SIGINT ignored for ever in a background job.
  (become_job)
  code=$?
  # ksh93 reports 256 + signal.
  [ "$code" -le 255 ] || code=$((code - 128))
  [ -z "$watch" ] || kill -KILL "$watch"
  if started; then
    if group_lives; then end_group "$3"; fi
    [ ! -e "$spool/cancel" ] || sweep
  fi
  record "$code"
}
# Becomes the script: own session, clean environment, work directory, the log as standard output and error.
become_job() {
  leads=1
  [ "$shunt_setsid" != none ] || leads=0
  identify
  # shellcheck disable=SC2086 # identities
  set -- $waiter $me
  put_in_place "$spool/pid" "$1 $2 $4 $5 $3 = $leads"
  cd "$work" || exit 126
  # From here on variables may be the job's: what is still needed stands in the positional parameters.
  set -- /bin/sh "$spool/script" "$spool/log" "$id"
  [ "$leads" = 0 ] || set -- "$@" "$shunt_setsid"
  clean_environment
  shunt_env
  export SHUNT_JOB="$4" SHUNT_COOKIE="$4."
  exec ${5+"$5"} "$1" "$2" >>"$3" 2>&1
}
# Drops every exported variable but the few that a job may expect.
clean_environment() {
  IFS=$newline
  set -f
  for shunt_word in $(export -p); do
    case $shunt_word in
    'export '*) shunt_word=${shunt_word#export } ;;
    'declare -x '*) shunt_word=${shunt_word#declare -x } ;;
    'typeset -x '*) shunt_word=${shunt_word#typeset -x } ;;
    *) continue ;;
    esac
    shunt_word=${shunt_word%%=*}
    case $shunt_word in
    HOME | PATH | USER | LOGNAME | LANG | SHELL | TMPDIR) ;;
    '' | *[!A-Za-z0-9_]* | UID | EUID | PPID | SHELLOPTS | BASHOPTS) ;;
    *) unset "$shunt_word" ;;
    esac
  done
  set +f
  unset IFS
}
# Stops the job when it runs longer than $1 s or writes nothing for $2 s (-1: no limit). $3 grace.
watch_limits() {
  ran=0 quiet=0 seen=-1 size=0
  while sleep 1; do
    ran=$((ran + 1))
    if [ "$1" -ge 0 ] && [ "$ran" -ge "$1" ]; then stop run_limit "$3"; exit; fi
    [ "$2" -ge 0 ] || continue
    measure
    if [ "$size" -eq "$seen" ]; then quiet=$((quiet + 1)); else quiet=0 seen=$size; fi
    if [ "$quiet" -ge "$2" ]; then stop silence_limit "$3"; exit; fi
  done
}

# ---------- the channel's side ----------

# Streams the log from offset $1 in the background; sets `follower`.
follow() {
  if [ "${shunt_tail:-follow}" = poll ]; then
    (poll_log "$1") 2>/dev/null 3<&- &
  else
    tail -c +"$(($1 + 1))" -f "$spool/log" 2>/dev/null 3<&- &
  fi
  follower=$!
}
# For hosts whose `tail -f` sleeps a second between looks (busybox): `cat` goes on from where the open file stands.
poll_log() {
  exec 5<"$spool/log"
  tail -c +"$(($1 + 1))" <&5
  pause=1
  while ! finished && [ -d "$spool" ]; do
    sleep "0.0$pause" 2>/dev/null || sleep 1
    [ "$pause" -ge 9 ] || pause=$((pause + 2))
    cat <&5
  done
  cat <&5
}
stop_following() { [ -z "$follower" ] || kill -KILL "$follower" 2>/dev/null; }

# Reads words on descriptor 3 until the channel is done. $1: pid of sshd's child, to be ended with the channel (0: ourselves).
control() {
  get "$spool/limits"
  # shellcheck disable=SC2086 # limits are four numbers
  set -- "$1" $line
  while IFS=' ' read -r word argument; do
    case $word in
    cancel)
      case $argument in '' | *[!0-9]*) argument=$4 ;; esac
      (exec >/dev/null 2>&1 3<&-; stop user "$argument") &
      ;;
    ack)
      stop_following
      [ "$argument" != rm ] || exec rm -rf "$spool" "$work" 2>/dev/null
      return
      ;;
    bye) break ;;
    esac
  done <&3
  leave "$1" "${word:-}" "$4" "$5"
}
# Nobody listens any more. $1 sshd's child, $2 `bye` or nothing, $3 grace, $4 orphan grace (-1: for ever).
leave() {
  exec >/dev/null 2>&1 3<&-
  stop_following
  # The launcher must not die between claim and start.
  settle
  # sshd frees the MaxSessions slot when its child is gone.
  [ "$1" = 0 ] || kill -KILL "$1"
  [ "$2" != bye ] && [ "$4" -ge 0 ] || exit 0
  left=$4
  while [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
    look
    [ "$state" = run ] || exit 0
    get "$spool/att"
    [ "$line" = "$nonce" ] || exit 0
  done
  stop orphaned "$3"
  exit 0
}

# run ID NONCE OFFSET: claims, starts and streams; attaches when the attempt exists.
verb_run() {
  read_frame
  identify
  create "$claim" || { [ -e "$claim" ] || refuse mkdir the claim cannot be made; attach "$1"; return; }
  prepare || { remove; rm -f "$claim"; refuse nospace the spool cannot be written; }
  trap : HUP INT TERM PIPE
  exec 3<&0 </dev/null
  echo "@@$nonce"
  follow 0
  (control "$$") &
  reader=$!
  (wait_for_job) 3<&- >/dev/null
  conclude
  wait "$reader"
}
# Writes everything that the attempt needs, and reserves what it will write, before it may start.
prepare() {
  blank='                                                                                '
  put "$claim" "$me" && [ -s "$claim" ] && mkdir "$spool" "$work" 2>/dev/null &&
    { emit "$shunt_script" >"$spool/script"; } 2>/dev/null && put "$spool/limits" "$shunt_limits" &&
    put "$spool/att" "$nonce" && put "$spool/result" "-$blank" && put "$spool/pid" "-$blank$blank" &&
    { true >"$spool/log"; } 2>/dev/null && [ -s "$spool/pid" ]
}
# Reports how the job ended.
conclude() {
  if ! finished; then
    kill_ownerless
    look
  else
    state="end $result"
  fi
  report
}
# What is left of a job whose waiting side was killed has no owner: it is killed. Only the live leader proves that
# the group is still the job's; beyond it the cookie does.
kill_ownerless() {
  started || return 0
  # shellcheck disable=SC2086 # an identity
  ! alive $leader || signal_group KILL
  own=0
  sweep
}
# Reads the frame into shunt_limits, shunt_env, shunt_script; a truncated one starts nothing.
read_frame() {
  IFS=' ' read -r magic length lines || refuse frame no header
  [ "$magic" = 1 ] || refuse magic this wrapper reads frames of version 1
  case $length$lines in '' | *[!0-9]*) refuse frame bad header ;; esac
  unset shunt_limits shunt_script
  body= trimmed=0
  if [ "$lines" -gt 0 ]; then
    while [ "$lines" -gt 0 ] && IFS= read -r line; do
      body=$body$line$newline
      lines=$((lines - 1))
    done
  else
    body=$(head -c "$length")
    trimmed=1
  fi
  # Length and last line: half a quoted text must not reach eval.
  [ "${#body}" -eq "$((length - trimmed))" ] || refuse frame truncated
  case $body in *"${newline}shunt_end=1" | *"${newline}shunt_end=1$newline") ;; *) refuse frame no end mark ;; esac
  eval "$body"
  unset body
  case ${shunt_script+set}${shunt_limits+set} in setset) ;; *) refuse frame incomplete ;; esac
}

# at ID NONCE OFFSET, also `run` of an attempt that exists: streams from offset $1 on, then reports.
attach() {
  exec 3<&0 </dev/null
  echo "@@$nonce"
  settle
  case $state in
  none | fenced) say "$state"; return ;;
  removed) refuse refused the attempt was removed ;;
  reserved) refuse refused its launcher does not come to a start ;;
  esac
  put "$spool/att" "$nonce"
  waiter_pid=0
  ! started || say at "$waiter_pid"
  [ -e "$spool/log" ] || true >>"$spool/log"
  follow "$1"
  (exec >/dev/null 3<&-; report_end) &
  reporter=$!
  control 0
  kill -KILL "$reporter" 2>/dev/null
}
# Waits for the end of an attempt that is not our child, and reports it.
report_end() {
  while ! finished; do
    look
    [ "$state" = run ] || break
    # shellcheck disable=SC2086 # an identity
    if started && ! alive $waiter && ! finished; then break; fi
    nap
  done
  conclude
}

# fence ID NONCE: the attempt can never start after this, or it is told what became of it.
verb_fence() {
  if create "$claim"; then
    if ! put "$claim" fenced || [ ! -s "$claim" ]; then rm -f "$claim"; refuse nospace the fence cannot be written; fi
    mkdir "$spool" 2>/dev/null
    say fenced
    return
  fi
  [ -e "$claim" ] || refuse mkdir the fence cannot be made
  settle
  case $state in
  fenced) say fenced ;;
  removed) refuse refused the attempt was removed ;;
  *) report job "$id" ;;
  esac
}
# kill ID NONCE GRACE: cancels from another channel and answers with the receipt.
verb_kill() {
  receipts=1
  settle
  case $state in run | reserved) stop user "$1"; look ;; esac
  case $state in removed) say none ;; *) report ;; esac
}
# st NONCE: every attempt.
verb_status() {
  for entry in "$base/j"/*; do
    [ -d "$entry" ] || continue
    attempt "${entry##*/}"
    look
    case $state in none | removed) ;; *) report job "$id" ;; esac
  done
  say eol
}
# rm NONCE ID...: forgets ended attempts.
verb_remove() {
  for id in "$@"; do
    check_id "$id"
    attempt "$id"
    look
    case $state in
    run | reserved) say err refused "$id" still runs ;;
    *) remove; say removed "$id" ;;
    esac
  done
  say eol
}
# hello NONCE: what the dispatcher must know of this host; also tidies.
verb_hello() {
  tidy
  boot_id
  get "$base/instance"
  tools=
  for tool in setsid tail head cksum git tar zstd gzip rsync curl docker podman python3 make systemd-run; do
    ! command -v "$tool" >/dev/null 2>&1 || tools=$tools,$tool
  done
  version=${0##*/}
  # Words: Filesystem 1024-blocks Used Available Capacity Mounted on NAME BLOCKS USED AVAILABLE
  # shellcheck disable=SC2046 # words
  set -- $(df -Pk "$base" 2>/dev/null)
  say hello wrapper="${version#wrapper-}" boot="$boot" instance="${line:-unknown}" clock="$(date +%s)" \
    free="$((${11:-0} * 1024))" base="$base" tools="${tools#,}"
}
# Removes work directories without a spool, and claims of removed attempts after a day.
tidy() {
  for entry in "$base/w"/*; do
    attempt "${entry##*/}"
    [ ! -d "$entry" ] || [ -d "$spool" ] || remove
  done
  for entry in $(find "$base/c" -type f -mtime +1 2>/dev/null); do
    [ -d "$base/j/${entry##*/}" ] || rm -f "$entry"
  done
}
# forced: the key's forced command. The words that the client asked for are matched, never evaluated.
verb_forced() {
  case ${SSH_ORIGINAL_COMMAND:-} in
  '') refuse refused this account only runs jobs ;;
  *[!A-Za-z0-9._/\ -]*) refuse refused the command has other characters than words of the wrapper ;;
  esac
  # shellcheck disable=SC2086 # splitting is meant; no character of a pattern can be in it
  set -- $SSH_ORIGINAL_COMMAND
  case "${1:-} ${2:-} ${3:-}" in 'exec /bin/sh '*/wrapper-*) ;; *) refuse refused this account only runs the wrapper ;; esac
  shift 3
  unset SSH_ORIGINAL_COMMAND
  main "$@"
}
check_id() { case $1 in '' | *[!A-Za-z0-9-]*) refuse id "bad id, nonce or number" ;; esac; }
check_number() { case $1 in '' | *[!0-9]*) refuse id "bad id, nonce or number" ;; esac; }

main() {
  case ${1:-} in
  run | at | kill)
    check_id "${2:-}"
    check_id "${3:-}"
    nonce=$3
    check_number "${4:-}"
    attempt "$2"
    ;;
  fence)
    check_id "${2:-}"
    check_id "${3:-}"
    nonce=$3
    attempt "$2"
    ;;
  st | rm | hello)
    check_id "${2:-}"
    nonce=$2
    ;;
  esac
  case ${1:-} in
  run) verb_run "$4" ;;
  at) attach "$4" ;;
  kill) verb_kill "$4" ;;
  fence) verb_fence ;;
  st) verb_status ;;
  rm) shift 2; verb_remove "$@" ;;
  hello) verb_hello ;;
  *) refuse usage run, at, kill, fence, st, rm, hello ;;
  esac
}

[ -n "${PATH:-}" ] || PATH=/usr/local/bin:/usr/bin:/bin
if [ -z "${shunt_setsid:-}" ]; then
  shunt_setsid=none
  for entry in /usr/bin/setsid /bin/setsid /usr/sbin/setsid; do [ ! -x "$entry" ] || shunt_setsid=$entry; done
fi
if [ "${1:-}" = forced ]; then verb_forced; else main "$@"; fi
