#!/usr/bin/env bash
# Installs what the build, the testbed and the tests need on a Debian machine, and nothing that is there already.
set -euo pipefail

packages=(
	clang-14 llvm-14 libbpf-dev                        # eBPF objects: one compiler, so that they can be compared byte by byte
	qemu-system-x86 qemu-system-arm ipxe-qemu         # VM nodes
	cpio kmod e2fsprogs mmdebstrap busybox-static zstd # their disks
	buildah                                           # images
	iproute2 iptables                                 # their network
	protobuf-compiler                                 # telemetry on the wire
	ca-certificates git make
)

want_go=$(sed -n 's/^go //p' go.mod)
if ! command -v go >/dev/null; then
	echo "deps: Go is missing: install Go $want_go or newer (https://go.dev/doc/install) and put it on PATH" >&2
	exit 1
fi
have_go=$(go env GOVERSION | sed 's/^go//')
if [ "$(printf '%s\n%s\n' "$want_go" "$have_go" | sort -V | head -n 1)" != "$want_go" ]; then
	echo "deps: Go $have_go is too old: install Go $want_go or newer (https://go.dev/doc/install)" >&2
	exit 1
fi

missing=()
for package in "${packages[@]}"; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps: missing packages; run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
