// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of the kernel on paths, in bytes: PATH_MAX without the closing zero byte, and NAME_MAX.
const (
	PathMax = 4095
	NameMax = 255
)

// Path is the path of a file as the kernel writes it; the error says why there is no such path. Repeated slashes mean
// one, so they are folded; "." and ".." are refused, since what ".." means depends on symlinks that a policy does not see.
func Path(path string) (string, error) {
	clean, err := fold(path)
	if err == nil && strings.HasSuffix(clean, "/") {
		return "", errors.New(`ends in "/"; use matchDirectories for a directory`)
	}
	return clean, err
}

// Directory is the path of a directory as rules have it, with "/" at its end; the error says why there is none.
func Directory(dir string) (string, error) {
	clean, err := fold(dir)
	if err == nil && !strings.HasSuffix(clean, "/") {
		return "", errors.New(`does not end in "/"; use matchPaths for a file`)
	}
	return clean, err
}

func fold(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", errors.New(`does not start with "/"; write it as the container sees it`)
	}
	var clean strings.Builder
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		if err := checkName(part); err != nil {
			return "", err
		}
		clean.WriteByte('/')
		clean.WriteString(part)
	}
	if strings.HasSuffix(path, "/") {
		clean.WriteByte('/')
	}
	if clean.Len() > PathMax {
		return "", fmt.Errorf("is longer than %d bytes, the longest path of the kernel", PathMax)
	}
	return clean.String(), nil
}

// checkName says why no file has this name.
func checkName(name string) error {
	switch {
	case name == "." || name == "..":
		return fmt.Errorf("has a %q component, which the kernel never reports; write the path without it", name)
	case strings.IndexByte(name, 0) >= 0:
		return errors.New("contains a zero byte, which no name of a file does")
	case strings.IndexByte(name, '/') >= 0:
		return errors.New("is not the name of a file, it has a slash; use path for a whole path")
	case len(name) > NameMax:
		return fmt.Errorf("has a component of %d bytes, and the longest name of a file has %d", len(name), NameMax)
	}
	return nil
}
