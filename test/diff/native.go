// SPDX-License-Identifier: Apache-2.0

package main

import "errors"

func openNative() (backend, error) { return nil, errors.New("the core has no test run yet; use -pure") }
