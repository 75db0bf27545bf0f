package api

import (
	"context"
	"net/http"
	"net/netip"

	"novacron/backend/core/id"
)

// exchange is what is known of a request while it is answered; the access log is written from it.
type exchange struct {
	id      string
	request *http.Request // as it came
	address netip.Addr    // of the client
	caller  string
	err     error // what the user was not told
}

type exchangeKey struct{}

func of(ctx context.Context) *exchange {
	if e, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return e
	}
	return &exchange{}
}

func requestID(ctx context.Context) string { return of(ctx).id }

// note keeps an error for the log.
func note(ctx context.Context, err error) {
	if err != nil {
		of(ctx).err = err
	}
}

// newRequestID takes the client's id for the request if it is harmless, so that its logs and ours can be joined.
func newRequestID(presented string) string {
	if presented == "" || len(presented) > 64 {
		return string(id.NewToken())[len("tok-"):]
	}
	for _, c := range []byte(presented) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return string(id.NewToken())[len("tok-"):]
		}
	}
	return presented
}
