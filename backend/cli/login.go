package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/storage/durable"
)

// saved is what the command line remembers of a sign-in, in one file with mode 0600.
type saved struct {
	URL    string        `json:"url"`
	User   string        `json:"user"`
	Tokens client.Tokens `json:"tokens"`
}

func configDir() (string, error) {
	base, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no home folder is known (%w); set HOME, or NOVACRON_URL and NOVACRON_TOKEN", err)
	}
	return filepath.Join(base, "novacron"), nil
}

func loadSaved() (saved, error) {
	var s saved
	dir, err := configDir()
	if err != nil {
		return s, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "login.json"))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("saved sign-in: %w; run `novacron login` again", err)
	}
	return s, nil
}

// lockPoll is how often somebody looks who waits for another command to renew the sign-in: that is a request to the server.
const lockPoll = 20 * time.Millisecond

// lockSaved keeps other processes from exchanging the tokens of the file. The kernel lets go when the process ends, however it ends.
func lockSaved(ctx context.Context) (release func(), err error) {
	dir, err := configDir()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "login.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		select {
		case <-time.After(lockPoll):
			continue
		case <-ctx.Done():
			err = ctx.Err()
		}
		break
	}
	f.Close()
	return nil, fmt.Errorf("lock the saved sign-in: %w", err)
}

// store replaces the file: a crash leaves the old sign-in or the new one.
func (s saved) store() error {
	dir, err := configDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, "login.json"), append(raw, '\n'), 0o600)
}

// client gives a connection, which waits where the server takes no more requests: who stops thirty VMs wants all of them stopped.
func (s *session) client() (*client.Client, error) {
	c, err := s.connection()
	if err != nil {
		return nil, err
	}
	c.ActsIn = cmp.Or(s.tenant, os.Getenv("NOVACRON_TENANT"))
	c.Limited = func(d time.Duration) {
		fmt.Fprintf(s.err, "The server takes no more requests of this account for %s; waiting.\n", d)
	}
	if s.asks() {
		c.Password = func() (string, error) { return s.password("Your password, once more: ", false) }
	}
	return c, nil
}

// connection is from the environment where both variables are set, else from the last sign-in.
func (s *session) connection() (*client.Client, error) {
	address, token := os.Getenv("NOVACRON_URL"), os.Getenv("NOVACRON_TOKEN")
	if token != "" {
		if address == "" {
			address = "http://localhost:8090"
		}
		return client.New(address, client.Tokens{Access: token})
	}
	last, err := loadSaved()
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.Unauthenticated, "not_signed_in", "you are not signed in; run `novacron login URL --username NAME`, or set NOVACRON_URL and NOVACRON_TOKEN")
	}
	if err != nil {
		return nil, err
	}
	if address != "" && strings.TrimRight(address, "/") != strings.TrimRight(last.URL, "/") {
		// A token is for the server that gave it, and no other shall see it.
		return nil, fault.New(fault.Unauthenticated, "not_signed_in", "you are signed in to %s and NOVACRON_URL says %s; run `novacron login %[2]s --username NAME`, or set NOVACRON_TOKEN too", last.URL, address)
	}
	c, err := client.New(last.URL, last.Tokens)
	if err != nil {
		return nil, err
	}
	c.Hold = func(ctx context.Context) (client.Tokens, func(), error) {
		release, err := lockSaved(ctx)
		if err != nil {
			return last.Tokens, nil, err
		}
		// Of another sign-in, or of none, nothing is taken over.
		if now, err := loadSaved(); err == nil && now.URL == last.URL && now.User == last.User {
			last.Tokens = now.Tokens
		}
		return last.Tokens, release, nil
	}
	c.Saved = func(t client.Tokens) {
		last.Tokens = t
		if err := last.store(); err != nil {
			fmt.Fprintln(s.err, "novacron: the renewed sign-in could not be saved:", err)
		}
	}
	return c, nil
}

