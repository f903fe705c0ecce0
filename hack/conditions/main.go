// SPDX-License-Identifier: Apache-2.0

// Command conditions writes the reference page of every condition and reason from the comments of their constants, so that
// the page cannot say anything else than the code.
//
//	go run ./hack/conditions            # writes docs/reference/conditions.md
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", ".", "the project's root")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "conditions:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	content, err := page(root)
	if err != nil {
		return err
	}
	return os.WriteFile(pagePath(root), content, 0o644)
}
