package cli

import "github.com/spf13/cobra"

func commands(s *session) []*cobra.Command {
	return []*cobra.Command{
		vmCommand(s), imageCommand(s), nodeCommand(s), networkCommand(s), operationCommand(s), eventCommand(s), userCommand(s), tenantCommand(s), roleCommand(s), accountCommand(s),
		loginCommand(s), logoutCommand(s), whoamiCommand(s),
		upCommand(s), serverCommand(s), agentCommand(s), downCommand(s), adminCommand(s), mailCommand(s), auditCommand(s), doctorCommand(s), openapiCommand(s),
		secretsCommand(s), tlsCommand(s),
	}
}
