// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newPolicy(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, try out and test policies, without a cluster",
		Long: "policy works on files: it needs no cluster, no root and no kernel.\n\n" +
			"Exit codes: 0 all is well; 1 a policy is invalid or a case failed; 2 the command line was not understood.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyCheck(streams), newPolicyEval(streams), newPolicyTest(streams))
	return cmd
}

// oneOf says which values a flag knows when it does not know the one that it was given.
func oneOf(flag, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return usagef("--%s %q is not one of %s", flag, value, strings.Join(known, ", "))
}

// keyValues reads k=v,k=v.
func keyValues(flag, list string) (map[string]string, error) {
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return nil, usagef("--%s: %q is not key=value", flag, pair)
		}
		if _, twice := pairs[key]; twice {
			return nil, usagef("--%s: %s is there twice", flag, key)
		}
		pairs[key] = value
	}
	return pairs, nil
}

// failedError ends a command with ExitFailed after its output said why.
type failedError struct{ what string }

func (e failedError) Error() string { return e.what }

func failed(format string, args ...any) error { return failedError{fmt.Sprintf(format, args...)} }
