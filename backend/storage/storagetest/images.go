package storagetest

import (
	"context"
	"io"
	"sync"

	"novacron/backend/hypervisor"
	"novacron/backend/storage"
)

// Images is an image cache in memory.
type Images struct {
	mu   sync.Mutex
	have map[string][]byte
}

// NewImages makes a cache that has empty images of the digests.
func NewImages(digests ...string) *Images {
	m := &Images{have: map[string][]byte{}}
	for _, d := range digests {
		m.have[d] = nil
	}
	return m
}

// Has implements agent.Images.
func (m *Images) Has(digest string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.have[digest]
	return ok
}

// Bytes gives what was received of an image.
func (m *Images) Bytes(digest string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.have[digest]
}

// Get implements agent.Images.
func (m *Images) Get(digest string) (storage.Info, error) {
	if !m.Has(digest) {
		return storage.Info{}, storage.NoImage(digest)
	}
	return storage.Info{Digest: digest, Kernel: "/sim/kernel", Initrd: "/sim/initrd", Disk: hypervisor.File{Path: "/sim/iso", Format: "raw", ReadOnly: true}}, nil
}

// List implements agent.Images.
func (m *Images) List() ([]storage.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]storage.Info, 0, len(m.have))
	for d := range m.have {
		all = append(all, storage.Info{Digest: d})
	}
	return all, nil
}

// Receive implements agent.Images. It checks the length only.
func (m *Images) Receive(_ context.Context, digest string, size int64, r io.Reader, progress func(int64)) (storage.Info, error) {
	raw, err := io.ReadAll(io.LimitReader(r, size+1))
	if err != nil {
		return storage.Info{}, err
	}
	if int64(len(raw)) != size {
		return storage.Info{}, io.ErrUnexpectedEOF
	}
	if progress != nil {
		progress(size)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.have[digest] = raw
	return storage.Info{Digest: digest}, nil
}
