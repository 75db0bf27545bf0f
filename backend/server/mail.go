package server

import (
	"context"
	"fmt"
	"time"

	"novacron/backend/app"
	"novacron/backend/notify"
)

// accountDeps is what the accounts need of the settings.
func (s *Server) accountDeps() (app.AccountDeps, error) {
	d := app.AccountDeps{App: s.app, Store: s.db, Sessions: s.sessions, Keys: s.keyring.keys, Seal: s.seal, PublicURL: s.o.PublicURL, Registration: s.o.registration(), Mails: s.o.SMTPURL != "", RequireFactor: s.o.RequireFactor == "on"}
	if s.o.OIDCIssuer != "" {
		groups, err := app.ParseGroups(s.o.OIDCRoles)
		if err != nil {
			return d, fmt.Errorf("NOVACRON_OIDC_ROLES: %w", err)
		}
		d.OIDC = &app.OIDC{Issuer: s.o.OIDCIssuer, ClientID: s.o.OIDCClientID, ClientSecret: s.o.OIDCSecret, Groups: groups, Factors: s.o.oidcFactors()}
	}
	switch d.Registration {
	case app.RegisterOpen, app.RegisterInvited, app.RegisterClosed:
		return d, nil
	}
	return d, fmt.Errorf("NOVACRON_REGISTRATION is %q; it is open, invited or closed", d.Registration)
}

// registration is the setting, or what is safe where it is not set.
func (s Settings) registration() string {
	switch {
	case s.Registration != "":
		return s.Registration
	case s.Production():
		return app.RegisterInvited
	}
	return app.RegisterOpen
}

// startMail sends what is queued. Without an SMTP server mail stays in the queue, where `novacron mail list` shows it.
func (s *Server) startMail() error {
	if s.o.SMTPURL == "" {
		return nil
	}
	smtp, err := notify.NewSMTP(s.o.SMTPURL, s.o.SMTPFrom)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.serving.Go(func() {
		<-s.stopping
		cancel()
	})
	w := &notify.Worker{Queue: s.accounts.MailQueue(), Sender: smtp, Log: s.log}
	s.serving.Go(func() { w.Run(ctx) })
	s.serving.Go(func() { s.watchAlerts(ctx) })
	return nil
}

// alertEvery is how often it is looked whether something has happened that administrators get a mail about.
const alertEvery = 10 * time.Second

func (s *Server) watchAlerts(ctx context.Context) {
	tick := time.NewTicker(alertEvery)
	defer tick.Stop()
	for {
		if err := s.accounts.MailAlerts(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("alerts were not looked for", "err", err) // the database's absence is reported by those who need it
		}
		if err := s.accounts.MailTokenEnds(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("API tokens that end were not looked for", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
