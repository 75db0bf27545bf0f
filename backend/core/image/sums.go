package image

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"strings"
)

// MaxSumsBytes bounds a maker's file of checksums.
const MaxSumsBytes = 4 << 20

// FindSum looks up a file's checksum in the text of a checksum file: "HEX  NAME" or "HEX *NAME" (GNU), "SHA256 (NAME) = HEX"
// (BSD), or a single HEX alone. The answer has the form "sha256:HEX"; "" means that it is not there.
func FindSum(text []byte, name string, sum Sum) string {
	digits := map[Sum]int{SHA256: 64, SHA512: 128}[sum]
	lines := bufio.NewScanner(bytes.NewReader(text))
	only, count := "", 0
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") || strings.HasPrefix(f[0], "-----") {
			continue
		}
		count++
		switch {
		case len(f) == 1:
			only = f[0]
		case len(f) == 2 && strings.TrimPrefix(f[1], "*") == name && isHex(f[0], digits):
			return string(sum) + ":" + strings.ToLower(f[0])
		case len(f) == 4 && strings.EqualFold(f[0], string(sum)) && f[1] == "("+name+")" && f[2] == "=" && isHex(f[3], digits):
			return string(sum) + ":" + strings.ToLower(f[3])
		}
	}
	if lines.Err() == nil && count == 1 && isHex(only, digits) {
		return string(sum) + ":" + strings.ToLower(only)
	}
	return ""
}

func isHex(s string, digits int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && digits > 0 && len(s) == digits
}
