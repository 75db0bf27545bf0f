package tty

import (
	"errors"
	"io"
	"os"
)

// Log keeps the last bytes of a line in two files: path grows to half of the limit, then becomes path + ".1" and a new path
// begins. So the disk never holds more than the limit and at least half of it is always there. The log must never hurt its
// guest: whatever fails here, a full disk above all, only costs lines of the log.
type Log struct {
	path string
	half int64
	file *os.File
	size int64
}

// OpenLog goes on with the log at path, or begins it.
func OpenLog(path string, limit int64) (*Log, error) {
	l := &Log{path: path, half: limit / 2}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Log) open() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Append adds bytes and turns the halves over. It keeps no error: see Log.
func (l *Log) Append(p []byte) {
	for len(p) > 0 && l.file != nil {
		room := min(int64(len(p)), l.half-l.size)
		if room <= 0 {
			l.turn()
			continue
		}
		n, err := l.file.Write(p[:room])
		l.size += int64(n)
		if err != nil {
			return
		}
		p = p[n:]
	}
}

func (l *Log) turn() {
	l.file.Close()
	l.file = nil
	if os.Rename(l.path, l.path+".1") != nil {
		os.Remove(l.path) // a log that cannot be turned over must still be bounded
	}
	if l.open() == nil && l.size >= l.half { // neither worked: stop rather than grow
		l.file.Close()
		l.file = nil
	}
}

// Tail gives at most limit of the last bytes.
func (l *Log) Tail(limit int) []byte {
	all := append(readTail(l.path+".1", limit), readTail(l.path, limit)...)
	return all[max(0, len(all)-limit):]
}

// Close closes the file.
func (l *Log) Close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

func readTail(path string, limit int) []byte {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > int64(limit) {
		if _, err := file.Seek(info.Size()-int64(limit), io.SeekStart); err != nil {
			return nil
		}
	}
	got, _ := io.ReadAll(io.LimitReader(file, int64(limit)))
	return got
}
