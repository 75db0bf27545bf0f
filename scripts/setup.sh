#!/usr/bin/env bash
# Installs what is missing to build, run or test NovaCron on Debian (12 and later) and Ubuntu (24.04), and says what and why.
# A second run changes nothing. Packages come from the machine's own apt sources; a newer Go and Node than the distribution's go
# into .tools in this repository, which make puts first in PATH. No service is started or enabled.
set -euo pipefail

usage() {
	cat <<'TEXT'
usage: scripts/setup.sh [--for build|up|images|test] [--check]

  --for build   compilers and image tools
  --for up      build, and what running guests needs (default)
  --for images  up, and what the full Debian image is made with
  --for test    up, and what the tests need: PostgreSQL, Redis, Chromium, the race detector's C compiler
  --check       change nothing; exit 1 and name what is missing
TEXT
}

goal=up
check=no
while [ $# -gt 0 ]; do
	case $1 in
	--for) goal=${2:?--for needs build, up, images or test} && shift 2 ;;
	--check) check=yes && shift ;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
done
case $goal in build) sets=build ;; up) sets='build up' ;; images) sets='build up images' ;; test) sets='build up test' ;; *) usage >&2 && exit 2 ;; esac

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$repo/.tools
# Debian keeps these out of an ordinary user's PATH.
PATH=$tools/go/bin:$tools/node/bin:$PATH:/usr/sbin:/sbin

case $(uname -m) in
x86_64) machine=x86_64 go_arch=amd64 node_arch=x64 ;;
aarch64 | arm64) machine=aarch64 go_arch=arm64 node_arch=arm64 ;;
*) echo "setup: no support for $(uname -m) machines; use x86-64 or arm64" >&2 && exit 1 ;;
esac

# The newest patch release when this line was written; go.mod names the oldest that will do.
go_version=1.26.8
declare -A go_sha256=(
	[amd64]=30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7
	[arm64]=02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99
)
node_version=24.21.0
node_minimum=24
declare -A node_sha512=(
	[x64]=de750bb336795f47dc898a46d2de93add029273027f3e16520d3fa3a2317ed5f07aefa404cf37ddfa5352e545e389ae22d16b87bcc84a900580a72f23cd02ced
	[arm64]=1692513c4cf63afbd32df8c83a5346158f492cf30a825e66f9de2819804b836e242759a6bcdd5997f1cf2601781c3689e752127afd65d5c459fc333e91e5d6e6
)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2 && exit 1; }

