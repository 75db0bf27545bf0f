#!/usr/bin/env bash
# Builds the tiny guest image out of the distribution's packages: see README.md beside this file.
# Nothing is installed, mounted or run as root. The packages' text is the distribution's; this script only unpacks it.
set -euo pipefail

usage() {
	cat <<'TEXT'
usage: images/tiny/build.sh [--arch x86_64|aarch64] [--out DIR] [--force]

Builds build/images/tiny-<arch>/ and build/images/tiny-<arch>.tar. Without --force an image that is there already is kept.
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
arch=$(uname -m)
out=$repo/build/images
force=no
while [ $# -gt 0 ]; do
	case $1 in
	--arch) arch=${2:?--arch needs x86_64 or aarch64} && shift 2 ;;
	--out) out=${2:?--out needs a folder} && shift 2 ;;
	--force) force=yes && shift ;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
done

case $arch in
x86_64) deb=amd64 ;;
aarch64 | arm64) arch=aarch64 deb=arm64 ;;
*) echo "images/tiny: no recipe for $arch; use --arch x86_64 or --arch aarch64" >&2 && exit 2 ;;
esac

for tool in apt-get apt-cache dpkg-deb mke2fs debugfs go; do
	PATH=$PATH:/usr/sbin:/sbin
	command -v "$tool" >/dev/null || { echo "images/tiny: $tool is missing; run scripts/setup.sh" >&2 && exit 1; }
done

mkdir -p "$out"
out=$(cd "$out" && pwd)
name=tiny-$arch
# One build at a time per folder: two would write the same files.
exec 9>"$out/.$name.lock"
flock 9
if [ "$force" = no ] && [ -s "$out/$name.tar" ] && [ -s "$out/$name/manifest.json" ]; then
	echo "images/tiny: $out/$name.tar is there; --force builds it again"
	exit 0
fi

# What a killed build left; the lock says that none runs.
rm -rf "$out/.$name."??????
work=$(mktemp -d "$out/.$name.XXXXXX")
trap 'rm -rf "$work"' EXIT
cache=$repo/build/cache/tiny-$arch
mkdir -p "$cache"

# apt with a state of its own: works without root, without the machine's lists and for a foreign architecture, and leaves
# the machine's dpkg architectures alone. Sources, keys and proxies are the machine's; what the machine does after each update
# (clearing its archives, catalogues of its desktop) is about its own lists and not run for these.
apt_options=(
	-c "$cache/apt/hooks.conf"
	-o "APT::Architecture=$deb" -o "APT::Architectures=$deb" -o "APT::Sandbox::User=$(id -un)"
	-o "Dir::State=$cache/apt" -o "Dir::State::status=$cache/apt/status" -o "Dir::Cache=$cache/apt/cache"
	-o Acquire::Languages=none -o Acquire::Retries=3
)
mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
printf '#clear APT::Update::%s;\n' Pre-Invoke Post-Invoke Post-Invoke-Success >"$cache/apt/hooks.conf"
: >"$cache/apt/status"

say() { printf 'images/tiny: %s\n' "$*"; }

say "reading the package lists for $deb"
apt-get "${apt_options[@]}" -qq update

known() { apt-cache "${apt_options[@]}" show "$1" >/dev/null 2>&1; }

# Debian's cloud kernel, else Ubuntu's virtual one.
kernel=
for candidate in "linux-image-cloud-$deb" linux-image-virtual; do
	if known "$candidate"; then kernel=$candidate && break; fi
done
[ -n "$kernel" ] || {
	echo "images/tiny: the machine's package sources offer no cloud kernel for $deb; add that architecture's mirror to apt" >&2
	exit 1
}

# Everything that a package needs, by name; virtual names are in angle brackets and drop out.
closure() {
	apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances "$@" | grep -E '^[a-z0-9]' | sed 's/:.*//' | LC_ALL=C sort -u
}

mapfile -t kernels < <(closure "$kernel" | grep -E '^linux-(image|modules)-[0-9]')
mapfile -t libraries < <(closure dropbear-bin qemu-guest-agent e2fsprogs | grep -E '^(lib|zlib)' | grep -vE '^lib(pam|perl|semanage|sepol|audit|debconf)')
packages=("${kernels[@]}" busybox-static dropbear-bin qemu-guest-agent e2fsprogs "${libraries[@]}")
say "fetching ${#packages[@]} packages, kernel ${kernels[0]}"
mkdir -p "$work/debs" "$work/packages"
# A name that no package has (a virtual one, or one of another release) must not stop the rest.
wanted=()
for package in "${packages[@]}"; do
	if known "$package"; then wanted+=("$package"); fi
done
(cd "$work/debs" && apt-get "${apt_options[@]}" -qq download "${wanted[@]}")
for file in "$work"/debs/*.deb; do dpkg-deb -x "$file" "$work/packages"; done

say "putting the guest together"
(cd "$repo" && go build -o "$work/mktiny" ./images/tiny/mktiny)
mkdir -p "$work/image"
"$work/mktiny" stage -arch "$arch" -packages "$work/packages" -recipe "$here" -tree "$work/tree" -out "$work/image"

# A fixed UUID, hash seed and clock: the same packages give the same file. The features are named because each release of
# e2fsprogs has its own defaults. 8192 inodes are those of every 128 MiB that the disk grows by.
say "writing the disk"
export E2FSPROGS_FAKE_TIME=1 SOURCE_DATE_EPOCH=1
truncate -s 22M "$work/image/disk.raw"
mke2fs -q -t ext4 -d "$work/tree" -L novacron-tiny -b 4096 -N 8192 -m 0 -I 256 \
	-U 6e6f7661-6372-6f6e-7469-6e7900000001 \
	-E hash_seed=6e6f7661-6372-6f6e-7469-6e7900000002,lazy_itable_init=1,root_owner=0:0 -J size=4 \
	-O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum \
	"$work/image/disk.raw"
# mke2fs copies owner and times of the files here: an ordinary user's build must give root's files all the same.
"$work/mktiny" inodes -tree "$work/tree" | debugfs -w -f - "$work/image/disk.raw" >"$work/debugfs.log" 2>&1
if grep -vE '^(debugfs|$)' "$work/debugfs.log"; then
	echo "images/tiny: debugfs could not set the owners" >&2 && exit 1
fi

"$work/mktiny" bundle -dir "$work/image" -out "$work/$name.tar"
rm -rf "${out:?}/$name"
mv "$work/image" "$out/$name"
mv "$work/$name.tar" "$out/$name.tar"
say "done: $out/$name.tar, $(($(stat -c %s "$out/$name.tar") / 1048576)) MiB"
