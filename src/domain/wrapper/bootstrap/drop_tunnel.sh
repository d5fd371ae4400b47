# Takes away what keeps a tunnel open; shared by uninstall and enrol.

unit=shuntyard-dial-out.service
# Removes key and program of the tunnel in $place. The tunnel stays up until the dispatcher cuts it, because this may be asked
# through it; its program ends then by itself.
drop_tunnel() {
  [ -d "$place/dial-out" ] || return 0
  if [ "$mode" = system ] && [ -e "/etc/systemd/system/$unit" ]; then
    systemctl disable "$unit" >/dev/null 2>&1
    rm -f "/etc/systemd/system/$unit"
    systemctl daemon-reload >/dev/null 2>&1
  fi
  drop_cron_line
  rm -rf "$place/dial-out"
  if [ -e "$place/dial-out" ]; then tell left tunnel "$place/dial-out cannot be removed"; else tell removed tunnel; fi
}
# Leaves what stays of the crontab in `text`.
drop_cron_line() {
  have crontab || return 0
  text=$(crontab -l 2>/dev/null) || return 0
  case $text in *"$place/dial-out/tunnel"*) ;; *) return 0 ;; esac
  text=$(emit "$text$newline" | grep -vF "$place/dial-out/tunnel")
  if [ -n "$text" ]; then emit "$text$newline" | crontab -; else crontab -r; fi >/dev/null 2>&1
}
