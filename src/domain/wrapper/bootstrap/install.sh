# Puts wrapper, key and directories in place. Assigned in front: nonce mode (system, user) wanted_base key_type key_blob
# key_comment replace (1, 0) version wrapper system_user system_home retire (text of retire-runner) retire_hash enter (text
# of enter-cgroup, without its first line). Every `made`
# line is a thing to undo after a failure; `base` and `wrapper` tell where.
install() {
  missing='' cgroup=none
  for tool in mkdir rm mv cp cat tail head cksum sleep wc date df ls chmod grep tr od find id tee; do have "$tool" || missing="$missing $tool"; done
  [ -z "$missing" ] || fail tools "the host lacks$missing"
  if [ "$mode" = system ]; then system_places; else user_places; fi
  write_wrapper
  first_words
  write_key
  if [ "$mode" = system ]; then write_retire; else find_own_cgroup; fi
  # Its first line says how a job gets a cgroup, which is known only now.
  [ "$cgroup" = none ] || write_wrapper
  ! have restorecon || restorecon -R "$home/.ssh" "$place" >/dev/null 2>&1
  tell instance "$instance"
  tell boot "$boot"
}
tell_places() {
  tell base "$base"
  tell wrapper "$place/wrapper-$version"
}
# Makes the directory $1 and says so; $2 its name for the undo list.
make_directory() {
  [ ! -d "$1" ] || return 0
  mkdir -p "$1" || fail mkdir "cannot make $1"
  tell made "$2"
}

# ---------- system mode: a user of its own; what it must not change belongs to root ----------

system_places() {
  [ "$(id -u)" = 0 ] || fail root "the system mode needs root's rights"
  home=$system_home place=$system_home base=$system_home/runner
  tell_places
  make_user
  make_directory "$home" home
  chown 0:0 "$home" && chmod 0755 "$home" || fail chown "cannot own $home"
  make_directory "$base" base
  for directory in "$base" "$home/home"; do
    mkdir -p "$directory" && chown "$system_user" "$directory" && chmod 0700 "$directory" || fail chown "cannot give $directory to $system_user"
  done
  job_home=$home/home
}
make_user() {
  # An account of that name that is not ours is not touched.
  if id -u "$system_user" >/dev/null 2>&1; then
    case $(grep "^$system_user:" /etc/passwd) in
    *":$system_home:"*) return ;;
    *) fail user "the user $system_user exists already and is not Shuntyard's (its home is not $system_home)" ;;
    esac
  fi
  if have useradd; then
    useradd --system --user-group --home-dir "$system_home" --no-create-home --shell /bin/sh "$system_user" >&2 ||
      useradd --system --home-dir "$system_home" --no-create-home --shell /bin/sh "$system_user" >&2
  elif have pw; then
    pw useradd "$system_user" -d "$system_home" -s /bin/sh -w no >&2
  elif have adduser; then
    adduser -S -D -H -h "$system_home" -s /bin/sh "$system_user" >&2
  else
    fail user "the host has neither useradd, pw nor adduser"
  fi
  id -u "$system_user" >/dev/null 2>&1 || fail user "cannot make the user $system_user"
  tell made user
  # `!` means locked to sshd without PAM; `*` is a password that nobody has.
  usermod -p '*' "$system_user" 2>/dev/null || echo "$system_user:*" | chpasswd -e 2>/dev/null
}

# The runner's own key opens an account that cannot remove root's files. Sudo lets it start one program with root's rights,
# which asks for a secret that jobs do not have (retire.sh). Without sudo the runner works, and only root can remove it.
write_retire() {
  unable=
  if ! have sudo || ! have visudo; then unable='the host has no sudo'
  elif nothing=$(emit '' | digest); [ "${nothing#e3b0c44298fc1c14}" = "$nothing" ]; then unable='the host cannot compute SHA-256'
  elif ! find_sudoers; then unable='the host has no directory sudoers.d, or something else is in our place there'
  else
    tell made retire
    may="/bin/sh $place/retire-runner"
    ! write_enter || may="$may, /bin/sh $place/enter-cgroup"
    rule="Defaults:$system_user env_reset, !requiretty$newline$system_user ALL=(root) NOPASSWD: $may$newline"
    without_keys "$place/retire-hashes" "$key_blob" "$old"
    # visudo reads a name with a dot, sudo does not: nothing unchecked is ever in force.
    if ! replace_file "$place/retire-hashes" "$text$retire_hash $key_blob $key_comment$newline" ||
      ! root_file "$place/retire-runner" 0755 "$retire" || ! root_file "$sudoers.new" 0440 "$sudoers_mark$newline$rule" ||
      ! visudo -cf "$sudoers.new" >/dev/null 2>&1 || ! mv -f "$sudoers.new" "$sudoers"; then
      unable='its files cannot be written, or visudo refuses them'
    else
      denied=$(su "$system_user" -c "exec sudo -n /bin/sh $place/retire-runner" </dev/null 2>&1)
      case $denied in *'retire-runner: refused'*) ;; *) unable="sudo does not start it: $denied" ;; esac
    fi
    [ -z "$unable" ] || rm -f "$sudoers.new" "$sudoers" "$place/retire-runner" "$place/retire-hashes" "$place/enter-cgroup"
    [ ! -e "$place/enter-cgroup" ] || cgroup=sudo
  fi
  [ -z "$unable" ] || tell only_root "$(emit "$unable" | tr '\n' ' ')"
}
# Where the kernel has cgroups of version 2 that can be killed: writes the program that gives the runner one.
write_enter() {
  rm -f "$place/enter-cgroup"
  cgroups=/sys/fs/cgroup
  [ -e "$cgroups/cgroup.procs" ] || cgroups=/sys/fs/cgroup/unified
  case $instance in '' | *[!0-9a-f]*) return 1 ;; esac
  made_root=$cgroups/shuntyard-$instance
  [ -d "$made_root" ] || mkdir "$made_root" 2>/dev/null || return 1
  [ -w "$made_root/cgroup.kill" ] && root_file "$place/enter-cgroup" 0755 "cgroup_root=$made_root$newline$enter" && return
  rmdir "$made_root" 2>/dev/null
  return 1
}
# Writes file $1 with mode $2 and text $3 by temporary name; it is root's.
root_file() {
  { emit "$3" >"$1.tmp"; } 2>/dev/null && [ "$(wc -c <"$1.tmp")" -eq "${#3}" ] && chown 0:0 "$1.tmp" && chmod "$2" "$1.tmp" &&
    mv -f "$1.tmp" "$1" || { rm -f "$1.tmp"; return 1; }
}

