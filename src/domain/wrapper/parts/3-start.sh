# ---------- the job's side: waits for the script and writes its result ----------

# Runs in a subshell of the launcher, which may die: holds nothing of the channel but, until `ok`, standard error.
wait_for_job() {
  trap : HUP INT TERM PIPE
  identify
  say ok "$pid"
  exec 2>/dev/null
  waiter=$me
  # shellcheck disable=SC2086 # limits are numbers
  set -- $shunt_limits
  watch=
  if [ "$1" -ge 0 ] || [ "$2" -ge 0 ] || [ "$4" -ge 0 ]; then
    create "$spool/watch"
    (watch_limits "$1" "$2" "$3" "$4" "${5:--1}") &
    watch=$!
  fi
  # In the foreground: dash and ksh would make SIGINT ignored for ever in a background job.
  (become_job)
  code=$?
  # ksh93 reports 256 + signal.
  [ "$code" -le 255 ] || code=$((code - 128))
  [ -z "$watch" ] || kill -KILL "$watch"
  if started && job_lives; then end_group "$3"; fi
  # A clone that was killed could not.
  [ -z "$shunt_git_url" ] || rm -rf "$spool/source"
  [ -z "$shunt_secrets" ] || rm -rf "$spool/secrets"
  record "$code"
}
# Becomes the script: own session, clean environment, work directory, the log as standard output and error.
become_job() {
  leads=1
  [ "$shunt_setsid" != none ] || leads=0
  # Before anybody can know the process that leads the job.
  [ -z "$cgroup" ] || enter_cgroup || { true >"$spool/cgroup"; } 2>/dev/null
  identify
  # shellcheck disable=SC2086 # identities
  set -- $waiter $me
  put_in_place "$spool/pid" "$1 $2 $4 $5 $3 = $leads"
  cd "$work" || exit 126
  # From here on variables may be the job's: what is still needed stands in the positional parameters.
  set -- /bin/sh "$spool/script" "$spool/log" "$id" "$spool"
  [ "$leads" = 0 ] || set -- "$@" "$shunt_setsid"
  # The last is set on hosts that pretend to be another system: a Test asks as a job.
  clean_environment 'HOME PATH USER LOGNAME LANG SHELL TMPDIR SHUNT_OS_RELEASE'
  [ -z "${shunt_home:-}" ] || export HOME="$shunt_home"
  [ -z "$shunt_secrets" ] || export SHUNT_SECRETS="$5/secrets"
  shunt_env
  export SHUNT_JOB="$4" SHUNT_COOKIE="$5." SHUNT_OUTPUT="$5/outputs"
  [ -z "$shunt_git_url" ] || become_clone "$3" "$4" "$2" "${6-}"
  exec ${6+"$6"} "$1" "$2" >>"$3" 2>&1
}
# Drops every exported variable but those that are named.
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
    '' | *[!A-Za-z0-9_]* | UID | EUID | PPID | SHELLOPTS | BASHOPTS) ;;
    *) case " $1 " in *" $shunt_word "*) ;; *) unset "$shunt_word" ;; esac ;;
    esac
  done
  set +f
  unset IFS
}
# Stops the job when it runs longer than $1 s, writes nothing for $2 s, has no dispatcher for $4 s, or has written more
# than $5 bytes (-1: no limit). $3 grace. A channel that ends says so itself (`leave`); a link that dies silently is only
# missed here, by the words that do not come any more.
watch_limits() {
  ran=0 quiet=0 seen=-1 size=0 unheard=0 heard=''
  patience=30
  [ "$4" -le "$patience" ] || patience=$4
  while sleep 1; do
    ran=$((ran + 1))
    if [ "$1" -ge 0 ] && [ "$ran" -ge "$1" ]; then stop run_limit "$3"; exit; fi
    watch_spool "$5" "$3"
    if [ "$4" -ge 0 ]; then
      get "$spool/heard"
      case $line in
      # A dispatcher that has said `bye` comes back when it likes.
      'bye '*) unheard=0 ;;
      "$heard") unheard=$((unheard + 1)) ;;
      *) heard=$line unheard=0 ;;
      esac
      if [ "$unheard" -ge "$patience" ]; then stop orphaned "$3"; exit; fi
    fi
    [ "$2" -ge 0 ] || continue
    [ "$5" != -1 ] || measure
    if [ "$size" = "$seen" ]; then quiet=$((quiet + 1)); else quiet=0 seen=$size; fi
    if [ "$quiet" -ge "$2" ]; then stop silence_limit "$3"; exit; fi
  done
}
# Stops the job when its log has more than $1 bytes (-1: no limit). $2 grace.
watch_spool() {
  [ "$1" != -1 ] || return 0
  measure
  if above "$size" "$1"; then stop output_limit "$2"; exit; fi
}
# Sees to it that somebody looks at the size of the log of a job that lasts; one of many calls wins. A short job has no
# watchdog for that: it would be most of its processes, and cannot write much.
guard() {
  get "$spool/limits"
  # shellcheck disable=SC2086 # limits are numbers
  set -- $line
  if [ "${5:--1}" = -1 ] || ! create "$spool/watch"; then return 0; fi
  (exec </dev/null >/dev/null 2>&1 3<&-; guard_spool "$5" "$3") &
}
# Ends with the job.
guard_spool() {
  while sleep 1; do
    look
    case $state in run | reserved) watch_spool "$1" "$2" ;; *) exit ;; esac
  done
}
