# Removes one key: an older install's, once the newer one is verified.
drop_key() {
  drop_secret "$key_blob" ''
  find_keys
  if without_keys "$keys" "$key_blob" ''; then
    replace_file "$keys" "$text" || fail keys "cannot write $keys"
    tell removed key
  fi
}
{ tell "@@$nonce"; drop_key; tell eol; } </dev/null
