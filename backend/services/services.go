// Package services finds the PostgreSQL and the Redis that suites run on: those that NOVACRON_TEST_DATABASE_URL and
// NOVACRON_TEST_REDIS_URL name, or else those that scripts/services.sh starts. Only tests use it.
package services

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// The environment variables, and what services.sh calls the same.
const (
	PostgresEnv = "NOVACRON_TEST_DATABASE_URL"
	RedisEnv    = "NOVACRON_TEST_REDIS_URL"
)

// Postgres is the URL of the PostgreSQL for tests, whose user may make databases.
func Postgres() (string, error) { return find(PostgresEnv) }

// Redis is the URL of the Redis for tests.
func Redis() (string, error) { return find(RedisEnv) }

func find(name string) (string, error) {
	if u := os.Getenv(name); u != "" {
		return u, nil
	}
	env, err := started()
	if err != nil {
		return "", err
	}
	if env[name] == "" {
		return "", fmt.Errorf("scripts/services.sh env does not name %s", name)
	}
	return env[name], nil
}

// started starts both services once per process; the script does nothing when they run.
var started = sync.OnceValues(func() (map[string]string, error) {
	script, err := script()
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command(script, "start").CombinedOutput(); err != nil {
		return nil, errors.New(strings.TrimSpace(string(out)))
	}
	out, err := exec.Command(script, "env").Output()
	if err != nil {
		return nil, fmt.Errorf("scripts/services.sh env: %w", err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[name] = value
		}
	}
	return env, nil
})

// script finds services.sh from the folder of a package, where its tests run.
func script() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "scripts", "services.sh"), nil
		}
	}
	return "", errors.New("scripts/services.sh is not above this folder")
}
