#!/bin/sh
# Compiles the addon into dist/podwire.node and the launcher of plugins into dist/podwire-plugin. Needs a C compiler and
# Node's headers (beside Node itself, or libnode-dev).
set -eu
cd "$(dirname "$0")"
prefix=$(node -p 'require("path").dirname(require("path").dirname(process.execPath))')
mkdir -p ../dist
cc -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden -I"$prefix/include/node" -I/usr/include/nodejs/src \
  -o ../dist/podwire.node.new podwire.c sha512.c socket.c syscall.c text.c watch.c
mv ../dist/podwire.node.new ../dist/podwire.node
cc -O2 -Wall -Wextra -Werror -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -s \
  -o ../dist/podwire-plugin.new launch.c
mv ../dist/podwire-plugin.new ../dist/podwire-plugin
