// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"strings"
	"sync"
)

// Output keeps all that a machine says, which several goroutines write. The zero Output is ready.
type Output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write never fails.
func (o *Output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

// String is what was written until now.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
