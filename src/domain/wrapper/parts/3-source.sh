# ---------- sources: jobs that start in a clone of a git repository ----------
# BASE/j/ID/source/ (0700) holds what the clone is to know, until the script starts: url, ref, blob and local (of config.json
# and project.toml, or empty), and what opens the repository: origin, username, token, key, known_hosts. Nothing of it is in an environment
# or an argument list but the URL and the ref.

# An attempt that needs a clone is refused before its claim where there is no git. One that exists is attached.
need_git() {
  [ -z "$shunt_git_url" ] || [ -e "$claim" ] || command -v git >/dev/null 2>&1 || refuse workspace the host has no git
}
# Keeps what the clone is to know, for the process that clones.
keep_source() {
  [ -n "$shunt_git_url" ] || return 0
  (
    umask 077
    mkdir "$spool/source" && cd "$spool/source" && put url "$shunt_git_url" && put ref "$shunt_git_ref" &&
      put blob "$shunt_git_blob" && put local "${shunt_git_local:-}" && put origin "$shunt_git_origin" && put username "$shunt_git_username" &&
      put token "$shunt_git_token" && emit "$shunt_git_key" >key && emit "$shunt_git_hosts" >known_hosts &&
      put whole = && [ -s whole ]
  ) 2>/dev/null
}
# Writes the secrets that the job reads as files into BASE/j/ID/secrets (0700), which is removed when the job has ended.
keep_secrets() {
  [ -n "$shunt_secrets" ] || return 0
  (umask 077; mkdir "$spool/secrets" && cd "$spool/secrets" && shunt_put_secrets) 2>/dev/null
}
# Called by the frame's function. $1 name, $2 value, which is never empty.
put_secret() { emit "$2" >"$1" && [ -s "$1" ]; }
# Forgets what the frame said of the clone of an earlier attempt.
forget_source() {
  shunt_git_url='' shunt_git_ref='' shunt_git_blob='' shunt_git_local='' shunt_git_origin='' shunt_git_username='' shunt_git_token=''
  shunt_git_key='' shunt_git_hosts=''
}
# Becomes the shell that clones by a child and is the script then: one process leads the job from its first byte to its
# last, and its environment is the job's. $1 log, $2 id, $3 script, $4 setsid or nothing.
# shellcheck disable=SC2016 # the inner shell expands it
become_clone() {
  exec ${4:+"$4"} /bin/sh -c '/bin/sh "$1" fetch "$2" || exit; exec /bin/sh "$3"' sh "$0" "$2" "$3" >>"$1" 2>&1
}

