# In front of everything that changes them: what a job finds.
# shellcheck disable=SC2034
found_path=${PATH-} found_lang=${LC_ALL:-${LC_CTYPE:-${LANG-}}} found_umask=$(umask)
