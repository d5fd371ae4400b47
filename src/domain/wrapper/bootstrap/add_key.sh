# Puts a key beside the runner's present one, in user mode.
add_key() {
  find_keys
  without_keys "$keys" "$key_blob" '' || [ -r "$keys" ] || fail keys "cannot read $keys"
  replace_file "$keys" "${text}restrict $key_type $key_blob $key_comment$newline" || fail keys "cannot write $keys"
  tell made key
}
{ tell "@@$nonce"; add_key; tell eol; } </dev/null
