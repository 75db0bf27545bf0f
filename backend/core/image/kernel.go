package image

import "bytes"

// CheckKernel refuses the first bytes of what no direct boot can load: an ELF file (entered by PVH), a bzImage and an arm64
// Image are known.
func CheckKernel(head []byte) error {
	at := func(off int, magic string) bool {
		return len(head) >= off+len(magic) && bytes.Equal(head[off:off+len(magic)], []byte(magic))
	}
	if at(0, "\x7fELF") || at(0x202, "HdrS") || at(56, "ARM\x64") {
		return nil
	}
	return refuse("bundle_kernel", "the kernel of the bundle is neither ELF nor bzImage nor an arm64 Image")
}
