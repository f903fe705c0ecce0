// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/images"
	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
)

// attacker opens the secret as fast as a shell can, and executes the blocked tool now and then, until /tmp/stop appears. It counts
// what it tried and what went through. Opening is done by the shell itself: no process is started for it.
const attacker = `rm -f /tmp/stop; mkdir -p /tmp
reads=0 execs=0 read_through=0 exec_through=0
until [ -e /tmp/stop ]; do
	i=0
	while [ $i -lt 50 ]; do
		i=$((i+1)) reads=$((reads+1))
		{ read -r line <` + images.SecretFile + `; } 2>/dev/null && read_through=$((read_through+1))
	done
	execs=$((execs+1))
	` + images.BlockedTool + ` --help >/dev/null 2>&1 && exec_through=$((exec_through+1))
done
echo reads=$reads execs=$execs read_through=$read_through exec_through=$exec_through`

// testKill kills the agent twice, the second time into the kubelet's back-off, so that it stays away for a while.
func testKill(t *testing.T, s *suite) {
	n := s.node(t, true)
	var away time.Duration
	counts := s.attackDuring(t, n.Name, func() { away = killAgent(t, s, n) + killAgent(t, s, n) })
	t.Logf("the agent was away for %.1f s in all; in the Pod: %v", away.Seconds(), counts)
	if counts["reads"] < 200 || counts["execs"] < 4 {
		t.Errorf("too few attempts to prove anything: %v", counts)
	}
	if counts["read_through"]+counts["exec_through"] > 0 {
		t.Errorf("attempts went through while the agent was killed: %v", counts)
	}
	s.checkOperations(t, n.Name, true)

	// The same attacker succeeds where nothing stops it, or it would prove nothing.
	audit := s.node(t, false)
	if counts := s.attackDuring(t, audit.Name, func() {}); counts["read_through"] == 0 || counts["exec_through"] == 0 {
		t.Errorf("the attacker does not get through on %s either: %v", audit.Name, counts)
	}
}

// attackDuring lets the attacker run in the Pod of a node before, during and after something, and returns what it counted.
func (s *suite) attackDuring(t *testing.T, node string, something func()) map[string]int {
	t.Helper()
	pod, err := s.WorkloadOn(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		result, err := s.Try(t.Context(), "-n", pod.Namespace, "exec", pod.Name, "--", "sh", "-c", attacker)
		answer <- fmt.Sprintf("%s (%v)", result.Output, err)
	}()
	time.Sleep(3 * time.Second)
	something()
	time.Sleep(3 * time.Second)
	if _, err := s.Run(t.Context(), "-n", pod.Namespace, "exec", pod.Name, "--", "sh", "-c", "echo >/tmp/stop"); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, match := range regexp.MustCompile(`(\w+)=(\d+)`).FindAllStringSubmatch(<-answer, -1) {
		counts[match[1]], _ = strconv.Atoi(match[2])
	}
	return counts
}

// killAgent kills the agent's process, and returns for how long no agent ran.
func killAgent(t *testing.T, s *suite, n *node.Node) time.Duration {
	t.Helper()
	before := agentPID(t, n)
	if before == "" {
		t.Fatalf("no agent runs on %s", n.Name)
	}
	on(t, n, "kill -KILL "+before)
	begun := time.Now()
	within(t, 2*time.Minute, "the agent runs again after kill -9 of "+before, func(context.Context) (bool, string, error) {
		now := agentPID(t, n)
		return now != "" && now != before, "process " + now, nil
	})
	away := time.Since(begun)
	if err := s.WaitSettled(t.Context(), 2*time.Minute, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	return away
}

func agentPID(t *testing.T, n *node.Node) string {
	t.Helper()
	return strings.TrimSpace(on(t, n, "pgrep -x agent || true"))
}
