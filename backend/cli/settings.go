package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"novacron/backend/server"
)

// settingFlags are the server's settings as flags. Only flags that were given win over the environment and the file.
type settingFlags struct {
	file   string
	values map[string]*string
	set    *pflag.FlagSet
}

func (f *settingFlags) register(c *cobra.Command) {
	f.values = map[string]*string{}
	f.set = c.Flags()
	f.set.StringVar(&f.file, "config", "", "settings file (TOML; $NOVACRON_CONFIG)")
	for _, r := range server.Rows() {
		if r.Flag == "" {
			continue // a secret
		}
		f.values[r.Flag] = f.set.String(r.Flag, r.Default, r.Help+" ($"+r.Env+")")
	}
}

// registerPlace is register for commands that need to know only where the platform of this machine lives. The other settings are taken, so
// that a script can give all commands the same flags, and not shown.
func (f *settingFlags) registerPlace(c *cobra.Command) {
	f.register(c)
	f.set.VisitAll(func(flag *pflag.Flag) {
		if _, setting := f.values[flag.Name]; setting && flag.Name != "data-dir" {
			flag.Hidden = true
		}
	})
}

func (f *settingFlags) load() (server.Settings, error) {
	given := map[string]string{}
	f.set.Visit(func(flag *pflag.Flag) {
		if v, ok := f.values[flag.Name]; ok {
			given[flag.Name] = *v
		}
	})
	s, err := server.Load(given, f.file)
	if err != nil {
		return s, usageError{err}
	}
	return s, nil
}
