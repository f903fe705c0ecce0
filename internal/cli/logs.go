// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
)

// logs is `karmor logs`.
type logs struct {
	streams Streams
	cluster *clusterFlags

	alerts, logs, messages bool
	filter                 recordFilter
	severity               string
	since                  time.Duration
	follow                 bool
	limit                  int
	output                 string

	address       string
	namespace     string
	tls           mtls.Files
	tlsServerName string
	insecure      bool

	now  func() time.Time
	zone *time.Location
}

func newLogs(streams Streams, cluster *clusterFlags) *cobra.Command {
	l := &logs{streams: streams, cluster: cluster, now: time.Now, zone: time.Local}
	return l.command()
}

func (l *logs) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show alerts, logs and messages of the cluster or of one node",
		Long: "logs prints what the relay still holds, and with --follow what comes. The relay is found by the kubeconfig and reached\n" +
			"through the API server, with the certificates that the operator made for clients; where there is no relay, all agents\n" +
			"are. With --address it is any relay or agent.\n\n" +
			"Filters are joined by and; values of one flag by or, but for labels, which must all be there. What the relay drops since\n" +
			"karmor reads too slowly, and which agents it misses, is told on standard error.\n\n" +
			"Exit codes: 0 the stream ended as it was asked to, or by Ctrl-C; 1 it broke or did not begin; 2 wrong usage.",
		Example: "  karmor logs --follow --namespace shop --severity '>=5'\n" +
			"  karmor logs --since 10m --action Block -o json | jq .Resource\n" +
			"  karmor logs --logs --operation Network --pod web-1 --follow\n" +
			"  karmor logs --address 127.0.0.1:32767 --insecure --follow",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := l.complete(); err != nil {
				return err
			}
			return l.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&l.alerts, "alerts", false, "show alerts: matches of policies (the default)")
	flags.BoolVar(&l.logs, "logs", false, "show logs: what workloads do, where visibility is on")
	flags.BoolVar(&l.messages, "messages", false, "show messages: what KubeArmor says of itself")
	flags.StringSliceVar(&l.filter.nodes, "node", nil, "only of these nodes")
	flags.StringSliceVarP(&l.filter.namespaces, "namespace", "n", nil, "only of Pods in these namespaces")
	flags.StringSliceVar(&l.filter.pods, "pod", nil, "only of these Pods")
	flags.StringSliceVar(&l.filter.containers, "container", nil, "only of containers with these names")
	flags.StringSliceVarP(&l.filter.labels, "label", "l", nil, "only of Pods with all these labels, key=value or key")
	flags.StringSliceVar(&l.filter.policies, "policy", nil, "only alerts of these policies")
	flags.StringSliceVar(&l.filter.operations, "operation", nil, "only these operations: "+strings.Join(operations(), ", "))
	flags.StringSliceVar(&l.filter.actions, "action", nil, "only alerts with these actions: "+strings.Join(actions(), ", "))
	flags.StringVar(&l.severity, "severity", "", "only alerts whose severity is such: 5, '>5', '>=5', '<5', '<=5'")
	flags.DurationVar(&l.since, "since", 0, "only what happened in this time: 10m, 2h (default all that the relay holds; with --follow, what comes)")
	flags.BoolVarP(&l.follow, "follow", "f", false, "go on with what comes")
	flags.IntVar(&l.limit, "limit", 0, "end after so many lines")
	flags.StringVarP(&l.output, "output", "o", formatText, "text, table, or json: one object a line with the wire format's names")
	flags.StringVar(&l.address, "address", "", "host:port of a relay or an agent, instead of the kubeconfig's")
	flags.StringVar(&l.namespace, "kubearmor-namespace", "", "namespace that KubeArmor runs in (default: it is looked for in all)")
	flags.StringVar(&l.tls.CA, "tls-ca", "", "file with the authority that signed the server's certificate (default, without --address: the cluster's Secret "+v1.SecretClient+")")
	flags.StringVar(&l.tls.Cert, "tls-cert", "", "file with this client's certificate")
	flags.StringVar(&l.tls.Key, "tls-key", "", "file with its key")
	flags.StringVar(&l.tlsServerName, "tls-server-name", "", "name that the server's certificate is for (default: the host of --address, kubearmor, or kubearmor-agent)")
	flags.BoolVar(&l.insecure, "insecure", false, "connect without TLS, to a server that was started so")
	return cmd
}

