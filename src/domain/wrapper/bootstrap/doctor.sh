# Tells how the host is for jobs; runs as one, in the work directory of one, after facts. What cannot be seen here is not
# told. `with_sudo` is 1 when sudo may be asked: a host logs a refusal.
work_directory() {
  tell work_dir "$PWD"
  program=$PWD/probe-$$
  if { emit "#!/bin/sh${newline}echo started$newline" >"$program"; } 2>/dev/null; then
    tell writable yes
    chmod 700 "$program" 2>/dev/null
    if [ "$("$program" 2>/dev/null)" = started ]; then tell exec yes; else tell exec no; fi
    rm -f "$program"
  else
    tell writable no
  fi
  # Words: Filesystem 1024-blocks Used Available Capacity Mounted on NAME BLOCKS USED AVAILABLE
  # shellcheck disable=SC2046
  set -- $(df -Pk "$PWD" 2>/dev/null)
  [ $# -lt 11 ] || tell space "${11} $9"
  # Words: Filesystem Inodes IUsed IFree IUse% Mounted on NAME INODES IUSED IFREE
  # shellcheck disable=SC2046
  set -- $(df -Pi "$PWD" 2>/dev/null)
  [ $# -lt 11 ] || [ "$2" != Inodes ] || tell inodes "${11} $9"
}
# The name of a limit has blanks; its value is the first word behind it.
limit() {
  # shellcheck disable=SC2086
  set -- "$1" $2
  tell limit "$1 ${2-}"
}
limits() {
  # shellcheck disable=SC3045 # every shell but the standard has it
  [ -r /proc/self/limits ] || { limit open_files "$(ulimit -n 2>/dev/null)"; return; }
  while IFS= read -r line; do
    case $line in
    'Max open files '*) limit open_files "${line#Max open files}" ;;
    'Max processes '*) limit processes "${line#Max processes}" ;;
    'Max file size '*) limit file_size "${line#Max file size}" ;;
    'Max cpu time '*) limit cpu_time "${line#Max cpu time}" ;;
    'Max address space '*) limit address_space "${line#Max address space}" ;;
    esac
  done </proc/self/limits
}
# The last value of a key counts; the dispatcher sees to that.
logind() {
  [ -d /run/systemd/system ] || { tell logind none; return; }
  tell logind found
  for file in /etc/systemd/logind.conf /usr/lib/systemd/logind.conf.d/*.conf /run/systemd/logind.conf.d/*.conf \
    /etc/systemd/logind.conf.d/*.conf; do
    [ -r "$file" ] || continue
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in KillUserProcesses=* | KillExcludeUsers=* | KillOnlyUsers=*) tell logind "$line" ;; esac
    done <"$file"
  done
}
# Only root can read the host keys, without which sshd tells nothing.
server() {
  [ "$(id -u)" = 0 ] && have sshd || return 0
  "$(command -v sshd)" -T 2>/dev/null | while IFS= read -r line; do
    case $line in 'maxsessions '* | 'persourcepenalt'*) tell sshd "$line" ;; esac
  done
}
language() {
  tell lang "$found_lang"
  if [ -n "$found_lang" ] && have locale; then
    if [ -z "$(LC_ALL=$found_lang locale charmap 2>&1 >/dev/null)" ]; then tell lang_known yes; else tell lang_known no; fi
  fi
}
doctor() {
  tell path "$found_path"
  tell umask "$found_umask"
  work_directory
  limits
  logind
  server
  language
  [ "$with_sudo" != 1 ] || sudo_way
}
{ tell "@@$nonce"; facts; doctor; tell eol; } </dev/null
