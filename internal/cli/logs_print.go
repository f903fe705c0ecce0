// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// recordPrinter turns records into lines.
type recordPrinter struct {
	format string
	colour bool
	zone   *time.Location
	// titled says that the table's first line is written.
	titled bool
}

// Formats of karmor logs.
const (
	formatText  = "text"
	formatTable = "table"
	formatJSON  = "json"
)

// lines appends a record to a buffer.
func (p *recordPrinter) lines(to *bytes.Buffer, r record) error {
	switch p.format {
	case formatJSON:
		if err := feeder.WriteJSON(to, r.message); err != nil {
			return err
		}
		return to.WriteByte('\n')
	case formatTable:
		if !p.titled {
			p.titled = true
			to.WriteString(tableLine([]string{"TIME", "ACTION", "WHERE", "OPERATION", "RESOURCE", "POLICY"}))
		}
		to.WriteString(p.paint(r, p.row(r)))
		return nil
	}
	to.WriteString(p.paint(r, p.sentence(r)))
	return nil
}

// widths of the table's columns, with two spaces between them: 80 in all.
const (
	widthTime, widthAction, widthWhere         = 8, 6, 18
	widthOperation, widthResource, widthPolicy = 9, 15, 14
	widthMessage                               = widthOperation + widthResource + widthPolicy + 4
)

func (p *recordPrinter) row(r record) string {
	start := []string{r.at.In(p.zone).Format("15:04:05"), orDash(r.outcome()), orDash(printable(r.where()))}
	if r.level != "" {
		return pad(start[0], widthTime) + pad(start[1], widthAction) + pad(start[2], widthWhere) + shorten(printable(r.text), widthMessage) + "\n"
	}
	return tableLine(append(start, orDash(r.operation), orDash(shortenStart(printable(r.resource), widthResource)), orDash(r.policy)))
}

func tableLine(cells []string) string {
	return render(cells, []int{widthTime, widthAction, widthWhere, widthOperation, widthResource, widthPolicy})
}

// pad fills a cell and the space after it.
func pad(text string, width int) string {
	text = shorten(text, width)
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text)+2)
}

// shortenStart keeps the end, which tells paths apart.
func shortenStart(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return "…" + string(runes[len(runes)-n+1:])
}

// sentence: "14:02:07.123 Block shop/web-1[app] File /etc/shadow by /usr/bin/cat (PID 300): policy p, severity 7: hands off".
func (p *recordPrinter) sentence(r record) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s %s", r.at.In(p.zone).Format("15:04:05.000"), r.outcome(), r.where())
	if r.level != "" {
		return printable(s.String()+": "+r.text) + "\n"
	}
	if r.container != "" {
		fmt.Fprintf(&s, "[%s]", r.container)
	}
	fmt.Fprintf(&s, " %s %s by %s (PID %d)", r.operation, r.resource, r.process, r.pid)
	if r.policy != "" {
		fmt.Fprintf(&s, ": policy %s", r.policy)
	}
	if r.severity != "" {
		fmt.Fprintf(&s, ", severity %s", r.severity)
	}
	if r.text != "" {
		s.WriteString(": " + r.text)
	}
	return printable(s.String()) + "\n"
}

// printable keeps what a program may put into a path from moving the terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// paint colours a line where a person reads it.
func (p *recordPrinter) paint(r record, line string) string {
	colour := ""
	switch {
	case r.action == "Block":
		colour = red
	case r.action != "" && r.action != "Allow", r.level == "WARN":
		colour = yellow
	}
	if !p.colour || colour == "" {
		return line
	}
	return colour + strings.TrimSuffix(line, "\n") + plain + "\n"
}
