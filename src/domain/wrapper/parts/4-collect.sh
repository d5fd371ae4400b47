# ---------- what an ended attempt has left: the file of $SHUNT_OUTPUT, and files of its work directory ----------

# get ID NONCE: hands out the file of outputs, then the names of the files below the paths that are asked for, then pieces
# of files as they are asked for: flow control and limits are the dispatcher's. Read on standard input: `1 COUNT`, COUNT
# paths (`.`: all), then lines `SKIP COUNT PATH` in blocks of 64 KiB. Each answer ends with `@@NONCE` and a word: `f`, `x` (a
# file that can be run), `none` (no regular file, or a symbolic link is on the way), `err` (it cannot be read).
verb_get() {
  IFS=' ' read -r magic roots <&3 || refuse frame no head
  [ "$magic" = 1 ] || refuse magic this wrapper reads requests of version 1
  check_number "$roots"
  look
  case $state in
  end*) ;;
  none) say none; return ;;
  removed) refuse removed the attempt was removed ;;
  *) report job "$id"; return ;;
  esac
  echo "@@$nonce"
  # A byte more than is allowed, so that more is noticed.
  hand "$spool/outputs" 65537 0 1
  # The job may have put something else in its place.
  if [ -L "$work" ] || ! cd "$work" 2>/dev/null; then
    answered none
    return
  fi
  while [ "$roots" -gt 0 ] && IFS= read -r wanted <&3; do
    roots=$((roots - 1))
    if [ "$wanted" = . ]; then find . -type f -print0
    elif inside "$wanted"; then find "./$wanted" -type f -print0; fi
  done 2>/dev/null | head -c 8388608
  answered f
  while IFS= read -r line <&3; do
    skip=${line%% *} line=${line#* }
    count=${line%% *} wanted=${line#* }
    check_number "$skip"
    check_number "$count"
    if inside "$wanted"; then hand "./$wanted" 65536 "$skip" "$count"; else answered none; fi
  done
}
answered() { emit "@@$nonce $1$newline"; }
# Hands out file $1: $4 blocks of $2 bytes from block $3 on. A pipe or a device is not opened.
hand() {
  if [ -L "$1" ] || [ ! -f "$1" ]; then answered none
  elif ! dd if="$1" bs="$2" skip="$3" count="$4" 2>/dev/null 3<&-; then answered err
  elif [ -x "$1" ]; then answered x
  else answered f; fi
}
# Tells whether no symbolic link stands on the way to $1: what a job links to is not its own.
inside() {
  way=. rest=$1
  while [ -n "$rest" ]; do
    way=$way/${rest%%/*}
    [ ! -L "$way" ] || return 1
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
  done
}
