package server

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"novacron/backend/app"
)

// checkOIDC refuses an OpenID provider that is set halfway, or that anybody on the way could pose as.
func (s Settings) checkOIDC() error {
	if s.OIDCIssuer == "" {
		if s.OIDCClientID != "" || s.OIDCRoles != "" || s.OIDCFactor != "" {
			return errors.New("NOVACRON_OIDC_ISSUER is missing; it names the OpenID provider that NOVACRON_OIDC_CLIENT_ID, _ROLES and _SECOND_FACTOR are about")
		}
		return nil
	}
	u, err := url.Parse(s.OIDCIssuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return fmt.Errorf("NOVACRON_OIDC_ISSUER is %q; write it as https://host/path, as the provider does", s.OIDCIssuer)
	}
	if s.OIDCClientID == "" {
		return errors.New("NOVACRON_OIDC_CLIENT_ID is missing; register this installation at the OpenID provider")
	}
	groups, err := app.ParseGroups(s.OIDCRoles)
	if err != nil {
		return fmt.Errorf("NOVACRON_OIDC_ROLES: %w", err)
	}
	if len(groups) == 0 {
		return errors.New("NOVACRON_OIDC_ROLES is missing; say what the provider's groups are here, for example admins=administrator,*=viewer")
	}
	return nil
}

// oidcFactors are the values of acr and amr that say that a second factor was used.
func (s Settings) oidcFactors() []string {
	return strings.FieldsFunc(s.OIDCFactor, func(r rune) bool { return r == ',' || r == ' ' })
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
