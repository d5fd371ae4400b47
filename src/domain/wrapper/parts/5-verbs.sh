# ---------- the other verbs ----------

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
  removed) refuse removed the attempt was removed ;;
  *) report job "$id" ;;
  esac
}
# kill ID NONCE GRACE: cancels from another channel and answers with the receipt.
verb_kill() {
  settle
  case $state in run | reserved) stop user "$1"; look ;; esac
  case $state in removed) say none ;; *) say_receipt; report ;; esac
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
  make_places
  try_cgroup
  name_means "$cgroup" "$leads"
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
  # shellcheck disable=SC2003 # mksh counts in 32 bits
  say hello wrapper="${version#wrapper-}" boot="$boot" instance="${line:-unknown}" clock="$(date +%s)" \
    free="$(expr "${11:-0}" "*" 1024)" base="$base" tools="${tools#,}" means="$(echo "$means" | tr ' ' ,)"
  # Nobody waits for it: there may be very many claims.
  (exec </dev/null >/dev/null 2>&1; tidy) &
}
# Sets `cgroup` to something when a job gets a cgroup of its own here, and `leads` to 1 when it gets a session. Tried, not
# guessed: a process is moved.
try_cgroup() {
  leads=1
  [ "$shunt_setsid" != none ] || leads=0
  find_cgroups && make_cgroup "probe-$nonce" || return 0
  tried=$cgroup
  (enter_cgroup) || cgroup=
  # The kernel may take a moment to see that the process is gone.
  tries=0
  while drop_cgroup "$tried"; [ -d "$tried" ] && [ "$tries" -lt 10 ]; do
    nap
    tries=$((tries + 1))
  done
}
# Makes the directories, and once the instance id: another one means another disk, or a removed base directory.
make_places() {
  mkdir -p "$base/c" "$base/j" "$base/w" 2>/dev/null || refuse mkdir the base directory cannot be used
  [ ! -s "$base/instance" ] || return 0
  put "$base/instance.$nonce" "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  # A full disk leaves it empty: that is no id, and must not stay one.
  [ ! -s "$base/instance.$nonce" ] || { [ -s "$base/instance" ] || rm -f "$base/instance"; ln "$base/instance.$nonce" "$base/instance" 2>/dev/null; }
  rm -f "$base/instance.$nonce"
}
# Removes work directories without a spool, and claims of removed attempts after a day.
tidy() {
  for entry in "$base/w"/*; do
    attempt "${entry##*/}"
    [ ! -d "$entry" ] || [ -d "$spool" ] || remove
  done
  # Credentials of a clone, and secrets of a job, whose host or whole attempt was cut off.
  for entry in "$base/j"/*/source "$base/j"/*/secrets; do
    [ -d "$entry" ] || continue
    entry=${entry%/*}
    attempt "${entry##*/}"
    look
    case $state in run | reserved) ;; *) rm -rf "$spool/source" "$spool/secrets" ;; esac
  done
  # Cgroups of removed attempts in which something lived on. The claim tells ours from those of another runner.
  for entry in "${cgroups:-/-}"/shuntyard-*; do
    attempt "${entry##*/shuntyard-}"
    [ ! -e "$claim" ] || [ -d "$spool" ] || drop_cgroup "$entry"
  done
  # shellcheck disable=SC2044 # ids have no spaces
  for entry in $(find "$base/c" -type f -mtime +1 2>/dev/null); do
    [ -d "$base/j/${entry##*/}" ] || rm -f "$entry"
  done
}
# retire NONCE: takes the whole runner away. Root's program does it, and only for the secret on standard input.
verb_retire() {
  entry=${0%/*}/retire-runner
  [ -e "$entry" ] || refuse refused there is no "$entry"
  command -v sudo >/dev/null 2>&1 || refuse refused the host has no sudo
  set -f
  # shellcheck disable=SC2086 # one line
  { said=$(sudo -n /bin/sh "$entry" 2>&1 >&3 3>&-) || refuse refused "$entry:" $said; } 3>&1
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
  run | at | kill | ws)
    check_id "${2:-}"
    check_id "${3:-}"
    nonce=$3
    if [ "$1" = ws ]; then check_id "${4:-}"; else check_number "${4:-}"; fi
    attempt "$2"
    ;;
  fence | get)
    check_id "${2:-}"
    check_id "${3:-}"
    nonce=$3
    attempt "$2"
    ;;
  st | rm | hello | retire)
    check_id "${2:-}"
    nonce=$2
    ;;
  esac
  case ${1:-} in
  run | at)
    exec 3<&0 </dev/null
    if [ "$1" = run ]; then verb_run "$4"; else attach "$4"; fi
    ;;
  kill) verb_kill "$4" ;;
  ws)
    exec 3<&0 </dev/null
    verb_workspace "$4"
    ;;
  get)
    exec 3<&0 </dev/null
    verb_get
    ;;
  fence) verb_fence ;;
  st) verb_status ;;
  rm) shift 2; verb_remove "$@" ;;
  hello) verb_hello ;;
  retire) verb_retire ;;
  *) refuse usage run, at, kill, ws, get, fence, st, rm, hello, retire ;;
  esac
}

[ -n "${PATH:-}" ] || PATH=/usr/local/bin:/usr/bin:/bin
if [ -z "${shunt_setsid:-}" ]; then
  shunt_setsid=none
  for entry in /usr/sbin/setsid /bin/setsid /usr/bin/setsid; do [ ! -x "$entry" ] || shunt_setsid=$entry; done
fi
# What only this host says to itself is beside `main`: a forced command does not reach it.
case ${1:-} in
forced) verb_forced ;;
fetch) become_fetch "$2" ;;
clone) fetch_source "$2" ;;
credential) give_credential "$2" "${3:-}" ;;
*) main "$@" ;;
esac
