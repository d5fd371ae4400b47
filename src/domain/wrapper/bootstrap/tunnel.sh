# Keeps this host's tunnel to its dispatcher of Shuntyard open, and ends when the key beside it is gone. Assigned in front:
# here (its directory) dial_host dial_port dial_as target (the sshd that is reached through it).
cd "$here" || exit 0
echo $$ >pid
child='' pause=1
trap '[ -z "$child" ] || kill "$child" 2>/dev/null; exit 0' HUP INT TERM
# Waits in the background, so that a signal is heard at once.
attend() {
  child=$!
  wait "$child"
  child=
}
while [ -e key ]; do
  began=$(date +%s)
  # Nothing of this account's own settings, keys or agents. A dead link is noticed after 15 s; the dispatcher's own questions
  # keep a living one from being asked.
  ssh -N -T -a -x -F /dev/null -i key -o IdentitiesOnly=yes -o BatchMode=yes -o PreferredAuthentications=publickey \
    -o StrictHostKeyChecking=yes -o UserKnownHostsFile=known_hosts -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=shuntyard \
    -o ExitOnForwardFailure=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=2 \
    -R "0:$target" -p "$dial_port" "$dial_as@$dial_host" </dev/null >log 2>&1 &
  attend
  [ -e key ] || break
  # One that held for a minute was a good one.
  [ $(($(date +%s) - began)) -lt 60 ] || pause=1
  sleep "$pause" &
  attend
  pause=$((pause * 2))
  [ "$pause" -le 15 ] || pause=15
done
exit 0
