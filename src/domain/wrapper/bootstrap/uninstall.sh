# Removes what install made. Assigned in front: nonce mode base place version key_blob key_comment kill (1, 0) remove_user (1, 0)
# made (words of the install that is undone) system_user system_home. Says what is gone and what could not go.
uninstall() {
  drop_keys
  case $text in *" $system_user@"*)
    tell left runner "$keys has the key of another runner: wrapper and work directory stay for it"
    return
    ;;
  esac
  drop_tunnel
  if end_jobs; then
    for file in "$base/j"/*/cgroup; do ! { IFS= read -r line <"$file"; } 2>/dev/null || drop_job_cgroup "$line"; done
    [ "$mode" != system ] || drop_retire
    gone spools "$base/c" "$base/j" "$base/w" "$base/instance"
    # Only ours: what somebody else put beside it stays.
    for file in "$place"/wrapper-*; do [ ! -e "$file" ] || gone wrapper "$file"; done
    [ "$mode" != system ] || gone home_directory "$system_home/home"
    rmdir "$base" 2>/dev/null && tell removed base
    [ ! -e "$base" ] || tell left base "$base is not empty or cannot be removed"
  else
    tell left spools "jobs still run; their files stay in $base"
    [ "$mode" != system ] || drop_retire
  fi
  # With its jobs the account stays, too.
  [ "$remove_user" != 1 ] || [ -e "$base" ] || remove_account
}
# Leaves what stays of the file in `text`.
drop_keys() {
  drop_secret "$key_blob" "$key_comment"
  find_keys
  without_keys "$keys" "$key_blob" "$key_comment" || { [ -e "$keys" ] && [ ! -r "$keys" ] && tell left key "$keys cannot be read"; return; }
  if replace_file "$keys" "$text" 2>/dev/null; then tell removed key; else tell left key "$keys cannot be written"; fi
  [ -n "$text" ] || case " $made " in *' keys_file '*) rm -f "$keys" ;; esac
  case " $made " in *' ssh_dir '*) rmdir "${keys%/*}" 2>/dev/null ;; esac
}
# Takes away what lets our own key remove the runner.
drop_retire() {
  if find_sudoers && [ -e "$sudoers" ]; then gone sudoers "$sudoers"; fi
  drop_cgroups
  gone retire "$place/retire-runner" "$place/retire-hashes" "$place/enter-cgroup"
}
# The path is the account's word: only an empty directory goes, and only one that is called like a job's cgroup.
drop_job_cgroup() {
  case $1 in *..*) ;; /sys/fs/cgroup/*shuntyard-*) rmdir "$1"/*/ "$1" 2>/dev/null ;; esac
}
# Takes away the runner's cgroup, with those of its jobs that are empty. Root's program knows where it is.
drop_cgroups() {
  { IFS= read -r line <"$place/enter-cgroup"; } 2>/dev/null || return
  line=${line#cgroup_root=}
  case $line in /sys/fs/cgroup/*shuntyard-*) rmdir "$line"/*/*/ "$line"/*/ "$line" 2>/dev/null ;; esac
}
# Fails when jobs still run. Nothing is killed unless asked.
end_jobs() {
  busy=0
  for entry in "$base/j"/*; do
    [ -d "$entry" ] || continue
    state=$(as_runner st "$nonce" | grep "job ${entry##*/} ")
    case $state in
    *' run '* | *' reserved'*)
      [ "$kill" = 1 ] || { busy=1; continue; }
      case $(as_runner kill "${entry##*/}" "$nonce" 2) in
      *' run '*) busy=1 ;;
      *) tell removed job "${entry##*/}" ;;
      esac
      ;;
    esac
  done
  [ "$busy" = 0 ]
}
# Removes $2 ... and tells the name $1.
gone() {
  name=$1
  shift
  # Root needs no chmod, and would do it to whatever a job puts there in the meantime.
  rm -rf "$@" 2>/dev/null || [ "$mode" = system ] || { chmod -R u+rwx "$@"; rm -rf "$@"; } 2>/dev/null
  for path; do [ ! -e "$path" ] || { tell left "$name" "$path cannot be removed"; return; }; done
  tell removed "$name"
}
remove_account() {
  case $(grep "^$system_user:" /etc/passwd) in
  *":$system_home:"*) ;;
  '') return ;;
  *) tell left user "$system_user is not Shuntyard's"; return ;;
  esac
  [ ! -s "$keys" ] || { tell left user "$keys holds other keys"; return; }
  # -f: the connection over which this is asked is a process of that user.
  if userdel "$system_user" >/dev/null 2>&1 || userdel -f "$system_user" >/dev/null 2>&1 || pw userdel "$system_user" >/dev/null 2>&1 || deluser "$system_user" >/dev/null 2>&1; then
    tell removed user
    gone home "$system_home"
  else
    tell left user "the user $system_user cannot be removed"
  fi
}
{ tell "@@$nonce"; uninstall; tell eol; } </dev/null
