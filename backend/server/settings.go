// Package server assembles the platform: it opens the store, starts the operation runner, the reconcilers, the node in
// the same process where one is wanted, and the listeners. It decides nothing about VMs. main, the command line and the tests
// start the same type.
package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// Settings is everything that an operator can set. Each has a flag, an environment variable and a line in one TOML file, in that
// order of precedence; the table in settingRows is the only list of them.
type Settings struct {
	APIAddr        string // REST API
	WSAddr         string // WebSocket: events and consoles
	ConsoleAddr    string // web console; it also serves /api and /ws
	NodeAddr       string // node connections, mutual TLS
	PeerAddr       string // host:port at which other servers on the database reach NodeAddr; empty: found out
	Listen         string // host for the API, WebSocket and console in place of loopback
	DatabaseURL    string // postgres://…; empty: SQLite in the data folder
	RedisURL       string // redis://… or rediss://…; empty: sessions are kept in the database
	QdrantURL      string // http://…; checked by doctor
	SMTPURL        string // smtp://…; checked by doctor
	SMTPFrom       string // sender of mail, for example NovaCron <cloud@example.org>
	Registration   string // open, invited or closed; empty: open, in production invited
	RequireFactor  string // on: every account needs a second factor
	OIDCIssuer     string // https://…; empty: nobody signs in at an OpenID provider
	OIDCClientID   string
	OIDCSecret     string // of the client; empty: a public client
	OIDCRoles      string // groups and their roles, see app.ParseGroups
	OIDCFactor     string // values of acr and amr that are a second factor, separated by commas; empty: none is
	DataDir        string // absolute after Load
	PublicURL      string
	TLSCert        string
	TLSKey         string
	TrustedProxies string // CIDRs, separated by commas
	AllowedOrigins string // origins, separated by commas
	HSTSSubdomains string // on: Strict-Transport-Security is about the hosts below this one too
	SecretKeyFile  string // key that encrypts secrets at rest; empty: made in the data folder
	LimitLogin     string // for example 5/1m, or off
	LimitRegister  string
	LimitAPI       string
	LimitWS        string
	LimitJoin      string
	LimitConns     string // connections of one address to each of the API, WebSocket and console ports, or off
	ImportAllow    string // CIDRs that a URL import may reach although they are private, separated by commas
	Subnet         string // CIDR of the default network; empty: a free one is chosen at the first start
	NodeName       string // name of the node in this process; empty: the host name

	Env              string // production: missing, known and weak secrets are refused
	AuthSecret       string // what the key that encrypts secrets at rest is derived from; SecretKeyFile goes before it
	HS256Secret      string // shared with a service that signs access tokens with HS256; empty: no such token is taken
	SigningKey       string // RSA key that signs access tokens: PKCS #8 in base64; empty: made and kept in the database
	PostgresPassword string // for a DatabaseURL without one
	RedisPassword    string // for a RedisURL without one
	GrafanaPassword  string // only checked: Grafana reads it, not NovaCron
	ScrapeToken      string // with which /metrics is read from another machine; empty: by nobody
}

// Row is one setting: where it is read from and what it means. Secrets have no Flag: every user of a machine sees the command lines.
type Row struct {
	Flag, Env, Key, Default, Help string
	field                         func(*Settings) *string
}

// Rows lists every setting, for flags, help and documentation.
func Rows() []Row { return settingRows }

