package tty

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func nowhere(p []byte) (int, error) { return len(p), nil }

func open(t *testing.T, l *Line) io.ReadWriteCloser {
	t.Helper()
	r, err := l.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// read takes n bytes.
func read(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	buf := make([]byte, n)
	if _, err := io.ReadFull(r, buf); err != nil {
		t.Fatal(err)
	}
	return string(buf)
}

func TestLine_givesWhatWasAndThenWhatComes(t *testing.T) {
	l := New(64, nil, nowhere)
	l.Output([]byte("before "))
	r := open(t, l)
	l.Output([]byte("after"))
	if got := read(t, r, 12); got != "before after" {
		t.Errorf("got %q", got)
	}
}

func TestLine_remembersOnlyTheEnd(t *testing.T) {
	l := New(10, nil, nowhere)
	for range 100 {
		l.Output([]byte("0123456"))
	}
	if got := string(l.Recent()); got != "4560123456" {
		t.Errorf("got %q, want the last 10 bytes", got)
	}
	l.Output([]byte("one piece that is longer than all"))
	if got := string(l.Recent()); got != "r than all" {
		t.Errorf("got %q, want the end of the piece", got)
	}
	if cap(l.recent) > 100 {
		t.Errorf("10 bytes take %d", cap(l.recent))
	}
}

func TestLine_dropsAReaderThatDoesNotKeepUp(t *testing.T) {
	l := New(16, nil, nowhere)
	r := open(t, l)
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for range readerLag/len(piece) + 2 {
		l.Output(piece)
	}
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, ErrSlow) {
		t.Errorf("got %v, want ErrSlow", err)
	}
	if _, err := r.Write([]byte("k")); !errors.Is(err, ErrSlow) {
		t.Errorf("typing: got %v, want ErrSlow", err)
	}
}

func TestLine_endsItsReadersBehindWhatTheyHaveNotRead(t *testing.T) {
	l := New(64, nil, nowhere)
	r := open(t, l)
	l.Output([]byte("last words"))
	l.Close()
	l.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "last words" {
		t.Errorf("got %q, %v", got, err)
	}
	late := open(t, l)
	if got, err := io.ReadAll(late); err != nil || string(got) != "last words" {
		t.Errorf("opened afterwards: got %q, %v", got, err)
	}
}

func TestLine_wakesAReaderThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(64, nil, nowhere)
		r, err := l.Open()
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		r.Close()
		if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v, want ErrClosedPipe", err)
		}
	})
}

func TestLine_boundsItsReaders(t *testing.T) {
	l := New(64, nil, nowhere)
	for range maxReaders {
		open(t, l)
	}
	if _, err := l.Open(); !errors.Is(err, ErrMany) {
		t.Errorf("got %v, want ErrMany", err)
	}
}

func TestLine_givesWhatIsTypedToTheGuest(t *testing.T) {
	var typed bytes.Buffer
	l := New(64, nil, typed.Write)
	if _, err := open(t, l).Write([]byte("ls\n")); err != nil || typed.String() != "ls\n" {
		t.Errorf("the guest got %q, %v", typed.String(), err)
	}
}

func TestLog_holdsTheEndAndNeverMoreThanItsLimit(t *testing.T) {
	const limit = 100
	path := filepath.Join(t.TempDir(), "serial.log")
	l, err := OpenLog(path, limit)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for i := range 50 {
		piece := strings.Repeat(string(rune('a'+i%26)), i%17)
		all.WriteString(piece)
		l.Append([]byte(piece))
		if size := sizes(path); size > limit {
			t.Fatalf("the log holds %d bytes, more than %d", size, limit)
		}
	}
	l.Close()
	again, err := OpenLog(path, limit) // of the next agent
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := string(again.Tail(limit)); len(got) < limit/2 || !strings.HasSuffix(all.String(), got) {
		t.Errorf("the log holds %q, which is not the end of %q", got, all.String())
	}
	line := New(limit, again, nowhere)
	if got := line.Recent(); len(got) < limit/2 {
		t.Errorf("a line with this log remembers only %q", got)
	}
}

func sizes(path string) (sum int64) {
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

func TestLog_thatCannotBeWrittenHurtsNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "serial.log")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	log, err := OpenLog(path, 20)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	l := New(64, log, nowhere)
	l.Output([]byte(strings.Repeat("x", 64)))
	if got := l.Recent(); len(got) != 64 {
		t.Errorf("the line remembers %d bytes, want 64", len(got))
	}
	l.Close()
}
