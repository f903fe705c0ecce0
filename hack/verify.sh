#!/usr/bin/env bash
# Regenerates everything in a copy of the tree and fails on a difference, so that a committed file is never stale.
set -euo pipefail

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --no-dereference --parents -t "$copy"
cp -a "$copy" "$copy.before"
trap 'rm -rf "$copy" "$copy.before"' EXIT

echo "verify: regenerating"
(cd "$copy" && make -s generate && go mod tidy && git init -q . && go tool -modfile=go.tools.mod golangci-lint fmt ./... )
rm -rf "$copy/.git"
if ! diff -r --no-dereference "$copy.before" "$copy"; then
	echo "verify: the tree is not what the sources generate; run: make generate fmt && go mod tidy" >&2
	exit 1
fi
long=$(git ls-files -- '*.go' '*.c' '*.h' '*.sh' | grep -v -e zz_generated -e _bpfel.go -e _bpfeb.go -e '\.pb\.go$' | xargs wc -l | awk '$2 != "total" && $1 > 500')
if [ -n "$long" ]; then
	echo "verify: files of more than 500 lines; split them:" >&2
	echo "$long" >&2
	exit 1
fi
echo "verify: clean"
