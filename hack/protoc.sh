#!/usr/bin/env bash
# Generates Go from .proto files, given relative to the top folder. protoc is Debian's; its plugins are pinned in go.tools.mod.
set -euo pipefail

plugin() { go tool -modfile=go.tools.mod -n "$1"; }

protoc --proto_path=. "--plugin=$(plugin protoc-gen-go)" "--plugin=$(plugin protoc-gen-go-grpc)" \
	--go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative "$@"
