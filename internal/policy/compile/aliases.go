// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
)

// aliases are the objects behind the policies' paths in one root, of those paths that a link is on the way of.
type aliases map[string]alias

type alias struct {
	object    string
	multiCall bool
}

// resolve looks the paths up. It costs nothing where there is no root to look at.
func resolve(root Root, paths []string) aliases {
	found := aliases{}
	if root == nil {
		return found
	}
	for _, path := range paths {
		if object, multiCall := root.Resolve(path); object != path && possible(object) {
			found[path] = alias{object, multiCall}
		}
	}
	return found
}

// possible says whether the kernel can ever report the object: one that does not exist, at the end of a link, may have too
// long a name, and the enforcer takes no set with such a one.
func possible(object string) bool {
	read := parse.Path
	if strings.HasSuffix(object, "/") {
		read = parse.Directory
	}
	clean, err := read(object)
	return err == nil && clean == object
}

// key is equal for roots that resolve all paths alike.
func (a aliases) key() string {
	var text strings.Builder
	for _, path := range slices.Sorted(maps.Keys(a)) {
		for _, part := range []string{path, a[path].object} {
			text.WriteString(strconv.Itoa(len(part)) + ":" + part)
		}
		text.WriteString(strconv.FormatBool(a[path].multiCall))
	}
	return text.String()
}

// pathsOf are those that the selected policies name, each once.
func pathsOf(selections []Selection) []string {
	paths := map[string]bool{}
	for _, s := range selections {
		for i := range s.Policy.Rules {
			r := &s.Policy.Rules[i]
			for _, path := range []string{r.Path, r.Directory, leading(r.Pattern)} {
				paths[path] = true
			}
			for _, source := range r.Sources {
				paths[source.Path+source.Directory] = true
			}
		}
	}
	delete(paths, "")
	return slices.Sorted(maps.Keys(paths))
}

// leading are the directories that a glob begins with, up to the first special byte: "/bin/" of "/bin/ba*". It is empty
// for the root, behind which there is nothing else.
func leading(pattern string) string {
	if i := strings.IndexAny(pattern, `*?[{\`); i >= 0 {
		pattern = pattern[:i]
	}
	if i := strings.LastIndexByte(pattern, '/'); i > 0 {
		return pattern[:i+1]
	}
	return ""
}

// names that a rule has: its own, and that of the object behind it. multiCall is the object behind it that has too many
// names to be one of the rule's.
func (a aliases) names(r *policy.Rule) (names []string, multiCall string) {
	names = []string{nameOf(r)}
	switch found := a[r.Path+r.Directory]; {
	case r.Pattern != "":
		if found := a[leading(r.Pattern)]; found.object != "" {
			behind := quoted(found.object) + r.Pattern[len(leading(r.Pattern)):]
			if _, err := glob.Parse(behind); err == nil { // else it is longer than any path
				names = append(names, behind)
			}
		}
	case r.Path+r.Directory == "" || found.object == "":
	case found.multiCall:
		return names, found.object
	default:
		names = append(names, found.object)
	}
	return names, ""
}

// sources of a rule, and the objects behind them; one that is empty for a rule without any.
func (a aliases) sources(r *policy.Rule) (sources []string, multiCall string) {
	if len(r.Sources) == 0 {
		return []string{""}, ""
	}
	for _, source := range r.Sources {
		path := source.Path + source.Directory
		sources = append(sources, sourceOf(source, path))
		switch found := a[path]; {
		case found.multiCall:
			multiCall = found.object
		case found.object != "":
			sources = append(sources, sourceOf(source, found.object))
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources), multiCall
}

// quoted is a glob that matches exactly these bytes.
func quoted(path string) string {
	var out strings.Builder
	for i := range len(path) {
		if strings.IndexByte(`*?[]{},\`, path[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(path[i])
	}
	return out.String()
}
