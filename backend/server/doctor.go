package server

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL driver
	"github.com/redis/go-redis/v9"

	"novacron/backend/hypervisor"
)

// The oldest versions that building NovaCron and its console works with. Running the binary needs neither.
const (
	MinGo   = "1.26"
	MinNode = "24"
)

// Verdict is the outcome of one check.
type Verdict string

// The verdicts. Only Bad makes doctor exit non-zero.
const (
	Good Verdict = "ok"
	Warn Verdict = "warning"
	Bad  Verdict = "failed"
	Off  Verdict = "not configured"
)

// Check is one line of doctor: what was looked at, what was found, and what to do about it.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Remedy  string  `json:"remedy,omitempty"`
}

const checkTimeout = 3 * time.Second // per engine: a working one answers in milliseconds

// Doctor looks at this machine and the configured engines. It changes nothing.
func Doctor(ctx context.Context, s Settings, driver hypervisor.Driver) []Check {
	checks := checkPorts(s)
	checks = append(checks,
		checkDataDir(s),
		checkEngine(ctx, "PostgreSQL", s.DatabaseURL, "NOVACRON_DATABASE_URL", "SQLite in the data folder is used", pingPostgres),
		checkEngine(ctx, "Redis", s.RedisURL, "NOVACRON_REDIS_URL", "sessions and limits are kept in the database", pingRedis),
		checkEngine(ctx, "Qdrant", s.QdrantURL, "NOVACRON_QDRANT_URL", "nothing needs it yet", pingQdrant),
		checkEngine(ctx, "SMTP", s.SMTPURL, "NOVACRON_SMTP_URL", "no mail is sent", pingSMTP),
		checkTool("Go", MinGo, "only needed to build; scripts/setup.sh fetches it", "go", "version"),
		checkTool("Node", MinNode, "only needed to build the console; scripts/setup.sh fetches it", "node", "--version"),
	)
	checks = append(checks, checkHypervisor(ctx, driver)...)
	checks = append(checks, checkNetwork(ctx, PathsFor(s.DataDir).Tag)...)
	return append(checks, checkTiny(), checkClock())
}

func checkEngine(ctx context.Context, name, address, setting, without string, ping func(context.Context, string) (string, error)) Check {
	if address == "" {
		return Check{Name: name, Verdict: Off, Found: without}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	version, err := ping(ctx, address)
	if err != nil {
		return Check{Name: name, Verdict: Bad, Found: redact(oneLine(err), address), Remedy: "start it, or correct " + setting}
	}
	return Check{Name: name, Verdict: Good, Found: version}
}

// oneLine is the beginning of an error: the driver of PostgreSQL gives a line to each of many tries.
func oneLine(err error) string {
	first, rest, _ := strings.Cut(err.Error(), "\n")
	second, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(first + " " + strings.TrimSpace(second))
}

// redact keeps the password of an engine's URL out of what is shown.
func redact(message, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return message
	}
	if pw, ok := u.User.Password(); ok && pw != "" {
		message = strings.ReplaceAll(message, pw, "***")
	}
	return message
}

func pingPostgres(ctx context.Context, address string) (string, error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var version string
	err = db.QueryRowContext(ctx, "select version()").Scan(&version)
	return firstWords(version, 2), err
}

func pingRedis(ctx context.Context, address string) (string, error) {
	opt, err := redis.ParseURL(address)
	if err != nil {
		return "", err
	}
	c := redis.NewClient(opt)
	defer c.Close()
	info, err := c.Info(ctx, "server").Result()
	return "Redis " + submatch(`redis_version:(\S+)`, info), err
}

func pingQdrant(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+"/readyz", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers %s", res.Status)
	}
	return "Qdrant is ready", nil
}

func pingSMTP(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "587")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if u.Scheme == "smtps" {
		return "it answers (TLS is checked when mail is sent)", nil
	}
	c, err := smtp.NewClient(conn, u.Hostname())
	if err != nil {
		return "", err
	}
	return "it greets", c.Quit()
}

func checkTool(name, least, why string, argv ...string) Check {
	self, _ := os.Executable() // without a folder of its own nothing is beside it
	program, from := builders(self, argv[0])
	out, err := exec.Command(program, argv[1:]...).Output()
	if err != nil {
		return Check{Name: name, Verdict: Warn, Found: "not found; at least " + least + " builds NovaCron", Remedy: why}
	}
	have := submatch(`(\d+\.\d+[.\d]*)`, string(out))
	c := Check{Name: name, Verdict: Good, Found: have + " (at least " + least + ")" + from}
	if older(have, least) {
		c.Verdict, c.Remedy = Warn, why
	}
	return c
}

// builders gives the program that make would use: the one that scripts/setup.sh put into .tools, beside the folder of the program self,
// goes before the machine's.
func builders(self, name string) (program, from string) {
	fetched := filepath.Join(filepath.Dir(self), "..", ".tools", name, "bin", name)
	if !exists(fetched) {
		return name, ""
	}
	return fetched, " in .tools"
}

// older compares dotted numbers.
func older(have, least string) bool {
	h, l := strings.Split(have, "."), strings.Split(least, ".")
	for i := range l {
		var a int
		if i < len(h) {
			a, _ = strconv.Atoi(h[i])
		}
		b, _ := strconv.Atoi(l[i])
		if a != b {
			return a < b
		}
	}
	return false
}

func submatch(pattern, s string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

func firstWords(s string, n int) string {
	w := strings.Fields(s)
	return strings.Join(w[:min(n, len(w))], " ")
}
