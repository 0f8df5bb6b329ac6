#!/bin/sh
# Makes this checkout ready to build and run on a Debian 12 machine that has Node: system packages, npm packages.
#   sh bin/setup.sh         what the build and the demo need
#   sh bin/setup.sh test    what the tests need too: other people's CNI clients, the reference plugins, a guest kernel
# Does only what is missing; with nothing missing it takes a second and uses no network.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }

major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || stop 'Node is missing: install Node 20 or newer'
[ "$major" -ge 20 ] || stop "Node 20 or newer is needed, $(node --version) was found"

packages='ca-certificates gcc libc6-dev iproute2 iptables nftables conntrack iputils-ping procps util-linux kmod'
# The addon is compiled against Node's own headers; a Node without them takes Debian's (the N-API is the same).
prefix=$(node -p 'require("path").dirname(require("path").dirname(process.execPath))')
[ -e "$prefix/include/node/node_api.h" ] || packages="$packages libnode-dev"
if [ "${1:-}" = test ]; then
  packages="$packages containernetworking-plugins socat strace iperf3 xz-utils ethtool"          # the kernel tests
  packages="$packages systemd"                                                            # test/docs: its verdict on units
  packages="$packages dbus-daemon python3-firewall python3-nftables"                      # what firewalld runs on
  packages="$packages containerd runc busybox-static"                                      # test/clients: CRI
  packages="$packages golang-go golang-github-appc-cni-dev"                               # test/clients: libcni
  packages="$packages qemu-system-x86 cpio"                                               # test/vm
  packages="$packages etcd-server etcd-client golang-go dpkg-dev make rsync openssl"          # test/kubernetes: a control plane
  packages="$packages wireguard-tools"                                                    # test/vm: wg, as an observer
fi

missing=
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  [ "$(id -u)" = 0 ] || stop "run it as root: system packages are missing:$missing"
  say "installing system packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || say 'apt-get update ended with an error; going on with the lists at hand'
  # shellcheck disable=SC2086
  apt-get install -y -qq -o Acquire::Retries=3 --no-install-recommends $missing >/dev/null
fi

if ! npm ls --all >/dev/null 2>&1; then
  say 'installing npm packages'
  npm ci --no-audit --no-fund
fi

if [ "${1:-}" = test ]; then
  npx tsx test/prepare.ts
fi
say 'ready'
