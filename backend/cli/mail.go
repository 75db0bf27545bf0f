package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/wire"
	"novacron/backend/server"
)

// local makes a command that speaks to the server of this machine through its local socket.
func local(c *cobra.Command, run func(c *cobra.Command, args []string, a *client.Admin) error) *cobra.Command {
	var settings settingFlags
	c.RunE = func(c *cobra.Command, args []string) error {
		st, err := settings.load()
		if err != nil {
			return err
		}
		return run(c, args, client.NewAdmin(server.PathsFor(st.DataDir).AdminSocket()))
	}
	settings.registerPlace(c)
	return c
}

func mailCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "mail", Short: "Look at the mail of the server on this machine", GroupID: "run", Args: cobra.NoArgs}
	c.AddCommand(
		local(&cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the newest mails, with their links while no SMTP server is set", Args: exactArgs()},
			func(c *cobra.Command, _ []string, a *client.Admin) error {
				l, err := a.Mails(c.Context())
				if err != nil {
					return err
				}
				if !l.SMTP {
					fmt.Fprintln(s.err, "No SMTP server is set (NOVACRON_SMTP_URL), so mail does not leave this machine. Pass the links on yourself.")
				}
				return list(s, l.Items, []string{"CREATED", "KIND", "TO", "STATE", "TRIES", "LINK OR REASON", "ID"}, func(m wire.Mail) []string {
					say := m.Link
					if say == "" {
						say = m.Reason
					}
					return []string{m.CreatedAt.Local().Format(time.DateTime), m.Kind, m.To, m.State, fmt.Sprint(m.Attempts), dash(say), m.ID}
				})
			}),
		local(&cobra.Command{Use: "test ADDRESS", Short: "Send a mail that says nothing but that it arrived", Args: exactArgs("address")},
			func(c *cobra.Command, args []string, a *client.Admin) error {
				m, err := a.TestMail(c.Context(), args[0])
				if err != nil {
					return err
				}
				return s.followMail(c, a, m)
			}),
		local(&cobra.Command{Use: "retry ID", Short: "Put a mail back into the queue, also a dead one", Args: exactArgs("mail")},
			func(c *cobra.Command, args []string, a *client.Admin) error {
				if err := a.RetryMail(c.Context(), args[0]); err != nil {
					return err
				}
				return s.say(map[string]string{"id": args[0]}, "The mail is queued again.")
			}),
	)
	return c
}

// mailPatience is how long `mail test` waits for the server's first try.
const mailPatience = 30 * time.Second

// followMail waits until a test mail was tried.
func (s *session) followMail(c *cobra.Command, a *client.Admin, m wire.Mail) error {
	for deadline := time.Now().Add(mailPatience); ; {
		l, err := a.Mails(c.Context())
		if err != nil {
			return err
		}
		for _, now := range l.Items {
			switch {
			case now.ID != m.ID:
			case now.State == "sent":
				return s.say(now, "The mail server took the mail to %s.", now.To)
			case now.Reason != "":
				return fmt.Errorf("the mail to %s did not leave: %s", now.To, now.Reason)
			}
		}
		if time.Now().After(deadline) {
			return errors.New("the mail server did not answer in time; `novacron mail list` shows what becomes of the mail")
		}
		select {
		case <-c.Context().Done():
			return c.Context().Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func auditCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Check the audit log of the server on this machine", GroupID: "run", Args: cobra.NoArgs}
	c.AddCommand(local(&cobra.Command{Use: "verify", Short: "Check that no entry was changed, added or removed; the exit code is 1 if one was", Args: exactArgs()},
		func(c *cobra.Command, _ []string, a *client.Admin) error {
			v, err := a.VerifyAudit(c.Context())
			if err != nil {
				return err
			}
			if err := s.say(v, "%s.", v.Sentence); err != nil || v.Intact {
				return err
			}
			return errSilent
		}))
	return c
}
