package dir

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/image"
	"novacron/backend/storage"
)

const crashRoot = "NOVACRON_TEST_CRASH_ROOT"

// TestWorkUntilKilled is no test of its own: TestPool_keepsItsWordWhenKilled runs it in a process that it kills.
func TestWorkUntilKilled(t *testing.T) {
	root := os.Getenv(crashRoot)
	if root == "" {
		t.Skip("runs only as the process that another test kills")
	}
	c, digest := cache(t, root)
	p, err := Open(Config{Root: filepath.Join(root, "pool"), Images: c})
	must(t, err)
	var made []id.Volume
	for {
		v := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: digest}
		if len(made) > 0 && rand.IntN(2) == 0 {
			v.Image, v.From, v.Linked = "", made[rand.IntN(len(made))], rand.IntN(3) > 0
		}
		f, err := p.Ensure(t.Context(), v)
		must(t, err)
		made = append(made, v.ID)
		fmt.Println("made", v.ID)
		if rand.IntN(2) == 0 {
			touch(t, f.Path)
		}
		if len(made) > 5 {
			fmt.Println("removing", made[0])
			must(t, p.Remove(t.Context(), made[0]))
			fmt.Println("removed", made[0])
			made = made[1:]
		}
	}
}

// touch writes to a disk as a guest would, as far as later clones can tell: its first L1 entry is no longer zero.
func touch(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	q, err := image.ReadQCOW2(f, info.Size())
	must(t, err)
	// An L2 table without entries in a new cluster, counted in the refcount block that image.NewQCOW2 makes.
	const cluster = 64 << 10
	at := (info.Size() + cluster - 1) / cluster * cluster
	_, err = f.WriteAt(make([]byte, cluster), at)
	must(t, err)
	_, err = f.WriteAt([]byte{0, 1}, 2*cluster+2*(at/cluster))
	must(t, err)
	_, err = f.WriteAt([]byte{0x80, 0, 0, 0, 0, byte(at >> 16), 0, 0}, q.L1Offset)
	must(t, err)
}

func TestPool_keepsItsWordWhenKilled(t *testing.T) {
	needQEMU(t)
	const rounds = 6
	root := t.TempDir()
	living, maybe := map[id.Volume]bool{}, map[id.Volume]bool{}
	for range rounds {
		killed(t, root, living, maybe, 5+rand.IntN(40))
		c, _ := cache(t, root)
		p, err := Open(Config{Root: filepath.Join(root, "pool"), Images: c})
		must(t, err)
		found, err := p.List(t.Context())
		must(t, err)
		there := map[id.Volume]bool{}
		for _, f := range found {
			there[f.ID] = true
			m, err := p.get(f.ID)
			must(t, err)
			file, err := p.file(filepath.Join(p.volumeDir(f.ID), m.Disk), m)
			must(t, err)
			text, err := json.Marshal(options(file))
			must(t, err)
			// Status 3 is a leaked cluster: the work was killed while it played the guest.
			check := exec.Command("qemu-img", "check", "json:"+string(text))
			if out, err := check.CombinedOutput(); err != nil && check.ProcessState.ExitCode() != 3 {
				t.Fatalf("%s: %v\n%s", f.ID, err, out)
			}
		}
		for v := range living {
			if !there[v] && !maybe[v] {
				t.Fatalf("%s was acknowledged and is lost", v)
			}
		}
		for _, dir := range []string{"volumes", "bases"} {
			for _, name := range entries(t, p.dir(dir)) {
				if strings.HasPrefix(name, tempPrefix) {
					t.Fatalf("%s stays behind", name)
				}
			}
		}
		if base := p.unused(); base != "" {
			t.Fatalf("nothing stands on %s", base)
		}
		clear(living) // the next process knows nothing of these
		for v := range there {
			must(t, p.Remove(t.Context(), v))
		}
		if left := append(entries(t, p.dir("volumes")), entries(t, p.dir("bases"))...); len(left) > 0 {
			t.Fatalf("%v stay behind", left)
		}
	}
}

// killed runs the work and kills it behind the given number of its lines, at whatever it does then.
func killed(t *testing.T, root string, living, maybe map[id.Volume]bool, lines int) {
	t.Helper()
	work := exec.Command(os.Args[0], "-test.run=^TestWorkUntilKilled$", "-test.count=1")
	work.Env = append(os.Environ(), crashRoot+"="+root)
	var stderr bytes.Buffer
	work.Stderr = &stderr
	out, err := work.StdoutPipe()
	must(t, err)
	must(t, work.Start())
	s := bufio.NewScanner(out)
	for n := 0; s.Scan(); n++ {
		what, v, _ := strings.Cut(s.Text(), " ")
		switch what {
		case "made":
			living[id.Volume(v)] = true
		case "removing":
			maybe[id.Volume(v)] = true
		case "removed":
			delete(living, id.Volume(v))
		default:
			t.Errorf("the work says: %s", s.Text())
		}
		if n == lines {
			must(t, work.Process.Kill())
		}
	}
	if err := work.Wait(); err == nil || work.ProcessState.Exited() {
		t.Fatalf("the work ended by itself: %v\n%s", err, stderr.String())
	}
}
