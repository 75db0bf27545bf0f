package qemu

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// bootSector is a program for a BIOS: it writes text to the screen and to the first serial port, turns interrupts off and halts. A guest
// like no other that this project knows: it also never listens to its power button.
func bootSector(text string) []byte {
	code := []byte{
		0xfa,       // 00 cli
		0x31, 0xc0, // 01 xor ax,ax
		0x8e, 0xd8, // 03 mov ds,ax
		0x8e, 0xd0, // 05 mov ss,ax
		0xbc, 0x00, 0x7c, // 07 mov sp,0x7c00
		0xbe, 0x25, 0x7c, // 0a mov si,0x7c25: the text behind the code
		0xac,       // 0d next: lodsb
		0x84, 0xc0, // 0e test al,al
		0x74, 0x0f, // 10 jz end
		0x50,       // 12 push ax
		0xb4, 0x0e, // 13 mov ah,0x0e: teletype
		0xbb, 0x0f, 0x00, // 15 mov bx,15: white
		0xcd, 0x10, // 18 int 0x10
		0x58,             // 1a pop ax
		0xba, 0xf8, 0x03, // 1b mov dx,0x3f8: the first serial port
		0xee,       // 1e out dx,al
		0xeb, 0xec, // 1f jmp next
		0xfa, 0xf4, // 21 end: cli; hlt
		0xeb, 0xfc, // 23 jmp end
	}
	sector := make([]byte, 512)
	n := copy(sector, code)
	copy(sector[n:510], text+"\r\n\x00")
	sector[510], sector[511] = 0x55, 0xaa
	return sector
}

// elTorito is an ISO 9660 image that boots sector without emulation, written from the two standards alone.
func elTorito(sector []byte) []byte {
	const block = 2048
	iso := make([]byte, 24*block)
	at := func(n int) []byte { return iso[n*block : (n+1)*block] }
	both16 := func(b []byte, v uint16) { binary.LittleEndian.PutUint16(b, v); binary.BigEndian.PutUint16(b[2:], v) }
	both32 := func(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v); binary.BigEndian.PutUint32(b[4:], v) }
	directory := func(b []byte, name byte) {
		b[0] = 34
		both32(b[2:], 22)
		both32(b[10:], block)
		b[25] = 2
		both16(b[28:], 1)
		b[32], b[33] = 1, name
	}
	pvd := at(16)
	copy(pvd, "\x01CD001\x01\x00")
	copy(pvd[8:], strings.Repeat(" ", 64))
	copy(pvd[40:], "NEVER_SEEN")
	both32(pvd[80:], 24)
	both16(pvd[120:], 1)
	both16(pvd[124:], 1)
	both16(pvd[128:], block)
	directory(pvd[156:], 0)
	pvd[881] = 1
	boot := at(17)
	copy(boot, "\x00CD001\x01EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(boot[71:], 19)
	copy(at(18), "\xffCD001\x01")
	catalogue := at(19)
	catalogue[0], catalogue[30], catalogue[31] = 1, 0x55, 0xaa
	var sum uint16
	for i := 0; i < 32; i += 2 {
		sum += binary.LittleEndian.Uint16(catalogue[i:])
	}
	binary.LittleEndian.PutUint16(catalogue[28:], -sum)
	catalogue[32] = 0x88
	binary.LittleEndian.PutUint16(catalogue[38:], 4) // sectors of 512 bytes to load
	binary.LittleEndian.PutUint32(catalogue[40:], 20)
	copy(at(20), sector)
	directory(at(22), 0)
	directory(at(22)[34:], 1)
	return iso
}

// upload imports bytes under a name, as `novacron image import` does.
func (w *world) upload(name string, content []byte) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.mustCLI("", "image", "import", name, file)
}

func TestImport_bootsWhatNobodyHasSeenBefore(t *testing.T) {
	needRoot(t)
	if arch != string(vm.X86_64) {
		t.Skip("its boot sector is for a BIOS")
	}
	t.Parallel()
	w := up(t)
	raw := make([]byte, 1<<20)
	copy(raw, bootSector("hello from a raw disk"))
	w.upload("raw-disk", raw)
	w.upload("qcow-disk", qcow2(t, bootSector("hello from a qcow2 disk")))
	w.upload("some-iso", elTorito(bootSector("hello from an ISO")))

	for _, c := range []struct {
		name, says string
		edit       func(*wire.CreateVM)
	}{
		{"raw", "hello from a raw disk", func(r *wire.CreateVM) { r.Image = "raw-disk" }},
		{"qcow", "hello from a qcow2 disk", func(r *wire.CreateVM) { r.Image = "qcow-disk" }},
		{"iso", "hello from an ISO", func(r *wire.CreateVM) { r.Image, r.CDROM = "", "some-iso" }},
	} {
		g := w.create(c.name, c.edit, func(r *wire.CreateVM) { r.SSHKeys = nil })
		g.serial().sees(c.says)
		g.showsAScreen()
		grace := 2
		g.stop(wire.StopVM{GraceS: &grace}) // it is deaf: only force ends it
		g.reaches(vm.StateStopped)
		g.delete()
	}
	w.equalsAPI()
	for _, name := range []string{"raw-disk", "qcow-disk", "some-iso"} {
		a, err := w.DeleteImage(w.ctx(), name, wait)
		w.must(a.Operation, err)
	}
	if left := names(filepath.Join(w.data, "images")); len(left) != 1 {
		t.Errorf("images on the disk are %v, want the tiny one alone", left)
	}
}

