//! The bootstrap scripts, sent to `/bin/sh -s` as the dispatcher sends them.
