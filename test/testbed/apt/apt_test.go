// SPDX-License-Identifier: Apache-2.0

package apt

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestReadMirrors(t *testing.T) {
	const deb822 = "Types: deb\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm\n\n" +
		"Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  mirrors
	}{
		{"deb822 sources name both places", map[string]string{"sources.list.d/debian.sources": deb822}, mirrors{"http://mirror.example/debian", "http://mirror.example/debian-security"}},
		{
			"one-line sources may have options",
			map[string]string{"sources.list": "deb [arch=amd64 signed-by=/k.gpg] https://m.example/debian/ bookworm main\ndeb-src https://s.example/debian-security x main\n"},
			mirrors{main: "https://m.example/debian/"},
		},
		{
			"other archives are passed over",
			map[string]string{"sources.list.d/a.list": "deb https://other.example/apt x main\n", "sources.list.d/debian.sources": deb822},
			mirrors{"http://mirror.example/debian", "http://mirror.example/debian-security"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range test.files {
				root["etc/apt/"+name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := readMirrors(root)
			if err != nil || got != test.want {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
	if _, err := readMirrors(fstest.MapFS{}); err == nil {
		t.Error("a machine without a Debian source gave no error")
	}
}

func TestLinesOfSuites(t *testing.T) {
	const signed = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
	both := mirrors{main: "http://m/debian", security: "http://m/debian-security"}
	want := signed + "http://m/debian bullseye main\n" + signed + "http://m/debian-security bullseye-security main\n"
	if diff := cmp.Diff(want, both.lines([]string{"bullseye", "bullseye-security"})); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	want = signed + "http://m/debian bullseye main\n"
	if diff := cmp.Diff(want, mirrors{main: "http://m/debian"}.lines([]string{"bullseye", "bullseye-security"})); diff != "" {
		t.Errorf("a suite without a place was not left out (-want +got):\n%s", diff)
	}
}

func TestParseNames(t *testing.T) {
	listing := "linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)\nlinux-image-6.1.0-56-cloud-amd64 - Linux - 6.1\n\n"
	want := []string{"linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64"}
	if diff := cmp.Diff(want, parseNames(listing)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestVersionsSortByTheirNumbers(t *testing.T) {
	want := []string{
		"linux-image-6.12.9+deb12-cloud-amd64",
		"linux-image-6.12.90+deb12-cloud-amd64",
		"linux-image-6.12.90+deb12.1-cloud-amd64",
		"linux-image-6.12.117+deb12-cloud-amd64",
		"linux-image-6.12.0118+deb12-cloud-amd64",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareVersions)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
