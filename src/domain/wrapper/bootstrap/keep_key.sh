# Removes every other key of the runner, once the newest is verified; in user mode.
{ tell "@@$nonce"; find_keys; keep_only "$keys" "$key_blob" "$key_comment"; tell eol; } </dev/null
