# ---------- workspaces: trees of files that jobs start in ----------
# BASE/ws/DIGEST/tree is the cache, DIGEST.NONCE one that is being received. BASE/f/ID/tree is the copy for an attempt,
# which `run` moves to its work directory. BASE/p/DIGEST.ID keeps a tree from being evicted.

# Trees that the cache keeps at most.
shunt_keep_trees=16

# ws ID NONCE DIGEST: receives the tree where it is missing (a head, then the parcel on standard input), and lays a copy
# ready for the attempt. Words: `want TOOLS TREE...` or nothing, `have`, `filled`.
verb_workspace() {
  cache=$base/ws/$1 filled=$base/f/$id pin=$base/p/$1.$id fresh=$base/ws/$1.$nonce
  umask 022
  mkdir -p "$base/ws" "$base/f" "$base/p" 2>/dev/null || refuse mkdir the cache cannot be made
  # A channel that ends under us is a delivery that was given up.
  trap : HUP INT TERM PIPE
  trap give_up 0
  { true >"$pin"; } 2>/dev/null || refuse nospace the cache takes no file
  tidy_trees
  if [ -d "$cache" ]; then touch "$cache"; else receive_tree; fi
  say have
  rm -rf "$filled"
  # Not links: a job must not be able to write into the cache by accident.
  { mkdir "$filled" && cp -a "$cache/tree" "$filled/tree"; } 2>/dev/null || refuse nospace the tree cannot be copied
  trap - 0
  say filled || rm -rf "$filled"
  rm -f "$pin"
}
give_up() { rm -rf "$fresh" "$filled" "$pin" 2>/dev/null; }

# Receives the tree into `fresh`, checks it, and puts it into the cache.
receive_tree() {
  offer_tree
  IFS=' ' read -r magic how sums from removed entries space <&3 || refuse frame no head
  [ "$magic" = 1 ] || refuse magic this wrapper reads parcels of version 1
  case $removed$entries$space in '' | *[!0-9]*) refuse frame bad head ;; esac
  make_room "$space" || refuse nospace "the tree needs $space KiB of free space and it cannot be made"
  mkdir "$fresh" 2>/dev/null || refuse mkdir the cache cannot be written
  if [ "$from" = - ]; then mkdir "$fresh/tree"; else begin_from "$base/ws/$from/tree"; fi
  # The head was read byte by byte: the rest is the parcel's.
  (
    cd "$fresh" || exit
    case $how in
    zstd) zstd -dcq | tar -xof - ;;
    gzip) gzip -dc | tar -xof - ;;
    *) tar -xof - ;;
    esac
  ) <&3 >/dev/null 2>&1
  [ -e "$fresh/end" ] || refuse workspace "the tree arrived incomplete, or could not be unpacked"
  if ! tree_is_whole; then
    # What it was made from is not what it was.
    [ "$from" = - ] || rm -rf "$base/ws/$from"
    refuse workspace the unpacked tree is not what was sent
  fi
  rm -f "$fresh/sums" "$fresh/end"
  [ -d "$cache" ] || mv "$fresh" "$cache" 2>/dev/null || refuse mkdir the cache cannot be written
  # Another delivery was there first; a moment ago, and `mv` has put ours into it.
  rm -rf "$fresh" "${cache:?}/${fresh##*/}"
}
# Says what this host can read and check, and which trees it has, the last used first.
offer_tree() {
  tools=
  for tool in zstd gzip sha256sum shasum; do
    ! command -v "$tool" >/dev/null 2>&1 || tools=$tools,$tool
  done
  command -v tar >/dev/null 2>&1 || refuse workspace the host has no tar
  tools=${tools#,} trees=
  # shellcheck disable=SC2045 # names are digests
  for entry in $(ls -t "$base/ws" 2>/dev/null); do
    case $entry in *.*) ;; *) [ "${#trees}" -gt 500 ] || trees="$trees $entry" ;; esac
  done
  say want "${tools:-none}$trees"
}
# Begins with tree $1: shares its files, and removes the paths that are named on standard input. What is received later
# is new files: nothing writes into a shared one.
begin_from() {
  cp -al "$1" "$fresh/tree" 2>/dev/null || { rm -rf "$fresh/tree"; cp -a "$1" "$fresh/tree" 2>/dev/null; } ||
    refuse workspace the tree to begin with cannot be copied
  while [ "$removed" -gt 0 ]; do
    IFS= read -r line <&3 || refuse frame the list of removed paths is cut off
    rm -rf "$fresh/tree/$line"
    removed=$((removed - 1))
  done
}
# Tells whether `fresh` holds what was sent, whole: also files that were shared.
tree_is_whole() {
  # shellcheck disable=SC2046 # a number
  set -- $(find "$fresh/tree" | wc -l)
  [ "$1" -eq $((entries + 1)) ] || return 1
  [ -s "$fresh/sums" ] || return 0
  cd "$fresh/tree" || return 1
  case $sums in
  sha256) sha256sum -c ../sums >/dev/null 2>&1 || shasum -a 256 -c ../sums >/dev/null 2>&1 ;;
  *) find . -type f -exec cksum {} + | sort | cmp -s - ../sums ;;
  esac
}

# Makes $1 KiB free on the cache's disk by evicting trees, the longest unused first.
make_room() {
  while ! has_room "$1"; do evict_one || return 1; done
}
has_room() {
  # Words: Filesystem 1024-blocks Used Available Capacity Mounted on NAME BLOCKS USED AVAILABLE
  # shellcheck disable=SC2046 # words
  set -- "$1" $(df -Pk "$base/ws" 2>/dev/null)
  # mksh counts in 32 bits.
  expr "${12:-0}" ">=" "$1" >/dev/null
}
# Removes the tree that was not used for the longest time and that no attempt is being given; fails when there is none.
evict_one() {
  # shellcheck disable=SC2045 # names are digests
  for entry in $(ls -tr "$base/ws" 2>/dev/null); do
    case $entry in *.*) continue ;; esac
    for holder in "$base/p/$entry".*; do [ ! -e "$holder" ] || continue 2; done
    # First out of sight, so that nobody finds half a tree.
    mv "$base/ws/$entry" "$base/ws/$entry.$nonce.gone" 2>/dev/null && rm -rf "$base/ws/$entry.$nonce.gone" && return 0
  done
  return 1
}
# Removes what deliveries that died have left, and trees beyond the number that is kept.
tidy_trees() {
  for entry in "$base/ws"/*.* "$base/f"/* "$base/p"/*; do
    [ "$entry" = "$pin" ] || [ -z "$(find "$entry" -prune -mmin +120 2>/dev/null)" ] || rm -rf "$entry"
  done
  # shellcheck disable=SC2012,SC2046 # names are digests
  set -- $(ls "$base/ws" 2>/dev/null)
  [ "$#" -le "$shunt_keep_trees" ] || evict_one || :
}

# An attempt that needs a tree is refused before its claim when none is laid ready. One that exists is attached.
need_workspace() {
  [ -z "$shunt_workspace" ] || [ -e "$claim" ] || [ -d "$base/f/$id/tree" ] ||
    refuse workspace the tree of files is not laid ready
}
# Makes the attempt's work directory: the tree, or an empty one.
take_work() {
  if [ -z "$shunt_workspace" ]; then mkdir "$work" 2>/dev/null; return; fi
  mv "$base/f/$id/tree" "$work" 2>/dev/null && rmdir "$base/f/$id" 2>/dev/null
}
