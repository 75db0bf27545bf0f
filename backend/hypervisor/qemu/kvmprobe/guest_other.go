//go:build !amd64 && !arm64

package kvmprobe

import "errors"

func runGuest(<-chan struct{}) error {
	return errors.New("KVM is not known to NovaCron on this processor architecture")
}
