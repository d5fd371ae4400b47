# The part of enrol.sh for a host that dials out. `dial` says port and host of the dispatcher's endpoint, `dial_as` the user,
# `dial_key` the key that is found there.

check_dial_words() {
  dial_port=${dial%% *} dial_host=${dial#* }
  dial_type=${dial_key%% *} dial_blob=${dial_key#* }
  strange=0
  case $dial_port in '' | *[!0-9]*) strange=1 ;; esac
  case $dial_host in '' | -* | *[!A-Za-z0-9.:_-]*) strange=1 ;; esac
  case $dial_as in '' | -* | *[!a-z-]*) strange=1 ;; esac
  case $dial_type in '' | *[!A-Za-z0-9@.-]*) strange=1 ;; esac
  case $dial_blob in '' | *[!A-Za-z0-9+/=]*) strange=1 ;; esac
  [ "$strange" = 0 ] || stop "the dispatcher's answer is not understood" "fetch the script from the same dispatcher again"
  have ssh && have ssh-keygen || stop "the host has no ssh and ssh-keygen, with which it would dial out" "install the OpenSSH client"
}
# Makes key and program, tells the key, and opens the tunnel.
dial_out() {
  place=${file%/*}
  here=$place/dial-out
  [ ! -e "$here" ] || stop "this host dials out already: $here is there" "delete the runner that it belongs to first"
  (umask 077; mkdir "$here") || stop "cannot make $here"
  tunnel=1
  target=${SHUNT_ENROL_ADDRESS:-127.0.0.1}
  case $target in *[!A-Za-z0-9.:_-]*) stop "$target is not an address" "see SHUNT_ENROL_ADDRESS" ;; *:*) target="[$target]" ;; esac
  target=$target:$port
  (umask 077; ssh-keygen -q -t ed25519 -N '' -C "dial-out@$name" -f "$here/key") </dev/null >&2 || stop "ssh-keygen makes no ed25519 key"
  emit "shuntyard $dial_type $dial_blob$newline" >"$here/known_hosts" &&
    emit "here=$here dial_host=$dial_host dial_port=$dial_port dial_as=$dial_as target=$target$newline$tunnel_text" >"$here/tunnel" ||
    stop "cannot write to $here"
  IFS= read -r public <"$here/key.pub"
  ask "$token${newline}tunnel $enrolment${newline}key $public$newline"
  [ "$whole" = 1 ] || stop "the dispatcher does not take the key of the tunnel" "run the script again"
  open_tunnel
}
# Opens it now and at every start of the host.
open_tunnel() {
  if [ "$mode" = system ] && [ -d /run/systemd/system ] && have systemctl; then
    emit "$(unit_text)$newline" >"/etc/systemd/system/$unit" && systemctl daemon-reload && systemctl enable "$unit" >/dev/null 2>&1 &&
      systemctl restart "$unit" || stop "systemd does not start the tunnel" "see: systemctl status $unit"
    say "dials out to $dial_host port $dial_port: service $unit"
    return
  fi
  if have setsid; then setsid /bin/sh "$here/tunnel" </dev/null >/dev/null 2>&1 &
  else nohup /bin/sh "$here/tunnel" </dev/null >/dev/null 2>&1 &
  fi
  if have crontab && cron_line; then
    say "dials out to $dial_host port $dial_port: $here/tunnel, started again by crontab"
  else
    say "dials out to $dial_host port $dial_port: $here/tunnel; there is no crontab: see that it is started with the host, as: /bin/sh $here/tunnel &"
  fi
}
cron_line() {
  text=$(crontab -l 2>/dev/null)
  emit "${text:+$text$newline}@reboot /bin/sh $here/tunnel >/dev/null 2>&1$newline" | crontab - >/dev/null 2>&1
}
unit_text() {
  cat <<END
[Unit]
Description=Shuntyard: the tunnel of this host to its dispatcher
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/bin/sh $here/tunnel
Restart=on-failure
RestartSec=5
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths=$here
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
END
}
# Nothing of the enrolment goes through it yet.
take_tunnel_back() {
  [ "$tunnel" = 1 ] || return
  tunnel=0
  { IFS= read -r pid <"$here/pid"; } 2>/dev/null || pid=
  drop_tunnel >/dev/null
  [ -z "$pid" ] || kill "$pid" 2>/dev/null
}
