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
	done := 0
	for done < len(b) {
		n, hole := w.run(b[done:])
		if !hole {
			if _, err := w.f.WriteAt(b[done:done+n], w.at); err != nil {
				return done, err
			}
		}
		w.at += int64(n)
		done += n
	}
	return done, nil
}

// run measures how many bytes at the start of b belong together: blocks of zeros, or blocks with content.
func (w *SparseWriter) run(b []byte) (n int, hole bool) {
	block := func() []byte {
		return b[n:min(len(b), n+holeBytes-int((w.at+int64(n))%holeBytes))]
	}
	first := block()
	hole = empty(first)
	for n = len(first); n < len(b); {
		next := block()
		if empty(next) != hole {
			break
		}
		n += len(next)
	}
	return n, hole
}

func empty(block []byte) bool { return bytes.Equal(block, zeros[:len(block)]) }

// Close gives the file its full size. It does not close the file.
func (w *SparseWriter) Close() error { return w.f.Truncate(w.at) }

var _ io.WriteCloser = (*SparseWriter)(nil)
