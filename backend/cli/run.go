package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/backend/server"
)

// logger writes what operators read: one line per event on standard error.
func (s *session) logger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level %q: use debug, info, warn or error", level)}
	}
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: l})), nil
}

func upCommand(s *session) *cobra.Command {
	var settings settingFlags
	var demo, sim bool
	var level string
	c := &cobra.Command{
		Use:   "up",
		Short: "Start everything on this machine in one process",
		Long: "Start server and node in one process, with settings from flags, the environment and the settings file. It runs until Ctrl-C; guests go on\n" +
			"and are taken over by the next start. `novacron down` ends them too.",
		Example: "  novacron up --demo\n  NOVACRON_DATA_DIR=~/cloud novacron up --api-addr 127.0.0.1:9090",
		GroupID: "run", Args: exactArgs(),
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := settings.load()
			if err != nil {
				return err
			}
			log, err := s.logger(level)
			if err != nil {
				return err
			}
			o := server.Options{Settings: st, Version: Version, Log: log, Local: true, Sim: sim}
			if demo {
				// Without a home folder there is no key to give; the serial console works all the same.
				o.DemoKeys, _ = publicKeys(nil)
			}
			return s.runServer(c.Context(), o, demo)
		},
	}
	settings.register(c)
	c.Flags().BoolVar(&demo, "demo", false, "boot a first VM from the tiny image when there is none")
	c.Flags().BoolVar(&sim, "sim", false, "one simulated node with room for 100,000 VMs; no guest really runs")
	c.Flags().StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	return c
}

func serverCommand(s *session) *cobra.Command {
	var settings settingFlags
	var level string
	c := &cobra.Command{
		Use: "server", Short: "Start the control plane alone; nodes join it", GroupID: "run", Args: exactArgs(),
		Long: "Start the control plane without a node of its own. Machines join with the command that `novacron node token` prints.",
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := settings.load()
			if err != nil {
				return err
			}
			log, err := s.logger(level)
			if err != nil {
				return err
			}
			return s.runServer(c.Context(), server.Options{Settings: st, Version: Version, Log: log}, false)
		},
	}
	settings.register(c)
	c.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	c.AddCommand(serverList(s))
	return c
}

func (s *session) runServer(ctx context.Context, o server.Options, demo bool) error {
	srv, err := server.New(ctx, o)
	if err != nil {
		return err
	}
	defer srv.Close()
	if err := srv.Start(ctx); err != nil {
		return err
	}
	if err := s.announce(ctx, srv, o, demo); err != nil && ctx.Err() == nil {
		return err
	}
	err = srv.Wait(ctx)
	if ctx.Err() != nil && o.Local && !o.Sim {
		fmt.Fprintln(s.err, "\nNovaCron stops; guests run on. `novacron up` takes them over again, `novacron down` ends them.")
	}
	return err
}

// scheme begins an address of this server: http or ws, with an s where it has a certificate.
func scheme(plain string, o server.Options) string {
	if o.TLSCert != "" {
		plain += "s"
	}
	return plain + "://"
}

// loginURL is what to sign in at from this machine. A certificate is for the public name, not for the address that is listened on.
func loginURL(o server.Options, api string) string {
	if o.TLSCert != "" {
		return o.PublicURL
	}
	return scheme("http", o) + api
}

// announce prints what runs where, how to sign in, and what to type next.
func (s *session) announce(ctx context.Context, srv *server.Server, o server.Options, demo bool) error {
	a := srv.Addresses()
	fmt.Fprintf(s.out, "NovaCron %s\n\n", o.Version)
	fields(s.out, "  API", scheme("http", o)+a["api"], "  WebSocket", scheme("ws", o)+a["ws"], "  web console", o.PublicURL, "  nodes join at", a["node"],
		"  data folder", o.DataDir, "  database", srv.Engine(), "  node", srv.NodeSummary(ctx))
	link, err := srv.SetupLink(ctx)
	switch {
	case err == nil:
		if server.HasConsole() {
			fmt.Fprintf(s.out, "\nTo sign in for the first time, open this link (good once, for a day):\n  %s\nor make an account on this machine:\n", link.URL)
		} else {
			fmt.Fprintln(s.out, "\nThis build has no web console. To sign in for the first time, make an account on this machine:")
		}
		fmt.Fprintf(s.out, "  %[1]s admin create-user NAME --email E --role administrator --password-stdin\n  %[1]s login %[2]s --username NAME\n", command(), loginURL(o, a["api"]))
	case fault.Is(err, fault.Conflict):
		fmt.Fprintf(s.out, "\nSign in at %s or with\n  %s login %s --username NAME\n", o.PublicURL, command(), loginURL(o, a["api"]))
	default:
		return err
	}
	first := ""
	if demo {
		fmt.Fprintln(s.out)
		v, err := srv.Demo(ctx, s.demoProgress())
		switch {
		case err == nil:
			first = v.Name
			fmt.Fprintf(s.out, "The first VM, %s, is %s at %s.\n", v.Name, v.Status, strings.Join(v.Addresses, ", "))
		case ctx.Err() != nil:
			return err
		default:
			// The platform itself runs: an operator can see what is in the way and make a VM later.
			fmt.Fprintf(s.err, "There is no first VM: %s.\n", strings.TrimSuffix(sentence(err), "."))
		}
	}
	fmt.Fprint(s.out, "\nType next, once you have signed in:\n")
	for _, words := range nextCommands(o.Local, first) {
		fmt.Fprintf(s.out, "  %s %s\n", command(), words)
	}
	fmt.Fprint(s.out, "\nCtrl-C stops the platform; guests go on.\n")
	return nil
}

