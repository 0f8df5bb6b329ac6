#!/bin/sh
# First program of the guest, in its initramfs: the host's file tree, over 9p and read-only, becomes the root, under an
# overlay that takes what is written; then `first.sh` of that tree goes on.
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev
while read -r module; do $bb insmod "/modules/$module"; done </modules/order
$bb mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host || $bb poweroff -f
$bb mount -t tmpfs -o size=75% scratch /scratch
$bb mkdir /scratch/upper /scratch/work
$bb mount -t overlay -o lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work root /root || $bb poweroff -f
for mounted in proc sys dev; do $bb mount --move /$mounted /root/$mounted; done
for word in $($bb cat /root/proc/cmdline); do
  case $word in podwire.first=*) first=${word#*=} ;; esac
done
exec $bb switch_root /root "$first"
