# ---------- the channel's side ----------

# Streams the log from offset $1 in the background; sets `follower`.
follow() {
  next_byte "$1"
  if [ "${shunt_tail:-follow}" = poll ]; then
    (poll_log "$next") 2>/dev/null 3<&- &
  else
    tail -c +"$next" -f "$spool/log" 2>/dev/null 3<&- &
  fi
  follower=$!
}
# For hosts whose `tail -f` sleeps a second between looks (busybox): `cat` goes on from where the open file stands.
poll_log() {
  exec 5<"$spool/log"
  tail -c +"$1" <&5
  pause=1
  while ! finished && [ -d "$spool" ]; do
    sleep "0.0$pause" 2>/dev/null || sleep 1
    [ "$pause" -ge 9 ] || pause=$((pause + 2))
    cat <&5
  done
  cat <&5
}
stop_following() { [ -z "$follower" ] || kill -KILL "$follower" 2>/dev/null; }
# Hands out the whole log of an ended attempt that nobody follows. The file `tail` is won by one: this or `follow`.
deliver() { ! create "$spool/tail" || [ ! -s "$spool/log" ] || cat "$spool/log" 3<&-; }

# Reads words on descriptor 3 until the channel is done. $1: pid of sshd's child, to be ended with the channel (0: ourselves).
# Returns 3 after `next`: the channel goes on with another attempt.
control() {
  get "$spool/limits"
  # shellcheck disable=SC2086 # limits are numbers
  set -- "$1" ${line:--1 -1 10 -1}
  beats=1
  [ "$5" -lt 0 ] || put_in_place "$spool/heard" "1 $nonce"
  while IFS=' ' read -r word argument; do
    case $word in
    cancel)
      case $argument in '' | *[!0-9]*) argument=$4 ;; esac
      (exec >/dev/null 2>&1 3<&-; stop user "$argument") &
      ;;
    # The dispatcher is there: a job with an orphan grace is told every few seconds.
    here) beats=$((beats + 1)); put_in_place "$spool/heard" "$beats $nonce" ;;
    follow) ! create "$spool/tail" || follow 0; guard ;;
    watch) guard ;;
    next) stop_following; return 3 ;;
    ack)
      stop_following
      [ "$argument" != rm ] || { remove; remove_litter; }
      return 0
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
  [ "$2" != bye ] || [ "$4" -lt 0 ] || put_in_place "$spool/heard" bye
  # The launcher must not die between claim and start.
  settle
  [ "$state" != run ] || guard
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