// nextCommands are those that work by now, with a node in this process (local) or none yet; first is the VM that is there, if one is.
func nextCommands(local bool, first string) []string {
	switch {
	case !local:
		return []string{"node token", "node list", "image import --help"}
	case first == "":
		return []string{"vm create web-1 --image tiny --memory 256", "vm list", "vm console web-1"}
	}
	return []string{"vm list", "vm console " + first, "vm create web-2 --image tiny --memory 256"}
}

// command is how this program was called, so that what is printed can be typed.
func command() string {
	if strings.ContainsRune(os.Args[0], '/') {
		return os.Args[0]
	}
	return "novacron"
}

func (s *session) demoProgress() func(wire.Operation) {
	p := newProgress(s.err)
	return func(o wire.Operation) {
		if o.Ended() {
			p.end(o)
			return
		}
		p.show(o)
	}
}

func agentCommand(s *session) *cobra.Command {
	var settings settingFlags
	var servers []string
	var token, level string
	c := &cobra.Command{
		Use:   "agent",
		Short: "Make this machine a node of a server elsewhere",
		Long: "Run guests on this machine for a server elsewhere. The first time, --join takes the one-use token that `novacron node token` printed; afterwards the\n" +
			"machine is known by its certificate. The agent dials the server, so it works behind NAT. When it stops, guests run on.\n" +
			"With several servers on one database name each with a --server of its own: the agent keeps to the first that answers, and goes to the next when\nthat is lost.",
		Example: "  novacron agent --server cloud.example.org:8093 --join TOKEN\n  novacron agent --server a.example.org:8093 --server b.example.org:8093",
		GroupID: "run", Args: exactArgs(),
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := settings.load()
			if err != nil {
				return err
			}
			log, err := s.logger(level)
			if err != nil {
				return err
			}
			return server.RunAgent(c.Context(), server.AgentOptions{Settings: st, Servers: servers, Join: token, Version: Version, Log: log})
		},
	}
	settings.register(c)
	c.Flags().StringSliceVar(&servers, "server", nil, "host:port of a server's node port; repeated: the next one is tried when one is lost")
	c.Flags().StringVar(&token, "join", "", "one-use token of the first start")
	c.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return c
}

func downCommand(s *session) *cobra.Command {
	var settings settingFlags
	c := &cobra.Command{
		Use: "down", Short: "Stop the platform on this machine and end its guests", GroupID: "run", Args: exactArgs(),
		Long: "Stop the platform and end every guest that it runs on this machine, also when the platform itself is not running any more. Disks stay: the next\n`novacron up` knows every VM, and those that ran are started by you.",
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := settings.load()
			if err != nil {
				return err
			}
			log, err := s.logger("warn")
			if err != nil {
				return err
			}
			ended, err := s.down(c.Context(), st, log)
			if err != nil {
				return err
			}
			return s.say(map[string]int{"guests_ended": ended}, "NovaCron is down; guests ended: %d.", ended)
		},
	}
	settings.registerPlace(c)
	return c
}

func (s *session) down(ctx context.Context, st server.Settings, log *slog.Logger) (int, error) {
	running, err := server.RunningGuests(ctx, st, log)
	if err != nil {
		return 0, err
	}
	admin := client.NewAdmin(server.PathsFor(st.DataDir).AdminSocket())
	err = admin.Down(ctx, true)
	if err != nil && !fault.Is(err, fault.Unavailable) {
		return 0, err
	}
	if err := server.WaitGone(ctx, st, 2*time.Minute); err != nil {
		return 0, err
	}
	// What is left when no server runs, or when it died on the way down.
	if err := server.EndGuests(ctx, st, log); err != nil {
		return 0, err
	}
	return running, nil
}

func adminCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "admin", Short: "Act on the server of this machine through its local socket", GroupID: "run", Args: cobra.NoArgs}
	var settings settingFlags
	create := createUserCommand(s, "create-user NAME", "Make an account without a mail round trip", auth.Administrator, func(c *cobra.Command, r wire.CreateUser) (wire.User, error) {
		st, err := settings.load()
		if err != nil {
			return wire.User{}, err
		}
		return client.NewAdmin(server.PathsFor(st.DataDir).AdminSocket()).CreateUser(c.Context(), r)
	})
	settings.registerPlace(create)
	var statusSettings settingFlags
	status := &cobra.Command{
		Use: "status", Short: "Show what runs on this machine", Args: exactArgs(),
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := statusSettings.load()
			if err != nil {
				return err
			}
			v, err := client.NewAdmin(server.PathsFor(st.DataDir).AdminSocket()).Status(c.Context())
			if err != nil {
				return err
			}
			return s.show(v, "version", v.Version, "process", fmt.Sprint(v.PID), "since", v.StartedAt.Local().Format(time.DateTime), "data folder", v.DataDir,
				"API", v.Addresses["api"], "WebSocket", v.Addresses["ws"], "console", v.Addresses["console"], "nodes", v.Addresses["node"], "not ready", strings.Join(v.Reasons, "; "))
		},
	}
	statusSettings.registerPlace(status)
	c.AddCommand(create, status, setupLinkCommand(s), rotateKeysCommand(s), endSessionsCommand(s))
	return c
}

func setupLinkCommand(s *session) *cobra.Command {
	return local(&cobra.Command{
		Use: "setup-link", Short: "Print a one-time link for the first sign-in", Args: exactArgs(),
		Long: "Print a one-time link that makes the first administrator. It is good for a day, and for as long as there is no administrator.",
	}, func(c *cobra.Command, _ []string, a *client.Admin) error {
		link, err := a.SetupLink(c.Context())
		if err != nil {
			return err
		}
		return s.say(link, "%s", link.URL)
	})
}

func endSessionsCommand(s *session) *cobra.Command {
	return local(&cobra.Command{
		Use: "end-sessions", Short: "Sign everybody out, on all servers", Args: exactArgs(),
		Long: "End every session of everybody, on all servers from their next request on: access and refresh tokens, event streams and consoles. API tokens stay.",
	}, func(c *cobra.Command, _ []string, a *client.Admin) error {
		if err := a.EndSessions(c.Context()); err != nil {
			return err
		}
		return s.say(map[string]bool{"ended": true}, "Everybody is signed out.")
	})
}

func doctorCommand(s *session) *cobra.Command {
	var settings settingFlags
	c := &cobra.Command{
		Use: "doctor", Short: "Check this machine and the configured engines", GroupID: "run", Args: exactArgs(),
		Long: "Check ports, PostgreSQL, Redis, Qdrant, SMTP, Go and Node versions, QEMU, whether KVM really runs a vCPU, what guests' networks need, the tiny\nimage and the clock. Each failing line says what to do.\nThe exit code is 1 when something failed.",
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := settings.load()
			if err != nil {
				return err
			}
			return s.doctor(c.Context(), st)
		},
	}
	settings.register(c)
	return c
}

func (s *session) doctor(ctx context.Context, st server.Settings) error {
	checks := server.RunDoctor(ctx, st)
	bad := 0
	for _, c := range checks {
		if c.Verdict == server.Bad {
			bad++
		}
	}
	if s.format != asTable {
		if err := s.format.print(s.out, checks, nil, nil); err != nil {
			return err
		}
	} else {
		printChecks(s.out, checks)
	}
	if bad > 0 {
		return errSilent
	}
	return nil
}

func printChecks(w io.Writer, checks []server.Check) {
	for _, c := range checks {
		fmt.Fprintf(w, "%-14s  %-14s  %s\n", c.Verdict, c.Name, printable(c.Found))
		if c.Remedy != "" {
			fmt.Fprintf(w, "%-14s  %-14s  -> %s\n", "", "", c.Remedy)
		}
	}
}

func openapiCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the description of the API (OpenAPI 3.1)", GroupID: "run", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			raw, err := server.OpenAPI()
			if err != nil {
				return err
			}
			_, err = s.out.Write(raw)
			return err
		},
	}
}