func loginCommand(s *session) *cobra.Command {
	var username, code string
	var fromStdin bool
	c := &cobra.Command{
		Use:     "login [URL]",
		Short:   "Sign in to a server",
		Long:    "Sign in and remember the server and the token in one file that only you may read.\nURL is http://localhost:8090 if it is left out.",
		Example: "  novacron login http://localhost:8090 --username ana\n  novacron login https://cloud.example.org --username ana --password-stdin < password-file",
		GroupID: "use",
		Args:    atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			address := "http://localhost:8090"
			if len(args) == 1 {
				address = args[0]
			}
			if username == "" {
				return usageError{errors.New("say who signs in with --username NAME")}
			}
			password, err := s.password("Password: ", fromStdin)
			if err != nil {
				return err
			}
			cl, err := client.New(address, client.Tokens{})
			if err != nil {
				return err
			}
			u, err := cl.Login(c.Context(), username, password)
			if two, ok := errors.AsType[*client.TwoFactor](err); ok {
				if code == "" {
					if code, err = s.password("Code of the authenticator app, or a backup code: ", false); err != nil {
						return err
					}
				}
				u, err = cl.VerifyLogin(c.Context(), two.Challenge, code)
			}
			if err != nil {
				return err
			}
			if err := (saved{URL: address, User: u.Username, Tokens: cl.Tokens()}).store(); err != nil {
				return fmt.Errorf("save the sign-in: %w", err)
			}
			return s.say(u, "Signed in to %s as %s (%s).", address, u.Username, u.Role)
		},
	}
	c.Flags().StringVar(&username, "username", "", "user name or e-mail address")
	c.Flags().StringVar(&code, "code", "", "code of the authenticator app or backup code, for accounts that ask for one")
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return c
}

func logoutCommand(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "logout", Short: "Sign out and forget the token", GroupID: "use", Args: exactArgs(),
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		if err := cl.Logout(c.Context()); err != nil && !fault.Is(err, fault.Unauthenticated) {
			return err
		}
		dir, err := configDir()
		if err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, "login.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return s.say(struct{}{}, "Signed out.")
	})
}

func whoamiCommand(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "whoami", Short: "Show who is signed in", GroupID: "use", Args: exactArgs(),
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		u, err := cl.Me(c.Context())
		if err != nil {
			return err
		}
		tenant := string(u.Tenant)
		if s.format == asTable {
			if t, err := cl.Tenant(c.Context(), tenant); err == nil { // else its id has to do
				tenant = t.Name + " (" + tenant + ")"
			}
		}
		return s.show(u, "name", u.Username, "email", u.Email, "role", string(u.Role), "tenant", tenant, "server", cl.Address())
	})
}

// say prints a sentence, or v where the answer is asked for as JSON or YAML.
func (s *session) say(v any, sentence string, args ...any) error {
	if s.format != asTable {
		return s.format.print(s.out, v, nil, nil)
	}
	_, err := fmt.Fprintf(s.out, sentence+"\n", args...)
	return err
}

// show prints one object as lines, or as JSON or YAML.
func (s *session) show(v any, pairs ...string) error {
	if s.format != asTable {
		return s.format.print(s.out, v, nil, nil)
	}
	return fields(s.out, pairs...)
}

// list prints many objects: the bare list items as JSON or YAML, so that jq and friends need no unwrapping.
func list[T any](s *session, items []T, head []string, row func(T) []string) error {
	if items == nil {
		items = []T{}
	}
	return s.format.print(s.out, items, head, func() [][]string {
		rows := make([][]string, len(items))
		for i, it := range items {
			rows[i] = row(it)
		}
		return rows
	})
}

// sentence is what a person reads of an error: the server's own words where they came from a server.
func sentence(err error) string {
	lines := strings.Split(message(err), "\n")
	for i, l := range lines {
		lines[i] = printable(l) // it may quote a server, which may quote anybody
	}
	return strings.Join(lines, "\n")
}

func message(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Problem.Detail // which names what is wrong; the field's name is for programs
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message // the cause is for an operator's log
	}
	return err.Error()
}
