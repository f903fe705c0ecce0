# KubeArmor as a managed fleet. `make help` lists what can be made.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION ?= v0.1.0
ARCHES ?= amd64 arm64
HOSTARCH := $(shell uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')
export CGO_ENABLED := 0
export KUBEBUILDER_ASSETS := $(CURDIR)/.cache/kube/$(HOSTARCH)

TOOL := go tool -modfile=go.tools.mod
LDFLAGS := -s -w -X main.version=$(VERSION)
GOTESTSUM := $(TOOL) gotestsum --format pkgname-and-test-fails

##@ Start here

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
		/^[a-z][a-z0-9-]*:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: deps build kube ## Bring up the embedded fleet and show a denied attack on every kind of node (KEEP=1 leaves it up)
	bin/testbed demo --version $(VERSION) $(if $(KEEP),--keep)

.PHONY: demo-down
demo-down: bin/testbed ## Remove a fleet that KEEP=1 or an interrupted run left behind
	bin/testbed down && bin/testbed down --name e2e

.PHONY: test
test: deps verify lint test-unit test-vm test-e2e ## Run every check and every test: static, unit, envtest, VMs, end to end

##@ Develop

.PHONY: build
build: bin/testbed ## Build the product's binaries for amd64 and arm64 into bin/
	@for arch in $(ARCHES); do echo "build: bin/$$arch (a few minutes the first time)" >&2; \
		GOARCH=$$arch go build -trimpath -ldflags '$(LDFLAGS)' -o bin/$$arch/ ./cmd/...; done

.PHONY: bin/testbed
bin/testbed:
	@echo 'build: $@ (a minute or two the first time)' >&2; mkdir -p bin && go build -trimpath -o $@ ./test/testbed

.PHONY: test-unit
test-unit: kube-envtest ## Run what needs no VM: unit, golden, conformance and envtest suites
	$(GOTESTSUM) -- -count=1 $(TESTFLAGS) $$(go list ./... | grep -v -e /test/e2e -e /test/vm)

.PHONY: diff
diff: ## Compare the core's decisions, in this machine's kernel, with the reference model (N=1000000 SEED=1)
	@go run ./test/diff -n $(or $(N),1000000) $(if $(SEED),-seed $(SEED))

.PHONY: diff-vm
diff-vm: ## Compare real operations on one real kernel with the reference model (KERNEL=6.12 ARCH=amd64 N=20000 SEED=1)
	@go run ./test/diffvm $(if $(KERNEL),-kernel $(KERNEL)) $(if $(ARCH),-arch $(ARCH)) $(if $(N),-n $(N)) $(if $(SEED),-seed $(SEED))

.PHONY: test-vm
test-vm: build ## Run the core's tests on real kernels in VMs (VM_KERNELS='5.10/amd64 6.12/arm64')
	$(GOTESTSUM) --format standard-verbose -- -count=1 -timeout 60m $(TESTFLAGS) ./test/vm/...

.PHONY: matrix
matrix: ## Run the core's tests on every kernel of the matrix: a table, and a check of the programs' growth (KERNELS='6.12/amd64' UPDATE=1)
	@go run ./test/vm/matrix $(if $(KERNELS),-kernels '$(KERNELS)') $(if $(RUN),-run '$(RUN)') $(if $(UPDATE),-update)

.PHONY: bench
bench: ## Measure decisions natively and the core's cost in a VM: text, docs/bench/bench.json, bench.svg (BENCHFLAGS='-rounds 5')
	@go run ./test/bench $(BENCHFLAGS)

.PHONY: bench-relay
bench-relay: ## Measure the relay with simulated agents: memory, processor, the account of every event (AGENTS=1000 RATE=20 SECONDS=300)
	@go run ./test/bench/relay $(if $(AGENTS),-agents $(AGENTS)) $(if $(RATE),-rate $(RATE)) $(if $(SECONDS),-seconds $(SECONDS))

.PHONY: test-e2e
test-e2e: build ## Run the end-to-end suite on a fleet of VMs
	$(GOTESTSUM) --format standard-verbose -- -count=1 -timeout 60m $(TESTFLAGS) ./test/e2e/...

.PHONY: vm vm-build
vm: deps vm-build ## Run CMD='...' in one VM: KERNEL= ARCH= LSM= ROOTFS=debian CPUS= MEMORY= FILES='...'
	@bin/testbed vm $(if $(KERNEL),--kernel $(KERNEL)) $(if $(ARCH),--arch $(ARCH)) $(if $(LSM),--lsm $(LSM)) \
		$(if $(ROOTFS),--rootfs $(ROOTFS)) $(if $(CPUS),--cpus $(CPUS)) $(if $(MEMORY),--memory $(MEMORY)) \
		$(if $(FILES),--files '$(FILES)') -- "$$COMMAND"
vm-build:
	@$(MAKE) build ARCHES=$(filter amd64 arm64,$(or $(ARCH),$(HOSTARCH)))
vm: export COMMAND := $(value CMD)

.PHONY: kube
kube: bin/testbed ## Build the testbed's control plane and kubelets (cached)
	@bin/testbed kube --only all

.PHONY: kube-envtest
kube-envtest: bin/testbed
	@bin/testbed kube --only envtest

.PHONY: deps
deps: ## Install what is missing on a Debian machine
	@hack/deps.sh >&2

##@ Generated files

.PHONY: generate
generate: ## Regenerate deepcopy, CRDs, the eBPF objects, the wire format and reference pages
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen crd:generateEmbeddedObjectMeta=false paths=./api/... output:crd:dir=config/crd/bases
	go generate ./bpf/...
	hack/protoc.sh internal/telemetry/*/*.proto
	go run ./hack/conditions
	go run ./hack/syscalls

.PHONY: verify
verify: ## Fail when a generated file, the format or go.mod is not what it should be
	@hack/verify.sh

.PHONY: lint
lint: ## go vet and golangci-lint, with the import rule
	@echo 'lint: go vet' >&2; go vet ./...
	@echo 'lint: golangci-lint (two minutes the first time)' >&2
	$(TOOL) golangci-lint run ./...

.PHONY: fmt
fmt: ## Format the code
	$(TOOL) golangci-lint fmt ./...

.PHONY: clean
clean: ## Remove binaries; the cache stays
	rm -rf bin