func operations() []string {
	return []string{"Process", "File", "Network", "Capabilities", "Syscall", "Device", "NetworkFirewall", "AlertThreshold"}
}

func actions() []string { return []string{"Allow", "Audit", "Block", "Audit (Allow)", "Audit (Block)"} }

// complete fills in what was not said and refuses what has no meaning.
func (l *logs) complete() error {
	l.alerts = l.alerts || !l.logs && !l.messages
	if formats := []string{formatText, formatTable, formatJSON}; !slices.Contains(formats, l.output) {
		return usagef("--output %q is not one of %s", l.output, strings.Join(formats, ", "))
	}
	if l.since < 0 || l.limit < 0 {
		return usagef("--since and --limit count from 0 up")
	}
	if l.since > 0 {
		l.filter.since = l.now().Add(-l.since)
	}
	if err := l.completeFilter(); err != nil {
		return err
	}
	return l.completeSecurity()
}

func (l *logs) completeFilter() error {
	if err := words("operation", l.filter.operations, operations()); err != nil {
		return err
	}
	if err := words("action", l.filter.actions, actions()); err != nil {
		return err
	}
	if l.severity != "" {
		var valid bool
		if l.filter.severity, valid = parseComparison(l.severity); !valid {
			return usagef("--severity %q is no comparison; write a number from 1 to 10, alone or after >=, >, <=, < or =", l.severity)
		}
	}
	ofAlerts := len(l.filter.policies) > 0 || len(l.filter.actions) > 0 || l.severity != ""
	if ofAlerts && !l.alerts {
		return usagef("--policy, --action and --severity are of alerts alone; add --alerts")
	}
	ofWorkloads := len(l.filter.namespaces) > 0 || len(l.filter.pods) > 0 || len(l.filter.containers) > 0 ||
		len(l.filter.labels) > 0 || len(l.filter.operations) > 0
	if ofWorkloads && !l.alerts && !l.logs {
		return usagef("messages are of nodes, not of workloads; filter them by --node, or add --alerts or --logs")
	}
	return nil
}

// words puts values of a flag, in any case, into their own.
func words(flag string, values, known []string) error {
	for i, value := range values {
		at := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, value) })
		if at < 0 {
			return usagef("--%s %q is not one of %s", flag, value, strings.Join(known, ", "))
		}
		values[i] = known[at]
	}
	return nil
}

func (l *logs) completeSecurity() error {
	given := l.tls != mtls.Files{}
	switch {
	case l.insecure && (given || l.tlsServerName != ""):
		return usagef("--insecure connects without TLS; leave the --tls flags away, or --insecure")
	case !given && !l.insecure && l.address == "":
		// The cluster has certificates for whoever may read them.
		return nil
	case !l.insecure && (l.tls.CA == "" || l.tls.Cert == "" || l.tls.Key == ""):
		return usagef("give --tls-ca, --tls-cert and --tls-key, or --insecure where the server was started so")
	case l.insecure:
		return nil
	}
	if err := l.tls.Check(); err != nil {
		return fmt.Errorf("%w; check --tls-ca, --tls-cert and --tls-key", err)
	}
	return nil
}

func (l *logs) run(ctx context.Context) error {
	servers, err := l.servers(ctx)
	if err != nil {
		return err
	}
	w := watch{
		alerts: l.alerts, logs: l.logs, messages: l.messages, notes: l.streams.Err,
		// What comes is all that is wanted where nobody asks for what was.
		span:  past.Span{Held: !l.follow || l.since > 0, Since: l.filter.since, Ends: !l.follow},
		limit: l.limit, wanted: l.filter.matches, out: l.streams.Out,
		printer: &recordPrinter{format: l.output, colour: l.colours(), zone: l.zone},
	}
	return w.run(ctx, servers)
}

// colours says whether a person looks.
func (l *logs) colours() bool {
	file, is := l.streams.Out.(*os.File)
	return is && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(file.Fd()))
}
