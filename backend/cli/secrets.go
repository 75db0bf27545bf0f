package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/server"
)

func secretsCommand(s *session) *cobra.Command {
	var file string
	var force bool
	c := &cobra.Command{Use: "secrets", Short: "Make the secrets of an installation", GroupID: "run", Args: cobra.NoArgs}
	create := &cobra.Command{
		Use: "init", Short: "Write a file with new secrets, readable by you alone", Args: exactArgs(),
		Long: "Make AUTH_SECRET, POSTGRES_PASSWORD, REDIS_PASSWORD, GRAFANA_PASSWORD and the signing key, and write them into a file of mode 0600. systemd reads\n" +
			"it as EnvironmentFile, compose as --env-file. Keep a copy in a safe place: without AUTH_SECRET the keys and second factors in the database\n" +
			"cannot be read.",
		Example: "  novacron secrets init\n  novacron secrets init --file /etc/novacron/env.production",
		RunE: func(*cobra.Command, []string) error {
			if err := server.WriteSecrets(file, force); err != nil {
				return err
			}
			fmt.Fprintf(s.err, "The secrets are in %s.\n", file)
			return nil
		},
	}
	create.Flags().StringVar(&file, "file", server.SecretsFile, "where to write them")
	create.Flags().BoolVar(&force, "force", false, "make new secrets although the file is there; the old one stays beside it as NAME.old")
	c.AddCommand(create, rotateSecretsCommand(s))
	return c
}

func tlsCommand(s *session) *cobra.Command {
	var dir string
	var hosts []string
	var days int
	var force bool
	c := &cobra.Command{Use: "tls", Short: "Make certificates", GroupID: "run", Args: cobra.NoArgs}
	create := &cobra.Command{
		Use: "self-signed", Short: "Make a key and a certificate that no authority has signed", Args: exactArgs(),
		Long: "Write tls.key and tls.crt into a folder. Browsers warn of such a certificate until it is among their trusted ones; this command trusts it where\n" +
			"SSL_CERT_FILE names a copy of tls.crt. A running server takes a new certificate within seconds.",
		Example: "  novacron tls self-signed --host cloud.example.org --dir /etc/novacron\n" +
			"  SSL_CERT_FILE=/etc/novacron/tls.crt novacron login https://cloud.example.org:8090 --username ana",
		RunE: func(*cobra.Command, []string) error {
			if len(hosts) == 0 {
				name, err := os.Hostname()
				if err != nil {
					return errors.New("this machine does not tell its name; say --host")
				}
				hosts = []string{name, "localhost", "127.0.0.1", "::1"}
			}
			cert, key, err := server.WriteSelfSigned(dir, hosts, days, force, time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "NOVACRON_TLS_CERT=%s\nNOVACRON_TLS_KEY=%s\n", cert, key)
			return nil
		},
	}
	create.Flags().StringVar(&dir, "dir", ".", "folder to write into")
	create.Flags().StringSliceVar(&hosts, "host", nil, "name or address that people use; may be repeated (default: this machine's name and its loopback)")
	create.Flags().IntVar(&days, "days", 365, fmt.Sprintf("how long it is good, at most %d", server.MaxCertDays))
	create.Flags().BoolVar(&force, "force", false, "replace files that are there")
	c.AddCommand(create)
	return c
}

// rotateKeysCommand stands below admin: it needs the running server.
func rotateKeysCommand(s *session) *cobra.Command {
	var settings settingFlags
	var forget bool
	c := &cobra.Command{
		Use: "rotate-keys", Short: "Make a new key that signs access tokens", Args: exactArgs(),
		Long: "Make a new key. Every server follows within seconds, tokens of the old keys are good until they end, and nobody has to sign in again. It also happens by\n" +
			"itself every 90 days. When a key may have been read by somebody, --forget-old removes the old ones: every access token ends, and clients\n" +
			"refresh theirs.",
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := settings.load()
			if err != nil {
				return err
			}
			if err := client.NewAdmin(server.PathsFor(st.DataDir).AdminSocket()).RotateKeys(c.Context(), forget); err != nil {
				return err
			}
			return s.say(map[string]bool{"rotated": true}, "There is a new key.")
		},
	}
	settings.registerPlace(c)
	c.Flags().BoolVar(&forget, "forget-old", false, "remove the old keys, and with them all access tokens")
	return c
}
