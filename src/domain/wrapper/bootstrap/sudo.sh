# Tells which way leads to root's rights. A user outside sudoers looks like one who must give a password.
sudo_way() {
  if [ "$(id -u)" = 0 ]; then tell sudo root
  elif ! have sudo; then tell sudo none
  elif sudo -n true >/dev/null 2>&1; then tell sudo passwordless
  else
    case $(sudo -n true 2>&1) in
    *'not allowed'* | *'may not run'* | *'not in the sudoers'*) tell sudo none ;;
    *) tell sudo password ;;
    esac
  fi
}