# One line per package: set, package, what must be there (a command, or a file if it begins with /; patterns allowed), why.
wanted_packages() {
	cat <<'TEXT'
build|git|git|the version that the binary tells
build|ca-certificates|/etc/ssl/certs/ca-certificates.crt|fetching over TLS
build|curl|curl|fetching Go where the distribution's is too old
build|unzip|unzip|unpacking Go
build|make|make|the commands of the Makefile
build|e2fsprogs|mke2fs|the root disk of the tiny image
build|util-linux|flock|one build of an image at a time
up|qemu-utils|qemu-img|disks, snapshots and image conversion
up|iproute2|ip|bridges and taps
up|nftables|nft|NAT, port forwards and guest isolation
up|swtpm|swtpm|virtual TPMs
up|openssh-client|ssh|novacron vm ssh
images|mmdebstrap|mmdebstrap|the files of the Debian image
images|dosfstools|mkfs.vfat|the boot partition of the Debian image
images|mtools|mcopy|the boot partition of the Debian image
images|fdisk|sfdisk|the partition table of the Debian image
test|gcc|gcc|the race detector
test|libc6-dev|/usr/include/stdio.h|the race detector
test|postgresql|/usr/lib/postgresql/*/bin/postgres|the store's suites
test|redis-server|redis-server|the session suites
test|shellcheck|shellcheck|the check of shell scripts
TEXT
	if [ "$machine" = x86_64 ]; then
		echo 'up|qemu-system-x86|qemu-system-x86_64|running guests'
		echo 'up|ovmf|/usr/share/OVMF/OVMF_CODE_4M.fd|guests with UEFI'
	else
		echo 'up|qemu-system-arm|qemu-system-aarch64|running guests'
		echo 'up|qemu-efi-aarch64|/usr/share/AAVMF/AAVMF_CODE.fd|guests with UEFI'
	fi
	# An older Go of the distribution is enough to know the module proxy that the right one is fetched from.
	[ -n "${GOPROXY:-}" ] || echo 'build|golang-go|go|finding the Go that builds NovaCron'
	[ -f "$repo/frontend/package.json" ] || return 0
	echo 'build|npm|npm|building the web console'
	# Ubuntu's package of this name only installs a snap, which cannot run unattended.
	if [ "$distribution" != ubuntu ]; then echo 'test|chromium|chromium|the browser stories'; fi
}

# present WHAT: a command in PATH, or a file by pattern.
present() {
	case $1 in
	/*) compgen -G "$1" >/dev/null ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

distribution=unknown
if [ -r /etc/os-release ]; then distribution=$(sed -n 's/^ID=//p' /etc/os-release | tr -d '"'); fi

missing=()
reasons=()
while IFS='|' read -r set package what why; do
	case " $sets " in *" $set "*) ;; *) continue ;; esac
	if present "$what"; then continue; fi
	missing+=("$package")
	reasons+=("$package: $why")
done < <(wanted_packages)

# at_least HAVE WANT: versions with dots.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

go_minimum=$(sed -n 's/^go //p' "$repo/go.mod")
need_go=yes
if command -v go >/dev/null; then
	have=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//')
	if [ -n "$have" ] && at_least "$have" "$go_minimum"; then need_go=no; fi
fi
need_node=no
if [ -f "$repo/frontend/package.json" ]; then
	have=$(node --version 2>/dev/null | sed 's/^v//' || true)
	if [ -z "$have" ] || ! at_least "$have" "$node_minimum"; then need_node=yes; fi
fi

if [ ${#missing[@]} -eq 0 ] && [ $need_go = no ] && [ $need_node = no ]; then
	say "everything for '$goal' is there"
	exit 0
fi
for reason in "${reasons[@]}"; do say "missing $reason"; done
[ $need_go = no ] || say "missing Go $go_minimum or newer: will put Go $go_version into .tools/go"
[ $need_node = no ] || say "missing Node $node_minimum or newer: will put Node $node_version into .tools/node"
[ $check = no ] || exit 1

# as_root COMMAND...: runs it as root, or says what to type.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
		sudo "$@"
	else
		return 1
	fi
}

# apt must not start the database and the cache on their usual ports: someone else's may be there, and the tests start their
# own. A policy that the machine has already is left alone.
policy=/usr/sbin/policy-rc.d
hold_services() {
	[ -e $policy ] && return
	trap 'as_root rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
	as_root chmod 755 $policy
}

install_packages() {
	command -v apt-get >/dev/null || die "there is no apt-get on this machine; install these with its package manager: ${missing[*]}"
	local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300
		install --no-install-recommends "${missing[@]}")
	as_root true || die "not root, and no sudo without a terminal; type: sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
	say "installing ${missing[*]}"
	hold_services
	# apt's many words matter only when it fails.
	local log
	log=$(mktemp)
	if ! { as_root apt-get -qq -o DPkg::Lock::Timeout=300 update && as_root "${install[@]}"; } >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		die "apt could not install the packages; its words are above"
	fi
	rm -f "$log"
	# Services that came with this run stay off at the next boot too.
	local service
	for service in postgresql redis-server; do
		case " ${missing[*]} " in *" $service "*) ;; *) continue ;; esac
		if [ -d /run/systemd/system ]; then as_root systemctl disable --quiet $service || true; fi
	done
}
[ ${#missing[@]} -eq 0 ] || install_packages

# The first proxy of GOPROXY that is an address, as the environment or any Go on the machine has it.
go_proxy() {
	local setting=${GOPROXY:-} part
	if [ -z "$setting" ] && command -v go >/dev/null; then setting=$(cd / && go env GOPROXY); fi
	for part in ${setting//[,|]/ }; do
		case $part in http://* | https://* | file://*) echo "${part%/}" && return ;; esac
	done
	die "no module proxy is configured; set GOPROXY to one, or install Go $go_minimum or newer"
}

install_go() {
	local work name
	name=v0.0.1-go$go_version.linux-$go_arch
	mkdir -p "$tools"
	work=$(mktemp -d "$tools/.go.XXXXXX")
	say "fetching Go $go_version from the module proxy"
	curl -fsSL --retry 3 -o "$work/go.zip" "$(go_proxy)/golang.org/toolchain/@v/$name.zip" ||
		die "the module proxy did not give Go $go_version; set GOPROXY to one that does, or install Go $go_minimum or newer"
	echo "${go_sha256[$go_arch]}  $work/go.zip" | sha256sum --check --quiet ||
		die "the fetched Go is not the one that this script names; try again or install Go $go_minimum or newer"
	unzip -q "$work/go.zip" -d "$work"
	# Module archives carry no modes.
	chmod -R a+rX "$work/golang.org/toolchain@$name"
	chmod 755 "$work/golang.org/toolchain@$name"/bin/* "$work/golang.org/toolchain@$name"/pkg/tool/*/*
	rm -rf "$tools/go"
	mv "$work/golang.org/toolchain@$name" "$tools/go"
	rm -rf "$work"
}
[ $need_go = no ] || install_go

# The package named node only fetches one of these by a script at install; taking it directly runs no script.
install_node() {
	local work
	mkdir -p "$tools"
	work=$(mktemp -d "$tools/.node.XXXXXX")
	say "fetching Node $node_version from the npm registry"
	(cd "$work" && npm pack --silent "node-linux-$node_arch@$node_version" >/dev/null) ||
		die "npm did not give node-linux-$node_arch $node_version; set npm's registry to one that does, or install Node $node_minimum or newer"
	echo "${node_sha512[$node_arch]}  $work/node-linux-$node_arch-$node_version.tgz" | sha512sum --check --quiet ||
		die "the fetched Node is not the one that this script names; try again or install Node $node_minimum or newer"
	tar -xzf "$work"/*.tgz -C "$work"
	rm -rf "$tools/node"
	mv "$work/package" "$tools/node"
	rm -rf "$work"
}
[ $need_node = no ] || install_node
say "done"