# fetch ID: begins anew with an environment that is not the job's, whose variables may be called like those in here.
become_fetch() {
  clean_environment 'PATH USER LOGNAME TMPDIR SHUNT_JOB SHUNT_COOKIE http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY'
  exec /bin/sh "$0" clone "$1"
}
# clone ID: in the job's own session and work directory, its log as output. The script does not start when this fails,
# and finds no credentials when it does not.
fetch_source() {
  attempt "$1"
  source=$spool/source
  trap 'rm -rf "$source"' 0
  trap 'exit 143' HUP INT TERM
  get "$source/url"
  url=$line
  get "$source/ref"
  reference=$line
  echo "shuntyard: fetching $reference of $url"
  prepare_git
  git_here init -q --template= . || give_up_source "git cannot make a repository here"
  fetch_reference
  git_here checkout -q --detach FETCH_HEAD -- || give_up_source "the files of $reference cannot be written"
  commit=$(git_here rev-parse HEAD) || give_up_source "git does not say which commit $reference is"
  check_configuration
  rm -rf "$source"
  [ ! -e "$source" ] || give_up_source "what opens the repository cannot be removed from this host"
  echo "shuntyard: starting in commit $commit"
}
# Sets the environment of git: whatever the job's says to git or ssh is for the script.
prepare_git() {
  export LC_ALL=C HOME="$source" SHUNT_SOURCE="$source" SHUNT_WRAPPER="$0"
  export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
  export GIT_ALLOW_PROTOCOL=https:http:ssh:git:file GIT_SSH_VARIANT=ssh
  ssh_options='-i key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UpdateHostKeys=no'
  ssh_options="$ssh_options -o UserKnownHostsFile=known_hosts -o GlobalKnownHostsFile=/dev/null"
  # The files are named as they are called in their directory: its path may hold what ssh would read as more.
  export GIT_SSH_COMMAND="cd \"\$SHUNT_SOURCE\" && exec ssh -F /dev/null $ssh_options"
}
give_up_source() {
  echo "shuntyard: the job did not start: $1"
  exit 128
}
# git without configuration, hooks and helpers but ours.
# shellcheck disable=SC2016 # git's shell expands it
git_here() {
  git -c core.hooksPath=/dev/null -c core.askPass= -c init.defaultBranch=main -c advice.detachedHead=false \
    -c protocol.ext.allow=never -c submodule.recurse=false -c fetch.recurseSubmodules=false -c gc.auto=0 \
    -c maintenance.auto=false -c credential.helper= \
    -c credential.helper='!exec /bin/sh "$SHUNT_WRAPPER" credential "$SHUNT_JOB"' "$@"
}
# Leaves the commit in FETCH_HEAD: alone where the server hands it out, else with its history.
fetch_reference() {
  git_here fetch -q --no-tags --depth 1 -- "$url" "$reference" 2>"$source/said" && return
  said=$(cat "$source/said")
  case $reference in
  *[!0-9a-f]*) is_commit=0 ;;
  *) if [ "${#reference}" = 40 ]; then is_commit=1; else is_commit=0; fi ;;
  esac
  case $is_commit$said in
  # A server that hands out no single commits; or none that it has no name for.
  1*"not our ref"* | 1*"nadvertised object"* | 1*"find remote ref"* | 1*"no such remote ref"* | 1*"not support shallow"*)
    if git_here fetch -q --no-tags -- "$url" '+refs/heads/*:refs/shuntyard/heads/*' '+refs/tags/*:refs/shuntyard/tags/*' &&
      git_here rev-parse -q --verify "$reference^{commit}" >.git/FETCH_HEAD; then return; fi
    give_up_source "$url has no commit $reference on a branch or tag"
    ;;
  # A server that is only a web server.
  0*"not support shallow"*)
    git_here fetch -q --no-tags -- "$url" "$reference" && return
    give_up_source "$reference of $url cannot be fetched"
    ;;
  esac
  emit "$said$newline"
  case $said in
  *"find remote ref"* | *"no such remote ref"*) give_up_source "$url has no $reference (a commit is named by all its 40 digits)" ;;
  *"could not read Username"* | *"could not read Password"*)
    give_up_source "$url asks for a login; an admin sets the project's secrets GIT_USERNAME and GIT_TOKEN, which go to https:// only" ;;
  *"Authentication failed"* | *"error: 403"*)
    give_up_source "$url does not accept the project's secrets GIT_USERNAME and GIT_TOKEN" ;;
  *"ermission denied (publickey"*) give_up_source "$url does not accept the project's secret GIT_SSH_KEY" ;;
  *"ost key verification failed"*) give_up_source "the server shows a host key that is not in the project's secret GIT_KNOWN_HOSTS" ;;
  esac
  give_up_source "$reference of $url cannot be fetched"
}
# A clone with another configuration than the job was planned with is not run.
check_configuration() {
  get "$source/blob"
  [ -z "$line" ] || check_planned "$line" .shuntyard/config.json .delivery/config.json config.json
  get "$source/local"
  [ -z "$line" ] || check_planned "$line" .shuntyard/project.toml .delivery/project.toml
}
# The first of the files $2... that is there has git's id $1; none of them is there for the id of nothing.
check_planned() {
  planned=$1
  shift
  for path in "$@"; do
    found=$(git_here rev-parse -q --verify "HEAD:$path") || continue
    [ "$found" != "$planned" ] || return 0
    give_up_source "$path of commit $commit is not the configuration that this was planned with; submit it again with the configuration of that commit"
  done
  case $planned in *[!0]*) give_up_source "commit $commit has no ${path##*/}, and this was planned with one" ;; esac
}

# credential ID get: git asks who we are (gitcredentials(7)). Only the place of the job's URL is told, whoever sent us on.
give_credential() {
  [ "$2" = get ] || return 0
  attempt "$1"
  protocol='' place=''
  while IFS= read -r line; do
    case $line in
    protocol=*) protocol=${line#protocol=} ;;
    host=*) place=${line#host=} ;;
    '') break ;;
    esac
  done
  get "$spool/source/origin" && [ -n "$line" ] && [ "$protocol://$place" = "$line" ] || return 0
  get "$spool/source/username"
  emit "username=$line$newline"
  get "$spool/source/token"
  emit "password=$line$newline"
}

