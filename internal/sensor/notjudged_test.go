// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsNotJudgedIsNamedInTheWordsOfUsers(t *testing.T) {
	tests := map[string]struct {
		missing, want []string
	}{
		"nothing is missing":                                 {nil, nil},
		"an old kernel judges open files by another hook":    {[]string{"lsm/file_truncate"}, nil},
		"names that are looked up are no operation on files": {[]string{HookLookup}, nil},
		"chown before 6.1":                                   {[]string{"lsm/file_truncate", "lsm/path_chown"}, []string{"chown"}},
		"in observe mode":                                    {[]string{"kprobe/security_path_chmod"}, []string{"chmod"}},
		"hooks without which names can change unseen": {
			[]string{"lsm/path_unlink", "lsm/path_rename", "lsm/path_link", "lsm/path_mknod"}, []string{"create", "delete", "link", "rename"},
		},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, Stats{Missing: test.missing}.NotJudged()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
