#!/usr/bin/env bash
# Builds a full Debian cloud image (systemd, cloud-init, guest agent, UEFI boot) out of the machine's own package sources, for
# places without internet: see README.md beside this file. No mounts outside of mmdebstrap's namespace, no loop devices.
set -euo pipefail

usage() {
	cat <<'TEXT'
usage: images/debian/build.sh [--out DIR] [--force]

Builds build/images/debian-<arch>.qcow2 in about five minutes; needs root and scripts/setup.sh --for images.
TEXT
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=$repo/build/images
force=no
while [ $# -gt 0 ]; do
	case $1 in
	--out) out=${2:?--out needs a folder} && shift 2 ;;
	--force) force=yes && shift ;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
done

say() { printf 'images/debian: %s\n' "$*"; }
die() { printf 'images/debian: %s\n' "$*" >&2 && exit 1; }

arch=$(uname -m)
case $arch in
x86_64) deb=amd64 loader=x64 serial=ttyS0 ;;
aarch64) deb=arm64 loader=aa64 serial=ttyAMA0 ;;
*) die "no recipe for $arch; use an x86-64 or arm64 machine" ;;
esac
name=debian-$arch.qcow2
mkdir -p "$out"
out=$(cd "$out" && pwd)
exec 9>"$out/.debian-$arch.lock"
flock 9
if [ $force = no ] && [ -s "$out/$name" ]; then
	say "$out/$name is there; --force builds it again"
	exit 0
fi

PATH=$PATH:/usr/sbin:/sbin
for tool in mmdebstrap mke2fs mkfs.vfat mcopy sfdisk qemu-img; do
	command -v $tool >/dev/null || die "$tool is missing; run scripts/setup.sh --for images"
done
[ "$(id -u)" = 0 ] || die "the image has files of many owners, which only root can lay out; run it with sudo"

# Debian's own sources as this machine has them: mirror, suite and component of each.
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
# shellcheck disable=SC2016 # apt-get expands these
fields='$(ORIGIN)|$(REPO_URI) $(RELEASE) $(COMPONENT)'
sources=$(apt-get indextargets --format "$fields" 'Created-By: Packages' | sed -n "s,^Debian|,deb [signed-by=$keys] ,p" | LC_ALL=C sort -u)
[ -n "$sources" ] || die "this machine's apt has no Debian sources; run it on a Debian machine, after apt-get update"

# What a killed build left; the lock says that none runs.
rm -rf "$out/.debian."??????
work=$(mktemp -d "$out/.debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

# The machine's parts under QEMU, so that the initial RAM disk stays at 7 MB: MODULES=list takes exactly these.
modules='virtio_pci virtio_mmio virtio_blk virtio_scsi sd_mod sr_mod ahci nvme ext4 vfat'
packages=systemd-sysv,systemd-resolved,systemd-timesyncd,dbus,udev,openssh-server,cloud-init,cloud-guest-utils,netplan.io
packages+=,qemu-guest-agent,linux-image-cloud-$deb,systemd-boot,e2fsprogs,iproute2,iputils-ping,ca-certificates,sudo,less,nano

say "installing Debian $suite into a folder"
# shellcheck disable=SC2016 # mmdebstrap gives the folder to its hooks
printf '%s\n' "$sources" | mmdebstrap --quiet --mode=root --variant=minbase --architectures="$deb" --include="$packages" \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/kernel"' \
	--essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/novacron"' \
	--essential-hook="printf '%s\n' $modules >\"\$1/etc/initramfs-tools/modules\"" \
	--essential-hook="echo 'root=LABEL=cloud-root rw console=tty0 console=$serial' >\"\$1/etc/kernel/cmdline\"" \
	--essential-hook='echo debian >"$1/etc/kernel/entry-token"' \
	--essential-hook='echo layout=bls >"$1/etc/kernel/install.conf"' \
	--customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname"; : >"$1/etc/machine-id"' \
	--customize-hook='chroot "$1" systemctl enable --quiet systemd-networkd systemd-resolved' \
	--customize-hook='chroot "$1" systemctl disable --quiet apt-daily.timer apt-daily-upgrade.timer' \
	--aptopt='APT::Sandbox::User "root"' \
	"$suite" "$root" - >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2 && die "mmdebstrap failed; its last words are above"; }

cat >"$root/etc/fstab" <<'TEXT'
LABEL=cloud-root / ext4 defaults,errors=remount-ro 0 1
LABEL=ESP /boot/efi vfat umask=0077,nofail 0 2
TEXT
mkdir -p "$root/boot/efi"
# What every guest here wants; a seed may say otherwise. A locale takes a minute to make without KVM, and so do RSA keys.
cat >"$root/etc/cloud/cloud.cfg.d/90_novacron.cfg" <<'TEXT'
datasource_list: [NoCloud, None]
locale: false
ssh_genkeytypes: [ed25519]
TEXT

say "writing the boot partition"
kernel=$(basename "$(find "$root/boot" -name 'vmlinuz-*' | sort -V | tail -n 1)")
release=${kernel#vmlinuz-}
esp=$work/esp.img
truncate -s 126M "$esp"
mkfs.vfat -F 32 -n ESP "$esp" >/dev/null
cat >"$work/loader.conf" <<'TEXT'
timeout 0
TEXT
# The same layout as kernel-install's, so that a kernel update inside the guest goes on from here.
cat >"$work/entry.conf" <<TEXT
title Debian ($release)
version $release
options $(cat "$root/etc/kernel/cmdline")
linux /debian/$release/linux
initrd /debian/$release/initrd.img-$release
TEXT
export MTOOLS_SKIP_CHECK=1
mmd -i "$esp" ::/EFI ::/EFI/BOOT ::/EFI/systemd ::/loader ::/loader/entries ::/debian "::/debian/$release"
boot=$root/usr/lib/systemd/boot/efi/systemd-boot$loader.efi
mcopy -i "$esp" "$boot" "::/EFI/BOOT/BOOT${loader^^}.EFI"
mcopy -i "$esp" "$boot" "::/EFI/systemd/systemd-boot$loader.efi"
mcopy -i "$esp" "$work/loader.conf" ::/loader/loader.conf
mcopy -i "$esp" "$work/entry.conf" "::/loader/entries/debian-$release.conf"
mcopy -i "$esp" "$root/boot/vmlinuz-$release" "::/debian/$release/linux"
mcopy -i "$esp" "$root/boot/initrd.img-$release" "::/debian/$release/initrd.img-$release"

say "writing the root partition"
# 2 GiB in all: 1 MiB of table, the boot partition, the root, 1 MiB of second table. cloud-init lets the root fill a larger disk.
truncate -s 1920M "$work/root.img"
mke2fs -q -t ext4 -d "$root" -L cloud-root "$work/root.img"

say "putting the disk together"
disk=$work/disk.raw
truncate -s 2G "$disk"
sfdisk --quiet "$disk" <<'TEXT'
label: gpt
start=1MiB, size=126MiB, type=uefi, name=ESP
start=127MiB, size=1920MiB, type=linux, name=root
TEXT
dd if="$esp" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$work/root.img" of="$disk" bs=1M seek=127 conv=notrunc,sparse status=none
qemu-img convert -f raw -O qcow2 "$disk" "$work/$name"
mv "$work/$name" "$out/$name"
say "done: $out/$name, $(($(stat -c %s "$out/$name") / 1048576)) MiB"