var settingRows = []Row{
	{"api-addr", "NOVACRON_API_ADDR", "api_addr", "127.0.0.1:8090", "address of the REST API", func(s *Settings) *string { return &s.APIAddr }},
	{"ws-addr", "NOVACRON_WS_ADDR", "ws_addr", "127.0.0.1:8091", "address of the WebSocket (events, consoles)", func(s *Settings) *string { return &s.WSAddr }},
	{"console-addr", "NOVACRON_CONSOLE_ADDR", "console_addr", "127.0.0.1:8092", "address of the web console, with /api and /ws", func(s *Settings) *string { return &s.ConsoleAddr }},
	{"node-addr", "NOVACRON_NODE_ADDR", "node_addr", ":8093", "address that nodes dial (mutual TLS)", func(s *Settings) *string { return &s.NodeAddr }},
	{"peer-addr", "NOVACRON_PEER_ADDR", "peer_addr", "", "host:port at which the other servers on the database reach this one's node port (empty: this machine's address towards the database)", func(s *Settings) *string { return &s.PeerAddr }},
	{"listen", "NOVACRON_LISTEN", "listen", "", "host to bind the API, WebSocket and console to, in place of loopback", func(s *Settings) *string { return &s.Listen }},
	{"database-url", "NOVACRON_DATABASE_URL", "database_url", "", "postgres://… (empty: SQLite in the data folder)", func(s *Settings) *string { return &s.DatabaseURL }},
	{"redis-url", "NOVACRON_REDIS_URL", "redis_url", "", "redis://… (empty: kept in the database)", func(s *Settings) *string { return &s.RedisURL }},
	{"qdrant-url", "NOVACRON_QDRANT_URL", "qdrant_url", "", "http://… (empty: searched in process)", func(s *Settings) *string { return &s.QdrantURL }},
	{"smtp-url", "NOVACRON_SMTP_URL", "smtp_url", "", "smtp://… or smtps://…", func(s *Settings) *string { return &s.SMTPURL }},
	{"smtp-from", "NOVACRON_SMTP_FROM", "smtp_from", "", "sender of mail, for example NovaCron <cloud@example.org>", func(s *Settings) *string { return &s.SMTPFrom }},
	{"registration", "NOVACRON_REGISTRATION", "registration", "", "who may register: open, invited or closed (empty: open, in production invited)", func(s *Settings) *string { return &s.Registration }},
	{"require-second-factor", "NOVACRON_REQUIRE_SECOND_FACTOR", "require_second_factor", "off", "on: accounts do nothing until they turn a second factor on; tenants can require it by themselves", func(s *Settings) *string { return &s.RequireFactor }},
	{"oidc-issuer", "NOVACRON_OIDC_ISSUER", "oidc_issuer", "", "OpenID provider that people may sign in at, https://…", func(s *Settings) *string { return &s.OIDCIssuer }},
	{"oidc-client-id", "NOVACRON_OIDC_CLIENT_ID", "oidc_client_id", "", "this installation's name at the OpenID provider", func(s *Settings) *string { return &s.OIDCClientID }},
	{"", "NOVACRON_OIDC_CLIENT_SECRET", "oidc_client_secret", "", "its secret there (empty: a public client)", func(s *Settings) *string { return &s.OIDCSecret }},
	{"oidc-roles", "NOVACRON_OIDC_ROLES", "oidc_roles", "", "roles of the provider's groups, the first that fits: admins=administrator,cloud=developer@team-a,*=viewer", func(s *Settings) *string { return &s.OIDCRoles }},
	{"oidc-second-factor", "NOVACRON_OIDC_SECOND_FACTOR", "oidc_second_factor", "", "values of the provider's acr and amr that say that a second factor was used, so that the account's own one is not asked for: mfa,otp,hwk (empty: it always is)", func(s *Settings) *string { return &s.OIDCFactor }},
	{"data-dir", "NOVACRON_DATA_DIR", "data_dir", "", "data folder (root: /var/lib/novacron, else $XDG_DATA_HOME/novacron)", func(s *Settings) *string { return &s.DataDir }},
	{"public-url", "NOVACRON_PUBLIC_URL", "public_url", "", "URL that people use, for links and origin checks (default: localhost on the console's port)", func(s *Settings) *string { return &s.PublicURL }},
	{"tls-cert", "NOVACRON_TLS_CERT", "tls_cert", "", "certificate file (PEM) for the API, WebSocket and console", func(s *Settings) *string { return &s.TLSCert }},
	{"tls-key", "NOVACRON_TLS_KEY", "tls_key", "", "key file (PEM) of the certificate", func(s *Settings) *string { return &s.TLSKey }},
	{"hsts-subdomains", "NOVACRON_HSTS_SUBDOMAINS", "hsts_subdomains", "off", "on: tell browsers under TLS that every host below this one speaks TLS too", func(s *Settings) *string { return &s.HSTSSubdomains }},
	{"trusted-proxies", "NOVACRON_TRUSTED_PROXIES", "trusted_proxies", "", "networks of proxies that may name the client (CIDRs, comma-separated)", func(s *Settings) *string { return &s.TrustedProxies }},
	{"allowed-origins", "NOVACRON_ALLOWED_ORIGINS", "allowed_origins", "", "origins beside the public URL that browsers may call from (comma-separated)", func(s *Settings) *string { return &s.AllowedOrigins }},
	{"secret-key-file", "NOVACRON_SECRET_KEY_FILE", "secret_key_file", "", "file with the key that encrypts secrets at rest (empty: made in the data folder)", func(s *Settings) *string { return &s.SecretKeyFile }},
	{"limit-login", "NOVACRON_LIMIT_LOGIN", "limit_login", "5/1m", "sign-ins per address, or off", func(s *Settings) *string { return &s.LimitLogin }},
	{"limit-register", "NOVACRON_LIMIT_REGISTER", "limit_register", "3/1m", "registrations per address, or off", func(s *Settings) *string { return &s.LimitRegister }},
	{"limit-api", "NOVACRON_LIMIT_API", "limit_api", "100/1m", "API requests per user, or off", func(s *Settings) *string { return &s.LimitAPI }},
	{"limit-ws", "NOVACRON_LIMIT_WS", "limit_ws", "10", "WebSocket connections at once per user, or off", func(s *Settings) *string { return &s.LimitWS }},
	{"limit-join", "NOVACRON_LIMIT_JOIN", "limit_join", "60/1m", "tries to join as a node per address, or off", func(s *Settings) *string { return &s.LimitJoin }},
	{"limit-connections", "NOVACRON_LIMIT_CONNECTIONS", "limit_connections", "1024", "connections at once per address and port (API, WebSocket, console), or off; trusted proxies have no bound", func(s *Settings) *string { return &s.LimitConns }},
	{"import-allow", "NOVACRON_IMPORT_ALLOW", "import_allow", "", "private networks that an image import by URL may reach (CIDRs, comma-separated)", func(s *Settings) *string { return &s.ImportAllow }},
	{"subnet", "NOVACRON_SUBNET", "subnet", "", "IPv4 network of the default network (empty: a free /24 is chosen once)", func(s *Settings) *string { return &s.Subnet }},
	{"node-name", "NOVACRON_NODE_NAME", "node_name", "", "name of the node in this process (empty: the host name)", func(s *Settings) *string { return &s.NodeName }},
	{"env", "NOVACRON_ENV", "env", "", "production: refuse missing, known and weak secrets", func(s *Settings) *string { return &s.Env }},
	{"", "AUTH_SECRET", "auth_secret", "", "secret that the key for secrets at rest is derived from", func(s *Settings) *string { return &s.AuthSecret }},
	{"", "NOVACRON_SIGNING_KEY", "signing_key", "", "RSA key of access tokens, PKCS #8 in base64 (empty: made and kept in the database)", func(s *Settings) *string { return &s.SigningKey }},
	{"", "NOVACRON_HS256_SECRET", "hs256_secret", "", "secret of a service that signs access tokens of its own with HS256, 32 characters or more (empty: none are taken)", func(s *Settings) *string { return &s.HS256Secret }},
	{"", "NOVACRON_SCRAPE_TOKEN", "scrape_token", "", "token with which a scraper on another machine reads /metrics (empty: none does)", func(s *Settings) *string { return &s.ScrapeToken }},
	{"", "POSTGRES_PASSWORD", "postgres_password", "", "password for a database URL without one", func(s *Settings) *string { return &s.PostgresPassword }},
	{"", "REDIS_PASSWORD", "redis_password", "", "password for a Redis URL without one", func(s *Settings) *string { return &s.RedisPassword }},
	{"", "GRAFANA_PASSWORD", "grafana_password", "", "password of Grafana's administrator", func(s *Settings) *string { return &s.GrafanaPassword }},
}

