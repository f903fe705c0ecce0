// SPDX-License-Identifier: Apache-2.0

// Package crd carries the CustomResourceDefinitions of the policies, byte for byte as they are installed, so that what
// runs without an API server judges a document by the same schemas and rules.
package crd

import "embed"

// Policies holds bases/security.kubearmor.com_*.yaml, a definition each.
//
//go:embed bases/security.kubearmor.com_*.yaml
var Policies embed.FS
