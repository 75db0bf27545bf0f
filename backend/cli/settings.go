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
