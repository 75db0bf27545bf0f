package durable

import (
	"bytes"
	"io"
	"os"
)

// holeBytes is the grain in which zeros become holes: the block size of common file systems.
const holeBytes = 4096

var zeros [holeBytes]byte

// SparseWriter appends to a file and leaves holes where whole blocks are zero. Close it to set the size of the file.
type SparseWriter struct {
	f  *os.File
	at int64
}

// NewSparseWriter writes to the empty file f.
func NewSparseWriter(f *os.File) *SparseWriter { return &SparseWriter{f: f} }

// Write writes all of b or fails.
func (w *SparseWriter) Write(b []byte) (int, error) {
	for done := 0; done < len(b); {
		n := min(len(b)-done, holeBytes-int(w.at%holeBytes))
		// Join runs of blocks with content into one write.
		for !bytes.Equal(b[done:done+n], zeros[:n]) && done+n < len(b) {
			next := min(holeBytes, len(b)-done-n)
			if bytes.Equal(b[done+n:done+n+next], zeros[:next]) {
				break
			}
			n += next
		}
		part := b[done : done+n]
		if n > holeBytes || !bytes.Equal(part, zeros[:n]) {
			if _, err := w.f.WriteAt(part, w.at); err != nil {
				return done, err
			}
		}
		w.at += int64(n)
		done += n
	}
	return len(b), nil
}

// Close gives the file its full size. It does not close the file.
func (w *SparseWriter) Close() error { return w.f.Truncate(w.at) }

var _ io.WriteCloser = (*SparseWriter)(nil)
