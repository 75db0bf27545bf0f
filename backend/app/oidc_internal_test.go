package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Callers of a provider that hangs wait for it one after the other, and each of them only as long as it wants to.
func TestProvider_letsCallersGoThatGiveUp(t *testing.T) {
	asked, open := make(chan struct{}, 8), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-open
	}))
	defer server.Close()
	defer close(open)
	p := newProvider(OIDC{Issuer: server.URL})
	go p.get(context.Background())
	<-asked
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error, 1)
	go func() {
		_, err := p.get(gone)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(providerTime - time.Second):
		t.Error("a caller that gave up waits for the provider")
	}
}