# run ID NONCE OFFSET: claims, starts and streams; attaches when the attempt exists. When the attempt has ended, the
# channel can take another one: `next`, a line `ID NONCE`, a frame. That saves a session and a shell for each job.
verb_run() {
  identify
  litter='' emptied='' littered=0
  find_cgroups
  start_attempt "$1" follow || return 0
  while next_attempt; do start_attempt 0 || return 0; done
}
# Runs the attempt of the frame that comes; fails when the channel is done. $1 offset, $2 `follow`: at once, else when told.
start_attempt() {
  shunt_workspace='' shunt_secrets=''
  forget_source
  read_frame
  need_workspace
  need_git
  create "$claim" || { [ -e "$claim" ] || refuse mkdir the claim cannot be made; attach "$1"; return 1; }
  make_cgroup "$id"
  prepare || { [ -z "$cgroup" ] || drop_cgroup "$cgroup"; remove; rm -f "$claim"; refuse nospace the spool cannot be written; }
  shunt_git_username='' shunt_git_token='' shunt_git_key='' shunt_git_hosts=''
  [ -z "$shunt_secrets" ] || shunt_put_secrets() { :; }
  trap : HUP INT TERM PIPE
  echo "@@$nonce"
  follower=
  [ -z "${2:-}" ] || follow 0
  (control "$$") &
  reader=$!
  (wait_for_job) 3<&- >/dev/null
  [ -n "$follower" ] || deliver
  conclude
  wait "$reader"
  [ "$?" = 3 ]
}
# Turns to the attempt that is named next. What earlier ones left is removed a few at a time: a process each would be
# a good part of what a short job costs.
next_attempt() {
  litter="$litter $spool $work" littered=$((littered + 1))
  [ -z "$cgroup" ] || emptied="$emptied $cgroup/*/*/ $cgroup/*/ $cgroup"
  if [ "$littered" -ge 8 ]; then
    (remove_litter) >/dev/null 3<&- &
    litter='' emptied='' littered=0
  fi
  IFS=' ' read -r next_id next_nonce <&3 || return 1
  check_id "$next_id"
  check_id "$next_nonce"
  nonce=$next_nonce
  attempt "$next_id"
}
# What cannot be removed so is removed by `hello`.
# shellcheck disable=SC2086 # a list
remove_litter() {
  [ -z "${litter:-}" ] || rm -rf $litter 2>/dev/null
  [ -z "${emptied:-}" ] || rmdir $emptied 2>/dev/null
}
# Writes everything that the attempt needs, and reserves what it will write, before it may start.
prepare() {
  blank='                                                                                '
  # shellcheck disable=SC2086 # limits are numbers
  set -- $shunt_limits
  put "$claim" "$me" && [ -s "$claim" ] && mkdir "$spool" 2>/dev/null && take_work && keep_source && keep_secrets &&
    { emit "$shunt_script" >"$spool/script"; } 2>/dev/null && put "$spool/limits" "$shunt_limits" &&
    put "$spool/att" "$nonce" && { [ "${4:--1}" = -1 ] || put "$spool/heard" "0$blank"; } && put "$spool/result" "-$blank" &&
    { [ -z "$cgroup" ] || put "$spool/cgroup" "$cgroup"; } && put "$spool/pid" "-$blank$blank" &&
    { true >"$spool/log" && true >"$spool/outputs"; } 2>/dev/null && [ -s "$spool/pid" ]
}
# Reports how the job ended.
conclude() {
  if ! finished; then
    kill_ownerless
    look
  else
    state="end $result"
  fi
  say_receipt
  report
}
# What is left of a job whose waiting side was killed has no owner: it is killed. Only the live leader proves that
# the group is still the job's; beyond it the cookie does.
kill_ownerless() {
  started || return 0
  find_members
  note_before
  tries=0
  # shellcheck disable=SC2086 # an identity
  while alive $leader && [ "$tries" -lt 30 ]; do
    signal_group KILL
    nap
    tries=$((tries + 1))
  done
  own=0
  sweep
}
# Reads the frame into shunt_limits, shunt_env, shunt_script; a truncated one starts nothing.
read_frame() {
  IFS=' ' read -r magic length lines <&3 || refuse frame no header
  # 2: the frame of a clone, so that wrappers that know nothing of clones refuse it. 3: there are files of secrets.
  case $magic in 1 | 2 | 3) ;; *) refuse magic this wrapper reads frames of version 1 to 3 ;; esac
  case $length$lines in '' | *[!0-9]*) refuse frame bad header ;; esac
  body='' trimmed=0
  if [ "$lines" -gt 0 ]; then
    while [ "$lines" -gt 0 ] && IFS= read -r line <&3; do
      body=$body$line$newline
      lines=$((lines - 1))
    done
  else
    body=$(head -c "$length" <&3)
    trimmed=1
  fi
  # Length and last line: half a quoted text must not reach eval.
  [ "${#body}" -eq "$((length - trimmed))" ] || refuse frame truncated
  case $body in *"${newline}shunt_end=1" | *"${newline}shunt_end=1$newline") ;; *) refuse frame no end mark ;; esac
  eval "$body"
  unset body
  case $shunt_limits in *" "*" "*) ;; *) refuse frame incomplete ;; esac
}

# at ID NONCE OFFSET, also `run` of an attempt that exists: streams from offset $1 on, then reports.
attach() {
  echo "@@$nonce"
  settle
  case $state in
  none | fenced) say "$state"; return ;;
  removed) refuse removed the attempt was removed ;;
  reserved) refuse refused its launcher does not come to a start ;;
  esac
  put "$spool/att" "$nonce"
  waiter_pid=0
  ! started || say at "$waiter_pid"
  [ "$state" != run ] || guard
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

