# The guard of PLACE/retire-runner, in front of uninstall.sh. The account of the jobs may start it as root by sudo, so it
# does nothing before its caller has shown the secret that only the dispatcher has: the host knows its SHA-256 alone.
# Standard input: `NONCE SECRET KILL`, each lower-case hexadecimal. Assigned in front: mode place system_home and the like.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
IFS=' 	
'
umask 077
cd /
deny() {
  echo "retire-runner: refused: $*" >&2
  exit 77
}
asked=$(head -c 200)
nonce=${asked%% *} secret=${asked#* }
kill=${secret#* } secret=${secret%% *}
case $nonce$secret$kill in '' | *[!0-9a-f]*) deny the request is not one of the dispatcher ;; esac
case $kill in 0 | 1) ;; *) deny the request is not one of the dispatcher ;; esac
[ "${#secret}" = 64 ] || deny the secret is wrong
sum=$(emit "$secret" | digest)
sum=${sum%% *}
[ "${#sum}" = 64 ] || deny the host cannot compute SHA-256
# The line of the right secret names the runner by the comment of its key.
key_comment=
while IFS=' ' read -r hash blob comment; do [ "$hash" != "$sum" ] || key_comment=$comment; done <"$place/retire-hashes"
[ -n "$key_comment" ] || deny the secret is wrong
