package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/wire"
	"novacron/backend/server"
)

func rotateSecretsCommand(s *session) *cobra.Command {
	var settings settingFlags
	var file string
	var finish bool
	c := &cobra.Command{
		Use: "rotate", Short: "Encrypt what the database keeps secret with a new key", Args: exactArgs(),
		Long: "Make a new key, encrypt signing keys, second factors, mails and the authority of the nodes with it, and write it where the old one stands. The\n" +
			"server runs on, and both keys are good until the end. What was broken off is repeated: it goes on where it was.\n\n" +
			"Where the key is derived from AUTH_SECRET, --file names the file that sets it. Where several servers share a PostgreSQL, put the new\n" +
			"file on each of them afterwards (no restart is needed) and type `novacron secrets rotate --finish` on one.\n\n" +
			"The file as it was stays beside it as NAME.old: backups of the database that were made until now need it.",
		Example: "  novacron secrets rotate\n  novacron secrets rotate --file /etc/novacron/env.production\n  novacron secrets rotate --finish",
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := settings.load()
			if err != nil {
				return err
			}
			admin := client.NewAdmin(server.PathsFor(st.DataDir).AdminSocket())
			return rotateSecrets(c.Context(), s, admin, file, finish)
		},
	}
	settings.registerPlace(c)
	c.Flags().StringVar(&file, "file", "", "file that holds the key or sets AUTH_SECRET (default: the server's key file, or "+server.SecretsFile+")")
	c.Flags().BoolVar(&finish, "finish", false, "every server's file holds the new key: let nothing open with the old one any more")
	return c
}

func rotateSecrets(ctx context.Context, s *session, admin *client.Admin, file string, finish bool) error {
	now, err := admin.SecretKey(ctx)
	if err != nil {
		return err
	}
	if file == "" {
		file = now.File
	}
	if file == "" {
		file = server.SecretsFile
	}
	if finish && !now.Underway {
		return errors.New("no change of the key is under way; `novacron secrets rotate` begins one")
	}
	// Nothing has begun yet: a wrong name is told before that.
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("the key is not in %s (%w); name the file that holds it with --file", file, err)
	}
	if !finish {
		if now, err = admin.RotateSecretKey(ctx); err != nil {
			return err
		}
		fmt.Fprintf(s.err, "%s encrypted with the new key.\n", many(now.Sealed, "secret is", "secrets are"))
		sayDark(s, now)
	}
	if err := server.ReplaceSecret(file, now.Old, now.Key); err != nil {
		return fmt.Errorf("%w; both keys are good until this command has been repeated", err)
	}
	if now.Shared && !finish {
		fmt.Fprintf(s.err, "The new key is in %s. Put it on the other servers too, then type `novacron secrets rotate --finish`.\n", file)
		return nil
	}
	if now.Shared {
		fmt.Fprintln(s.err, "The files of the other servers cannot be seen from here: one without the new key does not start again. `novacron server list` names the servers.")
	}
	if now, err = admin.FinishSecretKey(ctx); err != nil {
		return err
	}
	sayDark(s, now)
	fmt.Fprintf(s.err, "The new key is in %s, and the old one opens nothing any more. Back the new one up; %s.old is for older backups of the database.\n", file, file)
	return nil
}

func sayDark(s *session, c wire.SecretKeyChange) {
	if c.Dark > 0 {
		fmt.Fprintf(s.err, "%s opened by neither key, and left alone.\n", many(c.Dark, "secret is", "secrets are"))
	}
}

func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
