// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func (n *Node) shellSocket() string { return filepath.Join(n.Dir, "shell.sock") }

func (n *Node) monitorSocket() string { return filepath.Join(n.Dir, "monitor.sock") }

// Reset presses the machine's reset button: it starts anew at once, whatever runs on it.
func (n *Node) Reset(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", n.monitorSocket())
	if err != nil {
		return fmt.Errorf("reach the monitor of node %s: %w", n.Name, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	to, from := json.NewEncoder(conn), json.NewDecoder(conn)
	for _, command := range []string{"qmp_capabilities", "system_reset"} {
		err := errors.Join(to.Encode(map[string]string{"execute": command}), awaitReturn(from))
		if err != nil {
			return fmt.Errorf("%s of node %s: %w", command, n.Name, err)
		}
	}
	return nil
}

// awaitReturn reads what QEMU's monitor says (QEMU QMP Reference Manual) until it answers a command.
func awaitReturn(from *json.Decoder) error {
	for {
		var said struct {
			Return *struct{}
			Error  *struct{ Desc string }
		}
		switch err := from.Decode(&said); {
		case err != nil:
			return err
		case said.Error != nil:
			return errors.New(said.Error.Desc)
		case said.Return != nil:
			return nil
		}
	}
}

// ExitError is a command on a node that ended with a status other than zero.
type ExitError struct {
	Status int
	Output string
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("exit status %d: %s", e.Status, strings.TrimSpace(e.Output))
}

// Run runs one line of shell as root on the node, outside of Kubernetes, and returns what it wrote. One command runs at a time.
func (n *Node) Run(ctx context.Context, command string) (string, error) {
	if strings.ContainsAny(command, "\n\r") {
		return "", fmt.Errorf("run on node %s: the command must be one line", n.Name)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", n.shellSocket())
	if err != nil {
		return "", fmt.Errorf("reach the shell of node %s: %w", n.Name, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	token := "done" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err := fmt.Fprintf(conn, "%s %s\n", token, command); err != nil {
		return "", fmt.Errorf("run on node %s: %w", n.Name, err)
	}
	output, err := readAnswer(bufio.NewReader(conn), token)
	if err != nil {
		return output, fmt.Errorf("run %q on node %s: %w", command, n.Name, err)
	}
	return output, nil
}

// readAnswer reads what is between the line that is the command's token and the one that starts with it and has the status. What an
// earlier command left unread, since nobody waited for its end, comes before and is skipped.
func readAnswer(from *bufio.Reader, token string) (string, error) {
	for line := ""; strings.TrimSpace(line) != token; {
		var err error
		if line, err = from.ReadString('\n'); err != nil {
			return "", err
		}
	}
	var output strings.Builder
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return output.String(), err
		}
		text, ended := strings.CutPrefix(strings.TrimSuffix(line, "\n"), token+" ")
		if !ended {
			output.WriteString(line)
			continue
		}
		// The last line break is the answer's own.
		said := strings.TrimSuffix(output.String(), "\n")
		status, err := strconv.Atoi(text)
		if err != nil {
			return said, fmt.Errorf("the status %q is no number", text)
		}
		if status != 0 {
			return said, &ExitError{Status: status, Output: said}
		}
		return said, nil
	}
}
