package image

import "encoding/binary"

// Parameters of the qcow2 files that the platform makes: 64 KiB clusters and 16-bit refcounts, as qemu-img does.
const (
	clusterBits     = 16
	clusterBytes    = 1 << clusterBits
	l2Covers        = clusterBytes * clusterBytes / 8 // bytes of disk under one L1 entry
	refcountOrder   = 4
	headerLength    = 112
	extensionFormat = 0xe2792aca
)

// MaxBackingName is the longest name of a backing file that a qcow2 header can hold, in bytes.
const MaxBackingName = 1023

// NewQCOW2 gives the bytes of a qcow2 file whose disk has virtual bytes and no content of its own: zeros, or what the
// backing file has. The backing name and format are written for people who look at the file by hand; the driver gets the
// chain spelled out. It is what qemu-img create makes, in microseconds instead of a process.
func NewQCOW2(virtual int64, backing string, format Format) ([]byte, error) {
	switch {
	case virtual <= 0 || virtual > MaxVirtualBytes || virtual%sectorSize != 0:
		return nil, refuse("disk_size", "a disk has a multiple of %d bytes up to %d GiB, not %d bytes", sectorSize, MaxVirtualBytes>>30, virtual)
	case len(backing) > MaxBackingName:
		return nil, refuse("disk_backing", "the name of a backing file has %d bytes and at most %d are possible", len(backing), MaxBackingName)
	case backing != "" && format != Raw && format != QCOW2:
		return nil, refuse("disk_backing", "a disk cannot start from an image of format %q", format)
	}
	l1 := (virtual + l2Covers - 1) / l2Covers
	// Clusters in order: header, refcount table, one refcount block, L1. One block counts 32768 clusters, the largest
	// L1 has 16.
	const refTable, refBlock, l1At = 1, 2, 3
	l1Clusters := (l1*8 + clusterBytes - 1) / clusterBytes
	b := make([]byte, (l1At+l1Clusters)*clusterBytes)
	be := binary.BigEndian
	copy(b, qcow2Magic)
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], clusterBits)
	be.PutUint64(b[24:], uint64(virtual))
	be.PutUint32(b[36:], uint32(l1))
	be.PutUint64(b[40:], l1At*clusterBytes)
	be.PutUint64(b[48:], refTable*clusterBytes)
	be.PutUint32(b[56:], 1)
	be.PutUint32(b[96:], refcountOrder)
	be.PutUint32(b[100:], headerLength)
	putBacking(b, backing, format)
	be.PutUint64(b[refTable*clusterBytes:], refBlock*clusterBytes)
	for i := range l1At + l1Clusters {
		be.PutUint16(b[refBlock*clusterBytes+2*i:], 1)
	}
	return b, nil
}

// putBacking writes the extension with the backing format, the end of the extensions, and the name behind it.
func putBacking(b []byte, backing string, format Format) {
	if backing == "" {
		return
	}
	be := binary.BigEndian
	be.PutUint32(b[headerLength:], extensionFormat)
	be.PutUint32(b[headerLength+4:], uint32(len(format)))
	copy(b[headerLength+8:], format)
	name := headerLength + 8 + (len(format)+7)/8*8 + 8
	be.PutUint64(b[8:], uint64(name))
	be.PutUint32(b[16:], uint32(len(backing)))
	copy(b[name:], backing)
}
