// SPDX-License-Identifier: Apache-2.0

package apt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// mirrors are the two places of a Debian archive: releases, and their security updates.
type mirrors struct{ main, security string }

// readMirrors finds the Debian archive that this machine's own apt uses. Root is the machine's / .
func readMirrors(root fs.FS) (mirrors, error) {
	var uris []string
	for _, pattern := range []string{"etc/apt/sources.list", "etc/apt/sources.list.d/*.list", "etc/apt/sources.list.d/*.sources"} {
		names, err := fs.Glob(root, pattern)
		if err != nil {
			return mirrors{}, err
		}
		for _, name := range names {
			text, err := fs.ReadFile(root, name)
			if err != nil {
				return mirrors{}, fmt.Errorf("read apt sources: %w", err)
			}
			uris = append(uris, parseURIs(string(text), path.Ext(name) == ".sources")...)
		}
	}
	return chooseMirrors(uris)
}

func parseURIs(text string, deb822 bool) []string {
	var uris []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case deb822 && strings.EqualFold(fields[0], "URIs:"):
			uris = append(uris, fields[1:]...)
		case !deb822 && fields[0] == "deb":
			uris = append(uris, uriOfLine(fields[1:])...)
		}
	}
	return uris
}

// uriOfLine skips the options of a one-line source: deb [arch=amd64 signed-by=…] URI SUITE COMPONENT.
func uriOfLine(fields []string) []string {
	if strings.HasPrefix(fields[0], "[") {
		end := slices.IndexFunc(fields, func(f string) bool { return strings.HasSuffix(f, "]") })
		if end < 0 {
			return nil
		}
		fields = fields[end+1:]
	}
	return fields[:min(1, len(fields))]
}

// chooseMirrors goes by the last part of the path, which every Debian mirror shares.
func chooseMirrors(uris []string) (mirrors, error) {
	var found mirrors
	for _, uri := range uris {
		switch path.Base(strings.TrimRight(uri, "/")) {
		case "debian":
			if found.main == "" {
				found.main = uri
			}
		case "debian-security":
			if found.security == "" {
				found.security = uri
			}
		}
	}
	if found.main == "" {
		return found, errors.New("no Debian mirror (a URI that ends in /debian) in /etc/apt/sources.list or /etc/apt/sources.list.d: " +
			"the testbed's kernels come from Debian's archive, so run it on Debian or add such a source")
	}
	return found, nil
}

// lines of a sources.list for the suites. A suite's security updates are left out where this machine names no place for them.
func (m mirrors) lines(suites []string) string {
	var out strings.Builder
	for _, suite := range suites {
		uri := m.main
		if strings.HasSuffix(suite, "-security") {
			uri = m.security
		}
		if uri != "" {
			fmt.Fprintf(&out, "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", uri, suite)
		}
	}
	return out.String()
}

// Sources is a sources.list of suites from the mirror that this machine uses.
func Sources(suites ...string) (string, error) {
	found, err := readMirrors(os.DirFS("/"))
	if err != nil {
		return "", err
	}
	return found.lines(suites), nil
}
