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

// bootSector is a program for a BIOS: it writes text to the screen and to the first serial port, paints the screen red above and blue
// below, and then writes what is typed to the serial port. A guest like no other that this project knows: it also never listens to its
// power button.
func bootSector(text string) []byte {
	code := []byte{
		0xfa,       // 00 cli
		0x31, 0xc0, // 01 xor ax,ax
		0x8e, 0xd8, // 03 mov ds,ax
		0x8e, 0xd0, // 05 mov ss,ax
		0xbc, 0x00, 0x7c, // 07 mov sp,0x7c00
		0xbe, 0x47, 0x7c, // 0a mov si,0x7c47: the text behind the code
		0xac,       // 0d next: lodsb
		0x84, 0xc0, // 0e test al,al
		0x74, 0x0f, // 10 jz paint
		0x50,       // 12 push ax
		0xb4, 0x0e, // 13 mov ah,0x0e: teletype
		0xbb, 0x0f, 0x00, // 15 mov bx,15: white
		0xcd, 0x10, // 18 int 0x10
		0x58,             // 1a pop ax
		0xba, 0xf8, 0x03, // 1b mov dx,0x3f8: the first serial port
		0xee,       // 1e out dx,al
		0xeb, 0xec, // 1f jmp next
		0xb8, 0x13, 0x00, // 21 paint: mov ax,0x13: 320 by 200 points of 256 colours
		0xcd, 0x10, // 24 int 0x10
		0xb8, 0x00, 0xa0, // 26 mov ax,0xa000: the screen's memory
		0x8e, 0xc0, // 29 mov es,ax
		0x31, 0xff, // 2b xor di,di
		0xfc,       // 2d cld
		0xb0, 0x04, // 2e mov al,4: red
		0xb9, 0x00, 0x7d, // 30 mov cx,32000: half of the screen
		0xf3, 0xaa, // 33 rep stosb
		0xb0, 0x01, // 35 mov al,1: blue
		0xb9, 0x00, 0x7d, // 37 mov cx,32000
		0xf3, 0xaa, // 3a rep stosb
		0xfb,       // 3c key: sti
		0xb4, 0x00, // 3d mov ah,0: wait for a key
		0xcd, 0x16, // 3f int 0x16
		0xba, 0xf8, 0x03, // 41 mov dx,0x3f8
		0xee,       // 44 out dx,al
		0xeb, 0xf5, // 45 jmp key
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
	w.upload("qcow-disk", converted(t, "qcow2", bootSector("hello from a qcow2 disk")))
	w.upload("vmdk-disk", converted(t, "vmdk", bootSector("hello from a VMDK disk")))
	w.upload("some-iso", elTorito(bootSector("hello from an ISO")))

	for _, c := range []struct {
		name, says string
		edit       func(*wire.CreateVM)
	}{
		{"raw", "hello from a raw disk", func(r *wire.CreateVM) { r.Image = "raw-disk" }},
		{"qcow", "hello from a qcow2 disk", func(r *wire.CreateVM) { r.Image = "qcow-disk" }},
		{"vmdk", "hello from a VMDK disk", func(r *wire.CreateVM) { r.Image = "vmdk-disk" }},
		{"iso", "hello from an ISO", func(r *wire.CreateVM) { r.Image, r.CDROM = "", "some-iso" }},
	} {
		g := w.create(c.name, c.edit, func(r *wire.CreateVM) { r.SSHKeys = nil })
		line := g.serial()
		line.sees(c.says)
		g.showsItsPicture()
		g.typedInto("nova")
		line.sees("nova")
		grace := 2
		g.stop(wire.StopVM{GraceS: &grace}) // it is deaf: only force ends it
		g.reaches(vm.StateStopped)
		g.delete()
	}
	w.equalsAPI()
	for _, name := range []string{"raw-disk", "qcow-disk", "vmdk-disk", "some-iso"} {
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

// converted makes a disk of 1 MiB in the format that begins with the sector.
func converted(t testing.TB, format string, sector []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	raw, out := filepath.Join(dir, "raw"), filepath.Join(dir, format)
	if err := os.WriteFile(raw, append(sector, make([]byte, 1<<20-512)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("qemu-img", "convert", "-q", "-f", "raw", "-O", format, raw, out).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v %s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// showsItsPicture looks at the guest's screen over VNC until it is what bootSector paints.
func (g guest) showsItsPicture() {
	g.w.t.Helper()
	until(g.w.t, late, g.name+" shows red above and blue below", func() (bool, string) {
		p, err := g.screen()
		if err != nil {
			return false, err.Error()
		}
		if len(p.points) == 0 || len(p.points) != 4*p.width*p.height {
			return false, fmt.Sprintf("%d by %d points in %d bytes", p.width, p.height, len(p.points))
		}
		wrong := 0
		for i := 0; i < len(p.points); i += 4 {
			blue, green, red := p.points[i], p.points[i+1], p.points[i+2]
			above := i < len(p.points)/2
			if green > 8 || above && (red < 160 || blue > 8) || !above && (blue < 160 || red > 8) {
				wrong++
			}
		}
		return wrong == 0, fmt.Sprintf("%d of %d by %d points have another colour", wrong, p.width, p.height)
	})
}

// picture is a whole screen, row by row, four bytes to a point: blue, green, red and nothing.
type picture struct {
	width, height int
	points        []byte
}

// screen asks for one whole picture of the screen.
func (g guest) screen() (p picture, err error) {
	return p, g.viewer(func(r *rfb, width, height int) { p = r.picture(width, height) })
}

// typedInto presses and releases the keys of a text at the guest's screen.
func (g guest) typedInto(text string) {
	g.w.t.Helper()
	err := g.viewer(func(r *rfb, width, height int) {
		for _, key := range []byte(text) { // a letter's code is itself
			r.send([]byte{4, 1, 0, 0, 0, 0, 0, key})
			r.send([]byte{4, 0, 0, 0, 0, 0, 0, key})
		}
		r.picture(width, height) // an answer: what came before it was taken
	})
	if err != nil {
		g.w.t.Fatalf("type into the screen of %s: %v", g.name, err)
	}
}

// viewer connects to the guest's screen (RFC 6143) and lets do act there.
func (g guest) viewer(do func(r *rfb, width, height int)) error {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	line, err := g.w.OpenConsole(ctx, g.name, wire.ConsoleWish{Kind: "vnc", Mode: "take"})
	if err != nil {
		return err
	}
	defer line.Close()
	defer time.AfterFunc(soon, func() { line.Close() }).Stop()
	r := &rfb{line, nil}
	r.expect([]byte("RFB 003.008\n"))
	r.send([]byte("RFB 003.008\n"))
	kinds := r.read(1)
	r.expectIn(r.read(int(kinds[0])), 1) // no authentication: the ticket was that
	r.send([]byte{1})
	r.expect([]byte{0, 0, 0, 0})
	r.send([]byte{1}) // others may look too
	head := r.read(24)
	r.read(int(binary.BigEndian.Uint32(head[20:])))
	do(r, int(binary.BigEndian.Uint16(head)), int(binary.BigEndian.Uint16(head[2:])))
	return r.err
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

// picture asks for the whole screen.
func (r *rfb) picture(width, height int) picture {
	// 32 bits per pixel, raw encoding, then the whole picture.
	r.send([]byte{0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0})
	r.send([]byte{2, 0, 0, 1, 0, 0, 0, 0})
	r.send(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{3, 0, 0, 0, 0, 0}, uint16(width)), uint16(height)))
	r.expect([]byte{0, 0})
	p := picture{width: width, height: height, points: make([]byte, 4*width*height)}
	for range binary.BigEndian.Uint16(r.read(2)) {
		rect := r.read(12)
		x, y := int(binary.BigEndian.Uint16(rect)), int(binary.BigEndian.Uint16(rect[2:]))
		w, h := int(binary.BigEndian.Uint16(rect[4:])), int(binary.BigEndian.Uint16(rect[6:]))
		if r.err == nil && (x+w > width || y+h > height) {
			r.err = fmt.Errorf("a rectangle of %d by %d at %d, %d lies outside of the screen", w, h, x, y)
		}
		if r.err != nil {
			break
		}
		for row := range h {
			copy(p.points[4*((y+row)*width+x):], r.read(4*w))
		}
	}
	return p
}
