# The guard of PLACE/retire-runner, in front of uninstall.sh. The account of the jobs may start it as root by sudo, so it
# does nothing before its caller has shown the secret that only the dispatcher has: the host knows its SHA-256 alone.
# Standard input: `NONCE SECRET KILL`, each lower-case hexadecimal; or in the place of KILL `add TYPE BLOB HASH` or `keep BLOB`,
# by which the runner's key is replaced. Assigned in front: mode place system_home and the like.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
IFS=' 	
'
umask 077
cd /
deny() {
  echo "retire-runner: refused: $*" >&2
  exit 77
}
asked=$(head -c 2000)
nonce=${asked%% *} secret=${asked#* }
kill=${secret#* } secret=${secret%% *}
case $nonce$secret in '' | *[!0-9a-f]*) deny the request is not one of the dispatcher ;; esac
case $kill in
0 | 1) ;;
*[!A-Za-z0-9@.+/=\ -]*) deny the request is not one of the dispatcher ;;
'add '* | 'keep '*) ;;
*) deny the request is not one of the dispatcher ;;
esac
[ "${#secret}" = 64 ] || deny the secret is wrong
sum=$(emit "$secret" | digest)
sum=${sum%% *}
[ "${#sum}" = 64 ] || deny the host cannot compute SHA-256
# The line of the right secret names the runner by the comment of its key.
key_comment=
while IFS=' ' read -r hash blob comment; do [ "$hash" != "$sum" ] || key_comment=$comment; done <"$place/retire-hashes"
[ -n "$key_comment" ] || deny the secret is wrong

# Replaces the runner's key in two steps, each with the secret of a key that is here. $1 add: key $2 $3 with the hash $4 of
# its secret comes beside the others. keep: all others go.
change_key() {
  tell "@@$nonce"
  find_keys
  case $1 in
  add)
    if [ "$#" != 4 ] || [ "${#4}" != 64 ]; then fail request "the key is not whole"; fi
    case $4 in *[!0-9a-f]*) fail request "the hash is none" ;; esac
    without_keys "$keys" "$3" ''
    replace_file "$keys" "${text}restrict,command=\"exec /bin/sh $place/wrapper-$version forced\" $2 $3 $key_comment$newline" ||
      fail keys "cannot write $keys"
    without_keys "$place/retire-hashes" "$3" ''
    replace_file "$place/retire-hashes" "$text$4 $3 $key_comment$newline" || fail keys "cannot write $place/retire-hashes"
    ;;
  keep)
    grep -qF " $2 " "$place/retire-hashes" || fail request "the key that is to stay is not here"
    keep_only "$keys" "$2" "$key_comment"
    keep_only "$place/retire-hashes" "$2" "$key_comment"
    ;;
  esac
  tell eol
}
case $kill in
'add '* | 'keep '*)
  # shellcheck disable=SC2086 # words
  change_key $kill
  exit
  ;;
esac
