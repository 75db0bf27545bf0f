package app

import (
	"context"
	"fmt"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// Owners get a mail before an API token ends, once for each token: programs that use it stop working then.
const (
	tokenNotice = 7 * 24 * time.Hour // before its end
	noticeFrom  = 2 * tokenNotice    // lives of tokens that are told of; shorter ones are remembered by who made them
	noticesOnce = 100                // in one transaction
)

// MailTokenEnds queues the mails that are due. That a token was told of is kept with the token, in the same transaction. Call it every few
// seconds, on any number of servers.
func (a *Accounts) MailTokenEnds(ctx context.Context) error {
	if a.seal == nil {
		return nil
	}
	for {
		var due []store.APIToken
		err := a.db.Tx(ctx, func(t *store.Tx) (err error) {
			now := a.now()
			if due, err = t.TellTokenEnds(ctx, now, now.Add(tokenNotice), noticesOnce); err != nil {
				return err
			}
			for _, k := range due {
				if err := a.tellTokenEnds(ctx, t, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(due) < noticesOnce {
			return err
		}
	}
}

func (a *Accounts) tellTokenEnds(ctx context.Context, t *store.Tx, k store.APIToken) error {
	if k.Expires.Sub(k.Created) < noticeFrom {
		return nil
	}
	u, err := t.User(ctx, k.User)
	if err != nil {
		return fmt.Errorf("owner of token %s: %w", k.ID, err)
	}
	if u.Disabled || u.Unverified {
		return nil
	}
	return a.post(ctx, t, notify.TokenEnds, u.Email, "token-ends/"+string(k.ID)+"/"+string(id.NewToken()), notify.Data{
		Name: u.Username, Lines: []string{k.Name}, Ends: k.Expires.UTC().Format("2 January 2006, 15:04 UTC"), Link: a.publicURL + "/settings/tokens"})
}
