# Edits authorized_keys files; shared by install, uninstall and drop_key.

# Sets `text` to file $1 without the lines that hold key $2 (its base64) or end in the comment $3; empty arguments match
# nothing. Fails when there was nothing to drop.
without_keys() {
  text='' dropped=1
  [ -e "$1" ] || return 1
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    *" ${2:-$newline}" | *" ${2:-$newline} "*) dropped=0 ;;
    *" ${3:-$newline}") dropped=0 ;;
    *) text=$text$line$newline ;;
    esac
  done <"$1"
  return "$dropped"
}
# Replaces the content of file $1 by $2: written beside it and renamed, with its owner and mode. A link is written through.
replace_file() {
  if [ -L "$1" ]; then emit "$2" >"$1"; return; fi
  rm -f "$1.shuntyard"
  if [ -e "$1" ]; then cp -p "$1" "$1.shuntyard" || return 1; else (umask 077; true >"$1.shuntyard") || return 1; fi
  if emit "$2" >"$1.shuntyard" && mv -f "$1.shuntyard" "$1"; then return 0; fi
  rm -f "$1.shuntyard"
  return 1
}
# Drops from file $1 every line that ends in the comment $3 but for those that hold key $2.
keep_only() {
  text='' dropped=1
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    *" $2" | *" $2 "*) text=$text$line$newline ;;
    *" $3") dropped=0 ;;
    *) text=$text$line$newline ;;
    esac
  done <"$1"
  [ "$dropped" = 1 ] || replace_file "$1" "$text" || fail keys "cannot write $1"
}
# Sets `keys` to the file for mode system or user.
find_keys() {
  if [ "$mode" = system ]; then keys=$system_home/.ssh/authorized_keys; else keys=${HOME:-}/.ssh/authorized_keys; fi
}
# Drops what goes with the keys $1 (base64) and $2 (comment) from the list of secrets that let a runner be removed.
drop_secret() {
  [ "$mode" = system ] || return 0
  ! without_keys "$system_home/retire-hashes" "$1" "$2" || replace_file "$system_home/retire-hashes" "$text" 2>/dev/null
}
# Sets `sudoers` to the path of our rule; fails when there is no place for it, or somebody else's file is there.
sudoers_mark='# Shuntyard: lets the dispatcher remove its runner from this host.'
find_sudoers() {
  for sudoers in /etc/sudoers.d /usr/local/etc/sudoers.d; do
    [ -d "$sudoers" ] || continue
    sudoers=$sudoers/shuntyard-runner
    [ -e "$sudoers" ] || return 0
    IFS= read -r line <"$sudoers" && [ "$line" = "$sudoers_mark" ] && return 0
  done
  return 1
}
