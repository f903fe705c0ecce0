// SPDX-License-Identifier: Apache-2.0

package glob

// Match says whether the glob matches the whole path.
func (g *Glob) Match(path string) bool {
	m := matching{steps: g.steps, path: path, failed: map[state]bool{}}
	return m.from(state{})
}

// state of a match: the step that is next, the place, and how many bytes were read.
type state struct {
	step  int
	place Place
	read  int
}

// matching tries everything that a glob allows, and nothing twice.
type matching struct {
	steps  []Step
	path   string
	failed map[state]bool
}

func (m *matching) from(s state) bool {
	step := &m.steps[s.step]
	switch step.Kind {
	case KindEnd:
		return s.read == len(m.path) && s.place != PlaceEmpty
	case KindByte:
		if s.read == len(m.path) || !step.Set.Has(m.path[s.read]) || m.path[s.read] == '/' && s.place == PlaceEmpty {
			return false
		}
		return m.from(state{step.Next[0], After(m.path[s.read]), s.read + 1})
	}
	if m.failed[s] {
		return false
	}
	matched := step.Kind == KindBranch && m.branch(s) || step.Kind != KindBranch && m.star(s)
	m.failed[s] = !matched
	return matched
}

func (m *matching) branch(s state) bool {
	for _, next := range m.steps[s.step].Next {
		if m.from(state{next, s.place, s.read}) {
			return true
		}
	}
	return false
}

// star ends here, or reads one byte more.
func (m *matching) star(s state) bool {
	step := &m.steps[s.step]
	if m.from(state{step.Next[0], AfterNothing(s.place), s.read}) {
		return true
	}
	if s.read == len(m.path) || step.Kind == KindStar && m.path[s.read] == '/' {
		return false
	}
	return m.from(state{s.step, PlaceInside, s.read + 1})
}
