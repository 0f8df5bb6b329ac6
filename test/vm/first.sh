#!/bin/sh
# First program of the guest's root: runs the command that the host left in the control folder, leaves output and status
# there, and ends the guest. The host's /run and /tmp are hidden, as everything in them belongs to the host's kernel.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
for word in $(cat /proc/cmdline); do
  case $word in podwire.control=*) control=${word#*=} ;; podwire.modules=*) modules=${word#*=} ;; esac
done
mount -t tmpfs run /run
mkdir -p /run/netns /run/lock /dev/shm "/lib/modules"
mount -t tmpfs shm /dev/shm
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
ln -sfn "$modules" "/lib/modules/$(uname -r)"
ip link set lo up
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none control "$control"
: >"$control/up"
sh "$control/command" >"$control/stdout" 2>"$control/stderr" </dev/null
echo $? >"$control/status.new"
mv "$control/status.new" "$control/status"
sync
echo o >/proc/sysrq-trigger
while :; do sleep 60; done
