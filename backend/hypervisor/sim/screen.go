package sim

import (
	"encoding/binary"
	"io"
	"net"
)

// The simulated screen: one colour, small enough to send whole.
const (
	screenWidth  = 320
	screenHeight = 200
	screenRed    = 0x20
	screenGreen  = 0x30
	screenBlue   = 0x50
)

// openScreen gives a connection to a small RFB 3.8 server that lives as long as the connection.
func openScreen() io.ReadWriteCloser {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		_ = serveScreen(far) // it ends when the viewer goes away or talks nonsense; neither is anybody's concern
	}()
	return near
}

func serveScreen(c net.Conn) error {
	if err := greet(c); err != nil {
		return err
	}
	for {
		var kind [1]byte
		if _, err := io.ReadFull(c, kind[:]); err != nil {
			return err
		}
		if err := answer(c, kind[0]); err != nil {
			return err
		}
	}
}

// greet does the handshake of RFC 6143, section 7.1 to 7.3, without authentication: the seam has checked who asks.
func greet(c net.Conn) error {
	if _, err := io.WriteString(c, "RFB 003.008\n"); err != nil {
		return err
	}
	if err := skip(c, 12); err != nil { // the viewer's version
		return err
	}
	if _, err := c.Write([]byte{1, 1}); err != nil { // one security type: none
		return err
	}
	if err := skip(c, 1); err != nil {
		return err
	}
	if _, err := c.Write([]byte{0, 0, 0, 0}); err != nil { // security result: fine
		return err
	}
	if err := skip(c, 1); err != nil { // ClientInit
		return err
	}
	name := "simulated"
	init := binary.BigEndian.AppendUint16(nil, screenWidth)
	init = binary.BigEndian.AppendUint16(init, screenHeight)
	init = append(init, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0) // 32 bits, true colour, blue lowest
	init = binary.BigEndian.AppendUint32(init, uint32(len(name)))
	_, err := c.Write(append(init, name...))
	return err
}

// answer takes one message of the viewer. Only FramebufferUpdateRequest has an answer, and only when it is not incremental:
// this screen never changes.
func answer(c net.Conn, kind byte) error {
	switch kind {
	case 0: // SetPixelFormat
		return skip(c, 19)
	case 2: // SetEncodings
		var head [3]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		return skip(c, 4*int64(binary.BigEndian.Uint16(head[1:])))
	case 3: // FramebufferUpdateRequest
		var ask [9]byte
		if _, err := io.ReadFull(c, ask[:]); err != nil {
			return err
		}
		if ask[0] != 0 {
			return nil
		}
		return sendScreen(c)
	case 4: // KeyEvent
		return skip(c, 7)
	case 5: // PointerEvent
		return skip(c, 5)
	case 6: // ClientCutText
		var head [7]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		return skip(c, int64(binary.BigEndian.Uint32(head[3:])))
	}
	return io.ErrUnexpectedEOF
}

func sendScreen(c net.Conn) error {
	out := []byte{0, 0, 0, 1, 0, 0, 0, 0} // one rectangle at the origin
	out = binary.BigEndian.AppendUint16(out, screenWidth)
	out = binary.BigEndian.AppendUint16(out, screenHeight)
	out = binary.BigEndian.AppendUint32(out, 0) // raw
	for range screenWidth * screenHeight {
		out = append(out, screenBlue, screenGreen, screenRed, 0)
	}
	_, err := c.Write(out)
	return err
}

func skip(r io.Reader, n int64) error {
	_, err := io.CopyN(io.Discard, r, n)
	return err
}
