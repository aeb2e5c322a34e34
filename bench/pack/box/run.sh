#!/bin/sh
# limn's benches and kernel tests on this machine: unpacks Node and Dawn once, finds libraries they can run with, and runs them.
#   ./run                      doctor, then tests, then bench
#   ./run doctor               which GPU, driver and Vulkan loader there are, and what limn can do on them
#   ./run tests [part…]        the kernel tests, or those whose file name has one of the parts in it
#   ./run bench [name] [--…]   a bench
# LIMN_ADAPTER=auto|system|swiftshader chooses the adapter, LIMN_UNPACK=DIR where to unpack. Assumes sh, gzip (or python3), mkdir, chmod, mv and rm.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
here=$(cd "$here" && pwd) || exit 1
say() { echo "run: $*" >&2; }

if command -v gzip >/dev/null; then
  inflate() { gzip -dc <"$1" >"$2"; }
elif command -v python3 >/dev/null; then
  inflate() { python3 -c 'import gzip, shutil, sys; shutil.copyfileobj(gzip.open(sys.argv[1]), open(sys.argv[2], "wb"))' "$1" "$2"; }
else
  say 'neither gzip nor python3 is here, and one of them is needed to unpack'
  exit 1
fi
read -r id <"$here/files/id.txt" || { say "$here/files/id.txt cannot be read: the folder is not whole"; exit 1; }

# unpack FOLDER: everything into it, under another name until it is whole.
unpack() {
  part=$1.part.$$
  mkdir -p "$part" 2>/dev/null || return 1
  while read -r kind name; do
    case $name in */*) mkdir -p "$part/${name%/*}" ;; esac
    if ! inflate "$here/files/$name.gz" "$part/$name"; then
      say "$name could not be unpacked into $1: no space, or the file is damaged"
      rm -rf "$part"
      return 1
    fi
    if [ "$kind" = x ]; then chmod 700 "$part/$name"; fi
  done <"$here/files/list.txt"
  # Another run may have been first; its files are the same.
  [ -d "$1" ] || mv "$part" "$1" 2>/dev/null
  rm -rf "$part"
  [ -d "$1" ]
}

# A program's way to its libraries: the machine's own, its glibc with newer C++ libraries, or everything from the pack.
started() {
  way=$1
  shift
  case $way in
    machine) "$tree/bin/node" "$@" ;;
    c++) LD_LIBRARY_PATH="$tree/lib/gcc${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$tree/bin/node" "$@" ;;
    pack)
      "$tree/lib/glibc/ld-linux-x86-64.so.2" \
        --library-path "$tree/lib/glibc:$tree/lib/gcc${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$tree/bin/node" "$@"
      ;;
  esac
}
works() {
  started "$1" -e 'process.dlopen({ exports: {} }, process.argv[1])' "$tree/node_modules/webgpu/dist/linux-x64/dawn.node" \
    >/dev/null 2>&1
}

# Containers put NVIDIA's libraries where the dynamic loader may not look.
for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib /run/opengl-driver/lib /usr/lib/wsl/lib; do
  case :$LD_LIBRARY_PATH: in *:$folder:*) continue ;; esac
  if [ -d "$folder" ]; then LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder; fi
done
if [ -n "$LD_LIBRARY_PATH" ]; then export LD_LIBRARY_PATH; fi

mask=$(umask)
umask 077
# The first place that can be written to and run from. In a place that others can write to as well, only an own folder will do.
try() {
  tree=$1/$id
  fresh=
  if [ ! -d "$tree" ]; then
    mkdir -p "$1" 2>/dev/null && [ -w "$1" ] || return
    fresh=yes
  fi
  [ "$1" = "$here/unpacked" ] || [ -O "$1" ] || return
  if [ "$fresh" ]; then
    echo "unpacking into $tree" >&2
    unpack "$tree" || return
  fi
  for way in ${LIMN_LIBRARIES:-machine c++ pack}; do
    if works "$way"; then
      found=$way
      return
    fi
  done
  say "what is unpacked in $1 does not run (a place that programs may not run from, or a machine that is not Linux x64)"
  if [ "$fresh" ]; then rm -rf "$tree"; fi
}
found=
for place in "$here/unpacked" "${XDG_CACHE_HOME:-$HOME/.cache}/limn-pack" \
  "${TMPDIR:-/tmp}/limn-pack-${LOGNAME:-${USER:-user}}" /dev/shm/limn-pack; do
  try "${LIMN_UNPACK:-$place}"
  if [ "$found" ] || [ "$LIMN_UNPACK" ]; then break; fi
done
if [ -z "$found" ]; then
  say "no folder was found that Node and Dawn can be unpacked into and run from; set LIMN_UNPACK to one with 150 MB"
  exit 1
fi

umask "$mask"
results=$here/results
mkdir -p "$results" 2>/dev/null && [ -w "$results" ] || results=$(pwd)/results
if ! mkdir -p "$results" 2>/dev/null || ! [ -w "$results" ]; then
  say "results can be written neither to $here/results nor to $results"
  exit 1
fi
export LIMN_TREE="$tree" LIMN_RESULTS="$results" LIMN_LIBRARIES="$found"
# SwiftShader is unpacked where programs may run from.
if ! [ -d "${TMPDIR:-/tmp}" ] || ! [ -w "${TMPDIR:-/tmp}" ]; then
  mkdir -p "$tree.tmp" && export TMPDIR="$tree.tmp"
fi

limn() { started "$found" "$tree/code/main.mjs" "$@"; }
if [ $# -gt 0 ]; then
  limn "$@"
  exit
fi
limn doctor || exit
limn tests
tests=$?
limn bench
bench=$?
if [ $tests -ne 0 ]; then exit $tests; fi
exit $bench