# ---------- user mode: the login user, a private directory ----------

user_places() {
  home=${HOME:-}
  [ -d "$home" ] || fail home "the user has no home directory"
  me=$(id -u)
  for base in "$wanted_base" "$home/.cache/shuntyard" "/var/tmp/shuntyard-$me" "/dev/shm/shuntyard-$me" "/tmp/shuntyard-$me"; do
    if usable "$base"; then
      place=$base job_home=
      tell_places
      return
    fi
  done
  fail base "no directory is private and writable; tried ~/.cache, /var/tmp, /dev/shm and /tmp"
}
# Tells whether $1 can be the base: constant words, ours, no link, 0700, writable.
usable() {
  case $1 in /*) ;; *) return 1 ;; esac
  case $1 in *[!A-Za-z0-9._/-]*) return 1 ;; esac
  [ ! -L "$1" ] || return 1
  existed=1
  [ -d "$1" ] || { existed=0; (umask 077; mkdir -p "$1") 2>/dev/null || return 1; }
  # shellcheck disable=SC2046,SC2012 # words of `ls -ldn`: mode, links, owner
  set -- "$1" $(ls -ldn "$1")
  [ "$4" = "$me" ] || return 1
  case $2 in drwx------*) ;; *) chmod 0700 "$1" 2>/dev/null || return 1 ;; esac
  { true >"$1/.probe"; } 2>/dev/null && rm -f "$1/.probe" || return 1
  [ "$existed" = 1 ] || tell made base
}

# Tells whether the login may divide the cgroup that sshd put it in: root may, and who has a delegated one.
find_own_cgroup() {
  { while IFS= read -r line; do case $line in 0::/*) break ;; esac; done </proc/self/cgroup; } 2>/dev/null
  case $line in 0::/*..*) return ;; 0::/*) ;; *) return ;; esac
  cgroups=/sys/fs/cgroup
  [ -e "$cgroups/cgroup.procs" ] || cgroups=/sys/fs/cgroup/unified
  line=$cgroups${line#0::}
  [ ! -w "${line%/}/cgroup.procs" ] || [ ! -w "$line" ] || cgroup=own
}

# ---------- both ----------

# The wrapper makes its directories and the instance id itself, as the account it will run under; this proves that it runs.
first_words() {
  hello=$(as_runner hello "$nonce")
  case $hello in *" hello "*" instance="*) ;; *) fail hello "the wrapper does not run as ${mode} user: $hello" ;; esac
  instance=${hello##* instance=} boot=${hello##* boot=}
  instance=${instance%% *} boot=${boot%% *}
}
# The wrapper gets in front what was found out about this host once.
write_wrapper() {
  setsid=$(command -v setsid) || setsid=none
  case $setsid in /*) ;; *) setsid=none ;; esac
  follow=follow
  case $(tail --help 2>&1) in *BusyBox*) follow=poll ;; esac
  file=$place/wrapper-$version
  [ -e "$file" ] || tell made wrapper
  head="shunt_base=$base shunt_setsid=$setsid shunt_tail=$follow shunt_cgroup=$cgroup${job_home:+ shunt_home=$job_home}$newline"
  { emit "$head$wrapper" >"$file.new"; } 2>/dev/null && [ "$(wc -c <"$file.new")" -eq $((${#head} + ${#wrapper})) ] &&
    chmod 0644 "$file.new" && mv -f "$file.new" "$file" || { rm -f "$file.new"; fail nospace "cannot write $file"; }
}
write_key() {
  find_keys
  if [ ! -d "$home/.ssh" ]; then
    mkdir "$home/.ssh" 2>/dev/null || fail keys "cannot make $home/.ssh"
    chmod 0700 "$home/.ssh"
    tell made ssh_dir
  fi
  options=restrict
  [ "$mode" != system ] || options="restrict,command=\"exec /bin/sh $place/wrapper-$version forced\""
  old=
  [ "$replace" != 1 ] || old=$key_comment
  [ -e "$keys" ] || tell made keys_file
  without_keys "$keys" "$key_blob" "$old" || [ ! -e "$keys" ] || [ -r "$keys" ] || fail keys "cannot read $keys"
  # Told before it is done: where nobody listens any more, this ends the script, and no key is left behind.
  tell writing key
  replace_file "$keys" "$text$options $key_type $key_blob $key_comment$newline" || fail keys "cannot write $keys"
  tell made key
  [ "$mode" != system ] || { chown -R 0:0 "$home/.ssh" && chmod 0755 "$home/.ssh" && chmod 0644 "$keys"; } || fail keys "cannot own $keys"
}
{ tell "@@$nonce"; install; tell eol; } </dev/null
