// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

// JSONLines writes each alert as one JSON object a line, as agents do.
func JSONLines(w io.Writer) AlertWriter {
	return func(ctx context.Context, queue *telemetry.Queue) error { return queue.Run(ctx, w) }
}

// Lines writes each alert as one line for people.
func Lines(w io.Writer) AlertWriter { return JSONLines(textWriter{w}) }

// textWriter gets whole lines of JSON, and writes a line of text for each.
type textWriter struct{ to io.Writer }

func (t textWriter) Write(block []byte) (int, error) {
	var text bytes.Buffer
	for line := range bytes.Lines(block) {
		var a telemetry.Alert
		if err := json.Unmarshal(line, &a); err != nil {
			return 0, fmt.Errorf("print alert: %w", err)
		}
		text.WriteString(sentence(&a))
	}
	if _, err := t.to.Write(text.Bytes()); err != nil {
		return 0, err
	}
	return len(block), nil
}

// sentence: "karmor: blocked: Process /usr/bin/sleep by /usr/bin/sh (PID 12): policy block-sleep, spec.process.matchPaths[0]".
func sentence(a *telemetry.Alert) string {
	verb := "audited"
	if a.Action == "Block" {
		verb = "blocked"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "karmor: %s: %s %s by %s (PID %d): policy %s", verb, a.Operation, a.Resource, a.Source, a.HostPID, a.PolicyName)
	if rule := a.EventData["RulePath"]; rule != "" {
		s.WriteString(", " + rule)
	}
	if a.Message != "" {
		s.WriteString(": " + a.Message)
	}
	return printable(s.String()) + "\n"
}

// printable keeps what a program may put into a path from moving the terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
