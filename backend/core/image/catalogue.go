package image

import "novacron/backend/core/vm"

// Official is a cloud image of a distribution's maker. Its checksum is not pinned here, since the makers replace the file under
// the same name with every update: SumsURL, fetched over TLS from the maker, gives the checksum of the day.
//
// None of these addresses could be tried where this table was written.
type Official struct {
	Name      string // what a user types: "debian-12"
	Title     string
	OS        string
	Arch      vm.Arch
	URL       string
	SumsURL   string // lists checksums, one per line
	Sum       Sum    // algorithm of the checksums
	Login     string // the account that cloud-init gives the ssh keys to
	MinMemory int    // MiB
	MinDisk   int    // GiB
}

// Sum is a checksum's algorithm, as in the prefix of a checksum.
type Sum string

// The algorithms that the makers use.
const (
	SHA256 Sum = "sha256"
	SHA512 Sum = "sha512"
)

// Catalogue gives the official images that can be imported by name.
func Catalogue() []Official {
	return append([]Official(nil), catalogue...)
}

// FindOfficial gives the image of that name for the architecture.
func FindOfficial(name string, arch vm.Arch) (Official, bool) {
	for _, o := range catalogue {
		if o.Name == name && o.Arch == arch {
			return o, true
		}
	}
	return Official{}, false
}

const (
	debianCloud = "https://cloud.debian.org/images/cloud/"
	ubuntuCloud = "https://cloud-images.ubuntu.com/releases/noble/release/"
	fedoraCloud = "https://download.fedoraproject.org/pub/fedora/linux/releases/43/Cloud/"
	rockyCloud  = "https://dl.rockylinux.org/pub/rocky/9/images/"
	alpineCloud = "https://dl-cdn.alpinelinux.org/alpine/v3.22/releases/cloud/"
)

var catalogue = []Official{
	{"debian-12", "Debian 12 (bookworm)", "debian-12", vm.X86_64, debianCloud + "bookworm/latest/debian-12-genericcloud-amd64.qcow2", debianCloud + "bookworm/latest/SHA512SUMS", SHA512, "debian", 512, 3},
	{"debian-12", "Debian 12 (bookworm)", "debian-12", vm.AArch64, debianCloud + "bookworm/latest/debian-12-genericcloud-arm64.qcow2", debianCloud + "bookworm/latest/SHA512SUMS", SHA512, "debian", 512, 3},
	{"debian-13", "Debian 13 (trixie)", "debian-13", vm.X86_64, debianCloud + "trixie/latest/debian-13-genericcloud-amd64.qcow2", debianCloud + "trixie/latest/SHA512SUMS", SHA512, "debian", 512, 3},
	{"debian-13", "Debian 13 (trixie)", "debian-13", vm.AArch64, debianCloud + "trixie/latest/debian-13-genericcloud-arm64.qcow2", debianCloud + "trixie/latest/SHA512SUMS", SHA512, "debian", 512, 3},
	{"ubuntu-24.04", "Ubuntu 24.04 LTS", "ubuntu-24.04", vm.X86_64, ubuntuCloud + "ubuntu-24.04-server-cloudimg-amd64.img", ubuntuCloud + "SHA256SUMS", SHA256, "ubuntu", 1024, 4},
	{"ubuntu-24.04", "Ubuntu 24.04 LTS", "ubuntu-24.04", vm.AArch64, ubuntuCloud + "ubuntu-24.04-server-cloudimg-arm64.img", ubuntuCloud + "SHA256SUMS", SHA256, "ubuntu", 1024, 4},
	{"fedora-43", "Fedora Cloud 43", "fedora-43", vm.X86_64, fedoraCloud + "x86_64/images/Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2", fedoraCloud + "x86_64/images/Fedora-Cloud-43-1.6-x86_64-CHECKSUM", SHA256, "fedora", 1024, 5},
	{"fedora-43", "Fedora Cloud 43", "fedora-43", vm.AArch64, fedoraCloud + "aarch64/images/Fedora-Cloud-Base-Generic-43-1.6.aarch64.qcow2", fedoraCloud + "aarch64/images/Fedora-Cloud-43-1.6-aarch64-CHECKSUM", SHA256, "fedora", 1024, 5},
	{"rocky-9", "Rocky Linux 9", "rocky-9", vm.X86_64, rockyCloud + "x86_64/Rocky-9-GenericCloud-Base.latest.x86_64.qcow2", rockyCloud + "x86_64/CHECKSUM", SHA256, "rocky", 1024, 10},
	{"rocky-9", "Rocky Linux 9", "rocky-9", vm.AArch64, rockyCloud + "aarch64/Rocky-9-GenericCloud-Base.latest.aarch64.qcow2", rockyCloud + "aarch64/CHECKSUM", SHA256, "rocky", 1024, 10},
	{"alpine-3.22", "Alpine 3.22", "alpine-3.22", vm.X86_64, alpineCloud + "generic_alpine-3.22.0-x86_64-uefi-cloudinit-r0.qcow2", alpineCloud + "generic_alpine-3.22.0-x86_64-uefi-cloudinit-r0.qcow2.sha512", SHA512, "alpine", 256, 1},
	{"alpine-3.22", "Alpine 3.22", "alpine-3.22", vm.AArch64, alpineCloud + "generic_alpine-3.22.0-aarch64-uefi-cloudinit-r0.qcow2", alpineCloud + "generic_alpine-3.22.0-aarch64-uefi-cloudinit-r0.qcow2.sha512", SHA512, "alpine", 256, 1},
}
