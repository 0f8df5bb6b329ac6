#!/bin/sh
# Runs a command as root with a /var/lib/cni and a /var/lib/podwire of its own, empty and in memory: what a test leaves to a
# default, by accident or to see what comes of it, is not done to the host.
#   sh bin/aside.sh COMMAND...
set -u
made=
for folder in /var/lib/cni /var/lib/podwire; do
  [ -d "$folder" ] || { mkdir -p "$folder" && made="$folder $made"; }
done
unshare --mount sh -euc 'for folder in /var/lib/cni /var/lib/podwire; do mount -t tmpfs tmpfs "$folder"; done
exec "$@"' sh "$@"
status=$?
# shellcheck disable=SC2086
[ -z "$made" ] || rmdir $made 2>/dev/null
exit "$status"
