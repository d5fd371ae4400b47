# Lets the key of a jump host forward connections, and nothing else. Assigned in front: nonce mode (user) key_options key_type
# key_blob key_comment.
jump_key() {
  missing=''
  for tool in mkdir rm mv cp chmod; do have "$tool" || missing="$missing $tool"; done
  [ -z "$missing" ] || fail tools "the host lacks$missing"
  [ -n "${HOME:-}" ] && [ -d "$HOME" ] || fail home "the login user has no home directory"
  find_keys
  if [ ! -d "$HOME/.ssh" ]; then
    mkdir "$HOME/.ssh" 2>/dev/null || fail keys "cannot make $HOME/.ssh"
    chmod 0700 "$HOME/.ssh"
  fi
  without_keys "$keys" "$key_blob" '' || [ ! -e "$keys" ] || [ -r "$keys" ] || fail keys "cannot read $keys"
  # Told before it is done: where nobody listens any more, this ends the script, and no key is left behind.
  tell writing key
  replace_file "$keys" "$text$key_options $key_type $key_blob $key_comment$newline" || fail keys "cannot write $keys"
  ! have restorecon || restorecon -R "$HOME/.ssh" >/dev/null 2>&1
  tell keys_file "$keys"
}
{ tell "@@$nonce"; jump_key; tell eol; } </dev/null
