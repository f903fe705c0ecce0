// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dependencies = `kernel/drivers/virtio/virtio.ko:
kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/char/virtio_console.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/crypto/crc32c-generic.ko.xz:
`

func TestLoadOrder(t *testing.T) {
	virtio := Module{Name: "virtio", Path: "kernel/drivers/virtio/virtio.ko"}
	ring := Module{Name: "virtio_ring", Path: "kernel/drivers/virtio/virtio_ring.ko"}
	pci := Module{Name: "virtio_pci", Path: "kernel/drivers/virtio/virtio_pci.ko"}
	console := Module{Name: "virtio_console", Path: "kernel/drivers/char/virtio_console.ko"}
	for _, test := range []struct {
		name   string
		wanted []string
		want   []Module
	}{
		{"what a module needs comes before it", []string{"virtio_pci"}, []Module{virtio, ring, pci}},
		{"a module that two others need comes once", []string{"virtio_console", "virtio_pci"}, []Module{virtio, ring, console, pci}},
		{"a hyphen in the file is an underscore in the name", []string{"crc32c-generic"}, []Module{{"crc32c_generic", "kernel/crypto/crc32c-generic.ko.xz"}}},
		{"a module that is built in is left out", []string{"ext4", "virtio"}, []Module{virtio}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, loadOrder(dependencies, test.wanted)); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}
