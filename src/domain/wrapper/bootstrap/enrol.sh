# How a host enrols itself; behind answer.sh. Assigned in front: version, system_user, system_home, and the texts of the
# bootstrap's own scripts: facts_text install_text uninstall_text drop_key_text, and of the program that dials out: tunnel_text. From the dispatcher come words, never commands.
say() { echo "enrol: $*" >&2; }
# Ends with why, $1, and what to try, $2. What is not known to be a runner does not stay.
stop() {
  trap '' HUP INT TERM
  stty echo 2>/dev/null </dev/tty
  take_back
  clean
  say "failed: $1"
  [ -z "${2:-}" ] || say "try: $2"
  exit 1
}
clean() {
  [ -z "$private" ] || rm -rf "$private"
  private=
}
# Runs the text $2 of the bootstrap with the assignments $1 in front.
run_text() { emit "$1$newline$2" | /bin/sh -s; }

# ---------- what is asked for ----------

# A token goes readable over plain HTTP, and so does what we are told: only within this machine, unless somebody says so.
check_url() {
  url=${1%/}
  case $url in *[!]A-Za-z0-9.:/_[-]*) stop "$url is not an address of a dispatcher" "write it as https://HOST[:PORT]" ;; esac
  case $url in
  https://?*) ;;
  http://?*)
    host=${url#http://}
    host=${host%%/*}
    case $host in \[*) host=${host%%]*} ;; *) host=${host%%:*} ;; esac
    case $host in
    localhost | '[::1') return ;;
    127.*) case $host in *[!0-9.]*) ;; *) return ;; esac ;;
    esac
    [ "${SHUNT_ENROL_CLEAR_TEXT:-}" = yes ] ||
      stop "will not send the token over plain HTTP to another machine" "use https, forward the dispatcher's port (ssh -R), or set SHUNT_ENROL_CLEAR_TEXT=yes in a network that you trust"
    ;;
  *) stop "the dispatcher's address is missing" "sh -s https://HOST[:PORT], the address at which this host reaches the dispatcher" ;;
  esac
}
find_client() {
  client=curl private=
  have curl && return
  have wget || stop "the host has neither curl nor wget" "install one of them"
  # BusyBox's may be built without -T, and crashes on it.
  client=wget limit='-T 180'
  case $(wget --help 2>&1) in
  *BusyBox*)
    limit=
    case $url in https:*) stop "BusyBox's wget does not check who it speaks to over https" "install curl" ;; esac
    ;;
  esac
  # wget takes a body from a file only. In memory where the host has that.
  for directory in /dev/shm /run "${TMPDIR:-/tmp}" /tmp; do
    (umask 077; mkdir "$directory/shuntyard-enrol.$$") 2>/dev/null && private=$directory/shuntyard-enrol.$$ && return
  done
  stop "no directory for a temporary file is writable; tried /dev/shm, /run and /tmp" "make one of them writable"
}
find_token() {
  token=${SHUNT_ENROL_TOKEN:-}
  unset SHUNT_ENROL_TOKEN
  if [ -z "$token" ] && { true </dev/tty; } 2>/dev/null; then
    stty -echo 2>/dev/null </dev/tty
    emit 'enrolment token: ' >/dev/tty
    IFS= read -r token </dev/tty
    stty echo 2>/dev/null </dev/tty
    echo >/dev/tty
  fi
  case $token in
  '') stop "there is no token" "export SHUNT_ENROL_TOKEN, made by: shunt ctl create-token NAME" ;;
  *[!A-Za-z0-9_-]*) stop "the token has characters that no token has" "copy it again, as \`shunt ctl create-token\` showed it" ;;
  esac
}

# ---------- what this host is ----------

sshd_words() {
  sshd=$(command -v sshd) && "$sshd" -T 2>/dev/null && return
  for file in /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf; do
    [ -r "$file" ] || continue
    while read -r word rest || [ -n "$word" ]; do
      case $word in
      [Pp][Oo][Rr][Tt]) echo "port $rest" ;;
      [Hh][Oo][Ss][Tt][Kk][Ee][Yy]) echo "hostkey $rest" ;;
      esac
    done <"$file"
  done
}
# Sets `port` and `host_keys`, lines for the dispatcher: it believes only a host that shows one of these.
find_sshd() {
  port=${SHUNT_ENROL_PORT:-} key_files='' host_keys=''
  # Of a login over SSH: client address and port, our address and port.
  # shellcheck disable=SC2086
  set -- ${SSH_CONNECTION:-}
  port=${port:-${4:-}}
  while read -r word rest; do
    case $word in
    port) port=${port:-$rest} ;;
    hostkey) key_files="$key_files $rest" ;;
    esac
  done <<END
$(sshd_words)
END
  port=${port:-22}
  for file in ${key_files:-/etc/ssh/ssh_host_*_key}; do
    { read -r type blob rest <"$file.pub"; } 2>/dev/null && host_keys="${host_keys}host_key $type $blob$newline"
  done
  if [ -z "$host_keys" ] && have ssh-keyscan; then
    while read -r rest type blob; do
      [ -z "$blob" ] || host_keys="${host_keys}host_key $type $blob$newline"
    done <<END
$(ssh-keyscan -p "$port" 127.0.0.1 2>/dev/null)
END
  fi
  [ -n "$host_keys" ] || stop "no public host key of sshd can be read (/etc/ssh/ssh_host_*_key.pub)" "see that sshd is installed and has been started once"
}

# ---------- speaking with the dispatcher ----------

# Sends $1 and sets `answer`. The token is in no argument list, and in no address.
ask() {
  to=$url/api/v0/e/default/enrol
  if [ "$client" = curl ]; then
    answer=$(emit "$1" | curl -q -sS --max-time 180 -H 'Accept: text/plain' -H 'Content-Type: text/plain' --data-binary @- "$to")
  else
    (umask 077; emit "$1" >"$private/body")
    # shellcheck disable=SC2086
    answer=$(wget -q $limit -O - --header 'Accept: text/plain' --header 'Content-Type: text/plain' --post-file "$private/body" "$to")
    rm -f "$private/body"
  fi
  read_answer
}
# Takes the answer apart; `whole` is 1 when it was all there.
read_answer() {
  whole=0 refused='' next=''
  while read -r word rest; do
    case $word in
    enrolment) enrolment=$rest ;;
    nonce) nonce=$rest ;;
    name) name=$rest ;;
    key) key=$rest ;;
    retire) retire_hash=$rest ;;
    dial) dial=$rest ;;
    dial_as) dial_as=$rest ;;
    dial_key) dial_key=$rest ;;
    state) state=$rest ;;
    done) say "$rest" ;;
    err) refused=$rest ;;
    try) next=$rest ;;
    end) whole=1 ;;
    esac
  done <<END
$answer
END
  case $whole$refused in
  1?*) stop "${refused#* } (${refused%% *})" "$next" ;;
  esac
}
# Words of the dispatcher go into a script: nothing but what belongs there.
check_words() {
  key_type=${key%% *} key_blob=${key#* }
  case $nonce$retire_hash in *[!0-9a-f]*) strange=1 ;; *) strange=0 ;; esac
  case $enrolment in '' | *[!0-9a-f-]*) strange=1 ;; esac
  case $name in '' | [.-]* | *[!A-Za-z0-9._:-]*) strange=1 ;; esac
  case $key_type in '' | *[!A-Za-z0-9@.-]*) strange=1 ;; esac
  case $key_blob in '' | *[!A-Za-z0-9+/=]*) strange=1 ;; esac
  [ ${#nonce} = 32 ] && [ ${#retire_hash} = 64 ] && [ "$strange" = 0 ] || stop "the dispatcher's answer is not understood" "fetch the script from the same dispatcher again"
}

# ---------- what is put here, and taken back ----------

put() {
  what="nonce=$nonce mode=$mode key_type=$key_type key_blob=$key_blob"
  what="$what key_comment=$system_user@$name replace=0 wanted_base='' retire_hash=$retire_hash"
  installed=$(run_text "$what" "$install_text")
  made='' base='' file='' why='' all=0
  while read -r word rest; do
    case $word in
    made) made="$made $rest" ;;
    base) base=$rest ;;
    wrapper) file=$rest ;;
    err) why=$rest ;;
    eol) all=1 ;;
    esac
  done <<END
$installed
END
  [ -z "$why" ] || stop "the install was refused: ${why#* } (${why%% *})"
  [ "$all" = 1 ] || stop "the install was cut off"
  say "installed $file"
}
# A host that had a base directory before keeps it: another runner may work there. Then only the key goes.
take_back() {
  take_tunnel_back
  [ -n "$made" ] && [ -n "$base" ] || return
  what="nonce=$nonce mode=$mode base=$base place=${file%/*} version=$version key_blob=$key_blob key_comment='' kill=1 made='$made'"
  what="$what system_user=$system_user system_home=$system_home"
  case "$made " in
  *' user '*) gone=$(run_text "$what remove_user=1" "$uninstall_text") ;;
  *' home '* | *' base '*) gone=$(run_text "$what remove_user=0" "$uninstall_text") ;;
  *) gone=$(run_text "$what" "$drop_key_text") ;;
  esac
  made=
  while read -r word rest; do
    case $word in
    left | err) say "left on this host: $rest" ;;
    eol) say "taken back what was installed" ;;
    esac
  done <<END
$gone
END
}

enrol() {
  private='' made='' base='' state='' enrolment='' nonce='' name='' key='' retire_hash='' tunnel=0 dial='' dial_as='' dial_key=''
  trap 'stop "interrupted"' HUP INT TERM
  check_url "${1:-}"
  find_client
  find_token
  find_sshd
  mode=user
  [ "$(id -u)" != 0 ] || mode=system
  begin="$token${newline}begin${newline}version $version${newline}mode $mode${newline}hostname $(uname -n)$newline"
  [ -z "${SHUNT_ENROL_NAME:-}" ] || begin="${begin}wants $SHUNT_ENROL_NAME$newline"
  ask "$begin"
  [ "$whole" = 1 ] || stop "the dispatcher at $url does not answer as one" "see that the address is right and that this host reaches it"
  check_words
  [ -z "$dial" ] || check_dial_words
  put
  [ -z "$dial" ] || dial_out
  finish="$token${newline}finish $enrolment${newline}port $port$newline$host_keys"
  [ -z "${SHUNT_ENROL_ADDRESS:-}" ] || finish="${finish}address $SHUNT_ENROL_ADDRESS$newline"
  finish="${finish}facts$newline$(run_text "nonce=$nonce" "$facts_text")${newline}install$newline$installed$newline"
  if [ -n "$dial" ]; then say "the dispatcher comes back through the tunnel, to port $port, and tests this host"
  else say "the dispatcher connects to this host, port $port, and tests it"
  fi
  # It is the same question each time: the dispatcher tells once more how it ended.
  for pause in 1 3 5 0; do
    ask "$finish"
    [ "$whole" = 0 ] || break
    sleep "$pause"
  done
  case $state in
  enrolled) say "$name is enrolled and takes jobs" ;;
  pending) say "$name is enrolled and waits for its approval: shunt ctl approve $name" ;;
  *) stop "the dispatcher does not say how it ended" "see \`shunt ctl list-runners\`: if $name is there, delete it with --force; then enrol again" ;;
  esac
  clean
}
# `-` behind the address of a script that is a file: the token is the first line of standard input.
[ "${2:-}" != - ] || IFS= read -r SHUNT_ENROL_TOKEN
{ enrol "$@"; } </dev/null