// Load reads the settings: flags (only those that were given), then the environment, then the TOML file, then defaults. A value can
// also come from a file that NAME_FILE names in the environment, so that secrets stay out of process listings. An empty
// file name means $NOVACRON_CONFIG, else no file.
func Load(flags map[string]string, file string) (Settings, error) {
	var s Settings
	if file == "" {
		file = os.Getenv("NOVACRON_CONFIG")
	}
	lines, err := readTOML(file)
	if err != nil {
		return s, err
	}
	for _, r := range settingRows {
		v, err := r.value(flags, lines)
		if err != nil {
			return s, err
		}
		*r.field(&s) = v
	}
	return s, s.resolve()
}

func readTOML(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	var raw map[string]any
	if _, err := toml.DecodeFile(file, &raw); err != nil {
		return nil, fmt.Errorf("settings file %s: %w", file, err)
	}
	known := map[string]bool{}
	for _, r := range settingRows {
		known[r.Key] = true
	}
	lines := map[string]string{}
	for k, v := range raw {
		if !known[k] {
			return nil, fmt.Errorf("settings file %s: no setting is called %q; `novacron up --help` lists them", file, k)
		}
		lines[k] = fmt.Sprint(v)
	}
	return lines, nil
}

func (r Row) value(flags, lines map[string]string) (string, error) {
	if v, ok := flags[r.Flag]; ok && r.Flag != "" {
		return v, nil
	}
	if v, ok := os.LookupEnv(r.Env); ok {
		return v, nil
	}
	if f := os.Getenv(r.Env + "_FILE"); f != "" && r.Env+"_FILE" != "NOVACRON_SECRET_KEY_FILE" {
		b, err := os.ReadFile(f)
		if err != nil {
			return "", fmt.Errorf("%s_FILE: %w", r.Env, err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	if v, ok := lines[r.Key]; ok {
		return v, nil
	}
	return r.Default, nil
}

func (s *Settings) resolve() error {
	if s.DataDir == "" {
		s.DataDir = defaultDataDir()
	}
	abs, err := filepath.Abs(s.DataDir)
	if err != nil {
		return fmt.Errorf("data folder %s: %w", s.DataDir, err)
	}
	s.DataDir = abs
	if s.Listen != "" {
		for _, a := range []*string{&s.APIAddr, &s.WSAddr, &s.ConsoleAddr} {
			if _, port, err := net.SplitHostPort(*a); err == nil { // else check says so
				*a = net.JoinHostPort(s.Listen, port)
			}
		}
	}
	if s.PublicURL == "" {
		s.PublicURL = s.localURL()
	}
	s.DatabaseURL = withPassword(s.DatabaseURL, "novacron", s.PostgresPassword)
	s.RedisURL = withPassword(s.RedisURL, "", s.RedisPassword)
	return s.check()
}

// localURL is the console on this machine: what people use until they set a public URL.
func (s *Settings) localURL() string {
	scheme := "http"
	if s.TLSCert != "" {
		scheme = "https"
	}
	_, port, err := net.SplitHostPort(s.ConsoleAddr)
	if err != nil {
		port = "8092"
	}
	return scheme + "://localhost:" + port
}

func (s *Settings) check() error {
	var errs []error
	for _, a := range []struct{ name, addr string }{
		{"NOVACRON_API_ADDR", s.APIAddr}, {"NOVACRON_WS_ADDR", s.WSAddr},
		{"NOVACRON_CONSOLE_ADDR", s.ConsoleAddr}, {"NOVACRON_NODE_ADDR", s.NodeAddr},
	} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			errs = append(errs, fmt.Errorf("%s is %q; write it as host:port, for example 127.0.0.1:8090", a.name, a.addr))
		}
	}
	if _, _, err := net.SplitHostPort(s.PeerAddr); s.PeerAddr != "" && err != nil {
		errs = append(errs, fmt.Errorf("NOVACRON_PEER_ADDR is %q; write it as host:port of this server's node port, for example 10.0.0.1:8093", s.PeerAddr))
	}
	if u, err := url.Parse(s.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("NOVACRON_PUBLIC_URL is %q; write it as https://host", s.PublicURL))
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		errs = append(errs, errors.New("NOVACRON_TLS_CERT and NOVACRON_TLS_KEY go together; set both or neither"))
	}
	if s.DatabaseURL != "" && !strings.HasPrefix(s.DatabaseURL, "postgres://") && !strings.HasPrefix(s.DatabaseURL, "postgresql://") {
		errs = append(errs, errors.New("NOVACRON_DATABASE_URL must begin with postgres://; leave it empty for SQLite in the data folder"))
	}
	if s.RedisURL != "" && !strings.HasPrefix(s.RedisURL, "redis://") && !strings.HasPrefix(s.RedisURL, "rediss://") {
		errs = append(errs, errors.New("NOVACRON_REDIS_URL must begin with redis:// or rediss://; leave it empty to keep sessions in the database"))
	}
	for _, v := range [...]struct{ name, value string }{{"NOVACRON_REQUIRE_SECOND_FACTOR", s.RequireFactor}, {"NOVACRON_HSTS_SUBDOMAINS", s.HSTSSubdomains}} {
		if v.value != "on" && v.value != "off" {
			errs = append(errs, fmt.Errorf("%s is %q; write on or off", v.name, v.value))
		}
	}
	if err := s.checkOIDC(); err != nil {
		errs = append(errs, err)
	}
	if s.Env != "" && s.Env != "development" && s.Env != production {
		errs = append(errs, fmt.Errorf("NOVACRON_ENV is %q; write production, or leave it empty", s.Env))
	}
	return errors.Join(errs...)
}

func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/novacron"
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "novacron")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "share", "novacron")
}

// exists reports whether a file is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
