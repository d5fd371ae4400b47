# In front of every bootstrap script, after `nonce=`: how it answers. The text comes on the standard input of
# `/bin/sh -s`:
# the work is in functions, and the last line of a script runs them with /dev/null as input, so that nothing eats the text.
# shellcheck disable=SC2034,SC2317 # not every script needs everything
set -u
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
newline='
'
# Answers one line: word and text.
tell() { echo "$*"; }
# Ends with code $1 and a sentence; what was done before it is in the `made` lines.
fail() {
  code=$1
  shift
  tell err "$code" "$*"
  tell eol
  exit 1
}
# Writes $1 as it is, by a builtin. mksh has no builtin printf.
case ${KSH_VERSION:-} in
*?) emit() { print -rn -- "$1"; } ;;
*) emit() { printf %s "$1"; } ;;
esac
have() { command -v "$1" >/dev/null 2>&1; }
# Runs the wrapper's verb $1 ... as the account whose jobs it runs: what that account can change, root never follows.
as_runner() {
  if [ "$mode" = system ]; then
    su "$system_user" -c "exec /bin/sh $place/wrapper-$version $*" 2>&1
  else
    /bin/sh "$place/wrapper-$version" "$@" 2>&1
  fi
}
# Prints the SHA-256 of its input, in hexadecimal, as the first word.
digest() {
  if have sha256sum; then sha256sum
  elif have sha256; then sha256
  elif have shasum; then shasum -a 256
  else openssl dgst -sha256 -r
  fi 2>/dev/null
}
