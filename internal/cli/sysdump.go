// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/kubearmor/kubearmor-operator/internal/redact"
)

// exitIncomplete: the archive is written, and its index says what is missing in it.
const exitIncomplete = 3

// sysdump is `karmor sysdump`.
type sysdump struct {
	streams  Streams
	cluster  *clusterFlags
	version  string
	output   string
	logBytes int64
	now      func() time.Time
}

func newSysdump(version string, streams Streams, cluster *clusterFlags) *cobra.Command {
	s := &sysdump{streams: streams, cluster: cluster, version: version, now: time.Now}
	cmd := &cobra.Command{
		Use:   "sysdump",
		Short: "Write what a bug report needs into one archive, without secrets",
		Long: "sysdump collects KubeArmor's objects, policies, Pods with their logs, Events, the nodes' status, versions and roles\n" +
			"into one tar.gz. No Secret is read. Values that look like passwords, tokens or keys are taken out of objects and\n" +
			"logs; still, look through it before you hand it to others. index.json in it says what could not be fetched, and why.\n\n" +
			"Exit codes: 0 the archive holds everything; 1 there is none; 2 wrong usage; 3 the archive is there, and its index\n" +
			"says what is missing.",
		Example: "  karmor sysdump\n  karmor sysdump --context staging -o /tmp/staging.tar.gz --log-bytes 200000",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.logBytes < 0 {
				return usagef("--log-bytes %d: count from 0 up; 0 leaves the logs out", s.logBytes)
			}
			return s.run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&s.output, "output", "o", "", "file to write (default kubearmor-sysdump-TIME.tar.gz here)")
	cmd.Flags().Int64Var(&s.logBytes, "log-bytes", 1<<20, "newest bytes of each container's log, and of its previous one; 0: no logs")
	return cmd
}

func (s *sysdump) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.streams.Err, "karmor: "+format+"\n", args...)
}

func (s *sysdump) run(ctx context.Context) (err error) {
	o, config, err := s.cluster.objects()
	if err != nil {
		return err
	}
	server, err := serverVersion(config)
	if err != nil {
		return explainAway(fmt.Errorf("ask the cluster for its version: %w", err))
	}
	began := s.now().UTC()
	name := "kubearmor-sysdump-" + began.Format("20060102-150405Z")
	file := cmp.Or(s.output, name+".tar.gz")
	archive, err := newArchive(file, name, began)
	if err != nil {
		return fmt.Errorf("write the archive: %w; name another file with --output", err)
	}
	defer func() { err = errors.Join(err, archive.discard()) }()
	c := &collector{
		objects: o, redactor: redact.New(), archive: archive, logBytes: s.logBytes, say: s.say,
		index: index{Began: began, Karmor: s.version, Cluster: server, LogBytes: s.logBytes},
	}
	if s.logBytes > 0 {
		if c.pods, err = podClient(config); err != nil {
			return fmt.Errorf("read kubeconfig: %w", err)
		}
	}
	if err := c.collect(ctx); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	if err := archive.finish(); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	_, err = fmt.Fprintln(s.streams.Out, file)
	s.say("%d files, %d values that looked like secrets taken out: look through it before you share it", c.index.Files, c.index.Removed)
	if n := len(c.index.Missing); n > 0 {
		return errors.Join(err, runError{fmt.Errorf("%d things could not be fetched, the first: %s: %s; %s/index.json in the archive names all",
			n, c.index.Missing[0].What, c.index.Missing[0].Why, name), exitIncomplete})
	}
	return err
}

func serverVersion(config *rest.Config) (string, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return "", err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return "", err
	}
	return version.GitVersion, nil
}