func TestImport_refusesWhatIsNoDisk(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	file := filepath.Join(w.dir, "evil")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", file, "1M").CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v %s", err, out)
	}
	_, err := w.cli("", "image", "import", "evil", file)
	if err == nil || !strings.Contains(err.Error(), "backing file") {
		t.Errorf("import of a disk that rests on /etc/passwd: %v, want a refusal that says so", err)
	}
	w.equalsAPI()
}

// qcow2 makes a disk of 1 MiB that begins with the sector.
func qcow2(t testing.TB, sector []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	raw, out := filepath.Join(dir, "raw"), filepath.Join(dir, "qcow2")
	if err := os.WriteFile(raw, append(sector, make([]byte, 1<<20-512)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", raw, out).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v %s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// showsAScreen looks at the guest's screen over VNC until something is on it.
func (g guest) showsAScreen() {
	g.w.t.Helper()
	until(g.w.t, late, g.name+" shows something on its screen", func() (bool, string) {
		lit, err := g.litPixels()
		return lit > 0, fmt.Sprintf("%d lit pixels, %v", lit, err)
	})
}

// litPixels asks for one whole picture of the screen (RFC 6143) and counts what is not black.
func (g guest) litPixels() (lit int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	line, err := g.w.OpenConsole(ctx, g.name, wire.ConsoleWish{Kind: "vnc", Mode: "take"})
	if err != nil {
		return 0, err
	}
	defer line.Close()
	defer time.AfterFunc(soon, func() { line.Close() }).Stop()
	r := rfb{line, nil}
	r.expect([]byte("RFB 003.008\n"))
	r.send([]byte("RFB 003.008\n"))
	kinds := r.read(1)
	r.expectIn(r.read(int(kinds[0])), 1) // no authentication: the ticket was that
	r.send([]byte{1})
	r.expect([]byte{0, 0, 0, 0})
	r.send([]byte{1}) // others may look too
	head := r.read(24)
	width, height := int(binary.BigEndian.Uint16(head)), int(binary.BigEndian.Uint16(head[2:]))
	r.read(int(binary.BigEndian.Uint32(head[20:])))
	// 32 bits per pixel, raw encoding, then the whole picture.
	r.send([]byte{0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0})
	r.send([]byte{2, 0, 0, 1, 0, 0, 0, 0})
	r.send(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{3, 0, 0, 0, 0, 0}, uint16(width)), uint16(height)))
	r.expect([]byte{0, 0})
	for range binary.BigEndian.Uint16(r.read(2)) {
		rect := r.read(12)
		w, h := int(binary.BigEndian.Uint16(rect[4:])), int(binary.BigEndian.Uint16(rect[6:]))
		picture := r.read(w * h * 4)
		for i := 0; i < len(picture); i += 4 {
			if picture[i]|picture[i+1]|picture[i+2] != 0 {
				lit++
			}
		}
	}
	return lit, r.err
}

// rfb reads and writes until the first error, which it keeps.
type rfb struct {
	line io.ReadWriter
	err  error
}

func (r *rfb) send(b []byte) {
	if r.err == nil {
		_, r.err = r.line.Write(b)
	}
}

func (r *rfb) read(n int) []byte {
	b := make([]byte, max(n, 0))
	if r.err == nil {
		_, r.err = io.ReadFull(r.line, b)
	}
	return b
}

func (r *rfb) expect(want []byte) {
	if got := r.read(len(want)); r.err == nil && !bytes.Equal(got, want) {
		r.err = fmt.Errorf("the screen says %q, want %q", got, want)
	}
}

func (r *rfb) expectIn(got []byte, want byte) {
	if r.err == nil && bytes.IndexByte(got, want) < 0 {
		r.err = fmt.Errorf("the screen offers %v, want %d", got, want)
	}
}
